"""Limits and colours of a continuous colouring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QWidget

from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.colorbar import Colorbar
from napari_semst.widgets.shared.forms import (
    push_button,
    row_of,
    signals_blocked,
    stacked,
)

if TYPE_CHECKING:
    from napari_semst.viewer.colour import NumberPaint

COLORMAPS = (
    "viridis",
    "cividis",
    "inferno",
    "magma",
    "magma_r",
    "plasma",
    "Greys",
    "coolwarm",
)
"""Perceptually even ones; the last one for values around zero."""


class ColourLimits(QWidget):
    """A colorbar, the values at its ends, and the choice of its colours."""

    changed = Signal()
    reset_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.colorbar = Colorbar()
        self.low, self.high = QDoubleSpinBox(), QDoubleSpinBox()
        for box in (self.low, self.high):
            box.setToolTip(TIPS["limits"])
            box.setRange(-1e12, 1e12)
            box.setKeyboardTracking(False)
            box.valueChanged.connect(self.changed)
        self.colormap = QComboBox()
        self.colormap.setToolTip(TIPS["colormap"])
        self.colormap.addItems(list(COLORMAPS))
        self.colormap.currentIndexChanged.connect(self.changed)
        self.reset = push_button("Reset", TIPS["reset"])
        self.reset.clicked.connect(self.reset_wanted)
        row = row_of(self.low, self.high, self.colormap, self.reset, spacing=6)
        stacked(self, self.colorbar, row, spacing=6)

    @property
    def values(self) -> tuple[float, float]:
        """The values at the ends, the lower first."""
        low, high = sorted((self.low.value(), self.high.value()))
        return low, high

    def show_paint(self, paint: NumberPaint) -> None:
        """Show a colouring as it is painted."""
        self.colorbar.show_paint(paint)
        span = abs(paint.extent[1] - paint.extent[0])
        with signals_blocked(self.low, self.high, self.colormap):
            for box, value in zip((self.low, self.high), paint.limits, strict=True):
                box.setDecimals(_decimals(span))
                box.setSingleStep(span / 50 or 0.1)
                box.setValue(value)
            self.colormap.setCurrentText(paint.colormap)


def _decimals(span: float) -> int:
    """Return the decimals that show a hundredth of a span."""
    decimals = 2
    while span and span < 10 ** (1 - decimals) * 10 and decimals < 6:
        decimals += 1
    return decimals
