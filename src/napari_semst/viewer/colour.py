"""Colours of the spots, and the one quick way to put them on a layer.

Every colouring is computed here as one RGBA value per spot. A text column handed to
the viewer would be coloured by its own cycle, and slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.viewer import colourings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.viewer.colourings import Colouring

MISSING = "#9a9a9a"
"""Grey of the spots that have no value."""

# Apart for the colour-blind too: one is light, the other strong.
DIFFERING_COLORS = {"agree": "#c9d3dc", "differ": "#d1495b"}

# By what is fixed about a category's meaning; pale where nothing is to be said.
FIXED_COLORS = {
    **dict(zip(colourings.DISCORDANT_NAMES, DIFFERING_COLORS.values(), strict=True)),
    "contradicts": DIFFERING_COLORS["differ"],
    "unexplained": "#00798c",
    "fine": DIFFERING_COLORS["agree"],
    "outside": "#4d4d4d",
    "background": "#e69f00",
    "blurred": "#0072b2",
    "folded": "#cc79a7",
}

_COLORMAPS = {
    colourings.TOTAL_COUNTS: "viridis",
    keys.CONFIDENCE: "cividis",
    keys.COVERAGE: "cividis",
    # Bright is discordant, or surprising.
    keys.DISCORDANCE: "magma",
    keys.SURPRISE: "magma",
    keys.UNEXPLAINED: "magma",
    keys.DISCORDANCE_FDR: "magma_r",
    keys.TRANSFER_SCORE: "viridis",
    keys.TRANSFER_Q: "magma_r",
}
_MODULATION_COLORMAP = "inferno"
_LIMITS = {keys.DISCORDANCE_FDR: (0.0, 1.0), keys.TRANSFER_Q: (0.0, 1.0)}


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One row of a legend: a category, its colour and how many spots carry it."""

    name: str
    color: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class CategoryPaint:
    """A categorical colouring, ready to paint.

    Parameters
    ----------
    rgba
        Colours in 0 to 1, shape ``(n_spots, 4)``.
    entries
        The legend's rows, in the order of the categories.
    """

    rgba: NDArray[np.float32]
    entries: tuple[LegendEntry, ...]


@dataclass(frozen=True, slots=True)
class NumberPaint:
    """A continuous colouring, ready to paint.

    Parameters
    ----------
    rgba
        Colours in 0 to 1, shape ``(n_spots, 4)``.
    limits
        Values at the colormap's ends; values beyond take the end's colour.
    extent
        Smallest and largest value.
    colormap
        Name that matplotlib knows.
    n_missing
        Spots without a value, painted grey.
    """

    rgba: NDArray[np.float32]
    limits: tuple[float, float]
    extent: tuple[float, float]
    colormap: str
    n_missing: int


Paint = CategoryPaint | NumberPaint


def paint_of(tissue: AnnData, colouring: Colouring) -> Paint:
    """Return the colours, and what explains them, of one colouring of a tissue."""
    if colouring.kind == "categories":
        codes, names = colourings.category_values(tissue, colouring)
        return paint_categories(codes, names, colors_of(tissue, colouring, names))
    given = "viridis" if colouring.place != "obs" else _MODULATION_COLORMAP
    colormap = _COLORMAPS.get(colouring.key, given)
    limits = _LIMITS.get(colouring.key)
    return paint_numbers(colourings.number_values(tissue, colouring), colormap, limits)


def colors_of(
    tissue: AnnData, colouring: Colouring, names: Sequence[str]
) -> tuple[str, ...]:
    """Return one colour per category: those the tissue keeps, else our own."""
    from napari_semst.core.column_colors import column_colors
    from napari_semst.palette import domain_colors

    if colouring.place == "differ":
        return tuple(DIFFERING_COLORS[name] for name in names)
    if colouring.place == "fixed" and all(name in FIXED_COLORS for name in names):
        return tuple(FIXED_COLORS[name] for name in names)
    if f"{colouring.column}{keys.COLORS_SUFFIX}" in tissue.uns:
        kept = column_colors(tissue, colouring.column)
        if all(name in kept for name in names):
            return tuple(kept[name] for name in names)
    return tuple(str(color) for color in domain_colors(len(names)))


def paint_categories(
    codes: NDArray[np.integer], names: Sequence[str], colors: Sequence[str]
) -> CategoryPaint:
    """Return the colours of coded categories.

    Parameters
    ----------
    codes
        Category of each spot, -1 for none, shape ``(n_spots,)``.
    names, colors
        Name and colour of each category.
    """
    from matplotlib.colors import to_rgba_array

    table = to_rgba_array([*colors, MISSING]).astype(np.float32)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    total = max(len(codes), 1)
    entries = [
        LegendEntry(name, color, int(count), int(count) / total)
        for name, color, count in zip(names, colors, counts, strict=True)
    ]
    n_missing = int((codes < 0).sum())
    if n_missing:
        entries.append(LegendEntry("none", MISSING, n_missing, n_missing / total))
    return CategoryPaint(table[codes], tuple(entries))


def paint_numbers(
    values: NDArray[np.floating],
    colormap: str = "viridis",
    limits: tuple[float, float] | None = None,
) -> NumberPaint:
    """Return the colours of a value per spot; spots without one are grey.

    Parameters
    ----------
    values
        Value of each spot, NaN for none, shape ``(n_spots,)``.
    colormap
        Name that matplotlib knows.
    limits
        Values at the colormap's ends; by default `robust_limits`.
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_rgba

    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    low, high = limits or robust_limits(values)
    span = (high - low) or 1.0
    unit = np.clip(np.where(known, (values - low) / span, 0.0), 0.0, 1.0)
    # As the colormap itself would, but a row of 256 colours is quicker to look up.
    steps = colormaps[colormap].N
    table = colormaps[colormap](np.arange(steps)).astype(np.float32)
    rgba = table[np.minimum((unit * steps).astype(np.intp), steps - 1)]
    rgba[~known] = to_rgba(MISSING)
    extent = (
        (float(values[known].min()), float(values[known].max()))
        if known.any()
        else (0.0, 0.0)
    )
    return NumberPaint(rgba, (low, high), extent, colormap, int((~known).sum()))


def robust_limits(
    values: NDArray[np.floating], low: float = 2.0, high: float = 98.0
) -> tuple[float, float]:
    """Return the percentiles between which the colours run, deaf to a few outliers.

    Where the percentiles fall together the whole range is returned, and (0, 1) where
    no value is known.
    """
    known = np.asarray(values)[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    bottom, top = (float(v) for v in np.percentile(known, [low, high]))
    if bottom == top:
        bottom, top = float(known.min()), float(known.max())
    return bottom, top
