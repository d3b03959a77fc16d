"""The loss of the training under way, painted for the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_semst.widgets.find.texts import LOSS_TITLE, TIPS
from napari_semst.widgets.shared.colorbar import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QPaintEvent

# A middle tone, clear on dark and on light grounds.
_LINE = QColor(58, 134, 200)
_ROOM_LEFT, _ROOM_RIGHT = 48.0, 10.0
_HEIGHT = 56.0
# More could not be told apart at the width of a dock.
_MOST_POINTS = 400


class LossCurve(QWidget):
    """Loss against training steps; it grows while the run goes on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.steps = 0
        self.points: list[tuple[int, float]] = []
        self.setToolTip(TIPS["loss"])
        self.setAccessibleName(LOSS_TITLE)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def clear(self) -> None:
        """Forget the training shown."""
        self.points, self.steps = [], 0
        self.update()

    def add(self, points: Sequence[tuple[int, float]], steps: int) -> None:
        """Show more of the training.

        Parameters
        ----------
        points
            Step, counted from 1, and loss.
        steps
            Steps in all.
        """
        for step, loss in points:
            # Where memory ended, training begins again with smaller steps.
            if self.points and step <= self.points[-1][0]:
                self.points = []
            self.points.append((step, loss))
        self.steps = max(steps, 1)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Return the size that the curve and its title need."""
        return QSize(300, round(_HEIGHT + self.fontMetrics().height() + 12))

    def minimumSizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Return the smallest useful size."""
        return QSize(180, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802  Qt's name
        """Paint title, axis and curve."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = float(self.fontMetrics().height())
        width = self.width() - _ROOM_LEFT - _ROOM_RIGHT
        area = QRectF(_ROOM_LEFT, line + 4, width, _HEIGHT)
        painter.setPen(self.palette().windowText().color())
        painter.drawText(QPointF(_ROOM_LEFT, line - 3), LOSS_TITLE)
        painter.setPen(QPen(QColor(128, 128, 128, 110), 1))
        for y in (area.top(), area.bottom()):
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        if self.points:
            self._paint_curve(painter, area)
        painter.end()

    def _paint_curve(self, painter: QPainter, area: QRectF) -> None:
        """Paint the curve between its lowest and its highest value."""
        drawn = np.array(self.points[:: -(-len(self.points) // _MOST_POINTS)])
        if len(self.points) > 1:
            drawn = np.vstack([drawn, self.points[-1]])
        low, high = float(drawn[:, 1].min()), float(drawn[:, 1].max())
        painter.setPen(self.palette().windowText().color())
        sides = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for y, value in ((area.top(), high), (area.bottom(), low)):
            painter.drawText(QRectF(0, y - 9, _ROOM_LEFT - 6, 18), sides, number(value))
        span = (high - low) or 1.0
        across = area.width() / max(self.steps - 1, 1)
        curve = [
            QPointF(
                area.left() + across * (step - 1),
                area.bottom() - (area.height() - 2) * (loss - low) / span - 1,
            )
            for step, loss in drawn
        ]
        painter.setPen(QPen(_LINE, 1.6))
        painter.drawPolyline(QPolygonF(curve))
        painter.setBrush(_LINE)
        painter.drawEllipse(curve[-1], 2.5, 2.5)
