"""What of a section is shown: its spots, its image, its scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.alignment import Placement

    Floats = NDArray[np.float64]


# The longer side of a usual panel in inches.
PANEL = 3.7
# Up to this ratio of the spots' diameters the units of sections are taken to be one.
_SAME_UNIT = 1.5
# Sections are shown at one scale unless the longest is so much longer.
_ONE_SCALE = 2.5


@dataclass(frozen=True)
class FigureView:
    """What of a section is shown: spots, image, and the rectangle around them.

    Parameters
    ----------
    mask
        ``(n_all,)`` which spots belong to the section.
    positions
        ``(n_spots, 2)`` positions (y, x).
    diameter
        Diameter of a spot in the unit of the positions.
    placement
        The image, where there is one.
    low, high
        The corners (y, x) of what is shown.
    microns
        Microns per unit, None where unknown.
    section
        Name to print, empty where there is but one.
    """

    mask: NDArray[np.bool_]
    positions: Floats
    diameter: float
    placement: Placement | None
    low: Floats
    high: Floats
    microns: float | None
    section: str

    @property
    def panel(self) -> tuple[float, float]:
        """Width and height of a panel in inches."""
        height, width = np.maximum(self.high - self.low, 1e-9)
        # Never a strip: very long sections are shown within a wider frame.
        ratio = float(np.clip(width / height, 0.4, 2.5))
        return (PANEL * min(ratio, 1.35), PANEL * min(ratio, 1.35) / ratio)


def section_view(
    adata: AnnData, library: str | None, coordinates: str | None = None
) -> FigureView:
    """Return what to show of a tissue."""
    from napari_semst.io.alignment import image_placement, spot_positions, spot_size
    from napari_semst.io.places.scale import microns_of
    from napari_semst.io.sections import (
        added_libraries,
        own_libraries,
        part,
        spots_of,
        the_library,
    )

    names = own_libraries(adata)
    candidates = [n for n in names if len(part(adata, n, "images"))] or list(names)
    section = library
    if section is None and added_libraries(adata):
        section = the_library(adata, None)
    if section is None and candidates:
        section = candidates[0]
    placement = None if section is None else image_placement(adata, section)
    mask = np.ones(adata.n_obs, dtype=np.bool_)
    if section is not None:
        mask = spots_of(adata, section)
    positions = spot_positions(adata, coordinates)[mask]
    # Of an image that was added nothing tells of spots.
    sized = section if section in names else None
    size = spot_size(adata, sized, coordinates)
    low, high = positions.min(axis=0), positions.max(axis=0)
    margin = max(0.045 * float((high - low).max()), 1.5 * size.diameter)
    low, high = low - margin, high + margin
    if placement is not None:
        first, last = placement.bounds()
        # Within the image, unless the spots lie beside it.
        low = np.minimum(np.maximum(low, first), positions.min(axis=0))
        high = np.maximum(np.minimum(high, last), positions.max(axis=0))
    stated = {} if section is None else part(adata, section, "scalefactors")
    microns = microns_of(stated, positions, size.diameter)
    label = section if section is not None and len(names) > 1 else ""
    return FigureView(
        mask, positions, size.diameter, placement, low, high, microns, label
    )


def section_views(
    adata: AnnData, library: str | None, coordinates: str | None, column: str
) -> list[FigureView]:
    """Return what to show of a tissue: all its sections, or the one asked for.

    Parameters
    ----------
    column
        The obs column that tells sections apart, empty for one section.
    """
    from napari_semst.io.split_sections import split_sections

    parts = split_sections(adata, column, coordinates) if column else []
    wanted = [part for part in parts if library in (None, part.name)]
    if len(parts) < 2 or not wanted:
        return [section_view(adata, library, coordinates)]
    views = []
    for part in wanted:
        mask = np.zeros(adata.n_obs, dtype=np.bool_)
        mask[part.spots] = True
        alone = section_view(part.tissue, None, keys.SPATIAL)
        views.append(replace(alone, mask=mask, section=part.name))
    return views


def at_one_scale(views: list[FigureView]) -> list[FigureView]:
    """Return views of equal windows, so that sections can be compared in size.

    Where nobody knows how their units compare, or one is far larger than another,
    they are returned as they are, each to fill its panel.
    """
    microns = [view.microns for view in views]
    diameters = np.array([view.diameter for view in views])
    units = np.ones(len(views))
    if all(microns):
        units = np.array(microns, dtype=np.float64)
    elif diameters.max() > _SAME_UNIT * diameters.min():
        return views
    sizes = np.stack([view.high - view.low for view in views]) * units[:, None]
    longest = sizes.max(axis=1)
    if longest.max() > _ONE_SCALE * longest.min():
        return views
    windows = sizes.max(axis=0) / units[:, None] / 2
    middles = np.stack([(view.low + view.high) / 2 for view in views])
    # Below their names, which stand at the left.
    middles[:, 1] = [view.low[1] for view in views] + windows[:, 1]
    return [
        replace(view, low=middle - window, high=middle + window)
        for view, middle, window in zip(views, middles, windows, strict=True)
    ]
