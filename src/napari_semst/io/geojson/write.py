"""Labels of spots as GeoJSON in QuPath's layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from napari_semst import keys
from napari_semst.errors import ConfigError, InputError, SaveError, one_of
from napari_semst.io.export.atomic import write_atomically
from napari_semst.io.geojson.features import (
    detection_features,
    labels_of,
    region_features,
)
from napari_semst.io.geojson.tiles import unique_places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.geojson.spots import SectionSpots

    Ints = NDArray[np.int64]

    Shapes = Literal["regions", "spots", "both"]


class WrittenGeojson(NamedTuple):
    """A file that was written.

    Parameters
    ----------
    path
        The file.
    notes
        What it cannot hold, for the user to know.
    """

    path: Path
    notes: tuple[str, ...]


SHAPES = ("regions", "spots", "both")
# A file of more would be too large to be read back.
MOST_SPOTS = 1_000_000
# Share of a spot's diameter within which two places are one to a shape.
_SAME_PLACE = 1e-3


def write_geojson(
    adata: AnnData,
    path: str | Path,
    *,
    column: str = keys.DOMAIN,
    shapes: Shapes = "regions",
    section: str | None = None,
    section_key: str | None = None,
    coordinates: str | None = None,
    pixel_size: float | None = None,
    about: Mapping[str, Mapping[str, Any]] | None = None,
    overwrite: bool = False,
) -> WrittenGeojson:
    """Write a column of labels as GeoJSON that QuPath opens.

    Each label is one annotation, a polygon or several around its spots, with its
    colour as that of the class. The file is read back, and every spot must get its
    label again, before it takes its place.

    Parameters
    ----------
    adata
        The tissue.
    path
        Where to, ending in ``.geojson``.
    column
        The obs column; spots without a label are left out.
    shapes
        ``"regions"``: annotations; ``"spots"``: each spot as a detection, with
        confidence and modulation as measurements; ``"both"``.
    section
        Name of the section, where the tissue holds several.
    section_key
        The obs column that tells sections apart, empty for one section; None takes
        the one that the run was told, else that of joined sections.
    coordinates
        Where the spots are: an obsm key, or two obs columns as ``"x,y"``; None looks
        for them.
    pixel_size
        Units of the coordinates per pixel of the image, as micrometres; None where
        the coordinates are pixels.
    about
        More of the annotation of a label, by label: ``name`` on show, ``measurements``
        and ``metadata``. The class of an annotation stays the label.
    overwrite
        Whether a file that stands there may be replaced.

    Returns
    -------
    WrittenGeojson
        The file, and what it cannot hold.

    Raises
    ------
    InputError
        If there is no such column, section or coordinates.
    ConfigError
        If ``shapes`` or ``pixel_size`` is out of range.
    SaveError
        If the file cannot be written, or did not read back the same.

    Notes
    -----
    Layout: https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html
    and RFC 7946.
    """
    from napari_semst.io.geojson.spots import spots_in_pixels

    if shapes not in SHAPES:
        raise ConfigError(one_of("shapes", shapes, SHAPES))
    spots = spots_in_pixels(adata, section, coordinates, pixel_size, section_key)
    codes, names, colors = labels_of(adata, column)
    codes = codes[spots.rows]
    if (codes < 0).all():
        raise InputError(
            f"Expected labels in obs[{column!r}] for spots of the section {section!r}; "
            "found none. Name another section or column."
        )
    if shapes != "regions" and (codes >= 0).sum() > MOST_SPOTS:
        raise ConfigError(
            f"Expected at most {MOST_SPOTS:,} spots as detections; got "
            f"{int((codes >= 0).sum()):,}. Write regions instead."
        )
    table = [
        {"name": name, "color": [int(color[i : i + 2], 16) for i in (1, 3, 5)]}
        for name, color in zip(names, colors, strict=True)
    ]

    def features() -> Iterator[str]:
        if shapes != "spots":
            yield from region_features(adata, spots, codes, table, column, about or {})
        if shapes != "regions":
            yield from detection_features(adata, spots, codes, table)

    mixed = _mixed(spots, codes)
    place = write_atomically(
        path,
        lambda temporary: _write_features(temporary, features()),
        lambda temporary: _check(temporary, spots, codes, names, mixed),
        overwrite=overwrite,
        suffix=".geojson",
    )
    if not mixed.any():
        return WrittenGeojson(place, ())
    note = (
        f"{int(mixed.sum()):,} spots share their place with a spot of another label: "
        "shapes cannot tell them apart."
    )
    return WrittenGeojson(place, (note,))


def _write_features(temporary: Path, features: Iterator[str]) -> None:
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{"type": "FeatureCollection", "features": [\n')
        for number, line in enumerate(features):
            file.write((",\n" if number else "") + line)
        file.write("\n]}\n")


def _check(
    temporary: Path,
    spots: SectionSpots,
    codes: Ints,
    names: list[str],
    mixed: NDArray[np.bool_],
) -> None:
    """Refuse a file from which a spot would get another label."""
    from napari_semst.io.geojson.label import label_spots
    from napari_semst.io.geojson.parse import read_geojson

    found = label_spots(spots, read_geojson(temporary))
    back = np.append(np.array([names.index(n) for n in found.names]), -1)[found.codes]
    wrong = (back != codes) & ~mixed
    if wrong.any():
        raise SaveError(
            f"Expected every spot to read back with its label; {int(wrong.sum()):,} of "
            f"{len(codes):,} did not. Nothing was changed."
        )


def _mixed(spots: SectionSpots, codes: Ints) -> NDArray[np.bool_]:
    """Return the spots at the very place of a spot with another label."""
    from scipy.spatial import cKDTree

    found, _, place = unique_places(spots.places)
    n = len(found)
    low, high = np.full(n, codes.max()), np.full(n, -1)
    np.minimum.at(low, place, codes)
    np.maximum.at(high, place, codes)
    mixed = low != high
    if n > 1:
        distance, near = cKDTree(found).query(found, k=[2])
        same = distance[:, 0] < _SAME_PLACE * spots.diameter
        mixed |= same & (low != low[near[:, 0]])
    of_spots: NDArray[np.bool_] = mixed[place]
    return of_spots
