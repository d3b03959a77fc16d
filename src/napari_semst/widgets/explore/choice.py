"""What colours the spots: results and columns in a list, genes by a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, QStringListModel, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCompleter, QLineEdit, QWidget

from napari_semst import keys
from napari_semst.explore.spot_values import embedding_columns
from napari_semst.viewer import colourings
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.forms import (
    add_choice,
    add_row,
    form_layout,
    short_combo,
    stacked,
)

if TYPE_CHECKING:
    from anndata import AnnData

_MOST_COMPONENTS = 10
_SUGGESTIONS = 12


class ColourPicker(QWidget):
    """Choose a colouring of a section."""

    chosen = Signal(str)  # key of the colouring
    gene_unknown = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tissue: AnnData | None = None
        self._genes: dict[str, str] = {}
        self.combo = short_combo(TIPS["colour_by"])
        self.combo.setMaxVisibleItems(25)
        self.combo.setPlaceholderText(texts.A_GENE)
        self.gene = QLineEdit()
        self.gene.setToolTip(TIPS["gene"])
        self.gene.setClearButtonEnabled(True)
        self._names = QStringListModel(self)
        completer = QCompleter(self._names, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setMaxVisibleItems(_SUGGESTIONS)
        self.gene.setCompleter(completer)
        rows = form_layout()
        add_row(rows, "Colour by", self.combo)
        add_row(rows, "Gene", self.gene)
        stacked(self, rows)
        self.combo.activated.connect(self._on_activated)
        self.gene.returnPressed.connect(self._on_gene)
        completer.activated.connect(self._on_gene)

    def set_tissue(self, tissue: AnnData | None, run: str, key: str) -> None:
        """Offer what a section has, and show what is on it."""
        if tissue is not self._tissue:
            self._offer_genes(tissue)
        self._tissue = tissue
        with QSignalBlocker(self.combo):
            self.combo.clear()
            for offered in [] if tissue is None else offered_colourings(tissue, run):
                add_choice(self.combo, offered.label, offered.key, offered.note)
        self.show_key(key)

    def show_key(self, key: str) -> None:
        """Show which colouring is on the spots, without a word to others."""
        with QSignalBlocker(self.combo):
            self.combo.setCurrentIndex(self.combo.findData(key))
        gene = key.removeprefix("gene:") if key.startswith("gene:") else ""
        if gene or self.combo.currentIndex() >= 0:
            self.gene.setText(gene)

    def _offer_genes(self, tissue: AnnData | None) -> None:
        names = [] if tissue is None else [str(name) for name in tissue.var_names]
        self._genes = {name.upper(): name for name in reversed(names)}
        self._names.setStringList(names)
        hint = texts.GENE_HINT.format(gene=names[0]) if names else ""
        self.gene.setPlaceholderText(hint)
        self.gene.clear()

    def _on_activated(self, index: int) -> None:
        self.chosen.emit(str(self.combo.itemData(index)))

    def _on_gene(self, text: str = "") -> None:
        typed = (text or self.gene.text()).strip()
        if not typed or self._tissue is None:
            return
        exact = typed in self._tissue.var_names
        gene = typed if exact else self._genes.get(typed.upper())
        if gene is None:
            self.gene_unknown.emit(typed)
        else:
            self.chosen.emit(f"gene:{gene}")


def offered_colourings(tissue: AnnData, run: str) -> list[colourings.Colouring]:
    """Return results and annotations, then numbers of obs, then embeddings."""
    offered = list(colourings.colourings(tissue, run))
    there = {colouring.column for colouring in offered}
    for column in map(str, tissue.obs.columns):
        if column.startswith(keys.RESULTS) or column in there:
            continue
        colouring = colourings.obs_colouring(tissue, column)
        if colouring is not None and colouring.kind == "numbers":
            offered.append(colouring)
    for key, width in embedding_columns(tissue).items():
        for number in range(1, min(width, _MOST_COMPONENTS) + 1):
            offered.append(colourings.embedding_colouring(key, number))
    return offered
