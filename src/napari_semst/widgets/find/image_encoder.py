"""Choice of an image encoder: the built-in one, a network by its id, or a folder."""

from __future__ import annotations

import json
from pathlib import Path

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_semst.errors import ConfigError
from napari_semst.morphology.suggestions import SUGGESTED
from napari_semst.widgets.find import texts_image as texts
from napari_semst.widgets.shared.forms import note

BUILTIN = "builtin"
_NETWORKS = ("timm", "hf")


class EncoderField(QWidget):
    """A list to type in, with a note on the encoder: what it learnt from, its terms."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(texts.TIPS["image_encoder"])
        self.combo = QComboBox()
        self.combo.setEditable(True)
        self.combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.combo.setToolTip(texts.TIPS["image_encoder"])
        self.combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        for name in (BUILTIN, *(one.encoder for one in SUGGESTED)):
            self.combo.addItem(name)
            last = self.combo.count() - 1
            self.combo.setItemData(last, about(name), Qt.ItemDataRole.ToolTipRole)
        self.button = QPushButton("Folder...")
        self.button.setToolTip(texts.PICK_ENCODER)
        self.note = note()
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.note, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        # Names of models are long: they have the row to themselves.
        layout.addWidget(self.combo)
        layout.addLayout(row)
        self.setFocusProxy(self.combo)
        self.combo.editTextChanged.connect(self._on_typed)
        self.button.clicked.connect(self._ask)
        self._on_typed()

    @property
    def name(self) -> str:
        """The encoder as it stands in the field."""
        return str(self.combo.currentText()).strip()

    def chosen(self) -> str:
        """Return the encoder as settings name it.

        Raises
        ------
        ConfigError
            If it is no name of an encoder.
        """
        kind, _, model = self.name.partition(":")
        if self.name == BUILTIN or (kind in (*_NETWORKS, "obsm") and model):
            return self.name
        raise ConfigError(texts.NO_ENCODER.format(name=self.name))

    def _on_typed(self) -> None:
        self.note.setText(about(self.name))
        self.changed.emit()

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, texts.PICK_ENCODER)
        if folder:
            self.combo.setEditText(f"{kind_of_folder(Path(folder))}:{folder}")


def about(encoder: str) -> str:
    """Return what is known of an encoder, in a sentence or two for users."""
    kind, _, model = encoder.partition(":")
    if encoder == BUILTIN:
        return texts.ENCODER_BUILTIN
    if kind == "obsm" and model:
        how = next((one.how for one in SUGGESTED if one.encoder == encoder), "")
        return how or texts.ENCODER_OBSM.format(key=model)
    if kind not in _NETWORKS or not model:
        return texts.ENCODER_UNKNOWN
    for one in SUGGESTED:
        if one.encoder.casefold() == encoder.casefold():
            said = texts.ENCODER_LEARNT.format(
                trained_on=one.trained_on, licence=one.licence
            )
            return f"{said} {texts.ENCODER_GATED}" if one.gated else said
    if Path(model).expanduser().is_dir():
        return texts.ENCODER_FOLDER
    return texts.ENCODER_OTHER


def kind_of_folder(folder: Path) -> str:
    """Return ``timm`` or ``hf``: which package saved the model in a folder."""
    try:
        told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "hf"
    return "timm" if isinstance(told, dict) and "pretrained_cfg" in told else "hf"
