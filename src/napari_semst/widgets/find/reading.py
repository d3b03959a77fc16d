"""How genes are listed and read: settings of some sources only, in Advanced."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QLineEdit, QSpinBox, QWidget

from napari_semst.config import SemanticsConfig
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.fields import choices
from napari_semst.widgets.shared.forms import add_row, form

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
        self._rows = rows = form(self)
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
        found: dict[str, Any] = {}
        for name in _USED_BY:
            value = _value(getattr(self, name))
            # What a recipe says is asked for again only where it was chosen here.
            own = None if name in _OF_RECIPES else getattr(_DEFAULTS, name)
            if name in self._shown and value and value != own:
                found[name] = value
        return found

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Show settings; those not given go back to their defaults.

        Those shown are taken out of what is given.
        """
        for name in _USED_BY:
            field = getattr(self, name)
            own = "" if name in _OF_RECIPES else getattr(_DEFAULTS, name)
            value = settings.pop(name, own)
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
    for value in choices("semantics", setting):
        combo.addItem(texts.READING_CHOICES.get(value, value), value)
        tip = texts.READING_TIPS.get(value, "")
        combo.setItemData(combo.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
    return combo
