"""A field for a file: those picked so far, and a button to pick another."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_semst.errors import ConfigError


class FilePicker(QWidget):
    """Offer what is known by name and any file that was picked.

    Parameters
    ----------
    tip
        Tooltip of the list.
    title, kinds
        Title of the file dialog, and the kinds of files that it shows.
    missing
        What is said where nothing was chosen.
    """

    def __init__(
        self,
        tip: str,
        title: str,
        kinds: str,
        missing: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._title, self._kinds, self._missing = title, kinds, missing
        self.setToolTip(tip)
        self.combo = QComboBox()
        self.combo.setToolTip(tip)
        self.combo.setPlaceholderText("Choose")
        self.combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.button = QPushButton("File...")
        self.button.setToolTip(title)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.combo, 1)
        layout.addWidget(self.button)
        self.setFocusProxy(self.combo)
        self.button.clicked.connect(self._ask)

    def add_file(self, path: str) -> None:
        """Offer a file and choose it."""
        if self.combo.findData(path) < 0:
            self.combo.addItem(Path(path).name, path)
            # Files of one name differ in their folders only.
            last = self.combo.count() - 1
            self.combo.setItemData(last, path, Qt.ItemDataRole.ToolTipRole)
        self.combo.setCurrentIndex(self.combo.findData(path))

    def choose(self, name: str) -> None:
        """Choose what is on offer under a name, else offer it as a file."""
        index = self.combo.findData(name)
        if index < 0:
            self.add_file(name)
        else:
            self.combo.setCurrentIndex(index)

    def chosen(self) -> str:
        """Return what was chosen: a name or a path.

        Raises
        ------
        ConfigError
            If nothing was chosen.
        """
        value = self.combo.currentData()
        if not value:
            raise ConfigError(self._missing)
        return str(value)

    def _ask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self._title, "", self._kinds)
        if path:
            self.add_file(path)
