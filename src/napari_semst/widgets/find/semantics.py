"""Choice of where the meaning of genes comes from, and what that source needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QWidget

from napari_semst import keys
from napari_semst.config import SemanticsConfig
from napari_semst.models.hub import DEFAULT_MODEL
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.fields import EmbeddingPicker, TablePicker
from napari_semst.widgets.find.model import ModelField
from napari_semst.widgets.find.server import ServerFields
from napari_semst.widgets.shared.forms import add_row, form, note

if TYPE_CHECKING:
    from anndata import AnnData

_DEFAULT = SemanticsConfig().source
_OWN = {keys.SPATIAL, keys.LATENT, keys.SCALE, keys.SHIFT}
# Which field each source needs; those not named here need none.
_FIELDS = {
    "precomputed": "embedding",
    "table": "table",
    "prompts": "model",
    "genes": "model",
    "server": "server",
}


class SemanticsForm(QWidget):
    """The sources, a note on what the chosen one needs, and its fields.

    Parameters
    ----------
    sources
        As the configuration has them.
    """

    changed = Signal()

    def __init__(self, sources: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._heard = True
        self.source = QComboBox()
        self.source.setToolTip(texts.TIPS["semantics"])
        for index, source in enumerate(sources):
            self.source.addItem(texts.SEMANTICS.get(source, source), source)
            about = texts.NEEDS.get(source, "")
            self.source.setItemData(index, about, Qt.ItemDataRole.ToolTipRole)
        self.needs = note()
        self.embedding = EmbeddingPicker()
        self.table = TablePicker()
        self.model = ModelField()
        self.server = ServerFields()
        self._rows = rows = form(self)
        add_row(rows, "Gene semantics", self.source)
        add_row(rows, "", self.needs)
        add_row(rows, "Embedding", self.embedding)
        add_row(rows, "Gene table", self.table)
        add_row(rows, "Language model", self.model)
        rows.addRow(self.server)
        self.source.currentIndexChanged.connect(self._on_choice)
        self._on_choice()
        for combo in (self.source, self.embedding.combo, self.table.combo):
            combo.currentIndexChanged.connect(self.changed)
        self.server.per.currentIndexChanged.connect(self.changed)
        self.model.combo.editTextChanged.connect(self.changed)

    @property
    def chosen(self) -> str:
        """Name of the source that the field shows."""
        return str(self.source.currentData())

    def set_heard(self, heard: bool) -> None:
        """Tell whether the recipe listens to semantics at all."""
        self._heard = heard
        self.source.setEnabled(heard)
        self._on_choice()

    def set_tissue(self, tissue: AnnData | None) -> None:
        """Offer the embeddings of a section; see again what is on this machine."""
        found = [] if tissue is None else list(tissue.obsm)
        self.embedding.set_keys([key for key in found if key not in _OWN])
        self._look_again()

    def settings(self) -> dict[str, str]:
        """Return the settings of the source chosen.

        Raises
        ------
        SemstError
            If a field that it needs is empty or not accepted.
        """
        source = self.chosen
        field = _FIELDS.get(source, "")
        if field == "server":
            return {"source": source, **self.server.settings()}
        if field:
            return {"source": source, field: getattr(self, field).chosen()}
        return {"source": source}

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Show a source and its settings, and take what is shown out of them."""
        source = settings.pop("source", _DEFAULT)
        self.source.setCurrentIndex(self.source.findData(source))
        field = _FIELDS.get(source, "")
        if field == "model":
            self.model.combo.setEditText(settings.pop("model", DEFAULT_MODEL))
        elif field == "server":
            self.server.show_settings(settings)
        elif field and settings.get(field):
            getattr(self, field).choose(settings.pop(field))

    def _on_choice(self) -> None:
        """Show what belongs to the source chosen, and only that."""
        field = _FIELDS.get(self.chosen, "") if self._heard else ""
        for name in dict.fromkeys(_FIELDS.values()):
            self._rows.setRowVisible(getattr(self, name), name == field)
        about = texts.NEEDS.get(self.chosen, "") if self._heard else texts.NOT_HEARD
        self.needs.setText(about)
        self._look_again()

    def _look_again(self) -> None:
        """Look at what may have changed outside: a download, the environment."""
        field = _FIELDS.get(self.chosen, "") if self._heard else ""
        if field == "model":
            self.model.look()
        elif field == "server":
            self.server.refresh()
