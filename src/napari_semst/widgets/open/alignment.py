"""Whether image and spots belong together, and the image turned and shifted by hand."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QWidget,
)

from napari_semst.errors import InputError
from napari_semst.io.alignment import share_inside
from napari_semst.io.manual_alignment import Adjustment, adjustment_of
from napari_semst.io.places.landmarks import landmarks_of
from napari_semst.io.sections import added_libraries
from napari_semst.session.actions import Action
from napari_semst.session.log import record_action
from napari_semst.viewer import adapter, spots
from napari_semst.viewer.align_image import align_image, libraries_with_image
from napari_semst.viewer.spots import tissue_of
from napari_semst.widgets.open import texts
from napari_semst.widgets.open.added_image import AddedImagePart
from napari_semst.widgets.open.channels import ChannelPanel
from napari_semst.widgets.open.landmarks import LandmarkPanel
from napari_semst.widgets.open.texts import TIPS
from napari_semst.widgets.shared.closing import guard_closing
from napari_semst.widgets.shared.forms import (
    add_row,
    collapsible,
    form_layout,
    note_label,
    push_button,
    stacked,
)
from napari_semst.widgets.shared.status import Banner
from napari_semst.widgets.shared.unsaved import mark_unsaved
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer
    from napari.viewer import Viewer

# Below it, coordinates and image hardly belong together.
_ENOUGH = 0.95
_FAR = 1e7
# A step is a quarter of a spot.
_STEP = 0.25
_ARROWS = {
    "left": ("←", -1, 0),
    "up": ("↑", 0, -1),
    "down": ("↓", 0, 1),
    "right": ("→", 1, 0),
}
# Others are told when an image comes to rest, not at each step; in milliseconds.
_REST = 400


class AlignmentPanel(QWidget):
    """The share of spots on the image, and what moves the image.

    Parameters
    ----------
    viewer
        The viewer whose images are moved.
    """

    aligned = Signal(object)  # tissue

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Layer | None = None
        self._at_rest = QTimer(self)
        self._at_rest.setSingleShot(True)
        self._at_rest.setInterval(_REST)
        self._at_rest.timeout.connect(self._tell)
        self._moved: AnnData | None = None
        self.line = Banner()
        self.image = QComboBox()
        self.image.setToolTip(TIPS["image"])
        self.buttons = {
            name: push_button(text, TIPS[name])
            for name, text in (
                ("flip_x", "Flip left-right"),
                ("flip_y", "Flip up-down"),
                ("rotate", "Rotate 90°"),
                ("swap", "Swap axes"),
            )
        }
        self.reset = push_button("Reset", TIPS["reset"])
        self.shift_x, self.shift_y = _shift("shift_x"), _shift("shift_y")
        self.step = _shift("step")
        self.step.setMinimum(0.001)
        self.arrows = {name: _arrow(name) for name in _ARROWS}
        self._hands = QWidget()
        self.landmarks = LandmarkPanel(viewer)
        self.channels = ChannelPanel(viewer)
        self.other = AddedImagePart(viewer)
        self._build()
        self._connect()
        self.show_layer(None)

    def _build(self) -> None:
        turns = QGridLayout()
        turns.setSpacing(6)
        for place, button in enumerate(self.buttons.values()):
            turns.addWidget(button, place // 2, place % 2)
        arrows = QHBoxLayout()
        arrows.setSpacing(4)
        for button in self.arrows.values():
            arrows.addWidget(button)
        arrows.addStretch(1)
        arrows.addWidget(self.reset)
        self._rows = form_layout()
        add_row(self._rows, "Image", self.image)
        shifts = form_layout()
        add_row(shifts, "Shift right", self.shift_x)
        add_row(shifts, "Shift down", self.shift_y)
        add_row(shifts, "Step of arrows", self.step)
        kept = note_label()
        kept.setText(texts.ALIGNMENT_KEPT)
        stacked(self._hands, turns, shifts, arrows, kept, spacing=6)
        layout = stacked(self, self._rows, self.line, self.other, spacing=6)
        self.by_hand = collapsible("Align by hand", self._hands)
        self.by_channel = collapsible("Channels", self.channels)
        self.by_channel.hide()
        layout.addWidget(self.by_channel)
        layout.addWidget(self.by_hand)
        self.by_landmarks = collapsible("Register by landmarks", self.landmarks)
        layout.addWidget(self.by_landmarks)

    def _connect(self) -> None:
        self.image.activated.connect(self._show)
        self.landmarks.registered.connect(self._on_registered)
        self.channels.found.connect(self._on_channels)
        self.other.added.connect(self._on_added)
        self.other.removed.connect(self._on_removed)
        for name, button in self.buttons.items():
            button.clicked.connect(getattr(self, f"_on_{name}"))
        for name, button in self.arrows.items():
            button.clicked.connect(getattr(self, f"_on_{name}"))
        self.reset.clicked.connect(self._on_reset)
        self.shift_x.valueChanged.connect(self._on_shift)
        self.shift_y.valueChanged.connect(self._on_shift)

    # --- what is on show

    @property
    def tissue(self) -> AnnData | None:
        """The section whose image is aligned."""
        return None if self._layer is None else tissue_of(self._layer)

    @property
    def library(self) -> str:
        """Whose image is aligned; empty for none."""
        return str(self.image.currentData() or "")

    def show_layer(self, layer: Layer | None) -> None:
        """Show how the spots of a layer lie on their image."""
        other = layer is not self._layer
        if other:
            self._tell()
        self._layer = layer
        tissue = self.tissue
        libraries = () if tissue is None else libraries_with_image(tissue)
        self.image.clear()
        for library in libraries:
            self.image.addItem(library, library)
        self._rows.setRowVisible(self.image, len(libraries) > 1)
        self.by_hand.setVisible(bool(libraries))
        self.by_landmarks.setVisible(bool(libraries))
        if tissue is not None and libraries:
            self._set_step()
        self._show()
        if other and self.line.kind == "success" and self._now.is_none:
            self.by_hand.collapse()
        elif other:
            self.by_hand.expand()

    def _set_step(self) -> None:
        if self._layer is not None:
            diameters = spots.diameters(self._layer)
            self.step.setValue(_rounded(_STEP * float(np.median(diameters))))

    @property
    def _coordinates(self) -> str | None:
        kept = {} if self._layer is None else self._layer.metadata
        key: str | None = kept.get(adapter.COORDINATES)
        return key

    def _show(self) -> None:
        tissue = self.tissue
        self.setVisible(tissue is not None)
        if tissue is None:
            return
        if not self.library:
            self.line.say("ready", texts.NO_IMAGE)
            self.landmarks.show_image(None, "")
            self.channels.show_image(None, "")
            self.other.show_image(self._layer, "")
            return
        now = adjustment_of(tissue, self.library)
        for field, value in ((self.shift_x, now.shift_x), (self.shift_y, now.shift_y)):
            field.blockSignals(True)
            field.setValue(value)
            field.blockSignals(False)
        self.reset.setEnabled(not now.is_none)
        self.line.say(*self._standing(tissue, now))
        self.landmarks.show_image(self._layer, self.library)
        self.channels.show_image(self._layer, self.library)
        self.other.show_image(self._layer, self.library)

    def _standing(self, tissue: AnnData, now: Adjustment) -> tuple[str, str]:
        """Return the kind of line and its text: the share of spots on the image."""
        try:
            share = share_inside(tissue, self.library, self._coordinates)
        except InputError as error:
            return "error", for_window(error)
        # Rounded down, so that 100 % means every spot.
        whole, count = math.floor(100 * (share or 0)), tissue.n_obs
        text = texts.INSIDE.format(share=whole, count=count)
        if share == 1:
            text = texts.ALL_INSIDE.format(count=count)
        known = landmarks_of(tissue, self.library)
        if share is not None and share < _ENOUGH and now.is_none and known is None:
            added = self.library in added_libraries(tissue)
            text += texts.ADDED_HINT if added else texts.HINT
        if known is not None:
            told = texts.REGISTERED.format(count=len(known), kind=known.kind)
            text = f"{text}\n{told}"
        if not now.is_none:
            text = f"{text}\n{texts.ALIGNED.format(what=adjustment_in_words(now))}"
        good = share is not None and share >= _ENOUGH
        return "success" if good else "warning", text

    # --- what moves the image

    def _put(self, adjustment: Adjustment) -> None:
        tissue = self.tissue
        if tissue is None or not self.library:
            return
        align_image(tissue, self.library, adjustment, self._viewer.layers)
        given = {"library": self.library, "adjustment": asdict(adjustment)}
        record_action(tissue, Action("align", given))
        mark_unsaved(self._viewer, tissue)
        guard_closing(self, self._viewer)
        self._moved = tissue
        self._at_rest.start()
        self._show()

    def _on_channels(self, shown: bool) -> None:
        self.by_channel.setVisible(shown)
        if shown:
            self.by_channel.expand()

    def _on_added(self, tissue: AnnData, library: str) -> None:
        # Meanwhile another section may have been chosen.
        if tissue is self.tissue:
            self.show_layer(self._layer)
            self.image.setCurrentIndex(self.image.findData(library))
            self._show()
            self.by_landmarks.expand()
        self.aligned.emit(tissue)

    def _on_removed(self, tissue: AnnData, library: str) -> None:
        self.landmarks.forget(tissue, library)
        self.show_layer(self._layer)
        self.aligned.emit(tissue)

    def _on_registered(self, tissue: AnnData) -> None:
        self._show()
        self.aligned.emit(tissue)

    def _tell(self) -> None:
        """Tell the other docks once the image has come to rest."""
        self._at_rest.stop()
        moved, self._moved = self._moved, None
        if moved is not None:
            self.aligned.emit(moved)

    @property
    def _now(self) -> Adjustment:
        tissue = self.tissue
        if tissue is None or not self.library:
            return Adjustment()
        return adjustment_of(tissue, self.library)

    def _on_flip_x(self) -> None:
        self._put(self._now.flipped("x"))

    def _on_flip_y(self) -> None:
        self._put(self._now.flipped("y"))

    def _on_rotate(self) -> None:
        self._put(self._now.rotated())

    def _on_swap(self) -> None:
        self._put(self._now.swapped())

    def _on_reset(self) -> None:
        self._put(Adjustment())

    def _on_shift(self) -> None:
        self._put(self._now.shifted_to(self.shift_x.value(), self.shift_y.value()))

    def _nudge(self, name: str) -> None:
        _, right, down = _ARROWS[name]
        now, step = self._now, self.step.value()
        self._put(now.shifted_to(now.shift_x + right * step, now.shift_y + down * step))

    def _on_left(self) -> None:
        self._nudge("left")

    def _on_right(self) -> None:
        self._nudge("right")

    def _on_up(self) -> None:
        self._nudge("up")

    def _on_down(self) -> None:
        self._nudge("down")


def adjustment_in_words(adjustment: Adjustment) -> str:
    """Return what was done to an image, as a user says it."""
    done = []
    if adjustment.swap_axes and adjustment.flip_x != adjustment.flip_y:
        done.append(
            "rotated " + ("clockwise" if adjustment.flip_x else "anticlockwise")
        )
    elif adjustment.swap_axes:
        done.append("axes swapped")
        if adjustment.flip_x:
            done.append("rotated by 180 degrees")
    elif adjustment.flip_x and adjustment.flip_y:
        done.append("rotated by 180 degrees")
    else:
        done += ["flipped left-right"] * adjustment.flip_x
        done += ["flipped up-down"] * adjustment.flip_y
    if adjustment.shift_x or adjustment.shift_y:
        done.append(f"shifted by {adjustment.shift_x:g}, {adjustment.shift_y:g}")
    return ", ".join(done)


def _rounded(value: float) -> float:
    """Return a positive number with one digit that counts."""
    if not math.isfinite(value) or value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return float(round(value / unit) * unit)


def _shift(name: str) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setRange(-_FAR, _FAR)
    field.setDecimals(2)
    field.setToolTip(TIPS[name])
    field.setKeyboardTracking(False)
    return field


def _arrow(name: str) -> QPushButton:
    button = push_button(_ARROWS[name][0], TIPS[name])
    button.setAccessibleName(f"Move {name}")
    button.setAutoRepeat(True)
    button.setFixedWidth(34)
    return button
