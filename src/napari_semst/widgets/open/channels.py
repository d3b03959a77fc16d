"""Channels of a section's image, shown by ticking their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_semst.viewer.adapter import PLACEMENT
from napari_semst.viewer.align_image import image_layers_of
from napari_semst.viewer.image_channels import (
    CHANNEL,
    channel_layer,
    channels_of_image,
    open_channel,
)
from napari_semst.viewer.spots import PAIR, tissue_of
from napari_semst.widgets.open import texts
from napari_semst.widgets.open.texts import TIPS
from napari_semst.widgets.shared.forms import note_label, stacked
from napari_semst.widgets.shared.legend import colour_chip
from napari_semst.widgets.shared.status import Banner
from napari_semst.widgets.shared.worker import BackgroundTask
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_semst.io.formats.tiff_channels import ImageChannel
    from napari_semst.viewer.image_channels import ShownChannel

_ROWS = 8


class ChannelPanel(QWidget):
    """The channels of an image's file; those ticked are layers of their own.

    Parameters
    ----------
    viewer
        The viewer that shows them.
    """

    found = Signal(bool)  # whether there is something to show

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Layer | None = None
        self._library = ""
        self._waiting: list[ImageChannel] = []
        self.looking = BackgroundTask(_look)
        self.opening = BackgroundTask(_open)
        self.note = note_label()
        self.note.setText(texts.CHANNELS_HELP)
        self.list = QListWidget()
        self.list.setToolTip(TIPS["channels"])
        self.line = Banner()
        self.line.hide()
        stacked(self, self.note, self.list, self.line, spacing=6)
        self.list.itemChanged.connect(self._on_ticked)
        self.looking.done.connect(self._on_looked)
        self.looking.failed.connect(self._on_failed)
        self.opening.done.connect(self._on_opened)
        self.opening.failed.connect(self._on_failed)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def tissue(self) -> AnnData | None:
        """The section whose channels are listed."""
        return None if self._layer is None else tissue_of(self._layer)

    def show_image(self, layer: Layer | None, library: str) -> None:
        """List the channels of a section's image.

        Parameters
        ----------
        layer
            The section's spots.
        library
            Of the image; empty for none.
        """
        if layer is self._layer and library == self._library:
            self._show_ticks()
            return
        self._layer, self._library = layer, library
        self._waiting.clear()
        self.opening.drop()
        self.looking.drop()
        self.line.hide()
        self.list.clear()
        self.found.emit(False)
        tissue = self.tissue
        if tissue is not None and library:
            self.looking.start(tissue, library)

    def _on_looked(self, channels: tuple[ImageChannel, ...]) -> None:
        self.list.blockSignals(True)
        for channel in channels:
            item = QListWidgetItem(channel.name)
            item.setIcon(colour_chip(channel.colour, self.devicePixelRatioF()))
            item.setData(Qt.ItemDataRole.UserRole, channel)
            item.setFlags(
                Qt.ItemFlag.ItemIsUserCheckable
                | Qt.ItemFlag.ItemIsEnabled
                | Qt.ItemFlag.ItemIsSelectable
            )
            item.setCheckState(Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.list.blockSignals(False)
        rows = min(max(len(channels), 1), _ROWS)
        height = max(self.list.sizeHintForRow(0), 18)
        self.list.setFixedHeight(rows * height + 2 * self.list.frameWidth() + 2)
        self._show_ticks()
        self.found.emit(len(channels) > 1)

    def _layers(self) -> dict[ImageChannel, Layer]:
        """Return the layers of channels of the image on show."""
        return {
            layer.metadata[CHANNEL].channel: layer
            for layer in self._images()
            if CHANNEL in layer.metadata
        }

    def _images(self) -> list[Layer]:
        tissue = self.tissue
        if tissue is None:
            return []
        return image_layers_of(tissue, self._library, self._viewer.layers)

    def _show_ticks(self) -> None:
        """Tick what is in the viewer, from which layers can be deleted."""
        shown = {*self._layers(), *self._waiting}
        self.list.blockSignals(True)
        for item in (self.list.item(row) for row in range(self.list.count())):
            ticked = item.data(Qt.ItemDataRole.UserRole) in shown
            item.setCheckState(
                Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked
            )
        self.list.blockSignals(False)

    def _on_ticked(self, item: QListWidgetItem) -> None:
        channel = item.data(Qt.ItemDataRole.UserRole)
        layers = self._layers()
        if item.checkState() == Qt.CheckState.Checked:
            if channel not in layers and channel not in self._waiting:
                self._waiting.append(channel)
                self._go_on()
            return
        self._waiting = [one for one in self._waiting if one != channel]
        if channel in layers:
            self._viewer.layers.remove(layers[channel])
        self._show_base()

    def _go_on(self) -> None:
        """Open the next channel that waits, if none is being opened."""
        tissue = self.tissue
        if self._waiting and tissue is not None and not self.opening.busy:
            self.line.show()
            self.line.say(
                "running", texts.OPENING_CHANNEL.format(name=self._waiting[0].name)
            )
            self.opening.start(tissue, self._library, self._waiting[0])

    def _on_opened(self, answer: tuple[AnnData, ShownChannel | None]) -> None:
        tissue, shown = answer
        self.line.hide()
        wanted = shown is not None and shown.channel in self._waiting
        if shown is not None:
            self._waiting = [one for one in self._waiting if one != shown.channel]
        base = self._base()
        if wanted and shown is not None and base is not None and tissue is self.tissue:
            from napari.layers import Layer

            layer = Layer.create(*channel_layer(tissue, base, shown))
            layers = self._viewer.layers
            active = layers.selection.active
            # Below the spots, above the image and the channels before.
            layers.insert(max(map(layers.index, self._images())) + 1, layer)
            layers.selection.active = active
        self._show_base()
        self._show_ticks()
        self._go_on()

    def _base(self) -> Layer | None:
        """Return the layer of the section's own image."""
        plain = [one for one in self._images() if CHANNEL not in one.metadata]
        return plain[0] if plain else None

    def _show_base(self) -> None:
        """Hide the image below its channels: their light would be added to it."""
        base = self._base()
        if base is not None:
            base.visible = not self._layers()

    def _on_removed(self, event: Any = None) -> None:
        """Show an image again whose last channel was deleted in the list of layers."""
        gone = None if event is None else event.value
        metadata = getattr(gone, "metadata", {})
        if CHANNEL not in metadata:
            return
        same = [
            layer
            for layer in self._viewer.layers
            if layer.metadata.get(PAIR) == metadata.get(PAIR)
            and (kept := layer.metadata.get(PLACEMENT)) is not None
            and kept.library == metadata[PLACEMENT].library
        ]
        if not any(CHANNEL in layer.metadata for layer in same):
            for layer in same:
                layer.visible = True
        self._show_ticks()

    def _on_failed(self, error: Exception, details: str) -> None:
        self._waiting.clear()
        self._show_ticks()
        self.line.show()
        self.line.say("error", for_window(error))
        # A file whose channels cannot be listed is told too.
        self.found.emit(True)


def _look(tissue: AnnData, library: str) -> tuple[ImageChannel, ...]:
    return channels_of_image(tissue, library)


def _open(
    tissue: AnnData, library: str, channel: ImageChannel
) -> tuple[AnnData, ShownChannel | None]:
    return tissue, open_channel(tissue, library, channel)
