"""Choice of a precomputed embedding: a table of the section, or a file."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_semst.errors import ConfigError
from napari_semst.widgets.find.texts import TIPS


class EmbeddingPicker(QWidget):
    """Offer the section's obsm keys and any file that was picked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.combo = QComboBox()
        self.combo.setToolTip(TIPS["embedding"])
        self.combo.setPlaceholderText("Choose")
        self.combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.button = QPushButton("File...")
        self.button.setToolTip(
            "Pick a file (.npy, .npz, .safetensors), one row per spot."
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.combo, 1)
        layout.addWidget(self.button)
        self.button.clicked.connect(self._ask)

    def set_keys(self, keys: list[str]) -> None:
        """Offer these obsm keys; files that were picked stay on offer."""
        chosen = self.combo.currentData()
        values = [self.combo.itemData(i) for i in range(self.combo.count())]
        files = [value for value in values if _is_file(value)]
        self.combo.clear()
        for key in keys:
            self.combo.addItem(key, key)
        for path in files:
            self.add_file(path)
        self.combo.setCurrentIndex(self.combo.findData(chosen) if chosen else -1)

    def add_file(self, path: str) -> None:
        """Offer a file and choose it."""
        if self.combo.findData(path) < 0:
            self.combo.addItem(Path(path).name, path)
        self.combo.setCurrentIndex(self.combo.findData(path))

    def chosen(self) -> str:
        """Return the obsm key or the path chosen.

        Raises
        ------
        ConfigError
            If none was chosen.
        """
        value = self.combo.currentData()
        if not value:
            raise ConfigError(
                "Expected an embedding; none is chosen. Pick one under Embedding, or "
                "set Gene semantics to the built-in gene table."
            )
        return str(value)

    def _ask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Choose an embedding", "", "Arrays (*.npy *.npz *.safetensors)"
        )
        if path:
            self.add_file(path)


def _is_file(value: object) -> bool:
    return Path(str(value)).suffix in {".npy", ".npz", ".safetensors"}
