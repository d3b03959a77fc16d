"""The curve that a number of domains was chosen by, painted for the dock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_semst.widgets.shared.colorbar import format_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtpy.QtGui import QHelpEvent, QPaintEvent

# Middle tones, clear on dark and on light grounds, told apart by colour-blind eyes too.
_SCORE = QColor(58, 134, 200)
_STABILITY = QColor(214, 110, 30)
_COHERENCE = QColor(30, 158, 125)
_ROOM_LEFT, _ROOM_RIGHT = 48.0, 10.0
_PANEL = 92.0


@dataclass(frozen=True)
class CurvePanel:
    """One set of axes.

    Parameters
    ----------
    title
        What it shows; empty where the lines are named instead.
    low, high
        Values at the bottom and at the top.
    lines
        Name, colour and values of each line.
    """

    title: str
    low: float
    high: float
    lines: tuple[tuple[str, QColor, tuple[float, ...]], ...]


class CurvePlot(QWidget):
    """Criterion, stability and coherence against the number of domains."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.k: tuple[int, ...] = ()
        self.chosen = 0
        self.runners_up: tuple[int, ...] = ()
        self.panels: tuple[CurvePanel, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

    def show_curve(self, curve: Mapping[str, Any]) -> None:
        """Show what a run kept under ``number_of_domains``."""
        self.k = tuple(int(k) for k in curve["k"])
        self.chosen = int(curve["chosen"])
        self.runners_up = tuple(int(k) for k in curve["runners_up"])
        values = {
            name: tuple(float(v) for v in curve[name])
            for name in ("score", "stability", "coherence")
        }
        shares = (*values["stability"], *values["coherence"])
        self.panels = (
            CurvePanel(
                "Criterion (BIC) below its best",
                min(*values["score"], -1.0),
                0.0,
                (("criterion", _SCORE, values["score"]),),
            ),
            CurvePanel(
                "",
                min(0.0, *shares),
                1.0,
                (
                    ("stability", _STABILITY, values["stability"]),
                    ("coherence", _COHERENCE, values["coherence"]),
                ),
            ),
        )
        self.updateGeometry()
        self.update()

    def values_at(self, k: int) -> str:
        """Return in words what the lines are at a number of domains."""
        index = self.k.index(k)
        lines = [
            f"{name} {format_number(values[index])}"
            for panel in self.panels
            for name, _, values in panel.lines
        ]
        what = "chosen" if k == self.chosen else ""
        what = "next best" if k in self.runners_up else what
        return f"{k} domains{f' ({what})' if what else ''}\n" + "\n".join(lines)

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Return the size that both panels and their labels need."""
        line = self.fontMetrics().height()
        return QSize(300, round(2 * (_PANEL + line + 12) + 2 * line + 4))

    def minimumSizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Return the smallest useful size."""
        return QSize(220, self.sizeHint().height())

    def event(self, event: QEvent) -> bool:
        """Tell the values at the number of domains below the mouse."""
        if event.type() == QEvent.Type.ToolTip and self.k:
            self._tell(event)  # type: ignore[arg-type]
            return True
        return super().event(event)

    def _tell(self, event: QHelpEvent) -> None:
        nearest = min(self.k, key=lambda k: abs(self._x(k) - event.pos().x()))
        QToolTip.showText(event.globalPos(), self.values_at(nearest), self)

    def _x(self, k: int) -> float:
        width = self.width() - _ROOM_LEFT - _ROOM_RIGHT - 8
        span = max(self.k[-1] - self.k[0], 1)
        return _ROOM_LEFT + 4 + width * (k - self.k[0]) / span

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802  Qt's name
        """Paint both panels, one above the other, over one axis."""
        if not self.k:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line, top = float(self.fontMetrics().height()), 0.0
        for panel in self.panels:
            self._paint_title(painter, panel, top, line)
            area = QRectF(
                _ROOM_LEFT,
                top + line + 4,
                self.width() - _ROOM_LEFT - _ROOM_RIGHT,
                _PANEL,
            )
            self._paint_panel(painter, panel, area)
            top = area.bottom() + 8
        self._paint_axis(painter, top, line)
        painter.end()

    def _paint_title(
        self, painter: QPainter, panel: CurvePanel, top: float, line: float
    ) -> None:
        """Name the panel, or each of its lines beside a piece of it."""
        x, text = _ROOM_LEFT, self.palette().windowText().color()
        if panel.title:
            painter.setPen(text)
            painter.drawText(QPointF(x, top + line - 3), panel.title)
            return
        for name, color, _ in panel.lines:
            painter.setPen(QPen(color, 2))
            painter.drawLine(
                QPointF(x, top + line / 2 + 1), QPointF(x + 16, top + line / 2 + 1)
            )
            painter.setPen(text)
            painter.drawText(QPointF(x + 21, top + line - 3), name)
            x += 21 + self.fontMetrics().horizontalAdvance(name) + 16

    def _paint_panel(self, painter: QPainter, panel: CurvePanel, area: QRectF) -> None:
        faint = QColor(128, 128, 128, 110)
        painter.setPen(QPen(faint, 1))
        for y in (area.top(), area.bottom()):
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        mark = QPen(QColor(128, 128, 128, 200), 1, Qt.PenStyle.DashLine)
        painter.setPen(mark)
        x = self._x(self.chosen)
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.setPen(self.palette().windowText().color())
        sides = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for y, value in ((area.top(), panel.high), (area.bottom(), panel.low)):
            painter.drawText(
                QRectF(0, y - 9, _ROOM_LEFT - 6, 18), sides, format_number(value)
            )
        span = (panel.high - panel.low) or 1.0
        for _, color, values in panel.lines:
            points = [
                QPointF(
                    self._x(k),
                    area.bottom() - area.height() * (value - panel.low) / span,
                )
                for k, value in zip(self.k, values, strict=True)
            ]
            self._paint_line(painter, points, color)

    def _paint_line(
        self, painter: QPainter, points: Sequence[QPointF], color: QColor
    ) -> None:
        """Paint a line: the chosen number as a disc, runners-up as rings."""
        painter.setPen(QPen(color, 1.6))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(list(points)))
        for k, point in zip(self.k, points, strict=True):
            ring = k in self.runners_up
            radius = 4.5 if k == self.chosen else 4.0 if ring else 1.8
            painter.setBrush(self.palette().window() if ring else color)
            painter.drawEllipse(point, radius, radius)

    def _paint_axis(self, painter: QPainter, top: float, line: float) -> None:
        """Write the numbers of domains, as many as there is room for."""
        font, text = painter.font(), self.palette().windowText().color()
        room = self.fontMetrics().horizontalAdvance("00") + 4
        step = 1 if self._x(self.k[-1]) - _ROOM_LEFT > room * len(self.k) else 2
        bold = painter.font()
        bold.setBold(True)
        painter.setPen(text)
        for place, k in enumerate(self.k):
            named = k == self.chosen or k in self.runners_up
            if place % step and not named:
                continue
            painter.setFont(bold if k == self.chosen else font)
            box = QRectF(self._x(k) - 20, top, 40, line)
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, str(k))
        painter.setFont(font)
        box = QRectF(
            _ROOM_LEFT, top + line, self.width() - _ROOM_LEFT - _ROOM_RIGHT, line
        )
        key = "Number of domains (\u25cf chosen, \u25cb next best)"
        painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, key)
