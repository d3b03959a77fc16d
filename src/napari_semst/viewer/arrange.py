"""Where spots and images stand on the canvas: sections of one tissue side by side.

A single section stands where its own coordinates say. Of several the first does, and
the others are moved beside it, each with its image: a shift for every section, and a
scale where their coordinates are in units so different that one would be a speck.
The tissue's coordinates are read and never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.io.places.on_image import placed_image

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.alignment import Placement
    from napari_semst.io.split_sections import SectionView

    Floats = NDArray[np.float64]

# Units are taken to be the same up to this ratio of the spots' diameters.
_SAME_UNIT = 1.5
# Of sections in different units none is shown longer than this many times another.
_LONGEST = 3.0
# Width to height that the arrangement comes near to, as of a window.
_ASPECT = 1.5
# Between sections, as a share of the largest one.
_GAP = 0.04


@dataclass(frozen=True, slots=True, eq=False)
class CanvasArrangement:
    """Where the spots and images of a tissue stand on the canvas.

    Parameters
    ----------
    names
        Of the sections; one, of any name, for a single section.
    codes
        Section of each spot, shape ``(n_spots,)``.
    positions
        Of the spots on the canvas, (y, x), shape ``(n_spots, 2)``.
    diameters
        Of the spots on the canvas: one number, or one per spot.
    libraries
        Library of each section, `None` for one without.
    scales, shifts
        What takes a section's own (y, x) to the canvas: ``own * scale + shift``;
        shapes ``(n_sections,)`` and ``(n_sections, 2)``.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int32]
    positions: Floats
    diameters: float | Floats
    libraries: tuple[str | None, ...]
    scales: Floats
    shifts: Floats

    def moved(self, placement: Placement) -> tuple[Floats, Floats] | None:
        """Return scale and translation of an image, None if no section has it."""
        scale, translate = np.array(placement.scale), np.array(placement.translate)
        if len(self.names) == 1:
            return scale, translate
        if placement.library not in self.libraries:
            return None
        section = self.libraries.index(placement.library)
        factor, shift = self.scales[section], self.shifts[section]
        return scale * factor, translate * factor + shift


def arrange(tissue: AnnData, key: str | None, column: str = "") -> CanvasArrangement:
    """Return where to put a tissue's spots and images.

    Parameters
    ----------
    tissue
        The tissue.
    key
        obsm key of the coordinates, `None` looks for them.
    column
        The obs column that tells sections apart; empty for a single section.

    Raises
    ------
    InputError
        If the coordinates are not two finite numbers for each spot, or the column
        does not tell every spot's section.
    """
    from napari_semst.io.split_sections import split_sections

    parts = split_sections(tissue, column, key) if column else []
    if len(parts) < 2:
        positions, diameter = spot_places(tissue, key)
        alone = np.zeros(tissue.n_obs, np.int32)
        origin, one = np.zeros((1, 2)), np.ones(1)
        return CanvasArrangement(
            ("",), alone, positions, diameter, (None,), one, origin
        )
    return _side_by_side(tissue, key, parts)


def _side_by_side(
    tissue: AnnData, key: str | None, parts: list[SectionView]
) -> CanvasArrangement:
    # Sections on one image are moved together with it.
    frames = [part.library or ("", index) for index, part in enumerate(parts)]
    order = list(dict.fromkeys(frames))
    frame_of = np.array([order.index(frame) for frame in frames])
    own = [part.tissue.obsm[keys.SPATIAL][:, ::-1] for part in parts]
    diameters = np.array([_diameter(tissue, key, part) for part in parts])
    boxes, lengths = [], []
    for frame in range(len(order)):
        members = np.flatnonzero(frame_of == frame)
        box = bounds(np.concatenate([own[one] for one in members]))
        lengths.append(float(np.ptp(box, axis=0).max()))
        boxes.append(_with_image(box, parts[members[0]]))
    first = [int(np.argmax(frame_of == frame)) for frame in range(len(order))]
    factors = common_size(diameters[first], np.array(lengths))
    shifts = row_shifts(np.stack(boxes) * factors[:, None, None])
    scales, moved = factors[frame_of], shifts[frame_of]
    codes = np.empty(tissue.n_obs, np.int32)
    positions = np.empty((tissue.n_obs, 2))
    for index, part in enumerate(parts):
        codes[part.spots] = index
        positions[part.spots] = own[index] * scales[index] + moved[index]
    return CanvasArrangement(
        tuple(part.name for part in parts),
        codes,
        positions,
        (diameters * scales)[codes],
        tuple(part.library for part in parts),
        scales,
        moved,
    )


