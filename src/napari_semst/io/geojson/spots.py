"""The spots of a section in the coordinates of a GeoJSON file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.errors import ConfigError, InputError, one_of
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class SectionSpots(NamedTuple):
    """Spots of one section.

    Parameters
    ----------
    rows
        Which of the tissue's spots they are.
    places
        ``(n, 2)`` (x, y) in pixels of the file.
    diameter
        Of a spot, in pixels of the file.
    """

    rows: Ints
    places: Floats
    diameter: float


def spots_in_pixels(
    adata: AnnData,
    section: str | None,
    coordinates: str | None,
    pixel_size: float | None,
    section_key: str | None = None,
) -> SectionSpots:
    """Return the spots of a section.

    Parameters
    ----------
    adata
        The tissue.
    section
        Name of the section; None where there is but one.
    coordinates
        Where the spots are: an obsm key, or two obs columns as ``"x,y"``; None looks
        for them.
    pixel_size
        Units of the coordinates per pixel of the image; None: they are pixels.
    section_key
        As for `write_geojson`.

    Raises
    ------
    InputError
        If there are no such coordinates, or the section must be named.
    ConfigError
        If the pixel size is not a positive number.
    """
    from napari_semst.io.alignment import spot_size
    from napari_semst.io.coordinates import find_coordinates
    from napari_semst.io.split_sections import shown_section_key, split_sections

    size = 1.0 if pixel_size is None else pixel_size
    if not (np.isfinite(size) and size > 0):
        raise ConfigError(f"Expected a positive pixel size; got {pixel_size!r}.")
    column = shown_section_key(adata) if section_key is None else section_key
    parts = split_sections(adata, column, coordinates) if column else []
    names = [part.name for part in parts]
    if section is not None and section not in names:
        raise InputError(one_of("section", section, names))
    if section is None and len(parts) > 1:
        raise InputError(
            Worded(
                f"Expected one section; obs[{column!r}] tells {len(parts)} apart: "
                f"{', '.join(names[:8])}. A GeoJSON file belongs to one image: ",
                Way(
                    "name the section (--section).",
                    "name the section (section=...).",
                    "show one section alone first.",
                ),
            )
        )
    if section is not None:
        part = parts[names.index(section)]
        index, tissue, key = part.spots, part.tissue, "spatial"
        places, library = find_coordinates(tissue, key), part.library
        found = spot_size(tissue, library, key)
    else:
        index = np.arange(adata.n_obs)
        places = find_coordinates(adata, coordinates)
        found = spot_size(adata, None, coordinates)
    return SectionSpots(index, places / size, found.diameter / size)
