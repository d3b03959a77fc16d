"""Another image added to an open section from a file, and removed again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_semst.errors import SemstError
from napari_semst.io.notes import warn
from napari_semst.io.places.added_image import (
    IMAGE_ENDINGS,
    AddedImage,
    put_added_image,
    read_added_image,
    remove_image,
)
from napari_semst.io.sections import added_libraries
from napari_semst.session.actions import Action
from napari_semst.session.log import record_action
from napari_semst.viewer import adapter, sections
from napari_semst.viewer.align_image import image_layers_of
from napari_semst.viewer.arrange import arrange
from napari_semst.viewer.canvas.units import layer_units
from napari_semst.viewer.spots import PAIR, tissue_of
from napari_semst.widgets.open import texts
from napari_semst.widgets.open.texts import TIPS
from napari_semst.widgets.shared.closing import guard_closing
from napari_semst.widgets.shared.forms import push_button, row_of, stacked
from napari_semst.widgets.shared.status import Banner
from napari_semst.widgets.shared.unsaved import mark_unsaved
from napari_semst.widgets.shared.worker import BackgroundTask
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer
    from napari.types import LayerData
    from napari.viewer import Viewer


@dataclass(frozen=True, eq=False)
class _Read:
    """An image that was read for a section, and how it is drawn."""

    tissue: AnnData
    path: str
    added: AddedImage
    layers: list[LayerData]


class AddedImagePart(QWidget):
    """A button that adds an image to the section on show, and one that removes it.

    Parameters
    ----------
    viewer
        The viewer that shows the section.
    """

    added = Signal(object, str)  # tissue; the library of its image
    removed = Signal(object, str)  # tissue; the library that is gone

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Layer | None = None
        self._library = ""
        # The spots of the section that an image is being read for.
        self._awaits: Layer | None = None
        self.reading = BackgroundTask(_read)
        self.add_button = push_button("Add an image...", TIPS["add_image"])
        self.remove_button = push_button("Remove image", TIPS["remove_image"])
        self.line = Banner()
        self.line.hide()
        buttons = row_of(self.add_button, self.remove_button, spacing=6)
        stacked(self, buttons, self.line, spacing=6)
        self.add_button.clicked.connect(self._on_add)
        self.remove_button.clicked.connect(self._on_remove)
        self.reading.done.connect(self._on_read)
        self.reading.failed.connect(self._on_failed)

    @property
    def tissue(self) -> AnnData | None:
        """The section that gets an image."""
        return None if self._layer is None else tissue_of(self._layer)

    def show_image(self, layer: Layer | None, library: str) -> None:
        """Offer to add an image to a section, and to remove the one on show.

        Parameters
        ----------
        layer
            The section's spots.
        library
            Of the image on show; empty for none.
        """
        if layer is not self._layer and not self.reading.busy:
            self.line.hide()
        self._layer, self._library = layer, library
        tissue = self.tissue
        busy = self.reading.busy
        self.add_button.setEnabled(tissue is not None and not busy)
        there = tissue is not None and library in added_libraries(tissue)
        self.remove_button.setVisible(there)
        self.remove_button.setEnabled(there and not busy)

    def add(self, path: str) -> None:
        """Read an image in the background, and show it with the section.

        Parameters
        ----------
        path
            As `napari_semst.add_image` reads it.
        """
        layer, tissue = self._layer, self.tissue
        if layer is None or tissue is None or self.reading.busy:
            return
        self.line.show()
        if sections.sections_on(layer):
            self.line.say("error", texts.SEVERAL_SECTIONS)
            return
        told = texts.ADDING_IMAGE.format(name=Path(path).name, section=layer.name)
        self.line.say("running", told)
        self._awaits = layer
        standing = layer.metadata.get(adapter.COORDINATES), sections.sections_by(layer)
        self.reading.start(tissue, adapter.snapshot(tissue), path, layer.name, standing)
        self.show_image(layer, self._library)

    def shutdown(self) -> None:
        """Drop an image that is being read; for when the dock goes."""
        self.reading.drop()

    def _on_add(self) -> None:
        endings = " ".join(f"*{ending}" for ending in IMAGE_ENDINGS)
        kinds = f"Images ({endings});;All files (*)"
        chosen, _ = QFileDialog.getOpenFileName(self, texts.ADD_IMAGE, "", kinds)
        if chosen:
            self.add(chosen)

    def _on_read(self, read: _Read) -> None:
        from napari.layers import Layer as AnyLayer

        from napari_semst.viewer.hover import receive_layer

        layer, self._awaits = self._awaits, None
        tissue = read.tissue
        there = layer is not None and layer in self._viewer.layers
        if layer is None or not there or tissue_of(layer) is not tissue:
            self.line.hide()
            self.show_image(self._layer, self._library)
            return
        put_added_image(tissue, read.added)
        layers = self._viewer.layers
        active = layers.selection.active
        for pixels, options, kind in read.layers:
            options["metadata"][PAIR] = layer.metadata.get(PAIR)
            made = AnyLayer.create(pixels, {**options, **layer_units(layer)}, kind)
            receive_layer(made)
            # Below the spots, above the images before.
            layers.insert(layers.index(layer), made)
        layers.selection.active = active
        given = {"path": str(Path(read.path).absolute()), "name": read.added.name}
        record_action(tissue, Action("add_image", given))
        if read.added.told:
            warn(tissue, read.added.told)
        self._changed(tissue)
        kind = "warning" if read.added.told else "success"
        told = texts.IMAGE_ADDED.format(name=read.added.name, section=layer.name)
        self.line.say(kind, f"{told} {read.added.told}".strip())
        self.show_image(self._layer, self._library)
        self.added.emit(tissue, read.added.name)

    def _on_failed(self, error: Exception, details: str) -> None:
        self.line.show()
        self.line.say("error", for_window(error))
        self.show_image(self._layer, self._library)

    def _on_remove(self) -> None:
        tissue, library = self.tissue, self._library
        if tissue is None:
            return
        shown = image_layers_of(tissue, library, self._viewer.layers)
        try:
            remove_image(tissue, library)
        except SemstError as error:
            self._on_failed(error, "")
            return
        for image in shown:
            self._viewer.layers.remove(image)
        record_action(tissue, Action("remove_image", {"name": library}))
        self._changed(tissue)
        self.line.hide()
        self.removed.emit(tissue, library)

    def _changed(self, tissue: AnnData) -> None:
        mark_unsaved(self._viewer, tissue)
        guard_closing(self, self._viewer)


def _read(
    tissue: AnnData,
    looked_at: AnnData,
    path: str,
    name: str,
    standing: tuple[str | None, str],
) -> _Read:
    """Return an image with its layers; for a worker."""
    added = read_added_image(looked_at, path)
    put_added_image(looked_at, added)
    arrangement = arrange(looked_at, *standing)
    layers = [
        one
        for one in adapter.image_layers(looked_at, name, arrangement)
        if one[1]["metadata"][adapter.PLACEMENT].library == added.name
    ]
    for _, options, _ in layers:
        options["name"] = f"{name} {added.name}"
        options["visible"] = True
    return _Read(tissue, path, added, layers)