def _diameter(tissue: AnnData, key: str | None, part: SectionView) -> float:
    """Return the diameter of a section's spots in the unit of the coordinates."""
    from napari_semst.io.alignment import spot_size

    size = spot_size(part.tissue, part.library)
    if size.source != "spot_diameter_fullres" or key == keys.SPATIAL:
        return size.diameter
    return size.diameter * _unit(tissue, part.spots, part.tissue.obsm[keys.SPATIAL])


def _with_image(box: Floats, part: SectionView) -> Floats:
    placement, _ = (
        placed_image(part.tissue, part.library) if part.library else (None, "")
    )
    if placement is None:
        return box
    return bounds(np.concatenate([box, placement.bounds()]))


def bounds(places: Floats) -> Floats:
    """Return the least and the largest (y, x) of places, shape ``(2, 2)``."""
    return np.stack([places.min(axis=0), places.max(axis=0)])


def common_size(diameters: Floats, lengths: Floats) -> Floats:
    """Return by what to scale sections so that they can be looked at side by side.

    Parameters
    ----------
    diameters, lengths
        Of the spots and of the longer side of every section, in its own unit, each
        ``(n,)``.

    Returns
    -------
    numpy.ndarray
        ``(n,)``; 1 for the first, and for those whose spots are about as large as the
        first one's: their unit is the same. Others get spots as large, unless they
        were then much longer or shorter than the first.
    """
    factors = diameters[0] / diameters
    ratio = factors * lengths / max(float(lengths[0]), 1e-12)
    ratio = np.where(ratio > 0, ratio, 1.0)
    held = factors * np.clip(ratio, 1 / _LONGEST, _LONGEST) / ratio
    same = np.abs(np.log(factors)) <= np.log(_SAME_UNIT)
    return np.where(same, 1.0, held)


def row_shifts(boxes: Floats) -> Floats:
    """Return how to shift boxes so that they stand in rows; the first one stays.

    Parameters
    ----------
    boxes
        Least and largest (y, x) of every section, shape ``(n, 2, 2)``.

    Returns
    -------
    numpy.ndarray
        ``(n, 2)``, in (y, x).
    """
    sizes = np.maximum(boxes[:, 1] - boxes[:, 0], 1e-9)
    gap = _GAP * float(sizes.max())
    n_columns = _n_columns(sizes, gap)
    place = np.arange(len(boxes))
    corners = np.zeros_like(sizes)
    for axis, index in enumerate((place // n_columns, place % n_columns)):
        cells = np.zeros(index.max() + 1)
        np.maximum.at(cells, index, sizes[:, axis])
        starts = np.concatenate([[0.0], np.cumsum(cells + gap)[:-1]])
        corners[:, axis] = starts[index] + (cells[index] - sizes[:, axis]) / 2
    shifts = corners - boxes[:, 0]
    moved: Floats = shifts - shifts[0]
    return moved


def _n_columns(sizes: Floats, gap: float) -> int:
    """Return the number of columns that fills a window best."""
    n = len(sizes)
    height, width = sizes.mean(axis=0) + gap

    def badness(columns: int) -> float:
        rows = -(-n // columns)
        shape = columns * width / (rows * height)
        return abs(float(np.log(shape / _ASPECT))) + (rows * columns - n) / n

    return min(range(1, n + 1), key=badness)


def spot_places(tissue: AnnData, key: str | None) -> tuple[Floats, float]:
    """Return the spots' positions (y, x) at some coordinates, and their diameter.

    Raises
    ------
    InputError
        If the coordinates are not two finite numbers for each spot.
    """
    from napari_semst.io.alignment import spot_positions, spot_size

    positions = spot_positions(tissue, key)
    size = spot_size(tissue, key=key)
    if size.source != "spot_diameter_fullres" or key == keys.SPATIAL:
        return positions, size.diameter
    return positions, size.diameter * _unit(
        tissue, np.arange(len(positions)), positions
    )


def _unit(tissue: AnnData, spots: NDArray[np.int64], places: Floats) -> float:
    """Return how long a pixel is in the unit of places, 1 where that is unknown.

    The diameter stated is in pixels; other coordinates can have another unit.
    """
    usual = tissue.obsm.get(keys.SPATIAL)
    pixels = 0.0 if usual is None else _spread(np.asarray(usual)[spots])
    own = _spread(places)
    return own / pixels if pixels and own else 1.0


def _spread(places: Any) -> float:
    """Return how far places lie apart, 0 where that is unknown."""
    variances = np.var(np.asarray(places, dtype=np.float64)[:, :2], axis=0)
    return float(np.sqrt(variances.sum())) if np.isfinite(variances).all() else 0.0
