"""Saving and sharing: the section, figures, reports, regions to and from QuPath."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pandas.api.types import is_numeric_dtype
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QGridLayout, QPushButton, QSpinBox, QWidget

from napari_semst import keys
from napari_semst.explore.spot_values import unit_of_genes
from napari_semst.figure.colouring import Categories, Numbers
from napari_semst.session.actions import Action
from napari_semst.session.log import forget_action, record_action
from napari_semst.viewer import adapter, colourings
from napari_semst.viewer.colour import CategoryPaint, colors_of
from napari_semst.viewer.read_layers import READ_FROM
from napari_semst.viewer.sections import section_shown, sections_by, sections_on
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.files import FileDialogs, ask_path, file_stem
from napari_semst.widgets.shared.forms import add_row, form_layout, push_button
from napari_semst.widgets.shared.question import agrees
from napari_semst.widgets.shared.section_colours import hidden_spots, paint_section
from napari_semst.widgets.shared.unsaved import mark_saved
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer

    from napari_semst.explore.labels import Labels
    from napari_semst.io.geojson.write import WrittenGeojson
    from napari_semst.viewer.colourings import Colouring
    from napari_semst.widgets.explore.editing import LabelEditor
    from napari_semst.widgets.shared.section_colours import ColourChoices
    from napari_semst.widgets.shared.sections import OpenSections

TABLE = "semst"
"""Name of the table of results in a SpatialData store."""

_BUTTONS = (
    ("save", "Save section..."),
    ("table", "Save table..."),
    ("figure", "Figure..."),
    ("report", "Report..."),
    ("regions_out", "Regions to QuPath..."),
    ("regions_in", "Regions from file..."),
    ("store", "Table to SpatialData..."),
    ("session", "Session as code..."),
)


class SharePanel(QWidget):
    """What can be written, and read in."""

    wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QPushButton] = {}
        self.dpi = QSpinBox()
        self.dpi.setRange(50, 1200)
        self.dpi.setValue(300)
        self.dpi.setToolTip(TIPS["dpi"])
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 4, 0, 0)
        grid.setSpacing(6)
        for place, (name, text) in enumerate(_BUTTONS):
            button = push_button(text, TIPS[name])
            button.setObjectName(name)
            button.clicked.connect(self._on_clicked)
            grid.addWidget(button, place // 2, place % 2)
            self.buttons[name] = button
        rows = form_layout()
        add_row(rows, "Dots per inch", self.dpi)
        grid.addLayout(rows, (len(_BUTTONS) + 1) // 2, 0, 1, 2)

    def mark_unsaved(self, unsaved: bool) -> None:
        """Show on the button whether there is something to save."""
        button = self.buttons["save"]
        button.setText("Save section... *" if unsaved else "Save section...")
        tip = TIPS["save"]
        button.setToolTip(f"{tip} There is unsaved work." if unsaved else tip)

    def _on_clicked(self) -> None:
        self.wanted.emit(self.sender().objectName())


@dataclass(frozen=True)
class _Brought:
    tissue: AnnData
    labels: Labels
    name: str
    words: str
    given: dict[str, Any]


class ShareActions(QObject):
    """Do what the panel asks for: dialogs here, the work in worker threads."""

    status_changed = Signal(str, str, str)  # kind, title and text of the card
    failed = Signal(object, str)
    saved = Signal(object)  # `napari_semst.widgets.shared.files.SavedFile`

    def __init__(
        self,
        sections: OpenSections,
        editing: LabelEditor,
        panel: SharePanel,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._sections, self._editing = sections, editing
        self._panel, self._window = panel, window
        self.files = FileDialogs(window)
        self.writing, self.reading = BackgroundTask(_write), BackgroundTask(_read)
        panel.wanted.connect(self._on_wanted)
        # What is being written, as the record of the session has it.
        self._told: tuple[AnnData | None, Action | None] = (None, None)
        self.writing.done.connect(self._on_written)
        self.writing.failed.connect(self._on_not_written)
        self.reading.done.connect(self._on_read)
        self.files.saved.connect(self._on_saved)
        for worker in (self.writing, self.reading, self.files):
            worker.failed.connect(self.failed)

    def _on_wanted(self, what: str) -> None:
        layer, tissue = self._sections.layer, self._sections.tissue
        if layer is None or tissue is None:
            return
        stem = file_stem(layer.name)
        if what == "save":
            self.files.ask_save(layer)
        elif what == "table":
            self.files.ask_save_table(layer)
        elif what == "regions_in":
            self._ask_regions()
        elif what == "store":
            self._ask_store(layer, tissue)
        else:
            self._ask_write(what, stem)

    def ask_discordant_regions(self) -> None:
        """Ask where to write the discordant regions, whatever is on show."""
        layer = self._sections.layer
        if layer is not None and self._sections.tissue is not None:
            stem = f"{file_stem(layer.name)}_regions"
            self._ask_write("regions_out", stem, keys.DISCORDANT_REGION)

    def _ask_write(self, what: str, stem: str, column: str = "") -> None:
        layer, tissue = self._sections.layer, self._sections.tissue
        colouring = self._sections.colouring
        assert layer is not None
        assert tissue is not None
        assert colouring is not None
        if what == "regions_out" and self._all_sections(layer):
            return
        endings, kinds = texts.SAVED_KINDS[what]
        title = TIPS[what].split(":")[0].rstrip(".")
        path = ask_path(self._window, title, f"{stem}{endings[0]}", kinds, endings)
        if path is None:
            return
        # Now, and copied: the section can change while it is written.
        shown = colouring.column if colouring.place in ("obs", "fixed") else ""
        given: dict[str, Any] = {
            **_where(layer),
            "dpi": self._panel.dpi.value(),
            "column": column or shown,
        }
        if what == "figure":
            given["colouring"] = plot_values(tissue, colouring, self._sections.choices)
        told = _told(what, tissue, path, given, colouring)
        self._start(what, tissue, path, given, told)

    def _ask_store(self, layer: Layer, tissue: AnnData) -> None:
        """Ask for a SpatialData store, and write the results into it as a table."""
        came_from = layer.metadata.get(READ_FROM)
        typed = QFileDialog.getExistingDirectory(
            self._window,
            texts.STORE_TITLE,
            str(came_from[0]) if came_from is not None else "",
        )
        if not typed:
            return
        store = Path(typed)
        if (store / "tables" / TABLE).exists() and not agrees(
            self._window,
            texts.REPLACE_TABLE,
            texts.REPLACE_TABLE_ASKED.format(table=TABLE, store=store.name),
            texts.REPLACE_TABLE_MEANING,
            "Replace",
        ):
            return
        told = Action("other", {"what": texts.STORE_TOLD.format(store=store)})
        self._start("store", tissue, store, {}, told)

    def _start(
        self,
        what: str,
        tissue: AnnData,
        path: Path,
        given: dict[str, Any],
        told: Action | None,
    ) -> None:
        """Write in the background; the record of the session has it where it was."""
        self.status_changed.emit("running", texts.WRITING, path.name)
        self.writing.start(what, adapter.snapshot(tissue), path, given)
        self._told = tissue, told
        if told is not None:
            record_action(tissue, told)

    def _on_not_written(self, error: Exception, details: str) -> None:
        tissue, told = self._told
        if tissue is not None and told is not None:
            forget_action(tissue, told)

    def _ask_regions(self) -> None:
        layer, tissue = self._sections.layer, self._sections.tissue
        assert layer is not None
        assert tissue is not None
        path, _ = QFileDialog.getOpenFileName(
            self._window, texts.REGIONS_TITLE, "", texts.REGIONS_KINDS
        )
        if path and Path(path).suffix.lower() != ".csv" and self._all_sections(layer):
            return
        if path:
            self.status_changed.emit("running", texts.READING, Path(path).name)
            copy, place = adapter.snapshot(tissue), _where(layer)
            self.reading.start(tissue, copy, Path(path).absolute(), place)

    def _all_sections(self, layer: Layer) -> bool:
        """Return whether several sections are on show, which regions cannot be of."""
        if not sections_on(layer) or section_shown(layer):
            return False
        self.status_changed.emit("warning", texts.ALL_SECTIONS, texts.ALL_SECTIONS_HELP)
        return True

    def _on_written(self, answer: tuple[Path, str]) -> None:
        path, notes = answer
        self.status_changed.emit(
            "success", texts.SAVED, "\n".join(filter(None, [str(path), notes]))
        )

    def _on_read(self, brought: _Brought) -> None:
        annotator = self._editing.annotator
        if annotator is None or brought.tissue is not self._sections.tissue:
            return
        action = Action("labels_from_file", brought.given)
        column = self._editing.take(brought.name, brought.labels, "a file", action)
        if column:
            title = texts.REGIONS_READ.format(column=column)
            self.status_changed.emit("success", title, brought.words)

    def _on_saved(self, saved: Any) -> None:
        if saved.whole:
            mark_saved(self._sections.viewer, saved)
        self.status_changed.emit("success", texts.SAVED, str(saved.path))
        self.saved.emit(saved)


def _where(layer: Layer) -> dict[str, Any]:
    """Return where a layer's spots stand: coordinates, and the section on show."""
    return {
        "coordinates": layer.metadata.get(adapter.COORDINATES),
        "section": section_shown(layer) or None,
        "section_key": sections_by(layer),
    }


