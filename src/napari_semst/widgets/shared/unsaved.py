"""Work that is in no file: marked, kept for the case of a crash, and put back."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import WeakKeyDictionary, ref

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_semst.errors import InputError
from napari_semst.explore import recovery
from napari_semst.io.manual_alignment import adjust, adjustment_of
from napari_semst.io.options import ReadOptions
from napari_semst.io.places.landmarks import landmarks_of
from napari_semst.viewer import adapter, colourings
from napari_semst.viewer.align_image import (
    align_image,
    libraries_with_image,
    redraw_images,
)
from napari_semst.viewer.display_state import DisplayState
from napari_semst.viewer.read_layers import READ_FROM
from napari_semst.viewer.spots import paint_layer, tissue_of
from napari_semst.widgets.shared.files import file_stem
from napari_semst.widgets.shared.section_colours import ColourChoices, paint_section
from napari_semst.widgets.shared.state import state_of
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer
    from napari.types import LayerData
    from napari.viewer import Viewer

    from napari_semst.explore.recovery import UnsavedWork
    from napari_semst.widgets.shared.files import SavedFile

RESTORED = "Unsaved work restored"
RESTORED_HELP = "{name}, as of {when}. Save the section to keep it."
RESTORING = "Restoring unsaved work"
NOT_KEPT = "Unsaved work is not kept"
NOT_KEPT_HELP = "If the program ends before the section is saved, it is lost. {reason}"
NOT_OPEN = (
    "Expected {name} to be open, or its file at {path}. Open the section, then press "
    "Restore again."
)
# Milliseconds from a change to the file: what is done in between is written at once.
_SOON, _LATEST = 1_000, 60_000
# Of the time that passes, at most so much goes into writing.
_SHARE = 0.5


class WorkKeeper(QObject):
    """Keep the unsaved work of one viewer's sections; offer that of a crash."""

    offers_changed = Signal()
    status_changed = Signal(str, str, str)  # kind, title and text for a card
    failed = Signal(object, str)
    restored = Signal(object)  # tissue

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = ref(viewer)
        self.offers: list[UnsavedWork] = []
        # By identity: a tissue compares itself value by value.
        self._files: dict[int, tuple[ref[AnnData], Path]] = {}
        self._waiting: dict[int, ref[AnnData]] = {}
        self._gone: set[Path] = set()
        self._began, self._pause, self._said = 0.0, _SOON, ""
        self._looking = BackgroundTask(recovery.find_unsaved_work)
        self._writing = BackgroundTask(_keep)
        self._reading = BackgroundTask(_read)
        self._looking.done.connect(self._on_found)
        self._looking.failed.connect(self.failed)
        self._writing.done.connect(self._on_written)
        self._writing.failed.connect(self._on_not_written)
        self._reading.done.connect(self._on_read)
        self._reading.failed.connect(self.failed)
        self._soon, self._signs = QTimer(self), QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._write_next)
        self._signs.setInterval(round(1000 * recovery.SECONDS_BETWEEN_SIGNS))
        self._signs.timeout.connect(self._give_signs)
        if recovery.recovery_folder().is_dir():
            self._looking.start()

    @property
    def busy(self) -> bool:
        """Whether work is still to be written, or being put back."""
        return bool(self._waiting) or self._writing.busy or self._reading.busy

    # --- keeping

    def note(self, tissue: AnnData) -> None:
        """Keep a section's work as it stands, soon."""
        self._waiting[id(tissue)] = ref(tissue)
        if not self._soon.isActive() and not self._writing.busy:
            self._soon.start(self._pause)

    def forget(self, tissue: AnnData) -> None:
        """Remove what is kept of a section: it was saved, or is not wanted."""
        self._waiting.pop(id(tissue), None)
        held, file = self._files.pop(id(tissue), (None, None))
        if held is not None and file is not None and held() is tissue:
            # One that is being written now goes once it is there.
            self._gone |= {file} if self._writing.busy else set()
            recovery.discard_work(file)

    def _write_next(self) -> None:
        while self._waiting and not self._writing.busy:
            _, held = self._waiting.popitem()
            tissue = held()
            layer = None if tissue is None else self._layer_of(tissue)
            if tissue is None or layer is None:
                continue
            about = _about(layer, self._file_of(tissue, layer))
            self._began = time.monotonic()
            self._writing.start(*recovery.work_of(tissue, about))

    def _file_of(self, tissue: AnnData, layer: Layer) -> Path:
        held, file = self._files.get(id(tissue), (None, Path()))
        if held is None or held() is not tissue:
            name = f"{file_stem(layer.name)[:40]}-{uuid4().hex[:12]}.h5ad"
            file = recovery.recovery_folder() / name
            self._files[id(tissue)] = ref(tissue), file
        return file

    def _on_written(self, about: UnsavedWork) -> None:
        if about.file in self._gone:
            self._gone.discard(about.file)
            recovery.discard_work(about.file)
        self._said = ""
        self._signs.start()
        self._go_on()

    def _on_not_written(self, error: Exception, details: str) -> None:
        # Once: it is tried again with every change.
        if str(error) != self._said:
            self._said = str(error)
            text = NOT_KEPT_HELP.format(reason=error)
            self.status_changed.emit("warning", NOT_KEPT, text)
        self._go_on()

    def _go_on(self) -> None:
        took = 1000 * (time.monotonic() - self._began)
        self._pause = round(min(max(_SOON, took / _SHARE), _LATEST))
        if self._waiting:
            self._soon.start(self._pause)

    def _give_signs(self) -> None:
        for _, file in self._files.values():
            recovery.give_sign(file)

    def _layers(self) -> list[Layer]:
        viewer = self._viewer()
        return [] if viewer is None else list(viewer.layers)

    def _layer_of(self, tissue: AnnData) -> Layer | None:
        return next((x for x in self._layers() if tissue_of(x) is tissue), None)

    # --- putting back

    def _on_found(self, works: list[UnsavedWork]) -> None:
        self.offers = works
        self.offers_changed.emit()

    def discard(self, work: UnsavedWork) -> None:
        """Remove unsaved work of a crash for good."""
        recovery.discard_work(work.file)
        self._withdraw(work)

    def restore(self, work: UnsavedWork) -> None:
        """Put unsaved work back into its section, which is opened if need be."""
        if self._reading.busy:
            return
        tissue = self._open_tissue(work)
        if tissue is not None:
            try:
                notes = _restore(tissue, work, self._layers())
                self._show(tissue, work, notes)
            except Exception as error:  # noqa: BLE001  every error goes to the card
                self.failed.emit(error, "")
        elif work.path and Path(work.path).exists():
            self.status_changed.emit("running", RESTORING, work.name)
            self._reading.start(work)
        else:
            path = work.path or "no path"
            text = NOT_OPEN.format(name=work.name, path=path)
            self.failed.emit(InputError(text), "")

    def _open_tissue(self, work: UnsavedWork) -> AnnData | None:
        """Return the section that work is of, if it is open."""
        from napari_semst.pipeline.provenance import spots_hash

        for layer in self._layers():
            tissue = tissue_of(layer)
            if tissue is None or tissue.n_obs != work.n_spots:
                continue
            path = _about(layer, Path()).path
            same = not path or not work.path or path == work.path
            if same and spots_hash(tissue.obs_names) == work.spots:
                return tissue
        return None

    def _on_read(
        self, answer: tuple[UnsavedWork, AnnData, list[LayerData], list[str]]
    ) -> None:
        work, tissue, data, notes = answer
        viewer = self._viewer()
        if viewer is None:
            return
        try:
            add_layers(viewer, data)
            self._show(tissue, work, notes)
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self.failed.emit(error, "")

    def _show(self, tissue: AnnData, work: UnsavedWork, notes: list[str]) -> None:
        """Show a section whose work is back; its file is this program's from now on."""
        viewer = self._viewer()
        if viewer is None:
            return
        self._files[id(tissue)] = ref(tissue), work.file
        mark_unsaved(viewer, tissue)
        self._withdraw(work)
        layers = [x for x in self._layers() if tissue_of(x) is tissue]
        look = DisplayState(work.colour_by, work.run)
        _paint(tissue, layers, look)
        state = state_of(viewer)
        state.look_changed.emit(tissue, self)
        state.tissue_changed.emit(tissue, self)
        self.restored.emit(tissue)
        text = RESTORED_HELP.format(name=work.name, when=when_changed(work))
        told = "\n".join([text, *notes])
        self.status_changed.emit("warning" if notes else "success", RESTORED, told)

    def _withdraw(self, work: UnsavedWork) -> None:
        self.offers = [one for one in self.offers if one.file != work.file]
        self.offers_changed.emit()


