"""Choice of a language model, and whether it is on this machine already."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_semst.errors import ConfigError, SemanticsError
from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.forms import (
    add_choice,
    field_over_note,
    note_label,
    push_button,
    typed_combo,
)
from napari_semst.widgets.shared.worker import BackgroundTask
from napari_semst.wording import for_window

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_TYPING_PAUSE = 300  # milliseconds


class SuggestedModel(NamedTuple):
    """A model that is known to be readable, and the bytes of its download."""

    name: str
    size: float
    tip: str


SUGGESTED_MODELS = (
    SuggestedModel("Qwen/Qwen3-4B-Thinking-2507", 8.1e9, texts.MODEL_OF_THE_PAPER),
    SuggestedModel("Qwen/Qwen3-Embedding-0.6B", 1.2e9, texts.MODEL_EMBEDS),
    SuggestedModel("sentence-transformers/all-MiniLM-L6-v2", 0.09e9, texts.MODEL_SMALL),
)


class ModelField(QWidget):
    """A Hugging Face id or a folder, with a note on where the model is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(texts.TIPS["model"])
        self.combo = typed_combo(texts.TIPS["model"])
        for model in SUGGESTED_MODELS:
            add_choice(self.combo, model.name, None, model.tip)
        self.button = push_button("Folder...", texts.PICK_MODEL)
        self.note = note_label()
        # Folders may be large and disks slow: looked at in a thread, never here.
        self.task = BackgroundTask(where_model_is)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_TYPING_PAUSE)
        field_over_note(self, self.combo, self.note, self.button)
        self._tell_all()
        self.combo.editTextChanged.connect(self._on_typed)
        self._pause.timeout.connect(self.look)
        self.task.done.connect(self.note.setText)
        self.task.failed.connect(self._on_failed)
        self.button.clicked.connect(self._ask)

    @property
    def name(self) -> str:
        """The model as it stands in the field."""
        return str(self.combo.currentText()).strip()

    def chosen(self) -> str:
        """Return the model, or raise `ConfigError` if none is named."""
        if not self.name:
            raise ConfigError(texts.NO_MODEL)
        return self.name

    def look(self) -> None:
        """Find out, in a thread, whether the model is on this machine."""
        self._pause.stop()
        self.note.setText(texts.MODEL_LOOKING)
        self.task.start(self.name)

    def _on_typed(self) -> None:
        self._tell_all()
        self.note.setText(texts.MODEL_LOOKING)
        self._pause.start()

    def _tell_all(self) -> None:
        """Show the whole of a long name on hovering."""
        self.combo.setToolTip(f"{self.name}\n{texts.TIPS['model']}".strip())

    def _on_failed(self, error: Exception, details: str) -> None:
        self.note.setText(for_window(error))

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, texts.PICK_MODEL, self.name)
        if folder:
            self.combo.setEditText(folder)


def where_model_is(name: str) -> str:
    """Return a sentence on where a model is, an id or a folder; asks no network."""
    from huggingface_hub import try_to_load_from_cache

    from napari_semst.io.formats.numeric_tables import user_path
    from napari_semst.models.hub import check_weights

    if not name:
        return texts.MODEL_NONE
    folder = user_path(name)
    if folder.is_dir():
        try:
            check_weights(folder, folder.name)
        except SemanticsError as error:
            return for_window(error)
        return texts.MODEL_FOLDER.format(size=_size(_bytes_of(folder)))
    if not _HUB_NAME.fullmatch(name):
        return texts.MODEL_UNKNOWN
    held = try_to_load_from_cache(name, "config.json")
    if isinstance(held, str):
        folder = Path(held).parent
        try:
            check_weights(folder, name)
        except SemanticsError:
            return texts.MODEL_PARTLY
        return texts.MODEL_HERE.format(size=_size(_bytes_of(folder)))
    known = {model.name: model.size for model in SUGGESTED_MODELS}
    if name in known:
        return texts.MODEL_AWAY.format(size=f"about {_size(known[name])}")
    return texts.MODEL_AWAY.format(size=texts.SIZE_UNKNOWN)


def _bytes_of(folder: Path) -> float:
    return float(sum(f.stat().st_size for f in folder.iterdir() if f.is_file()))


def _size(n_bytes: float) -> str:
    """Return a size as file managers show it."""
    if n_bytes >= 1e9:
        return f"{n_bytes / 1e9:.1f} GB"
    return f"{max(n_bytes / 1e6, 0.1):.{0 if n_bytes >= 1e7 else 1}f} MB"
