"""Colours of one section as the dock has them: hidden names, limits, selection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.viewer import colourings, confidence_fade
from napari_semst.viewer.colour import paint_numbers, paint_of
from napari_semst.viewer.hierarchy_levels import hierarchy_levels

if TYPE_CHECKING:
    from collections.abc import Collection

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.viewer.colour import Paint
    from napari_semst.viewer.colourings import Colouring
    from napari_semst.viewer.display_state import DisplayState
    from napari_semst.viewer.hierarchy_levels import HierarchyLevels

COLOUR_CHOICES = "semst_choices"
"""Key of a layer's metadata for its `ColourChoices`."""

_UNSELECTED = 0.15


@dataclass(slots=True)
class ColourChoices:
    """What was chosen by hand for the colourings of one layer.

    Parameters
    ----------
    hidden
        Colouring -> names that are not shown.
    limits
        Colouring -> values at the ends, and the colormap.
    """

    hidden: dict[str, frozenset[str]] = field(default_factory=dict)
    limits: dict[str, tuple[tuple[float, float], str]] = field(default_factory=dict)


def paint_section(
    tissue: AnnData,
    colouring: Colouring,
    choices: ColourChoices,
    selected: NDArray[np.bool_] | None = None,
    look: DisplayState | None = None,
) -> tuple[Paint, NDArray[np.float32]]:
    """Return a colouring with its legend, and the colours to put on the spots.

    Parameters
    ----------
    selected
        Spots that stand out; the others are faint. None: no selection.
    look
        Tells the number of domains on show, and whether unsure spots are faded.

    Returns
    -------
    tuple
        The paint, whose colours are those of all names, and RGBA ``(n_spots, 4)``.
    """
    levels = shown_level(tissue, colouring, look)
    if levels is not None and look is not None and look.level is not None:
        paint: Paint = levels.paint(look.level)
        choices = ColourChoices()  # of names that are not on show
    elif colouring.kind == "categories":
        paint = paint_of(tissue, colouring)
    else:
        paint = _numbers(tissue, colouring, choices)
    rgba = paint.rgba
    if look is not None and look.fade and colouring.kind == "categories":
        sure = colourings.confidence_of(
            tissue, look.run or colourings.latest_run(tissue)
        )
        rgba = (
            rgba
            if sure is None
            else confidence_fade.fade_colours(rgba, confidence_fade.kept_opacity(sure))
        )
    return paint, mask_colours(tissue, colouring, choices, selected, rgba)


def mask_colours(
    tissue: AnnData,
    colouring: Colouring,
    choices: ColourChoices,
    selected: NDArray[np.bool_] | None,
    rgba: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return colours without those of hidden names, the unselected ones faint."""
    hidden = hidden_spots(tissue, colouring, choices)
    if hidden is None and selected is None:
        return rgba
    rgba = rgba.copy()
    if hidden is not None:
        rgba[hidden, 3] = 0
    if selected is not None:
        rgba[~selected, 3] *= _UNSELECTED
    return rgba


def shown_level(
    tissue: AnnData, colouring: Colouring, look: DisplayState | None
) -> HierarchyLevels | None:
    """Return a run's hierarchy where another number of its domains is on show."""
    if look is None or look.level is None or colouring.key != keys.DOMAIN:
        return None
    levels = hierarchy_levels(tissue, look.run or colourings.latest_run(tissue))
    return levels if levels is not None and levels.holds(look.level) else None


def choice_key(tissue: AnnData, colouring: Colouring) -> str:
    """Return the key of what is chosen for a colouring: results have one per run."""
    if not colouring.key.startswith(keys.RESULTS):
        return colouring.key
    return f"{colouring.column} {tissue.uns.get(keys.LATEST, '')}"


def _numbers(tissue: AnnData, colouring: Colouring, choices: ColourChoices) -> Paint:
    by_hand = choices.limits.get(choice_key(tissue, colouring))
    if by_hand is None:
        return paint_of(tissue, colouring)
    limits, colormap = by_hand
    return paint_numbers(colourings.number_values(tissue, colouring), colormap, limits)


def hidden_spots(
    tissue: AnnData, colouring: Colouring, choices: ColourChoices
) -> NDArray[np.bool_] | None:
    """Return the spots whose names are hidden, None where all are shown."""
    names = choices.hidden.get(choice_key(tissue, colouring))
    if not names or colouring.kind != "categories":
        return None
    return spots_named(tissue, colouring, names)


def spots_named(
    tissue: AnnData, colouring: Colouring, names: Collection[str]
) -> NDArray[np.bool_]:
    """Return which spots have one of some names of a colouring, ``(n_spots,)``."""
    codes, there = colourings.category_values(tissue, colouring)
    # Spots without a name are the legend's row "none".
    wanted = np.array([*(name in names for name in there), "none" in names])
    return np.asarray(wanted[codes])
