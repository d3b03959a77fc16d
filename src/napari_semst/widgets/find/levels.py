"""The slider that walks through a run's hierarchy, from few domains to many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QPainter, QPolygonF
from qtpy.QtWidgets import QLabel, QPushButton, QSlider, QStyle, QWidget

from napari_semst.widgets.find.texts import TIPS
from napari_semst.widgets.shared.forms import row_of, stacked

if TYPE_CHECKING:
    from qtpy.QtGui import QMouseEvent, QPaintEvent

    from napari_semst.viewer.hierarchy_levels import HierarchyLevels

_MARK = 6


class HomeSlider(QSlider):
    """A slider with a mark at one value, to which a double click brings it back."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.home = 0
        self.setPageStep(1)
        self.setMinimumHeight(22)

    def go_home(self) -> None:
        """Go back to the marked value."""
        self.setValue(self.home)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802  Qt's
        """Go back to the marked value."""
        self.go_home()
        event.accept()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802  Qt's name
        """Paint the slider, and the mark below its groove."""
        super().paintEvent(event)
        # As the themes draw it, the handle keeps inside the groove.
        handle = self.style().pixelMetric(
            QStyle.PixelMetric.PM_SliderLength, None, self
        )
        place = QStyle.sliderPositionFromValue(
            self.minimum(), self.maximum(), self.home, self.width() - handle
        )
        x, low = place + handle / 2, float(self.height())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        color = QColor(self.palette().windowText().color())
        color.setAlpha(190)
        painter.setBrush(color)
        corners = [(x, low - _MARK), (x - 4, low), (x + 4, low)]
        painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))
        painter.end()


class LevelBar(QWidget):
    """Choose how many domains of a run's hierarchy are shown, and keep them."""

    moved = Signal(int)
    keep_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = HomeSlider()
        self.number = QLabel()
        self.number.setAlignment(
            Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        )
        self.number.setMinimumWidth(self.fontMetrics().horizontalAdvance("00") + 4)
        self.home_button = QPushButton()
        self.home_button.setToolTip(TIPS["level_home"])
        self.keep_button = QPushButton("Keep as column")
        self.slider.setToolTip(TIPS["level"])
        self.number.setToolTip(TIPS["level"])
        self._build()
        self.slider.valueChanged.connect(self._on_moved)
        self.home_button.clicked.connect(self.slider.go_home)
        self.keep_button.clicked.connect(self._on_keep)

    def _build(self) -> None:
        top = row_of(self.slider, self.number, spacing=6, shares=(1, 0))
        bottom = row_of(self.home_button, self.keep_button, spacing=6, shares=(4, 5))
        stacked(self, top, bottom, spacing=4)

    def show_levels(self, levels: HierarchyLevels, level: int | None) -> None:
        """Offer a run's numbers of domains, without a word to others.

        Parameters
        ----------
        level
            The number to stand at; `None`: the run's own.
        """
        with QSignalBlocker(self.slider):
            self.slider.home = levels.own
            self.slider.setRange(min(2, levels.own), levels.most)
            self.slider.setValue(levels.own if level is None else level)
        self.home_button.setText(f"Run's own: {levels.own}")
        self.slider.update()
        self._say()

    @property
    def level(self) -> int | None:
        """The number of domains, None at the run's own."""
        value = self.slider.value()
        return None if value == self.slider.home else value

    def _say(self) -> None:
        number, away = self.slider.value(), self.level is not None
        self.number.setText(str(number))
        self.home_button.setEnabled(away)
        self.keep_button.setEnabled(away)
        tip = TIPS["level_keep"].format(number=number)
        self.keep_button.setToolTip(tip if away else TIPS["level_kept"])

    def _on_moved(self, number: int) -> None:
        self._say()
        self.moved.emit(number)

    def _on_keep(self) -> None:
        self.keep_wanted.emit(self.slider.value())
