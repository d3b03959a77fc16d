"""Where the meaning of genes comes from, what that needs, and how genes are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QLineEdit, QSpinBox, QWidget

from napari_semst import keys
from napari_semst.config import SemanticsConfig
from napari_semst.models.hub import DEFAULT_MODEL
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.fields import (
    EmbeddingPicker,
    TablePicker,
    setting_choices,
)
from napari_semst.widgets.find.language_model import ModelField
from napari_semst.widgets.find.server import ServerFields
from napari_semst.widgets.shared.forms import (
    add_choice,
    add_row,
    form_layout,
    note_label,
)

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
_LISTING = ("builtin", "table", "server", "prompts", "genes")
# Which sources use each setting; a server reads texts of genes only if it reads genes.
_USED_BY = {
    "n_genes": _LISTING,
    "ranking": _LISTING,
    "pooling": ("prompts", "genes"),
    "template": ("prompts",),
    "tissue": ("prompts",),
    "gene_text": ("genes", "server"),
    "revision": ("prompts", "genes"),
}
_OF_RECIPES = ("n_genes", "ranking")
_MOST_GENES = 500
_DEFAULTS = SemanticsConfig()


class SemanticsForm(QWidget):
    """The sources, a note on what the chosen one needs, and its fields."""

    changed = Signal()

    def __init__(self, sources: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._heard = True
        self.source = QComboBox()
        self.source.setToolTip(texts.TIPS["semantics"])
        for source in sources:
            label = texts.SEMANTICS.get(source, source)
            add_choice(self.source, label, source, texts.NEEDS.get(source, ""))
        self.needs = note_label()
        self.embedding = EmbeddingPicker()
        self.table = TablePicker()
        self.model = ModelField()
        self.server = ServerFields()
        self._rows = rows = form_layout(self)
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
        tables = [] if tissue is None else list(tissue.obsm)
        self.embedding.set_keys([key for key in tables if key not in _OWN])
        self._look_again()

    def settings(self) -> dict[str, str]:
        """Return the settings of the source chosen, or raise `SemstError`."""
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


class ReadingFields(QWidget):
    """Fields of lists and texts of genes; those that the source ignores are hidden."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: set[str] = set()
        self.n_genes = QSpinBox()
        self.n_genes.setRange(0, _MOST_GENES)
        self.n_genes.setSpecialValueText(texts.AS_RECIPE)
        self.ranking = _choice("ranking", as_recipe=True)
        self.pooling = _choice("pooling")
        self.template = _choice("template")
        self.tissue = QLineEdit()
        self.tissue.setPlaceholderText(texts.TISSUE_EXAMPLE)
        self.gene_text = _choice("gene_text")
        self.revision = QLineEdit()
        self.revision.setPlaceholderText(texts.REVISION_HERE)
        self._rows = rows = form_layout(self)
        for name, label in texts.READING_LABELS.items():
            field = getattr(self, name)
            field.setToolTip(texts.TIPS[name])
            add_row(rows, label, field)
        self._source, self._per = "", ""
        self.template.currentIndexChanged.connect(self._show)
        for combo in (self.ranking, self.pooling, self.template, self.gene_text):
            combo.currentIndexChanged.connect(self.changed)
        self.n_genes.valueChanged.connect(self.changed)
        for line in (self.tissue, self.revision):
            line.textChanged.connect(self.changed)
        self.set_source("builtin")

    def set_source(self, source: str, per: str = "") -> None:
        """Show what a source uses.

        Parameters
        ----------
        source
            Name of the source; empty where nothing listens to it.
        per
            What a server reads: ``spot`` or ``gene``.
        """
        self._source, self._per = source, per
        self._show()

    def _show(self) -> None:
        self._shown = {name for name, used in _USED_BY.items() if self._source in used}
        if self.template.currentData() != "tissue":
            self._shown.discard("tissue")
        if self._source == "server" and self._per != "gene":
            self._shown.discard("gene_text")
        for name in _USED_BY:
            self._rows.setRowVisible(getattr(self, name), name in self._shown)
        self.setVisible(bool(self._shown))

    def settings(self) -> dict[str, Any]:
        """Return the settings on show that differ from their defaults."""
        changed: dict[str, Any] = {}
        for name in _USED_BY:
            value = _value(getattr(self, name))
            # What a recipe says is asked for again only where it was chosen here.
            default = None if name in _OF_RECIPES else getattr(_DEFAULTS, name)
            if name in self._shown and value and value != default:
                changed[name] = value
        return changed

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Show settings; those not given go back to their defaults.

        Those shown are taken out of what is given.
        """
        for name in _USED_BY:
            field = getattr(self, name)
            default = "" if name in _OF_RECIPES else getattr(_DEFAULTS, name)
            value = settings.pop(name, default)
            if isinstance(field, QSpinBox):
                field.setValue(int(value or 0))
            elif isinstance(field, QComboBox):
                field.setCurrentIndex(max(field.findData(value), 0))
            else:
                field.setText(str(value))


def _value(field: QWidget) -> Any:
    if isinstance(field, QSpinBox):
        return field.value()
    if isinstance(field, QComboBox):
        return field.currentData()
    assert isinstance(field, QLineEdit)
    return field.text().strip()


def _choice(setting: str, *, as_recipe: bool = False) -> QComboBox:
    """Return a list of the values that a setting of the semantics accepts."""
    combo = QComboBox()
    if as_recipe:
        combo.addItem(texts.AS_RECIPE, "")
    for value in setting_choices("semantics", setting):
        label = texts.READING_CHOICES.get(value, value)
        add_choice(combo, label, value, texts.READING_TIPS.get(value, ""))
    return combo
