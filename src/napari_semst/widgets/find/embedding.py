"""Choice of vectors made elsewhere: of the spots, or of the genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.widgets.find import texts
from napari_semst.widgets.find.fields import FilePicker

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


class EmbeddingPicker(FilePicker):
    """Offer the section's obsm keys and any file that was picked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            texts.TIPS["embedding"],
            texts.PICK_EMBEDDING,
            "Arrays and tables (*.npy *.npz *.safetensors *.csv *.tsv *.csv.gz "
            "*.tsv.gz)",
            texts.NO_EMBEDDING,
            parent,
        )
        self._keys: list[str] = []

    def set_keys(self, keys: list[str]) -> None:
        """Offer these obsm keys; files that were picked stay on offer."""
        chosen = self.combo.currentData()
        values = [self.combo.itemData(i) for i in range(self.combo.count())]
        files = [value for value in values if value not in self._keys]
        self._keys = list(keys)
        self.combo.clear()
        for key in keys:
            self.combo.addItem(key, key)
        for path in files:
            self.add_file(path)
        self.combo.setCurrentIndex(self.combo.findData(chosen) if chosen else -1)


class TablePicker(FilePicker):
    """Offer the gene tables that were picked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            texts.TIPS["table"],
            texts.PICK_TABLE,
            "Gene tables (*.npz *.csv *.tsv *.csv.gz *.tsv.gz)",
            texts.NO_TABLE,
            parent,
        )
