"""What a dock says of changes to its section's layer that napari's tools made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_semst.viewer.canvas.changes import (
    LayerChange,
    layer_changes,
    mend_features,
    restore_layers,
)
from napari_semst.viewer.hover import carry_for_others
from napari_semst.viewer.sections import images_of
from napari_semst.widgets.shared.forms import push_button, row_of, stacked
from napari_semst.widgets.shared.status import Banner

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

RESTORE_TIP = (
    "Draw the section's spots and images as the data say: points that are missing come "
    "back, others go, and each stands in its place. What you named and what other "
    "plugins keep in the table of features stays."
)
SHOW_TIP = "Show the section's layer again."
_SAID = {
    "points": (
        "The layer has {found:,} points, of which {count:,} spots of the section are "
        "missing. They can be neither coloured nor selected until they are restored."
    ),
    "places": (
        "{count:,} spots were moved in the layer. Runs, figures and files keep their "
        "places."
    ),
    "colours": "The colours were changed in napari: no legend tells what they mean.",
    "apart": (
        "Spots and image were moved or scaled apart in napari. Runs, figures and files "
        "go by the data."
    ),
    "hidden": "The section's layer is hidden.",
}
_ADDED = (
    "The layer has {found:,} points: some were added, or their order is not that of "
    "the section. They can be neither coloured nor selected until they are restored."
)
_MENDED = "Columns of the section in the table of features were put back."
_LOST = "Columns of the table of features that belonged to no spot are gone: {names}."
# Of a layer, in every version that has them.
_EVENTS = (
    "data",
    "features",
    "face_color",
    "visible",
    "scale",
    "translate",
    "rotate",
    "shear",
    "affine",
    "units",
)


class LayerNotice(QWidget):
    """A line on what napari's tools did to a section, and a way back.

    Parameters
    ----------
    viewer
        Holds the layers.
    picker
        Has the chosen section's `layer`, and a signal `changed`.
    """

    changed = Signal()  # what is said, so that a legend may come or go
    restored = Signal()
    opacity_changed = Signal(float)

    def __init__(
        self, viewer: Viewer, picker: Any, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._picker = viewer, picker
        self._watched: list[Layer] = []
        self.changes: tuple[LayerChange, ...] = ()
        self._mended = False
        self.text = Banner()
        self.restore_button = push_button("Restore from the data", RESTORE_TIP)
        self.show_button = push_button("Show it", SHOW_TIP)
        stacked(
            self,
            self.text,
            row_of(self.restore_button, self.show_button, spacing=6),
            spacing=4,
        )
        # One change is told by many events, and some in the middle of it.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.look)
        self.restore_button.clicked.connect(self.restore)
        self.show_button.clicked.connect(self._on_show)
        picker.changed.connect(self._on_section)
        viewer.layers.selection.events.active.connect(self._on_active)
        self.hide()
        self._on_section()

    @property
    def breaks_colours(self) -> bool:
        """Whether the canvas does not have the colours that a legend would tell of."""
        return any(change.breaks_colours for change in self.changes)

    def look(self) -> None:
        """Look at the layers now, and say what was done to them."""
        layer = self._picker.layer
        now: tuple[LayerChange, ...] = ()
        if layer is not None:
            self._watch(layer)
            now = self._look_at(layer)
            if any(change.kind == "features" for change in now):
                self._mended = mend_features(layer)
                now = self._look_at(layer)
        before, self.changes = self.changes, now
        self._say([_words(change) for change in now] + [_MENDED] * self._mended)
        if before != now:
            self.changed.emit()

    def restore(self) -> None:
        """Draw the layers as the data say."""
        layer = self._picker.layer
        if layer is None:
            return
        images = images_of(layer, self._viewer.layers)
        lost = restore_layers(layer, images)
        layer.visible = True
        self.look()
        if lost:
            self._say([_LOST.format(names=", ".join(lost))])
        self.restored.emit()

    def _look_at(self, layer: Layer) -> tuple[LayerChange, ...]:
        layers = self._viewer.layers
        return layer_changes(layer, images_of(layer, layers), layers)

    def _say(self, words: list[str]) -> None:
        kinds = {change.kind for change in self.changes}
        self.restore_button.setVisible(bool(kinds - {"hidden"}))
        self.show_button.setVisible("hidden" in kinds)
        self.text.say("warning" if kinds else "ready", "\n".join(words))
        self.setVisible(bool(words))

    def _watch(self, layer: Layer) -> None:
        """Listen to a section's layers, and to no others."""
        now = [layer, *images_of(layer, self._viewer.layers)]
        for one in self._watched:
            if one not in now:
                for event in _events(one):
                    event.disconnect(self._on_event)
                one.events.opacity.disconnect(self._on_opacity)
        for one in now:
            for event in _events(one):
                # Connecting the same slot twice is one connection.
                event.connect(self._on_event)
        layer.events.opacity.connect(self._on_opacity)
        self._watched = now

    def _on_event(self, event: Any = None) -> None:
        self._later.start(0)

    def _on_opacity(self, event: Any = None) -> None:
        layer = self._picker.layer
        if layer is not None:
            self.opacity_changed.emit(float(layer.opacity))

    def _on_active(self, event: Any = None) -> None:
        """Let a plugin that was loaded since find what it needs in the section."""
        if self._picker.layer is not None:
            carry_for_others(self._picker.layer)

    def _on_section(self) -> None:
        self._mended = False
        self.look()

    def _on_show(self) -> None:
        layer = self._picker.layer
        if layer is not None:
            layer.visible = True


def _events(layer: Layer) -> list[Any]:
    found = (getattr(layer.events, name, None) for name in _EVENTS)
    return [event for event in found if event is not None]


def _words(change: LayerChange) -> str:
    if change.kind == "features":
        return ""
    said = (
        _ADDED if change.kind == "points" and not change.count else _SAID[change.kind]
    )
    return said.format(count=change.count, found=change.found)
