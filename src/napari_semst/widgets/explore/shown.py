"""What is on the spots, as a figure can draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.explore.values import unit_of_genes
from napari_semst.figure.colouring import Categories, Numbers
from napari_semst.viewer import columns
from napari_semst.viewer.colour import CategoryPaint, colors_of
from napari_semst.widgets.explore.painter import hidden_spots, painted

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.viewer.columns import Colouring
    from napari_semst.widgets.explore.painter import Choices


def shown(
    tissue: AnnData, colouring: Colouring, choices: Choices
) -> Categories | Numbers:
    """Return a colouring with its hidden names and limits, as on the canvas.

    Parameters
    ----------
    tissue, colouring, choices
        As for `napari_semst.widgets.explore.painter.painted`.
    """
    paint, _ = painted(tissue, colouring, choices)
    if isinstance(paint, CategoryPaint):
        codes, names = columns.categories(tissue, colouring)
        colors = list(colors_of(tissue, colouring, names))
        hidden = hidden_spots(tissue, colouring, choices)
        return Categories(
            colouring.label, np.asarray(codes, np.int64), names, colors, hidden
        )
    return Numbers(
        colouring.label,
        columns.numbers(tissue, colouring).astype(np.float64),
        paint.colormap,
        unit_of_genes(tissue) if colouring.place == "gene" else "",
        paint.limits,
    )