def _write(
    what: str, tissue: AnnData, path: Path, given: dict[str, Any]
) -> tuple[Path, str]:
    """Write a file; return it, and what it could not hold."""
    # The dialogs asked before they gave the name of a file that exists.
    if what == "store":
        from napari_semst.io.export.spatialdata import write_spatialdata_table

        done = write_spatialdata_table(tissue, path, table=TABLE, overwrite=True)
        return done, texts.STORE_WRITTEN.format(table=TABLE)
    if what == "session":
        from napari_semst.session.script import write_session

        missing = write_session(tissue, path, overwrite=True)
        notes = "\n".join([texts.SESSION_MISSING, *missing]) if missing else ""
        return path, notes
    place = given["coordinates"]
    if what == "figure":
        from napari_semst.figure import colour_figure

        colours = [given["colouring"]]
        done = colour_figure(
            tissue,
            path,
            colours,
            section=given["section"],
            section_key=given["section_key"],
            coordinates=place,
            dpi=given["dpi"],
            overwrite=True,
        )
        return done, ""
    if what == "report":
        from napari_semst.report import write_report

        done = write_report(
            tissue,
            path,
            annotation=_annotation(tissue, given["column"]),
            coordinates=place,
            overwrite=True,
        )
        return done, ""
    written = _write_outlines(tissue, path, given)
    return written.path, "\n".join(written.notes)


