"""Discordant regions: a list; press one for its place, its genes and its image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QProgressBar, QTreeWidget, QTreeWidgetItem, QWidget

from napari_semst import keys
from napari_semst.explanation.comparison_patches import PatchBook
from napari_semst.explanation.region_list import TRUST, aside_note, region_rows
from napari_semst.explanation.region_patches import RegionPatches, look_at_region
from napari_semst.viewer import colourings, spots
from napari_semst.viewer.adapter import snapshot
from napari_semst.viewer.arrange import bounds
from napari_semst.viewer.colour import CategoryPaint, paint_of
from napari_semst.viewer.sections import on_canvas, zoom_to
from napari_semst.widgets.explore.discordant import words
from napari_semst.widgets.explore.discordant.details import RegionDetails
from napari_semst.widgets.explore.patch_view import PIXELS
from napari_semst.widgets.shared.errors import describe_error
from napari_semst.widgets.shared.forms import (
    collapsible,
    note_label,
    push_button,
    row_of,
    stacked,
)
from napari_semst.widgets.shared.legend import colour_chip
from napari_semst.widgets.shared.worker import BackgroundTask, SteppedTask

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.widgets.explore.context import ExploreContext

# How much of the tissue is on view around a region, and around a spot, in diameters.
_AROUND_REGION, _AROUND_SPOT = 6.0, 8.0
_ROWS = 5
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_AS_EXPECTED = "#8a8f98"


class RegionsPart(QWidget):
    """The list of a section's discordant regions, worked out when it is unfolded."""

    colours_wanted = Signal(str)
    save_wanted = Signal()
    save_genes_wanted = Signal(object)  # table
    failed = Signal(object, str)

    def __init__(self, context: ExploreContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._told: dict[str, Any] = {}
        self._of: tuple[ref[AnnData], object] | None = None
        self.reader = SteppedTask(_explained, self)
        self.looking = BackgroundTask(_pictures)
        self.message = note_label()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.list_button = push_button("List again", words.TIPS["list"])
        self.stop_button = push_button("Stop", words.TIPS["stop"])
        self.table = _new_table()
        self.details = RegionDetails()
        self.save_button = push_button("Save regions...", words.TIPS["save"])
        self.genes_button = push_button("Save genes...", words.TIPS["save_genes"])
        self.select_button = push_button("Select spots", words.TIPS["select"])
        self.part = collapsible(words.REGIONS_TITLE, self._whole())
        stacked(self, self.part)
        self._connect()
        self._show_rows()

    def _whole(self) -> QWidget:
        whole = QWidget()
        buttons = row_of(
            self.save_button, self.genes_button, self.select_button, spacing=6
        )
        stacked(
            whole,
            self.message,
            row_of(self.bar, self.stop_button, self.list_button, spacing=6),
            self.table,
            self.details,
            buttons,
            spacing=6,
            top=4,
        )
        return whole

    def _connect(self) -> None:
        self.part.toggled.connect(self._on_unfolded)
        self.table.itemSelectionChanged.connect(self._on_region)
        self.list_button.clicked.connect(self._read)
        self.stop_button.clicked.connect(self._on_stop)
        self.save_button.clicked.connect(self.save_wanted)
        self.genes_button.clicked.connect(self._on_save_genes)
        self.select_button.clicked.connect(self._on_select)
        self.details.gene_wanted.connect(self._on_gene)
        self.details.spot_wanted.connect(self._on_spot)
        self.reader.progressed.connect(self._on_progress)
        self.reader.done.connect(self._on_told)
        self.reader.failed.connect(self._on_not_told)
        self.looking.done.connect(self._on_pictures)
        self.looking.failed.connect(self._on_no_pictures)
        self._context.section_changed.connect(self._on_section)
        self._context.state.tissue_changed.connect(self._on_tissue_changed)

    @property
    def region(self) -> str:
        """Name of the region chosen, empty for none."""
        chosen = self.table.selectedItems()
        return str(chosen[0].data(0, Qt.ItemDataRole.UserRole)) if chosen else ""

    def shutdown(self) -> None:
        """Give up what is worked out; for when the dock goes."""
        if self.reader.busy:
            self._of = None
        self.reader.stop()
        self.looking.drop()

    # --- which section

    def _on_section(self) -> None:
        self.shutdown()
        self._told, self._of = {}, None
        self._show_rows()
        self._on_unfolded()

    def _on_tissue_changed(self, tissue: AnnData, by: object) -> None:
        if tissue is self._context.tissue and self._of != _version(tissue):
            self._on_section()

    def _on_unfolded(self) -> None:
        """Work the list out once it is looked at, and show the regions' colours."""
        tissue = self._context.tissue
        if not self.part.isExpanded() or tissue is None or not n_regions(tissue):
            return
        if self._of is None:
            self.colours_wanted.emit(keys.DISCORDANT_REGION)
            self._read()

    def _read(self) -> None:
        tissue = self._context.tissue
        if tissue is not None and n_regions(tissue):
            # Known from now on: what else changes does not begin it again, nor after
            # it was stopped.
            self._told, self._of = {}, _version(tissue)
            self.reader.start(tissue, snapshot(tissue))
            self._show_rows()

    def _on_stop(self) -> None:
        self.reader.stop()
        self._show_rows()
        self.message.setText(words.STOPPED)

    def _on_progress(self, progress: Progress) -> None:
        self.bar.setRange(0, progress.steps or 0)
        self.bar.setValue(progress.step)

    def _on_told(self, answer: tuple[AnnData, dict[str, Any]]) -> None:
        tissue, told = answer
        if tissue is not self._context.tissue:
            return
        self._told = told
        self._show_rows()

    def _on_not_told(self, error: Exception, details: str) -> None:
        self._show_rows()
        self.message.setText("\n".join(describe_error(error)))
        self.failed.emit(error, details)

    # --- the list

    def _show_rows(self) -> None:
        """Show what is known, and which buttons work."""
        tissue, busy = self._context.tissue, self.reader.busy
        there = tissue is not None and n_regions(tissue)
        self.bar.setVisible(busy)
        self.bar.setRange(0, 0)
        self.stop_button.setVisible(busy)
        self.list_button.setVisible(bool(there) and not busy and not self._told)
        self.table.clear()
        self.details.hide()
        rows = region_rows(self._told) if self._told else []
        colors = {} if tissue is None else _colors(tissue)
        for row in rows:
            name = words.REGION_NAME.format(name=row.name, kind=row.kind)
            lines = "\n".join(filter(None, [name, row.higher or words.NO_GENE]))
            item = QTreeWidgetItem([lines, row.spots, row.area, row.q])
            item.setData(0, Qt.ItemDataRole.UserRole, row.name)
            item.setToolTip(0, self._told["regions"][row.name]["sentence"])
            chip = colour_chip(colors.get(row.name, _AS_EXPECTED), 1.0)
            item.setIcon(0, chip)
            for column in range(1, len(words.COLUMNS)):
                item.setTextAlignment(column, _RIGHT)
            self.table.addTopLevelItem(item)
        self.table.setVisible(bool(rows))
        _fit(self.table, len(rows))
        self.message.setText(self._said(tissue, busy=busy))
        for button in (self.save_button, self.genes_button, self.select_button):
            button.setVisible(bool(there))
        self.genes_button.setEnabled(bool(rows))
        self.select_button.setEnabled(False)

    def _said(self, tissue: AnnData | None, *, busy: bool) -> str:
        if tissue is None:
            return ""
        if keys.DISCORDANT_REGION not in tissue.obs:
            return words.NO_MAP
        if not n_regions(tissue):
            run = colourings.latest_run(tissue)
            trained = tissue.uns.get(keys.RUNS, {}).get(run, {}).get("training", {})
            return f"{_why_none(trained)} {aside_note(trained)}".strip()
        if busy:
            return words.BUSY
        regions = self._told.get("regions", {})
        number = len(regions) or n_regions(tissue)
        said = words.MORE_REGIONS.format(n=number) if number > 1 else words.ONE_REGION
        chance = [one["expected_false"] for one in regions.values()]
        notes = [one for one in self._told.get("notes", []) if one != TRUST]
        first = (
            words.FOUND.format(number=said, expected=max(chance)) if chance else said
        )
        return " ".join([first, *notes])

    def _on_region(self) -> None:
        """Show where the region is, its genes, and its image."""
        tissue, name = self._context.tissue, self.region
        told = self._told.get("regions", {}).get(name)
        self.select_button.setEnabled(told is not None)
        if tissue is None or told is None:
            self.details.hide()
            return
        self.details.show_region(name, told)
        inside = np.flatnonzero(_of_region(tissue, name))
        self.colours_wanted.emit(keys.DISCORDANT_REGION)
        self._zoom(inside, _AROUND_REGION)
        self.looking.start(snapshot(tissue), name, inside)

    def _on_pictures(self, answer: tuple[str, RegionPatches]) -> None:
        name, found = answer
        tissue = self._context.tissue
        if tissue is not None and name == self.region:
            color = _colors(tissue).get(name, _AS_EXPECTED)
            self.details.show_patches(found, (color, _AS_EXPECTED))

    def _on_no_pictures(self, error: Exception, details: str) -> None:
        self.details.message.setText("\n".join(describe_error(error)))

    # --- what is done with it

    def _on_gene(self, gene: str) -> None:
        self.colours_wanted.emit(f"gene:{gene}")

    def _on_spot(self, spot: int) -> None:
        self._zoom(np.array([spot]), _AROUND_SPOT)

    def _on_select(self) -> None:
        tissue = self._context.tissue
        if tissue is not None and self.region:
            inside = _of_region(tissue, self.region)
            self._context.state.select(tissue, inside)

    def _on_save_genes(self) -> None:
        from napari_semst.explanation.discordance_summary import discordance_table

        self.save_genes_wanted.emit(discordance_table(self._told))

    def _zoom(self, inside: NDArray[np.intp], around: float) -> None:
        layer = self._context.layer
        if layer is None or not spots.holds_its_spots(layer):
            return
        places = np.asarray(spots.positions(layer))[inside][:, -2:]
        reach = around * float(np.median(spots.diameters(layer)))
        box = bounds(places) + np.array([[-reach], [reach]])
        zoom_to(self._context.viewer, on_canvas(self._context.viewer, layer, box))


def _explained(
    tissue: AnnData, copy: AnnData, control: RunControl
) -> Generator[Progress, None, tuple[AnnData, dict[str, Any]]]:
    """Yield progress; return the tissue itself, and what is told of its copy."""
    from napari_semst.explanation.discordance import discordance_steps
    from napari_semst.explanation.types import DiscordanceOptions

    told = yield from discordance_steps(copy, DiscordanceOptions(), control)
    return tissue, told


def n_regions(tissue: AnnData) -> int:
    """Return how many discordant regions the latest run found."""
    if keys.DISCORDANT_REGION not in tissue.obs:
        return 0
    return int(tissue.obs[keys.DISCORDANT_REGION].dropna().nunique())


def _why_none(trained: Mapping[str, Any]) -> str:
    """Return why a run found no region: nothing was compared, or nothing differs."""
    if "image_offset" in trained:
        return words.BESIDE_SPOTS
    if trained.get("patterns_predicted") == 0:
        return words.NOT_COMPARED
    return words.NO_REGIONS


def _of_region(tissue: AnnData, name: str) -> NDArray[np.bool_]:
    column = tissue.obs[keys.DISCORDANT_REGION].astype(object)
    return np.asarray(column == name, bool)


def _version(tissue: AnnData) -> tuple[ref[AnnData], object]:
    """Return what a list of regions depends on."""
    column = tissue.obs.get(keys.DISCORDANT_REGION)
    run = colourings.latest_run(tissue)
    if column is None:
        return ref(tissue), run
    codes = column.astype("category").cat.codes.to_numpy()
    return ref(tissue), (run, codes.tobytes())


def _colors(tissue: AnnData) -> dict[str, str]:
    """Return the colour of each region, as the tissue is painted."""
    colouring = colourings.colouring_for_key(tissue, keys.DISCORDANT_REGION)
    if colouring is None:
        return {}
    paint = paint_of(tissue, colouring)
    if not isinstance(paint, CategoryPaint):
        return {}
    return {entry.name: entry.color for entry in paint.entries}


def _pictures(
    tissue: AnnData, name: str, inside: NDArray[np.intp]
) -> tuple[str, RegionPatches]:
    """Return a region's name and pictures; for a worker thread."""
    book = PatchBook(tissue, colourings.latest_run(tissue))
    return name, look_at_region(book, tissue, inside.tolist(), PIXELS)


def _new_table() -> QTreeWidget:
    table = QTreeWidget()
    table.setHeaderLabels(list(words.COLUMNS))
    table.setRootIsDecorated(False)
    table.setToolTip(words.TIPS["table"])
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    header = table.header()
    header.setStretchLastSection(False)
    header.setSectionResizeMode(0, header.ResizeMode.Stretch)
    # The viewer's theme leaves headers to the platform, which does not match it.
    header.setStyleSheet(
        "QHeaderView::section { background: transparent; border: none;"
        " padding: 2px 4px; }"
    )
    for column, text in enumerate(words.COLUMN_HELP):
        table.headerItem().setToolTip(column, text)
        if column:
            table.headerItem().setTextAlignment(column, _RIGHT)
            header.setSectionResizeMode(column, header.ResizeMode.ResizeToContents)
    return table


def _fit(table: QTreeWidget, n_rows: int) -> None:
    """Be as high as the rows, or as some of them, that scroll."""
    one = 2 * table.fontMetrics().lineSpacing() + 8
    for row in range(n_rows):
        item = table.topLevelItem(row)
        if item is not None:
            item.setSizeHint(0, QSize(0, one))
    head = table.header().sizeHint().height()
    table.setFixedHeight(head + one * max(min(n_rows, _ROWS), 1) + 4)
