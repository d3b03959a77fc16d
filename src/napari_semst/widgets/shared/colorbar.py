"""The colorbar of a continuous colouring, painted for the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

    from napari_semst.viewer.colour import NumberPaint

_BAR = 16
_GAP = 4


class Colorbar(QWidget):
    """A strip of the colormap with its limits and middle underneath."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colors: list[QColor] = []
        self.labels: tuple[str, str, str] = ("", "", "")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_paint(self, paint: NumberPaint) -> None:
        """Show the colormap and limits of a colouring."""
        from matplotlib import colormaps

        table = colormaps[paint.colormap]
        self._colors = [QColor.fromRgbF(*table(i / 16)) for i in range(17)]
        low, high = paint.limits
        lowest, middle, highest = map(format_number, (low, (low + high) / 2, high))
        self.labels = lowest, middle, highest
        first, last = map(format_number, paint.extent)
        text = (
            f"Colours run from {lowest} to {highest}; values beyond take the "
            f"end's colour. Values go from {first} to {last}."
        )
        if paint.n_missing:
            text += f" {paint.n_missing:,} spots without a value are grey."
        self.setToolTip(text)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Return the size that the bar and one line of text need."""
        return QSize(200, _BAR + _GAP + self.fontMetrics().height() + 2)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Return the smallest useful size."""
        return QSize(120, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802  Qt's name
        """Paint the strip and its three labels."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bar = QRectF(0.5, 0.5, self.width() - 1, _BAR)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for i, color in enumerate(self._colors):
            gradient.setColorAt(i / max(len(self._colors) - 1, 1), color)
        painter.setPen(QPen(QColor(128, 128, 128, 160)))
        painter.setBrush(gradient)
        painter.drawRoundedRect(bar, 3, 3)
        painter.setPen(self.palette().windowText().color())
        line = QRectF(0, _BAR + _GAP, self.width(), self.fontMetrics().height())
        sides = (
            Qt.AlignmentFlag.AlignLeft,
            Qt.AlignmentFlag.AlignHCenter,
            Qt.AlignmentFlag.AlignRight,
        )
        for side, label in zip(sides, self.labels, strict=True):
            painter.drawText(line, side, label)
        painter.end()


def format_number(value: float) -> str:
    """Return a value in about three figures, as people write it."""
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
