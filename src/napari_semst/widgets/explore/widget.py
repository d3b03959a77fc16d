"""The dock "Explore domains": joins its parts to the viewer, and does little itself."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QKeySequence, QShortcut  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_semst import keys
from napari_semst.explore.annotate import Annotator, made_by_hand
from napari_semst.viewer import adapter, columns, sections
from napari_semst.viewer.arrange import bounds
from napari_semst.viewer.colour import CategoryPaint, paint_layer
from napari_semst.viewer.look import Look
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.choice import ColourChoice
from napari_semst.widgets.explore.legend import LegendTable
from napari_semst.widgets.explore.limits import Limits
from napari_semst.widgets.explore.painter import CHOICES, Choices, painted
from napari_semst.widgets.explore.select import SelectPart
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.explore.umap import UmapPart
from napari_semst.widgets.find.texts import explain
from napari_semst.widgets.shared.forms import add_row, form, heading
from napari_semst.widgets.shared.state import state_of
from napari_semst.widgets.shared.status import StatusCard

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_semst.explore.annotate import Edit
    from napari_semst.viewer.columns import Colouring


class ExploreDomains(QWidget):
    """Colour a section's spots, work on its domains, look into them.

    Parameters
    ----------
    napari_viewer
        The viewer whose layers are looked at.
    """

    section_changed = Signal()
    painted = Signal(object)  # RGBA of the section's spots

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._layers: list[Layer] = []
        self._annotators: WeakKeyDictionary[Layer, Annotator] = WeakKeyDictionary()
        self.state = state_of(napari_viewer)
        self.section = QComboBox()
        self.choice = ColourChoice()
        self.legend = LegendTable()
        self.limits = Limits()
        self.opacity = _slider(0, 100, TIPS["opacity"])
        self.spot_size = _slider(10, 300, TIPS["size"])
        self.card = StatusCard()
        self._build()
        self._connect()
        self.select = SelectPart(self, napari_viewer)
        self.umap = UmapPart(self, napari_viewer)
        for part in (self.select, self.umap):
            self.column.insertWidget(self.column.count() - 2, part)
        self._on_layers()

    def _build(self) -> None:
        self.section.setToolTip(TIPS["section"])
        self.section.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        rows = form()
        add_row(rows, "Spot opacity", self.opacity)
        add_row(rows, "Spot size", self.spot_size)
        content = QWidget()
        self.column = QVBoxLayout(content)
        self.column.setContentsMargins(8, 8, 8, 8)
        self.column.setSpacing(8)
        parts: tuple[QWidget, ...] = (
            heading("Section"),
            self.section,
            self.choice,
            self.legend,
            self.limits,
        )
        for part in parts:
            self.column.addWidget(part)
        self.column.addLayout(rows)
        self.column.addWidget(self.card)
        self.column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)
        self.setMinimumWidth(365)

    def _connect(self) -> None:
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self._on_layers)
        self.section.currentIndexChanged.connect(self._on_section)
        self.choice.chosen.connect(self.colour_by)
        self.choice.gene_unknown.connect(self._on_gene_unknown)
        self.legend.shown_changed.connect(self._on_hidden)
        self.legend.renamed.connect(self._on_renamed)
        self.legend.recoloured.connect(self._on_recoloured)
        self.legend.merged.connect(self._on_merged)
        self.legend.split.connect(self._on_split)
        self.legend.moved.connect(self._on_moved)
        self.legend.zoom_wanted.connect(self._on_zoom)
        self.legend.undo_wanted.connect(self.undo)
        self.legend.redo_wanted.connect(self.redo)
        self.limits.changed.connect(self._on_limits)
        self.limits.reset_wanted.connect(self._on_reset)
        self.opacity.valueChanged.connect(self._on_opacity)
        self.spot_size.valueChanged.connect(self._on_size)
        self.state.tissue_changed.connect(self._on_tissue_changed)
        self.state.colours_wanted.connect(self._on_colours_wanted)
        self.state.selection_changed.connect(self._on_selection)
        for sequence, slot in (
            (QKeySequence.StandardKey.Undo, self.undo),
            (QKeySequence.StandardKey.Redo, self.redo),
            (QKeySequence("Ctrl+G"), self._go_to_genes),
        ):
            shortcut = QShortcut(QKeySequence(sequence), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)

    # --- the section

    @property
    def layer(self) -> Layer | None:
        """The layer of the section chosen."""
        index = self.section.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    @property
    def tissue(self) -> AnnData | None:
        """The section chosen."""
        return None if self.layer is None else adapter.tissue_of(self.layer)

    @property
    def colouring(self) -> Colouring | None:
        """What colours the spots of the section chosen."""
        layer, tissue = self.layer, self.tissue
        if layer is None or tissue is None:
            return None
        look = Look.of(layer)
        found = columns.colouring_of(tissue, look.colour_by, look.run)
        return found or columns.first_colouring(tissue)

    @property
    def annotator(self) -> Annotator | None:
        """What edits the labels of the section chosen."""
        layer, tissue = self.layer, self.tissue
        if layer is None or tissue is None:
            return None
        return self._annotators.setdefault(layer, Annotator(tissue))

    def choices(self, layer: Layer) -> Choices:
        """Return what was chosen by hand for a layer's colours."""
        found: Choices = layer.metadata.setdefault(CHOICES, Choices())
        return found

    def _on_layers(self, event: Any = None) -> None:
        now = self.layer
        self._layers = [
            x for x in self._viewer.layers if adapter.tissue_of(x) is not None
        ]
        for layer in self._layers:
            layer.events.name.connect(self._on_names)
        new = event.value if event is not None and event.type == "inserted" else None
        self._offer_sections(new if new in self._layers else now)
        if self.layer is not now or not self._layers:
            self._on_section()

    def _on_names(self, event: Any = None) -> None:
        self._offer_sections(self.layer)

    def _offer_sections(self, choose: Layer | None) -> None:
        self.section.blockSignals(True)
        self.section.clear()
        self.section.addItems([x.name for x in self._layers] or [texts.NO_SECTION])
        self.section.setEnabled(bool(self._layers))
        if choose in self._layers:
            self.section.setCurrentIndex(self._layers.index(choose))
        self.section.blockSignals(False)

    def _on_section(self) -> None:
        self.section_changed.emit()
        layer, tissue = self.layer, self.tissue
        parts: tuple[QWidget, ...] = (self.choice, self.legend, self.limits)
        for part in (*parts, self.opacity, self.spot_size):
            part.setEnabled(tissue is not None)
        self._offer()
        if layer is None or tissue is None:
            self.legend.show_entries((), "")
            self.limits.hide()
            self.card.show_status("ready", texts.NO_SECTION, texts.NO_SECTION_HELP)
            return
        self._set_quietly(self.opacity, round(100 * layer.opacity))
        self._set_quietly(self.spot_size, 100)
        help_ = texts.READY_HELP
        if keys.DOMAIN not in tissue.obs:
            help_ = f"{texts.NO_DOMAINS_HELP} {help_}"
        self.card.show_status("ready", texts.READY, help_)
        self._explain_colours()

    def _offer(self) -> None:
        """Offer what the section has now to colour by."""
        layer, tissue = self.layer, self.tissue
        run = "" if layer is None else Look.of(layer).run
        key = "" if self.colouring is None else self.colouring.key
        self.choice.set_tissue(tissue, run, key)

    @staticmethod
    def _set_quietly(slider: QSlider, value: int) -> None:
        slider.blockSignals(True)
        slider.setValue(value)
        slider.blockSignals(False)

    # --- colours

    def colour_by(self, key: str) -> None:
        """Colour the section's spots by something of it.

        Parameters
        ----------
        key
            Of a `napari_semst.viewer.columns.Colouring`: ``gene:MBP``, a column.
        """
        layer, tissue = self.layer, self.tissue
        if layer is None or tissue is None:
            return
        look = Look.of(layer)
        Look(key, look.run, look.level, look.fade).keep_in(layer)
        self.choice.show_key(key)
        self.paint()

    def paint(self) -> None:
        """Put the colouring chosen on the spots, and show what it means."""
        layer, tissue, colouring = self.layer, self.tissue, self.colouring
        if layer is None or tissue is None or colouring is None:
            return
        selected = self.state.selection(tissue)
        choices = self.choices(layer)
        paint, rgba = painted(tissue, colouring, choices, selected)
        for one in self._layers_of(tissue):
            paint_layer(one, rgba)
        self._show_paint(paint, colouring)
        self.painted.emit(rgba)

    def _explain_colours(self) -> None:
        """Show what the colours on the spots mean, without painting them anew."""
        layer, tissue, colouring = self.layer, self.tissue, self.colouring
        if layer is not None and tissue is not None and colouring is not None:
            selected = self.state.selection(tissue)
            paint, rgba = painted(tissue, colouring, self.choices(layer), selected)
            self._show_paint(paint, colouring)
            self.painted.emit(rgba)

    def _show_paint(self, paint: Any, colouring: Colouring) -> None:
        categorical = isinstance(paint, CategoryPaint)
        self.legend.setVisible(categorical)
        self.limits.setVisible(not categorical)
        if categorical:
            layer = self.layer
            hidden = self.choices(layer).hidden if layer is not None else {}
            self.legend.show_entries(
                paint.entries, colouring.label, hidden.get(colouring.key, ())
            )
            annotator = self.annotator
            self.legend.set_undo(
                can_undo=annotator is not None and annotator.can_undo,
                can_redo=annotator is not None and annotator.can_redo,
            )
        else:
            self.limits.show_paint(paint)

    def _layers_of(self, tissue: AnnData) -> list[Layer]:
        return [x for x in self._layers if adapter.tissue_of(x) is tissue]

    def _on_hidden(self, hidden: frozenset[str]) -> None:
        layer, colouring = self.layer, self.colouring
        if layer is not None and colouring is not None:
            self.choices(layer).hidden[colouring.key] = hidden
            self.paint()

    def _on_limits(self) -> None:
        layer, colouring = self.layer, self.colouring
        if layer is not None and colouring is not None:
            chosen = self.limits.values, self.limits.colormap.currentText()
            self.choices(layer).limits[colouring.key] = chosen
            self.paint()

    def _on_reset(self) -> None:
        layer, colouring = self.layer, self.colouring
        if layer is not None and colouring is not None:
            self.choices(layer).limits.pop(colouring.key, None)
            self.paint()

    def _on_opacity(self, percent: int) -> None:
        if self.layer is not None:
            self.layer.opacity = percent / 100

    def _on_size(self, percent: int) -> None:
        from napari_semst.viewer.arrange import arrange

        layer, tissue = self.layer, self.tissue
        if layer is None or tissue is None or not hasattr(layer, "size"):
            return
        key = layer.metadata.get(adapter.COORDINATES)
        true = arrange(tissue, key, sections.sections_by(layer)).diameters
        layer.size = np.asarray(true) * (percent / 100)

    def _on_gene_unknown(self, gene: str) -> None:
        self.card.show_status(
            "warning", texts.GENE_UNKNOWN, texts.GENE_UNKNOWN_HELP.format(gene=gene)
        )

    def _go_to_genes(self) -> None:
        self.choice.gene.setFocus()
        self.choice.gene.selectAll()

    def _on_zoom(self, names: list[str]) -> None:
        layer, tissue, colouring = self.layer, self.tissue, self.colouring
        if layer is None or tissue is None or colouring is None:
            return
        codes, there = columns.categories(tissue, colouring)
        wanted = np.array([*(name in names for name in there), "none" in names])
        spots = np.asarray(layer.data)[wanted[codes]]
        if len(spots):
            sections.look_at(self._viewer, bounds(spots))

    # --- edits

    def _on_renamed(self, name: str, new: str) -> None:
        self.edit(lambda labels: labels.renamed(name, new))

    def _on_merged(self, names: list[str]) -> None:
        self.edit(lambda labels: labels.merged(names))

    def _on_moved(self, name: str, step: int) -> None:
        self.edit(lambda labels: labels.moved(name, step))

    def _on_split(self, name: str, how: str) -> None:
        from napari_semst.explore.split import connected_parts, latent_parts

        layer, tissue = self.layer, self.tissue
        if layer is None or tissue is None:
            return

        def split(labels: Any) -> Any:
            spots = labels.spots_of([name])
            if how == "pieces":
                parts = connected_parts(np.asarray(layer.data)[spots])
            else:
                parts = latent_parts(tissue, spots)
            return labels.split(name, parts)

        self.edit(split)

    def edit(self, change: Edit, column: str = "", *, begin: bool = False) -> str:
        """Edit labels, or a copy of them where they are no work of hand.

        Parameters
        ----------
        change
            Labels to labels.
        column
            Which ones; empty: those on show.
        begin
            Whether to make the column if there is none.

        Returns
        -------
        str
            The column edited, empty where it could not be.
        """
        annotator, tissue, colouring = self.annotator, self.tissue, self.colouring
        if annotator is None or tissue is None or colouring is None:
            return ""
        column = column or colouring.column
        done = self._tried(lambda: annotator.edit(column, change, begin=begin))
        if done:
            if done != column.strip():
                text = texts.COPIED_HELP.format(column=column, copy=done)
                self.card.show_status("success", texts.COPIED, text)
            self.show_edited(done)
        return done

    def _on_recoloured(self, name: str, color: str) -> None:
        annotator, colouring = self.annotator, self.colouring
        if annotator is None or colouring is None:
            return
        annotator.recolour(colouring.column, name, color)
        self.show_edited(colouring.key)

    def undo(self) -> None:
        """Take back the last edit of the section's labels."""
        annotator, tissue = self.annotator, self.tissue
        if annotator is None or tissue is None or not annotator.can_undo:
            return
        column = annotator.undo()
        self.card.show_status("success", texts.UNDONE, column)
        self.show_edited(column)

    def redo(self) -> None:
        """Do again the edit that was taken back last."""
        annotator = self.annotator
        if annotator is None or not annotator.can_redo:
            return
        column = annotator.redo()
        self.card.show_status("success", texts.REDONE, column)
        self.show_edited(column)

    def show_edited(self, column: str) -> None:
        """Show a column that has changed, and tell the other docks."""
        from uuid import uuid4

        tissue = self.tissue
        if tissue is None:
            return
        for layer in self._layers_of(tissue):
            layer.metadata[adapter.UNSAVED] = uuid4().hex
        if column in tissue.obs or columns.colouring_of(tissue, column):
            key = column
        else:
            key = columns.first_colouring(tissue).key
        self.colour_by(key)
        self._offer()
        self.state.tissue_changed.emit(tissue, self)

    def _tried(self, do: Callable[[], str]) -> str:
        """Return what a call returns; its error goes to the card."""
        try:
            return do()
        except Exception as error:  # noqa: BLE001  every error goes to the card
            details = "".join(traceback.format_exception(error))
            self.card.show_status("error", *explain(error), details)
            self._explain_colours()
            return ""

    # --- what other docks do

    def _on_tissue_changed(self, tissue: AnnData, by: object) -> None:
        if by is not self and tissue is self.tissue:
            self._offer()
            self._explain_colours()

    def _on_colours_wanted(self, tissue: AnnData, key: str) -> None:
        if tissue is self.tissue:
            self.colour_by(key)

    def _on_selection(self, tissue: AnnData) -> None:
        if tissue is self.tissue:
            self.paint()

    def annotation_columns(self) -> list[str]:
        """Return the columns of the section that were made by hand."""
        return [] if self.tissue is None else list(made_by_hand(self.tissue))


def _slider(low: int, high: int, tip: str) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setToolTip(tip)
    return slider
