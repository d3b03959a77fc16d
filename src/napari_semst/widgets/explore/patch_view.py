"""One patch of the image: picture, ring, the colour of its domain, and a caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QAbstractButton, QSizePolicy, QWidget

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from qtpy.QtGui import QPaintEvent

PIXELS = 192
"""Along the side of the pictures that are shown, also where screens are sharp."""

_STRIP = 4
_LINES = 3
_GAP = 2


class PatchView(QAbstractButton):
    """A patch that can be pressed.

    Parameters
    ----------
    side
        Of the picture, in pixels of the window.
    captioned
        Whether there is room for a caption.
    """

    def __init__(
        self, side: int, parent: QWidget | None = None, *, captioned: bool = True
    ) -> None:
        super().__init__(parent)
        self._side = side
        self._n_lines = _LINES if captioned else 0
        self._image: QImage | None = None
        self._ring = 0.0
        self._color = QColor(Qt.GlobalColor.transparent)
        self.lines: tuple[str, ...] = ()
        self.spot = -1
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_patch(
        self,
        spot: int,
        rgb: NDArray[np.uint8],
        ring: float,
        color: str,
        lines: tuple[str, ...],
        tip: str,
    ) -> None:
        """Show a patch.

        Parameters
        ----------
        spot
            Index of its spot.
        rgb
            Shape ``(height, width, 3)``.
        ring
            Diameter of the spot over the side of the picture; 0: no ring.
        color
            Of its domain; empty: none.
        lines
            Of the caption.
        tip
            What hovering tells.
        """
        height, width = rgb.shape[:2]
        kind = QImage.Format.Format_RGB888
        # A copy: Qt does not hold on to the bytes.
        self._image = QImage(rgb.tobytes(), width, height, 3 * width, kind).copy()
        self.spot, self._ring, self.lines = spot, ring, lines
        self._color = QColor(color) if color else QColor(Qt.GlobalColor.transparent)
        self.setToolTip(tip)
        self.setAccessibleName(", ".join(lines))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Return the size of picture, strip and caption."""
        text = self.fontMetrics().lineSpacing() * self._n_lines + _GAP
        return QSize(self._side, self._side + _STRIP + text)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802  Qt's name
        """Paint them."""
        if self._image is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        square = QRectF(0, 0, self._side, self._side)
        painter.drawImage(square, self._image)
        if self._ring:
            radius = self._ring * self._side / 2
            # White on black, so that it is seen on any stain.
            for color, width in ((QColor(0, 0, 0, 150), 3.0), (QColor("white"), 1.3)):
                painter.setPen(QPen(color, width))
                painter.drawEllipse(square.center(), radius, radius)
        painter.fillRect(QRectF(0, self._side, self._side, _STRIP), self._color)
        if self.underMouse() or self.hasFocus():
            painter.setPen(QPen(self.palette().highlight().color(), 2))
            painter.drawRect(square.adjusted(1, 1, -1, -1))
        painter.setPen(self.palette().windowText().color())
        metrics = self.fontMetrics()
        at = self._side + _STRIP + _GAP + metrics.ascent()
        for line in self.lines:
            shown = metrics.elidedText(line, Qt.TextElideMode.ElideRight, self._side)
            painter.drawText(QPointF(0, at), shown)
            at += metrics.lineSpacing()
        painter.end()
