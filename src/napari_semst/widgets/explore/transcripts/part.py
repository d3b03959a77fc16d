"""The box "Transcripts": genes to name, their colours, and how many are in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, QSize, QStringListModel, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QCompleter,
    QLineEdit,
    QTreeWidgetItem,
    QWidget,
)

from napari_semst.io.transcripts.reader import LEAST_QUALITY
from napari_semst.io.transcripts.sources import transcript_sources
from napari_semst.session.actions import Action
from napari_semst.session.log import record_action
from napari_semst.viewer import spots
from napari_semst.viewer.transcripts.molecule_layer import GENE_COLORS, gene_colours
from napari_semst.widgets.explore.transcripts import texts
from napari_semst.widgets.explore.transcripts.shown import ShownMolecules
from napari_semst.widgets.shared.forms import (
    add_row,
    form_layout,
    note_label,
    push_button,
    row_of,
    stacked,
)
from napari_semst.widgets.shared.legend import LegendTree, colour_chip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer

    from napari_semst.io.transcripts.molecules import Molecules
    from napari_semst.widgets.explore.context import ExploreContext

MOST_GENES = len(GENE_COLORS)
_ROW = 21
_SUGGESTIONS = 12


class _LastName(QCompleter):
    """Completes the last of several names with commas between."""

    def splitPath(self, path: str | None) -> list[str]:  # noqa: N802  Qt's name
        return [(path or "").rpartition(",")[2].strip()]

    def pathFromIndex(self, index: object) -> str:  # noqa: N802  Qt's name
        chosen = super().pathFromIndex(index)  # type: ignore[arg-type]
        field = self.widget()
        before = field.text().rpartition(",")[0] if isinstance(field, QLineEdit) else ""
        return f"{before}, {chosen}" if before else chosen


class TranscriptsPart(QWidget):
    """Name genes, tick, and see their molecules over the section."""

    def __init__(self, context: ExploreContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._shown: dict[int, ShownMolecules] = {}
        self._problem = ""
        self.box = QCheckBox(texts.BOX)
        self.genes = QLineEdit()
        self.genes.setToolTip(texts.GENES_TIP.format(most=MOST_GENES))
        self.genes.setAccessibleName("Genes whose transcripts are shown")
        self.genes.setClearButtonEnabled(True)
        self._names = QStringListModel(self)
        completer = _LastName(self._names, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setMaxVisibleItems(_SUGGESTIONS)
        self.genes.setCompleter(completer)
        self.legend = LegendTree(_ROW)
        self.legend.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.legend.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.legend.setToolTip(texts.LEGEND_TIP)
        self.message = note_label()
        self.cancel = push_button("Cancel", texts.CANCEL_TIP)
        self._build()
        self.box.toggled.connect(self._on_box)
        self.genes.returnPressed.connect(self.show_genes)
        self.cancel.clicked.connect(self._on_cancel)
        context.section_changed.connect(self._on_section)
        context.viewer.layers.events.removed.connect(self._on_removed)
        self._on_section()

    def _build(self) -> None:
        rows = form_layout()
        add_row(rows, "", self.box)
        self.inside = QWidget()
        named = form_layout()
        add_row(named, "Of genes", self.genes)
        below = row_of(self.message, self.cancel, spacing=6, shares=(1, 0))
        stacked(self.inside, named, self.legend, below, spacing=6)
        stacked(self, rows, self.inside, spacing=6)

    @property
    def shown(self) -> ShownMolecules | None:
        """What is shown of the section chosen, None where nothing was asked."""
        layer = self._context.layer
        return None if layer is None else self._shown.get(_key(layer))

    def show_genes(self) -> None:
        """Read and show the molecules of the genes that are named."""
        layer, tissue = self._context.layer, self._context.tissue
        if layer is None or tissue is None or not self.box.isChecked():
            return
        typed = [one.strip() for one in self.genes.text().split(",")]
        wanted = list(dict.fromkeys(one for one in typed if one))
        upper = {name.upper(): name for name in map(str, reversed(tissue.var_names))}
        exact = {*map(str, tissue.var_names)}
        found = [g if g in exact else upper.get(g.upper(), "") for g in wanted]
        unknown = [g for g, name in zip(wanted, found, strict=True) if not name]
        if not wanted or unknown or len(wanted) > MOST_GENES:
            self._problem = (
                texts.UNKNOWN.format(genes=", ".join(unknown))
                if unknown
                else texts.TOO_MANY.format(most=MOST_GENES, n=len(wanted))
                if wanted
                else texts.NAME_SOME
            )
            self._refresh()
            return
        self._problem = ""
        self.genes.setText(", ".join(found))
        self._of(layer).show(tuple(dict.fromkeys(found)))

    def shutdown(self) -> None:
        """Take all molecules away; for when the dock goes."""
        for shown in self._shown.values():
            shown.shutdown()
        self._shown = {}

    def _of(self, layer: Layer) -> ShownMolecules:
        shown = self._shown.get(_key(layer))
        if shown is None:
            shown = ShownMolecules(self._context.viewer, layer, self)
            shown.changed.connect(self._refresh)
            shown.gone.connect(self._on_gone)
            shown.read.connect(self._on_read)
            self._shown[_key(layer)] = shown
        return shown

    # --- what happens

    def _on_section(self) -> None:
        layer, tissue = self._context.layer, self._context.tissue
        there = tissue is not None and bool(transcript_sources(tissue))
        names = [] if tissue is None else [str(name) for name in tissue.var_names]
        self._names.setStringList(names)
        self.genes.setPlaceholderText(
            texts.GENES_HINT.format(genes=", ".join(names[:2])) if names else ""
        )
        shown = self.shown
        self.genes.setText("" if shown is None else ", ".join(shown.genes))
        self._problem = ""
        with QSignalBlocker(self.box):
            told = shown is not None and bool(shown.points or shown.problem)
            self.box.setChecked(told)
        self.box.setEnabled(there and layer is not None)
        self.box.setToolTip(texts.BOX_TIP if there else texts.NO_TABLE_TIP)
        self._refresh()

    def _on_box(self, on: bool) -> None:
        shown, colouring = self.shown, self._context.colouring
        if not on:
            if shown is not None:
                shown.problem = ""
                shown.hide()
            self._refresh()
            return
        if not self.genes.text().strip() and colouring is not None:
            gene = colouring.key.removeprefix("gene:")
            self.genes.setText(gene if gene != colouring.key else "")
        self.show_genes()
        if not self.genes.text().strip():
            self.genes.setFocus()

    def _on_cancel(self) -> None:
        if self.shown is not None:
            self.shown.cancel()
        self.box.setChecked(False)

    def _on_gone(self) -> None:
        shown = self.shown
        if shown is None or shown.points is None:
            self.box.setChecked(False)

    def _on_removed(self, event: object = None) -> None:
        there = {_key(layer) for layer in self._context.viewer.layers}
        for key in [key for key in self._shown if key not in there]:
            self._shown.pop(key).shutdown()

    def _on_read(self, genes: tuple[str, ...]) -> None:
        shown = self.sender()
        layer = shown.layer if isinstance(shown, ShownMolecules) else None
        tissue = None if layer is None else spots.tissue_of(layer)
        if tissue is not None:
            record_action(tissue, Action("transcripts", {"genes": list(genes)}))

    # --- what is told

    def _refresh(self) -> None:
        shown = self.shown
        problem = self._problem or ("" if shown is None else shown.problem)
        self.inside.setVisible(self.box.isChecked())
        if shown is not None and shown.points is None:
            shown = None
        self.cancel.setVisible(shown is not None and shown.reading.busy)
        told = "" if shown is None else _told(shown)
        self.message.setText(problem or told or texts.NAME_SOME)
        molecules = None if shown is None else shown.molecules
        self.legend.setVisible(molecules is not None)
        if shown is not None and molecules is not None:
            self._show_legend(shown, molecules.parts)

    def _show_legend(self, shown: ShownMolecules, parts: Sequence[Molecules]) -> None:
        ratio = self.devicePixelRatioF()
        self.legend.begin("Gene", texts.COLUMNS)
        for code, (gene, colour) in enumerate(
            zip(shown.genes, gene_colours(shown.genes), strict=True)
        ):
            found = sum(int(part.n_found[code]) for part in parts)
            low = sum(int(part.n_low[code]) for part in parts)
            row = QTreeWidgetItem([gene, f"{found:,}", f"{low:,}"])
            row.setIcon(0, colour_chip(colour, ratio))
            row.setToolTip(0, gene)
            row.setSizeHint(0, QSize(0, _ROW))
            for column in (1, 2):
                row.setTextAlignment(
                    column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                )
            self.legend.addTopLevelItem(row)
        self.legend.fit_height(1)


def _key(layer: Layer) -> int:
    """Return by what a layer is known, also where a plugin is handed a stand-in."""
    return id(getattr(layer, "__wrapped__", layer))


def _told(shown: ShownMolecules) -> str:
    """Return what is to be said of the molecules shown."""
    if not shown.at_usual_places:
        return texts.ELSEWHERE
    said = [f"{shown.progress}." if shown.progress else ""]
    view, molecules = shown.view, shown.molecules
    if view is not None and molecules is not None:
        parts = molecules.parts
        said.append(
            texts.IN_VIEW.format(
                drawn=f"{view.n_drawn:,}",
                about="" if view.exact else "about ",
                there=f"{view.n_there:,}",
            )
            if view.n_there
            else texts.NONE_IN_VIEW
        )
        low = sum(int(part.n_low.sum()) for part in parts)
        if low:
            said.append(texts.LOW.format(n=f"{low:,}", least=LEAST_QUALITY))
        if molecules.share < 1:
            n = sum(int(part.n_found.sum()) for part in parts)
            share = f"1 in {round(1 / molecules.share):,}"
            said.append(texts.KEPT.format(n=f"{n:,}", share=share))
        if not shown.reading.busy:
            none = [
                gene
                for code, gene in enumerate(shown.genes)
                if not sum(int(p.n_found[code] + p.n_low[code]) for p in parts)
            ]
            if none:
                said.append(texts.OF_NONE.format(genes=", ".join(none)))
    return " ".join(one for one in said if one)
