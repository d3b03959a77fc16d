"""Run, Stop early, Cancel; what a run will need, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QCheckBox, QProgressBar, QSizePolicy, QWidget

from napari_semst.widgets.find.controller import time_left
from napari_semst.widgets.find.texts import (
    LOSS_TITLE,
    PROVISIONAL,
    SHOW_DOMAINS,
    STAGE_NAMES,
    TIPS,
)
from napari_semst.widgets.shared.colorbar import format_number
from napari_semst.widgets.shared.forms import (
    WrappedLabel,
    note_label,
    push_button,
    row_of,
    stacked,
)
from napari_semst.widgets.shared.status import Banner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QPaintEvent

    from napari_semst.core.progress import Progress
    from napari_semst.widgets.find.forecast import RunForecast
    from napari_semst.widgets.find.job import JobUpdate

_STEPS = 1000
# Stopping early ends training; once it has ended there is nothing to stop.
_AFTER_TRAINING = ("discordance", "assign", "attach")
# A middle tone, clear on dark and on light grounds.
_LINE = QColor(58, 134, 200)
_ROOM_LEFT, _ROOM_RIGHT = 48.0, 10.0
_HEIGHT = 56.0
# More could not be told apart at the width of a dock.
_MOST_POINTS = 400


class RunBox(QWidget):
    """The three buttons, a forecast, and the progress of the run under way."""

    show_domains_chosen = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run_button = push_button("Run", TIPS["run_button"])
        self.stop_button = push_button("Stop early", TIPS["stop_button"])
        self.cancel_button = push_button("Cancel", TIPS["cancel_button"])
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        # What a language model says of its progress is longer than a dock is wide.
        self.line = WrappedLabel()
        self.needs = note_label()
        self.warning = Banner()
        self.loss = LossCurve()
        self.provisional = note_label()
        self.provisional.setText(PROVISIONAL)
        self.show_domains = QCheckBox(SHOW_DOMAINS)
        self.show_domains.setToolTip(TIPS["show_domains"])
        self.show_domains.setChecked(True)
        self._running = False
        parts = (self.run_button, self.stop_button, self.cancel_button)
        buttons = row_of(*parts, spacing=6, shares=(2, 1, 1))
        stacked(
            self,
            buttons,
            self.needs,
            self.warning,
            self.bar,
            self.line,
            self.loss,
            self.show_domains,
            self.provisional,
            spacing=6,
        )
        self.show_domains.clicked.connect(self.show_domains_chosen)
        self.set_state(can_run=False, running=False)

    def set_state(self, *, can_run: bool, running: bool) -> None:
        """Enable what makes sense now; the bar is there during a run only."""
        self.run_button.setEnabled(can_run and not running)
        self.stop_button.setEnabled(running)
        self.cancel_button.setEnabled(running)
        self._running = running
        self.show_domains.setVisible(running or can_run)
        for part in (self.bar, self.line):
            part.setVisible(running)
        self._show_needs()
        if not running:
            self.bar.setValue(0)
            self.line.clear()
            self.loss.clear()
            self.loss.hide()
            self.provisional.hide()

    def show_outlook(self, outlook: RunForecast) -> None:
        """Show what a run will need, and a warning where memory may not do."""
        self.needs.setText(outlook.needs)
        self.warning.say("warning", outlook.warning)
        self._show_needs()

    def _show_needs(self) -> None:
        """Show the forecast between runs; during one its progress takes the place."""
        for part in (self.needs, self.warning):
            part.setVisible(bool(part.text()) and not self._running)

    def show_update(self, update: JobUpdate) -> None:
        """Show how far the run is."""
        self.bar.setValue(round(update.fraction * _STEPS))
        if update.progress.stage in _AFTER_TRAINING:
            self.stop_button.setEnabled(False)
        self.line.setText(progress_line(update.progress, update.seconds_left))
        if update.losses:
            self.loss.show()
            # Other stages count other things.
            in_all = update.losses[-1][0]
            if update.progress.stage == "train":
                in_all = max(update.progress.steps, in_all)
            self.loss.add(update.losses, max(in_all, self.loss.steps))


def progress_line(progress: Progress, seconds_left: float | None = None) -> str:
    """Return for instance ``Training - epoch 12/100 - loss 1.234 - 0:32 left``."""
    parts = [STAGE_NAMES.get(progress.stage, progress.stage)]
    if progress.stage == "train" and progress.steps:
        parts.append(f"epoch {progress.step}/{progress.steps}")
    elif progress.message:
        parts.append(progress.message)
    if "loss" in progress.metrics:
        parts.append(f"loss {progress.metrics['loss']:.3f}")
    # A language model forecasts by tokens, which is better than by texts.
    left = "" if progress.message.endswith("left") else time_left(seconds_left)
    return " - ".join([*parts, left] if left else parts)


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
        """Show more of the training: pairs of step, from 1, and loss."""
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
            painter.drawText(
                QRectF(0, y - 9, _ROOM_LEFT - 6, 18), sides, format_number(value)
            )
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
