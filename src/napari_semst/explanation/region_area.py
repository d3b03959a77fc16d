"""How large regions of spots are on the slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.core.sections import Sections

# Square micrometres of a square millimetre.
_PER_SQUARE_MM = 1e6


def region_areas(
    tissue: AnnData,
    places: NDArray[np.float64],
    sections: Sections,
    regions: Sequence[NDArray[np.intp]],
) -> list[float | None]:
    """Return the area of each region in square millimetres, `None` where unknown.

    It is that of the outlines that are written for QuPath.

    Parameters
    ----------
    tissue
        Its scale factors, or how its spots stand, tell what a unit is.
    places
        Coordinates, ``(n_spots, 2)``.
    sections
        A region lies in one of them.
    regions
        Spots of each region.
    """
    areas: list[float | None] = [None] * len(regions)
    for section, spots in zip(sections.names, sections.spots(), strict=True):
        mine = [n for n, own in enumerate(regions) if np.isin(own[:1], spots).any()]
        scale = _microns(tissue, str(section), places[spots]) if mine else None
        if scale is None:
            continue
        codes = np.full(len(places), -1, np.int64)
        for code, number in enumerate(mine):
            codes[regions[number]] = code
        found = _areas(places[spots], codes[spots], len(mine))
        for number, area in zip(mine, found, strict=True):
            areas[number] = float(f"{area * scale**2 / _PER_SQUARE_MM:.4g}")
    return areas


def _areas(
    places: NDArray[np.float64], codes: NDArray[np.int64], n_regions: int
) -> list[float]:
    """Return areas in squares of the coordinates' unit, holes left out."""
    from napari_semst.io.geojson.outline import outlines, ring_area
    from napari_semst.io.geojson.tiles import unique_places

    where, first, _ = unique_places(places)
    found = outlines(where, codes[first], n_regions, 1.0)
    # Outer rings and holes run opposite ways: their areas have opposite signs.
    return [
        abs(sum(ring_area(ring[:-1]) for rings in own for ring in rings))
        for own in found
    ]


def _microns(
    tissue: AnnData, section: str, places: NDArray[np.float64]
) -> float | None:
    """Return micrometres per unit of a section's coordinates, if they are known."""
    from napari_semst.io.alignment import nearest_distance
    from napari_semst.io.places.scale import microns_of
    from napari_semst.io.sections import own_libraries, part

    names = list(own_libraries(tissue))
    library = section if section in names else names[0] if len(names) == 1 else ""
    stated = part(tissue, library, "scalefactors") if library else {}
    apart = nearest_distance(places)
    if apart is None:
        return None
    diameter = float(stated.get("spot_diameter_fullres", apart))
    return microns_of(stated, places, diameter)
