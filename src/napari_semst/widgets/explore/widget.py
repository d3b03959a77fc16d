"""The dock "Explore domains": joins its parts to the viewer, and does little itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QSignalBlocker, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut  # type: ignore[attr-defined]
from qtpy.QtWidgets import QApplication, QCheckBox, QSlider, QVBoxLayout, QWidget

from napari_semst import keys
from napari_semst.viewer import adapter, colourings, pinned_copies, sections, spots
from napari_semst.viewer.arrange import arrange, bounds
from napari_semst.viewer.colour import CategoryPaint
from napari_semst.viewer.display_state import DisplayState
from napari_semst.viewer.outlines import load_outlines
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.choice import ColourPicker
from napari_semst.widgets.explore.compare import ComparePanel
from napari_semst.widgets.explore.context import ExploreContext
from napari_semst.widgets.explore.discordant.regions import RegionsPart
from napari_semst.widgets.explore.genes import GeneActions
from napari_semst.widgets.explore.legend import LegendTable
from napari_semst.widgets.explore.limits import ColourLimits
from napari_semst.widgets.explore.markers import MarkerPanel
from napari_semst.widgets.explore.naming import NamingPart
from napari_semst.widgets.explore.neighbours import NeighboursPart
from napari_semst.widgets.explore.patches import PatchesPart
from napari_semst.widgets.explore.select import SelectPart
from napari_semst.widgets.explore.share import ShareActions, SharePanel
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.explore.transcripts.part import TranscriptsPart
from napari_semst.widgets.explore.umap import UmapPart
from napari_semst.widgets.explore.why import DomainExplainer, WhyPanel
from napari_semst.widgets.shared.closing import guard_closing
from napari_semst.widgets.shared.errors import describe_error, error_report
from napari_semst.widgets.shared.forms import (
    add_row,
    collapsible,
    form_layout,
    heading,
    push_button,
    row_of,
    scroll_area,
)
from napari_semst.widgets.shared.layer_notice import LayerNotice
from napari_semst.widgets.shared.recovery_offer import RecoveryOffer
from napari_semst.widgets.shared.section_colours import (
    choice_key,
    shown_level,
    spots_named,
)
from napari_semst.widgets.shared.sections import NO_SECTION
from napari_semst.widgets.shared.unsaved import mark_unsaved

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_semst.viewer.colourings import Colouring


class ExploreDomains(QWidget):
    """Colour a section's spots, work on its domains, look into them."""

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._docked = False
        self.context = context = ExploreContext(napari_viewer, self)
        self.state, self.sections = context.state, context.sections
        self.editing, self.card = context.editing, context.card
        self.recovery = RecoveryOffer(napari_viewer)
        self.choice = ColourPicker()
        self.legend = LegendTable()
        self.limits = ColourLimits()
        self.markers = MarkerPanel()
        self.compare = ComparePanel()
        self.genes = GeneActions(
            self.sections, self.legend, self.markers, self.state, self
        )
        self.pin_button = push_button("Pin beside", TIPS["pin"])
        self.unpin_button = push_button("Unpin", TIPS["unpin"])
        self.share = SharePanel()
        self.sharing = ShareActions(self.sections, self.editing, self.share, self)
        self.why = WhyPanel()
        self.reasons = DomainExplainer(self.sections, self.legend, self.why, self)
        self.notice = LayerNotice(napari_viewer, self.sections)
        self.opacity = _slider(0, 100, TIPS["opacity"])
        self.spot_size = _slider(10, 300, TIPS["size"])
        self.outlines = QCheckBox("Cell outlines")
        self.transcripts = TranscriptsPart(context, self)
        self._build()
        self._connect()
        self.select = SelectPart(context, self)
        self.umap = UmapPart(context, self.select.take, self)
        self.patches = PatchesPart(context, self.select.tool, self)
        self.naming = NamingPart(context, self)
        self.neighbours = NeighboursPart(context, self)
        self.neighbours.genes_wanted.connect(self._on_border_genes)
        self.regions = RegionsPart(context, self)
        self.regions.colours_wanted.connect(self.colour_by)
        self.regions.save_wanted.connect(self.sharing.ask_discordant_regions)
        self.regions.save_genes_wanted.connect(self.genes.save_table)
        self.regions.failed.connect(self._on_failed)
        at = self.column.indexOf(self.card) + 1
        for place, part in enumerate(
            (self.regions, self.select, self.umap, self.patches)
        ):
            self.column.insertWidget(at + place, part)
        below = self.column.indexOf(self.why_fold) + 1
        self.column.insertWidget(below, self.naming)
        borders = collapsible(texts.BORDERS, self.neighbours)
        self.column.insertWidget(below + 1, borders)
        self.sections.look_again()

    def _build(self) -> None:
        rows = form_layout()
        add_row(rows, "Spot opacity", self.opacity)
        add_row(rows, "Spot size", self.spot_size)
        add_row(rows, "", self.outlines)
        content = QWidget()
        self.column = QVBoxLayout(content)
        self.column.setContentsMargins(8, 8, 8, 8)
        self.column.setSpacing(8)
        above: tuple[QWidget, ...] = (
            self.recovery,
            heading("Section"),
            self.sections,
            self.notice,
            self.choice,
            self.legend,
            self.limits,
        )
        for part in above:
            self.column.addWidget(part)
        self.column.addLayout(rows)
        self.column.addWidget(self.transcripts)
        row = row_of(self.pin_button, self.unpin_button, spacing=6)
        self.column.addLayout(row)
        self.column.addWidget(self.card)
        self.why_fold = collapsible("Why", self.why)
        self.column.addWidget(self.why_fold)
        self.markers_fold = collapsible("Markers", self.markers)
        self.column.addWidget(self.markers_fold)
        self.column.addWidget(collapsible("Compare", self.compare))
        self.column.addWidget(collapsible("Save and share", self.share))
        self.column.addStretch(1)
        scroll_area(self, content)

    def _connect(self) -> None:
        self.sections.changed.connect(self._on_section)
        self.context.explained.connect(self._show_paint)
        self.notice.changed.connect(self._on_noticed)
        self.notice.restored.connect(self._on_restored)
        self.notice.opacity_changed.connect(self._show_opacity)
        self.choice.chosen.connect(self.colour_by)
        self.choice.gene_unknown.connect(self._on_gene_unknown)
        self.legend.shown_changed.connect(self._on_hidden)
        self.legend.zoom_wanted.connect(self._on_zoom)
        self.editing.listen_to(self.legend)
        self.editing.edited.connect(self.show_edited)
        self.reasons.kept.connect(self._on_kept)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.why.cancel)
        self.recovery.keeper.status_changed.connect(self.card.show_status)
        self.recovery.keeper.failed.connect(self._on_failed)
        self.sharing.saved.connect(self._on_saved)
        self.editing.edited.connect(self._on_unsaved)
        self.limits.changed.connect(self._on_limits)
        self.limits.reset_wanted.connect(self._on_reset)
        self.markers.gene_wanted.connect(self._on_marker)
        self.compare.colours_wanted.connect(self.colour_by)
        for worker in (self.editing, self.genes, self.sharing, self.reasons):
            worker.status_changed.connect(self.card.show_status)
            worker.failed.connect(self._on_failed)
        self.pin_button.clicked.connect(self.pin)
        self.unpin_button.clicked.connect(self.unpin)
        self._viewer.layers.events.removed.connect(self._on_removed)
        # Not while the viewer is still taking the section away.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._drop_lone_pins)
        self.opacity.valueChanged.connect(self._on_opacity)
        self.spot_size.valueChanged.connect(self._on_size)
        self.outlines.toggled.connect(self._on_outlines)
        self.state.tissue_changed.connect(self._on_tissue_changed)
        self.state.look_changed.connect(self._on_look_changed)
        self.state.selection_changed.connect(self._on_selection)
        for sequence, slot in (
            (QKeySequence.StandardKey.Undo, self.editing.undo),
            (QKeySequence.StandardKey.Redo, self.editing.redo),
            ("Ctrl+G", self._go_to_genes),
        ):
            shortcut = QShortcut(QKeySequence(sequence), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)

    def _on_unsaved(self, column: str) -> None:
        """Let the window ask before it closes over labels that are in no file."""
        guard_closing(self, self._viewer)

    def event(self, event: QEvent) -> bool:
        """Notice when the dock is taken out of the window; nothing of it stays."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None and self._docked:
                self.why.cancel()
                for part in (self.editing, self.genes, self.compare):
                    part.shutdown()
                self.select.shutdown()
                self.transcripts.shutdown()
                self.umap.shutdown()
                self.patches.shutdown()
                self.naming.shutdown()
                self.neighbours.shutdown()
                self.regions.shutdown()
            self._docked = self.parent() is not None
        return super().event(event)

    # --- the section

    @property
    def tissue(self) -> AnnData | None:
        """The section chosen."""
        return self.sections.tissue

    @property
    def layer(self) -> Layer | None:
        """The layer of the section chosen."""
        return self.sections.layer

    def _on_section(self) -> None:
        self.context.section_changed.emit()
        layer, tissue = self.sections.layer, self.tissue
        parts: tuple[QWidget, ...] = (self.choice, self.legend, self.limits)
        for part in (*parts, self.opacity, self.spot_size, self.markers, self.compare):
            part.setEnabled(tissue is not None)
        self.pin_button.setEnabled(tissue is not None)
        self._offer_outlines()
        self._mark_unsaved()
        self._refresh_pins()
        self.markers.set_tissue(tissue)
        self._offer()
        if layer is None or tissue is None:
            self.legend.show_entries((), "")
            self.limits.hide()
            self.card.show_status("ready", NO_SECTION, texts.NO_SECTION_HELP)
            return
        _set_quietly(self.opacity, round(100 * layer.opacity))
        _set_quietly(self.spot_size, 100)
        help_ = texts.READY_HELP
        if keys.DOMAIN not in tissue.obs:
            help_ = f"{texts.NO_DOMAINS_HELP} {help_}"
        self.card.show_status("ready", texts.READY, help_)
        self.context.paint(anew=False)

    def _offer(self) -> None:
        """Offer what the section has now to colour by and to compare."""
        self._offer_colours()
        self.compare.set_tissue(self.tissue)

    def _offer_colours(self) -> None:
        layer, colouring = self.sections.layer, self.sections.colouring
        run = "" if layer is None else DisplayState.of(layer).run
        key = "" if colouring is None else colouring.key
        self.choice.set_tissue(self.tissue, run, key)

    # --- colours

    def colour_by(self, key: str) -> None:
        """Colour the section's spots by something of it."""
        layer = self.sections.layer
        if layer is None:
            return
        if not spots.holds_its_spots(layer):
            self.card.show_status("warning", texts.NOT_WHOLE, texts.NOT_WHOLE_HELP)
            self.context.paint(anew=False)
            self.choice.show_key(self.sections.look.colour_by)
            return
        try:
            self.context.colour_by(key)
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self._on_failed(error, error_report(error))
        self.choice.show_key(self.sections.look.colour_by)

    def _show_paint(self, paint: Any, colouring: Colouring) -> None:
        """Show what the colours on the spots mean."""
        self.reasons.refresh()
        categorical = isinstance(paint, CategoryPaint)
        self.notice.look()
        # Neither is to tell of colours that the spots do not have.
        follows = not self.notice.breaks_colours
        self.legend.setVisible(categorical and follows)
        self.limits.setVisible(not categorical and follows)
        if not categorical:
            self.limits.show_paint(paint)
            return
        tissue = self.tissue
        assert tissue is not None
        key = choice_key(tissue, colouring)
        hidden = self.sections.choices.hidden.get(key, ())
        # Of a level of the hierarchy names are no column's: keep it first.
        level = shown_level(tissue, colouring, self.sections.look)
        editable = colouring.place == "obs" and level is None
        self.legend.show_entries(
            paint.entries, colouring.label, hidden, editable=editable
        )
        if editable:
            self.genes.labelled = colouring.column
        annotator = self.editing.annotator
        self.legend.set_undo(
            can_undo=annotator is not None and annotator.can_undo,
            can_redo=annotator is not None and annotator.can_redo,
        )

    def _on_noticed(self) -> None:
        """Hide what explains colours that are no longer there, or show it again."""
        self.context.paint(anew=False)

    def _on_restored(self) -> None:
        self.card.show_status("success", texts.RESTORED, texts.RESTORED_HELP)
        self.context.paint()

    def _show_opacity(self, opacity: float) -> None:
        _set_quietly(self.opacity, round(100 * opacity))

    def _on_hidden(self, hidden: frozenset[str]) -> None:
        tissue, colouring = self.tissue, self.sections.colouring
        if tissue is not None and colouring is not None:
            key = choice_key(tissue, colouring)
            self.sections.choices.hidden[key] = hidden
            self.context.paint()

    def _on_limits(self) -> None:
        tissue, colouring = self.tissue, self.sections.colouring
        if tissue is not None and colouring is not None:
            chosen = self.limits.values, self.limits.colormap.currentText()
            self.sections.choices.limits[choice_key(tissue, colouring)] = chosen
            self.context.paint()

    def _on_reset(self) -> None:
        tissue, colouring = self.tissue, self.sections.colouring
        if tissue is not None and colouring is not None:
            self.sections.choices.limits.pop(choice_key(tissue, colouring), None)
            self.context.paint()

    def _on_opacity(self, percent: int) -> None:
        if self.sections.layer is not None:
            self.sections.layer.opacity = percent / 100

    def _on_size(self, percent: int) -> None:
        layer, tissue = self.sections.layer, self.tissue
        if layer is None or tissue is None:
            return
        key = layer.metadata.get(adapter.COORDINATES)
        true = arrange(tissue, key, sections.sections_by(layer)).diameters
        spots.resize(layer, np.asarray(true) * (percent / 100))

    def _offer_outlines(self) -> None:
        layer = self.sections.layer
        if layer is not None:
            load_outlines.read_outlines_when_wanted(layer)
        there = layer is not None and load_outlines.may_outline(layer)
        with QSignalBlocker(self.outlines):
            self.outlines.setChecked(
                layer is not None and load_outlines.shows_outlines(layer)
            )
        self.outlines.setEnabled(there)
        self.outlines.setToolTip(TIPS["outlines" if there else "no_outlines"])

    def _on_outlines(self, outlined: bool) -> None:
        if self.sections.layer is not None:
            load_outlines.show_outlines(self.sections.layer, outlined)

    def pin(self) -> None:
        """Keep the colours of now beside the section, to compare the next ones with."""
        layer, colouring = self.sections.layer, self.sections.colouring
        if layer is not None and colouring is not None:
            pinned_copies.pin(self._viewer, layer, colouring.label)
            self._refresh_pins()

    def unpin(self) -> None:
        """Take away what is pinned beside the section."""
        if self.sections.layer is not None:
            pinned_copies.unpin(self._viewer, self.sections.layer)
            self._refresh_pins()
            self._viewer.reset_view()

    def _on_removed(self, event: Any = None) -> None:
        self._later.start(0)

    def _drop_lone_pins(self) -> None:
        """Let pins go with their section."""
        for pin in pinned_copies.lone_pins(self._viewer):
            self._viewer.layers.remove(pin)
        self._refresh_pins()

    def _refresh_pins(self) -> None:
        layer = self.sections.layer
        there = layer is not None and bool(pinned_copies.pins_of(self._viewer, layer))
        self.unpin_button.setEnabled(there)

    def _on_marker(self, gene: str) -> None:
        self.colour_by(f"gene:{gene}")

    def _on_gene_unknown(self, gene: str) -> None:
        text = texts.GENE_UNKNOWN_HELP.format(gene=gene)
        self.card.show_status("warning", texts.GENE_UNKNOWN, text)

    def _on_border_genes(self, near: Any, codes: Any, about: str) -> None:
        self.markers_fold.expand()
        self.genes.find_border_genes(near, codes, about)

    def _go_to_genes(self) -> None:
        self.choice.gene.setFocus()
        self.choice.gene.selectAll()

    def _on_zoom(self, names: list[str]) -> None:
        layer, tissue = self.sections.layer, self.tissue
        colouring = self.sections.colouring
        if layer is None or tissue is None or colouring is None:
            return
        places = spots.positions(layer)[spots_named(tissue, colouring, names)]
        if len(places):
            box = sections.on_canvas(self._viewer, layer, bounds(places))
            sections.zoom_to(self._viewer, box)

    # --- what changes

    def show_edited(self, column: str) -> None:
        """Show a column that has changed, and tell the other docks."""
        tissue = self.tissue
        if tissue is None:
            return
        run = self.sections.look.run or colourings.latest_run(tissue)
        if column == f"{keys.DOMAIN}_{run}":
            column = keys.DOMAIN  # as the list of colourings calls it
        if colourings.colouring_for_key(tissue, column) is None:
            column = colourings.first_colouring(tissue).key
        self.colour_by(column)
        self._offer()
        self._mark_unsaved()
        self.state.tissue_changed.emit(tissue, self)

    def _on_kept(self, tissue: AnnData) -> None:
        """Mark a section that holds more than its file."""
        mark_unsaved(self._viewer, tissue)
        guard_closing(self, self._viewer)
        self._mark_unsaved()

    def _on_saved(self, saved: Any) -> None:
        self._mark_unsaved()
        self.state.tissue_changed.emit(saved.tissue, self)

    def _mark_unsaved(self) -> None:
        layer = self.sections.layer
        self.share.setEnabled(layer is not None)
        unsaved = layer is not None and adapter.UNSAVED in layer.metadata
        self.share.mark_unsaved(unsaved)

    def _on_failed(self, error: Exception, details: str) -> None:
        self.card.show_status("error", *describe_error(error), details)
        # A name typed that was not accepted is taken out of the legend again.
        self.context.paint(anew=False)

    def _on_tissue_changed(self, tissue: AnnData, by: object) -> None:
        if by is not self and tissue is self.tissue:
            self._offer()
            self.context.paint(anew=False)
            self._mark_unsaved()

    def _on_look_changed(self, tissue: AnnData, by: object) -> None:
        """Show what another dock put on the spots."""
        if by is not self.context and tissue is self.tissue:
            self._offer_colours()
            self.context.paint(anew=False)

    def _on_selection(self, tissue: AnnData) -> None:
        if tissue is self.tissue:
            self.context.paint()


def _set_quietly(slider: QSlider, value: int) -> None:
    with QSignalBlocker(slider):
        slider.setValue(value)


def _slider(low: int, high: int, tip: str) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setToolTip(tip)
    return slider