_KEEPERS: WeakKeyDictionary[Any, WorkKeeper] = WeakKeyDictionary()


def keeper_of(viewer: Viewer) -> WorkKeeper:
    """Return what keeps the unsaved work of a viewer, one for all its docks."""
    unwrapped = getattr(viewer, "__wrapped__", viewer)
    if unwrapped not in _KEEPERS:
        _KEEPERS[unwrapped] = WorkKeeper(unwrapped)
    return _KEEPERS[unwrapped]


def mark_unsaved(viewer: Viewer, tissue: AnnData) -> None:
    """Mark the layers of a section that holds more than its file, and keep its work."""
    revision = uuid4().hex
    for layer in viewer.layers:
        if tissue_of(layer) is tissue:
            layer.metadata[adapter.UNSAVED] = revision
    keeper_of(viewer).note(tissue)


def mark_saved(viewer: Viewer, saved: SavedFile) -> None:
    """Take the mark of unsaved results off the layers whose section was written.

    Parameters
    ----------
    saved
        What was written; of a run that ended since then nothing is in the file.
    """
    layers = [x for x in viewer.layers if tissue_of(x) is saved.tissue]
    for layer in layers:
        if layer.metadata.get(adapter.UNSAVED) == saved.revision:
            del layer.metadata[adapter.UNSAVED]
    if not any(adapter.UNSAVED in layer.metadata for layer in layers):
        keeper_of(viewer).forget(saved.tissue)