def _write_outlines(
    tissue: AnnData, path: Path, given: dict[str, Any]
) -> WrittenGeojson:
    """Write the outlines of labels; of discordant regions with what they are."""
    from napari_semst.explanation.region_file import write_regions
    from napari_semst.io.geojson import write_geojson

    column = given["column"] or keys.DOMAIN
    regions = column == keys.DISCORDANT_REGION
    write = write_regions if regions else partial(write_geojson, column=column)
    return write(
        tissue,
        path,
        section=given["section"],
        section_key=given["section_key"],
        coordinates=given["coordinates"],
        overwrite=True,
    )


def _read(
    original: AnnData, tissue: AnnData, path: Path, given: dict[str, Any]
) -> _Brought:
    """Return the labels that a file of regions, or of spots, gives."""
    from napari_semst.explore.labels_from_file import labels_from_file

    labels, words = labels_from_file(tissue, path, **given)
    where = {**given, "path": path}
    return _Brought(original, labels, file_stem(path.stem), words, where)


def _annotation(tissue: AnnData, column: str) -> str | None:
    """Return a column where it is labels of the user's own, for a report."""
    own = bool(column) and not column.startswith(keys.RESULTS)
    return column if own and tissue.obs[column].dtype.name == "category" else None


def _told(
    what: str, tissue: AnnData, path: Path, given: dict[str, Any], colouring: Colouring
) -> Action | None:
    """Return what the record of the session has of a file; nothing of itself."""
    where = {key: given[key] for key in ("coordinates", "section", "section_key")}
    where["path"] = path.absolute()
    if what == "report":
        own = _annotation(tissue, given["column"])
        return Action("report", {**where, "annotation": own})
    if what == "regions_out":
        return Action("regions", {**where, "column": given["column"] or keys.DOMAIN})
    if what != "figure":
        return None
    shown = given["colouring"]
    names = {"obs": "{}", "gene": "gene:{}", "obsm": "{}"}
    look: dict[str, Any] = {"title": shown.title, "dpi": given["dpi"]}
    look["colour"] = names.get(colouring.place, "").format(colouring.column)
    if isinstance(shown, Categories):
        if colouring.place == "obs" and is_numeric_dtype(tissue.obs[colouring.column]):
            look["colour"] = ""  # the name alone stands for numbers
        hidden = np.zeros(0, int) if shown.hidden is None else shown.codes[shown.hidden]
        look["hidden"] = [shown.names[code] for code in np.unique(hidden) if code >= 0]
    else:
        look |= {"limits": shown.limits, "colormap": shown.colormap}
    return Action("figure", {**where, **look})


def plot_values(
    tissue: AnnData, colouring: Colouring, choices: ColourChoices
) -> Categories | Numbers:
    """Return a colouring with its hidden names and limits, as on the canvas."""
    paint, _ = paint_section(tissue, colouring, choices)
    if isinstance(paint, CategoryPaint):
        codes, names = colourings.category_values(tissue, colouring)
        colors = list(colors_of(tissue, colouring, names))
        hidden = hidden_spots(tissue, colouring, choices)
        return Categories(
            colouring.label, np.asarray(codes, np.int64), names, colors, hidden
        )
    return Numbers(
        colouring.label,
        colourings.number_values(tissue, colouring).astype(np.float64),
        paint.colormap,
        unit_of_genes(tissue) if colouring.place == "gene" else "",
        paint.limits,
    )
