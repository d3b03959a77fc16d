"""Layers of other plugins offered as sections."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_semst.viewer.adopt import adoptable, drawn, section_of
from napari_semst.widgets.open import texts
from napari_semst.widgets.open.opening import Order
from napari_semst.widgets.open.texts import TIPS
from napari_semst.widgets.shared.forms import heading

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.types import LayerData
    from napari.viewer import Viewer

    from napari_semst.viewer.adopt import Drawn


class OtherLayers(QWidget):
    """A list of what other plugins show, where that can be a section.

    Parameters
    ----------
    viewer
        The viewer whose layers are looked through.
    """

    wanted = Signal(object)  # Order
    failed = Signal(object, str)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Layer] = []
        self.combo = QComboBox()
        self.combo.setToolTip(TIPS["layer"])
        self.combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.button = QPushButton("Use")
        self.button.setToolTip(TIPS["use"])
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.combo, 1)
        row.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(heading(texts.SHOWN_FROM))
        layout.addLayout(row)
        self.button.clicked.connect(self._on_use)
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.connect(self.look_again)
        self.look_again()

    def look_again(self, event: Any = None) -> None:
        """Offer what other plugins show now."""
        chosen = self.combo.currentText()
        self._layers = adoptable(self._viewer.layers)
        self.combo.clear()
        self.combo.addItems([layer.name for layer in self._layers])
        self.combo.setCurrentIndex(max(self.combo.findText(chosen), 0))
        self.setVisible(bool(self._layers))

    def _on_use(self) -> None:
        index = self.combo.currentIndex()
        if not 0 <= index < len(self._layers):
            return
        layer = self._layers[index]
        try:
            drawing = drawn(layer)
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self.failed.emit(error, "".join(traceback.format_exception(error)))
            return
        self.wanted.emit(Order(layer.name, lambda: _layers(drawing)))


def _layers(drawing: Drawn) -> list[LayerData]:
    from napari_semst.viewer.adapter import prepared

    return prepared(section_of(drawing), drawing.name)