def add_layers(viewer: Viewer, data: list[LayerData]) -> list[Layer]:
    """Show the layers of a section; return them, the spots last."""
    from napari.layers import Layer

    from napari_semst.viewer.hover import receive_layer

    # All are made before any is shown: half a section would be of no use.
    made = [Layer.create(*one) for one in data]
    for layer in made:
        receive_layer(layer)
        viewer.add_layer(layer)
    viewer.reset_view()
    return made


def when_changed(work: UnsavedWork) -> str:
    """Return when work was last changed, as people say it."""
    changed = datetime.fromisoformat(work.changed)
    today = changed.date() == datetime.now(changed.tzinfo).date()
    return changed.strftime("%H:%M" if today else "%d %b %Y %H:%M")


def _about(layer: Layer, file: Path) -> UnsavedWork:
    """Return what a layer tells of its section."""
    path, options = layer.metadata.get(READ_FROM, ("", ReadOptions()))
    look = DisplayState.of(layer)
    return recovery.UnsavedWork(
        layer.name,
        str(path),
        str(options.counts or ""),
        str(options.positions or ""),
        str(options.part or ""),
        colour_by=look.colour_by,
        run=look.run,
        file=file,
    )


def _keep(work: AnnData, about: UnsavedWork) -> UnsavedWork:
    return recovery.keep_work(work, about)


def _read(
    work: UnsavedWork,
) -> tuple[UnsavedWork, AnnData, list[LayerData], list[str]]:
    from napari_semst.io.read import read
    from napari_semst.viewer.read_layers import from_path

    options = ReadOptions(
        work.counts or None, work.positions or None, work.part or None
    )
    path = Path(work.path)
    tissue = read(
        path, counts=options.counts, positions=options.positions, part=options.part
    )
    notes = recovery.restore_work(tissue, work)
    layers = adapter.prepare_layers(tissue, work.name)
    return work, tissue, from_path(layers, path, options), notes


def _restore(tissue: AnnData, work: UnsavedWork, layers: list[Layer]) -> list[str]:
    """Put work back into a section that is open, its images to where they stood."""
    named = libraries_with_image(tissue)
    before = {library: adjustment_of(tissue, library) for library in named}
    registered = {library: landmarks_of(tissue, library) for library in named}
    notes = recovery.restore_work(tissue, work)
    for library, shown in before.items():
        wanted = adjustment_of(tissue, library)
        if landmarks_of(tissue, library) != registered[library]:
            redraw_images(tissue, library, layers)
            continue
        if wanted != shown:
            adjust(tissue, library, shown)
            align_image(tissue, library, wanted, layers)
    return notes


def _paint(tissue: AnnData, layers: list[Layer], look: DisplayState) -> None:
    colouring = colourings.colouring_for_key(tissue, look.colour_by, look.run)
    colouring = colouring or colourings.first_colouring(tissue)
    _, rgba = paint_section(tissue, colouring, ColourChoices(), None, look)
    for layer in layers:
        adapter.refresh(layer)
        look.keep_in(layer)
        paint_layer(layer, rgba)
