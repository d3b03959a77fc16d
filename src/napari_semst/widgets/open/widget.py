"""The dock "Open data": joins its parts to the viewer, and does little itself."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt, QThread, QTimer
from qtpy.QtGui import QKeySequence, QShortcut  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_semst.errors import SaveError
from napari_semst.io.options import ReadOptions
from napari_semst.viewer import adapter
from napari_semst.viewer.spots import TISSUE
from napari_semst.widgets.open import texts
from napari_semst.widgets.open.alignment import AlignmentPanel
from napari_semst.widgets.open.dock_at_launch import names_no_dock, open_fitting_dock
from napari_semst.widgets.open.drop import DropArea, RecentList
from napari_semst.widgets.open.inside import InsideCard, OtherLayers
from napari_semst.widgets.open.opening import (
    Opener,
    forget_recent,
    path_order,
    recent_paths,
    remember_path,
    sample_order,
)
from napari_semst.widgets.open.texts import TIPS
from napari_semst.widgets.shared.errors import describe_error
from napari_semst.widgets.shared.facts import section_facts
from napari_semst.widgets.shared.files import SECTION_ENDINGS
from napari_semst.widgets.shared.forms import (
    heading,
    push_button,
    row_of,
    scroll_area,
    stacked,
)
from napari_semst.widgets.shared.recovery_offer import RecoveryOffer
from napari_semst.widgets.shared.sections import OpenSections
from napari_semst.widgets.shared.state import state_of
from napari_semst.widgets.shared.status import StatusCard
from napari_semst.widgets.shared.unsaved import add_layers
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from napari.layers import Layer
    from napari.types import LayerData
    from napari.viewer import Viewer

    from napari_semst.widgets.open.opening import InputLook, OpenOrder


class OpenData(QWidget):
    """Look inside files, open them, and bring image and spots together.

    Parameters
    ----------
    napari_viewer
        The viewer that shows what is opened.
    """

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._docked = False
        self._open_when_seen = False
        self.state = state_of(napari_viewer)
        self.opener = Opener(self)
        self.recovery = RecoveryOffer(napari_viewer)
        self.drop = DropArea()
        self.recent = RecentList()
        self.forget = QPushButton("Clear")
        self.inside = InsideCard()
        self.open_button = push_button("Open", TIPS["open"])
        self.cancel_button = push_button("Cancel", TIPS["cancel"])
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.card = StatusCard()
        self.others = OtherLayers(napari_viewer)
        self.sections = OpenSections(napari_viewer)
        self.sections.setToolTip(TIPS["section"])
        self.alignment = AlignmentPanel(napari_viewer)
        self._build()
        self._connect()
        self._show_recent(recent_paths())
        self._show_busy(False)
        self.sections.look_again()
        self.card.show_status("ready", texts.START, texts.START_HELP)
        # Only of a viewer that is being started: in one that runs, a menu named it.
        if QThread.currentThread().loopLevel() == 0 and names_no_dock():
            # Once it is in the window, and the window is there.
            QTimer.singleShot(0, self, self._make_way)

    def _make_way(self) -> None:
        open_fitting_dock(self, self._viewer)

    def _build(self) -> None:
        self._recent_part = QWidget()
        self.forget.setToolTip(TIPS["clear"])
        self.forget.setFlat(True)
        top = row_of(heading("Opened before"), stretch=True)
        top.addWidget(self.forget)
        stacked(self._recent_part, top, self.recent, spacing=4)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.open_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        self._alignment_part = QWidget()
        stacked(
            self._alignment_part,
            heading("Image and spots"),
            self.sections,
            self.alignment,
            spacing=6,
        )
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.recovery)
        column.addWidget(self.drop)
        column.addWidget(self._recent_part)
        column.addWidget(self.inside)
        column.addLayout(buttons)
        column.addWidget(self.bar)
        for part in (self.card, self.others, self._alignment_part):
            column.addWidget(part)
        column.addStretch(1)
        self._area = scroll_area(self, content)

    def _connect(self) -> None:
        self.drop.dropped.connect(self.look)
        self.drop.file_button.clicked.connect(self.ask_file)
        self.drop.folder_button.clicked.connect(self.ask_folder)
        self.drop.sample_wanted.connect(self._on_sample)
        self.recent.chosen.connect(self._on_recent)
        self.recent.open_wanted.connect(self._on_recent_open)
        self.forget.clicked.connect(self._on_forget)
        self.inside.changed.connect(self._on_option)
        self.inside.counts_chosen.connect(self._on_counts)
        self.open_button.clicked.connect(self.open)
        self.cancel_button.clicked.connect(self._on_cancel)
        self.others.wanted.connect(self._on_order)
        self.others.failed.connect(self._on_failed)
        self.sections.changed.connect(self._on_section)
        self.alignment.aligned.connect(self._on_aligned)
        self.state.tissue_changed.connect(self._on_tissue_changed)
        self.recovery.keeper.status_changed.connect(self.card.show_status)
        self.recovery.keeper.failed.connect(self._on_failed)
        self.opener.looking.connect(self._on_looking)
        self.opener.looked.connect(self._on_looked)
        self.opener.progressed.connect(self._on_progress)
        self.opener.opened.connect(self._on_opened)
        self.opener.finished.connect(self._on_finished)
        self.opener.cancelled.connect(self._on_cancelled)
        self.opener.failed.connect(self._on_failed)
        self.destroyed.connect(self.opener.shutdown)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.opener.shutdown)
        for sequence, slot in (
            # Ctrl+O is napari's own.
            ("Alt+Shift+O", self.ask_file),
            ("Alt+Shift+D", self.ask_folder),
            ("Esc", self._on_cancel),
        ):
            shortcut = QShortcut(QKeySequence(sequence), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)
        enter = QShortcut(QKeySequence("Return"), self.open_button)
        enter.setContext(Qt.ShortcutContext.WidgetShortcut)
        enter.activated.connect(self.open)

    def event(self, event: QEvent) -> bool:
        """Notice when the dock is taken out of the window."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None and self._docked:
                self.opener.shutdown()
                self.alignment.landmarks.shutdown()
                self.alignment.other.shutdown()
            self._docked = self.parent() is not None
        return super().event(event)

    # --- looking inside

    def ask_file(self) -> None:
        """Ask for files and look inside."""
        kinds = f"Tissue sections ({SECTION_ENDINGS});;All files (*)"
        chosen, _ = QFileDialog.getOpenFileNames(self, texts.CHOOSE_FILE, "", kinds)
        if chosen:
            self.look([Path(path) for path in chosen])

    def ask_folder(self) -> None:
        """Ask for a folder and look inside."""
        chosen = QFileDialog.getExistingDirectory(self, texts.CHOOSE_FOLDER)
        if chosen:
            self.look([Path(chosen)])

    def look(self, paths: Sequence[Path]) -> None:
        """Show what is inside paths, before they are opened.

        Parameters
        ----------
        paths
            Files or folders.
        """
        self._open_when_seen = False
        self.inside.show_looks([])
        self.opener.look([Path(path) for path in paths], ReadOptions())

    def _on_option(self) -> None:
        """Look again with what was chosen."""
        self.opener.look([look.path for look in self.inside.looks], self.inside.options)

    def _on_counts(self, place: str) -> None:
        self.card.show_status(*look_status(self.inside.looks, place))

    def _on_looking(self, names: str) -> None:
        self.open_button.setEnabled(False)
        self.card.show_status("running", texts.LOOKING, names)

    def _on_looked(self, looks: list[InputLook]) -> None:
        before = [look.path for look in self.inside.looks]
        again = before == [look.path for look in looks]
        # An option that cannot be had leaves the choice open.
        if not again or any(look.preview is not None for look in looks):
            self.inside.show_looks(looks, again=again)
        place = str(self.inside.counts.currentData() or "")
        self.card.show_status(*look_status(looks, place))
        self._show_busy(self.opener.busy)
        self._area.ensureWidgetVisible(self.open_button)
        # So that Enter opens it; not while something else is typed.
        focus = QApplication.focusWidget()
        if focus is not None and self.isAncestorOf(focus):
            self.open_button.setFocus()
        if self._open_when_seen:
            self.open()

    def _on_recent(self, path: Path) -> None:
        self.look([path])

    def _on_recent_open(self, path: Path) -> None:
        self.look([path])
        self._open_when_seen = True

    # --- opening

    def open(self) -> None:
        """Open what was looked into, with what was chosen."""
        self._open_when_seen = False
        readable = [x.path for x in self.inside.looks if x.preview is not None]
        if readable and not self.opener.busy:
            # Choices are offered for a single input only.
            options = self.inside.options if len(readable) == 1 else ReadOptions()
            self._start([path_order(path, options) for path in readable])

    def _on_sample(self, key: str, name: str) -> None:
        self._on_order(sample_order(key, name))

    def _on_order(self, order: OpenOrder) -> None:
        if not self.opener.busy:
            self._start([order])

    def _start(self, orders: list[OpenOrder]) -> None:
        self._opening = [order.name for order in orders]
        self._show_busy(True)
        self.opener.open(orders)

    def _show_busy(self, busy: bool) -> None:
        ready = any(look.preview is not None for look in self.inside.looks)
        self.open_button.setVisible(ready or busy)
        self.open_button.setEnabled(ready and not busy)
        self.cancel_button.setVisible(ready or busy)
        self.drop.sample_button.setEnabled(not busy)
        self.others.button.setEnabled(not busy)
        self.bar.setVisible(busy)

    def _on_progress(self, name: str, number: int, count: int, seconds: int) -> None:
        text = texts.WAITED if count == 1 else texts.SEVERAL_WAITED
        waited = text.format(name=name, number=number, count=count, seconds=seconds)
        self.card.show_status("running", texts.OPENING, waited)

    def _on_opened(self, order: OpenOrder, layers: list[LayerData]) -> None:
        try:
            tissue = self._add(layers)
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self._on_failed(error, "".join(traceback.format_exception(error)))
            return
        kind, text = opened_status(tissue, self.sections.layer)
        if order.path is not None:
            try:
                self._show_recent(remember_path(order.path))
            except SaveError as error:
                kind = "warning"
                text = f"{text}\n{texts.NOT_REMEMBERED.format(reason=error)}"
        self._said = kind, f"{texts.OPENED}: {order.name}", text

    def _add(self, layers: list[LayerData]) -> AnnData:
        """Show the layers of a section, and choose it."""
        tissue: AnnData = add_layers(self._viewer, layers)[-1].metadata[TISSUE]
        return tissue

    def _on_finished(self, count: int) -> None:
        self.inside.show_looks([])
        self._show_busy(False)
        if count > 1:
            text = texts.ALL_OPENED_HELP
            self.card.show_status("success", texts.ALL_OPENED.format(count=count), text)
        elif count:
            self.card.show_status(*self._said)

    def _on_cancel(self) -> None:
        if self.opener.busy:
            self.opener.cancel()
            return
        self.opener.cancel()
        self.inside.show_looks([])
        self._show_busy(False)
        self.card.show_status("ready", texts.START, texts.START_HELP)

    def _on_cancelled(self, count: int) -> None:
        self._show_busy(False)
        help_ = texts.SOME_HELP.format(count=count) if count else texts.CANCELLED_HELP
        self.card.show_status("ready", texts.CANCELLED, help_)

    def _on_failed(self, error: Exception, details: str) -> None:
        self._show_busy(False)
        self.card.show_status("error", *describe_error(error), details)

    def _show_recent(self, paths: Sequence[Path]) -> None:
        self.recent.show_paths(paths)
        self._recent_part.setVisible(bool(paths))

    def _on_forget(self) -> None:
        try:
            forget_recent()
        except SaveError as error:
            self._on_failed(error, "")
            return
        self._show_recent([])

    # --- image and spots

    def _on_section(self) -> None:
        layer = self.sections.layer
        self._alignment_part.setVisible(layer is not None)
        self.alignment.show_layer(layer)

    def _on_aligned(self, tissue: AnnData) -> None:
        self.state.tissue_changed.emit(tissue, self)

    def _on_tissue_changed(self, tissue: AnnData, by: object) -> None:
        """Show where the spots stand now: another dock may have moved them."""
        if by is not self and tissue is self.sections.tissue:
            self.alignment.show_layer(self.sections.layer)


def look_status(looks: Sequence[InputLook], counts: str = "") -> tuple[str, str, str]:
    """Return kind, title and text of the card for what was looked into.

    Parameters
    ----------
    looks
        What was looked into.
    counts
        Where counts are taken from by choice; empty for the main table.
    """
    seen = [look.preview for look in looks if look.preview is not None]
    if not seen:
        problems = "\n".join(for_window(look.error or "") for look in looks)
        return "error", texts.NOT_SEEN, problems
    lacks = dict.fromkeys(name for preview in seen for name in preview.missing)
    if counts:
        lacks.pop("raw counts", None)
    if lacks:
        missing = " and ".join(lacks)
        return "warning", texts.LACKING, texts.LACKING_HELP.format(missing=missing)
    if len(seen) < len(looks):
        text = texts.SOME_SEEN_HELP.format(count=len(seen))
        return "warning", texts.SEEN, text
    return "ready", texts.SEEN, texts.SEEN_HELP


def opened_status(tissue: AnnData, layer: Layer | None) -> tuple[str, str]:
    """Return the kind of card for a section just opened, and what it says.

    Parameters
    ----------
    tissue, layer
        The section, and its spots.
    """
    from napari_semst.io.notes import input_warnings

    key = None if layer is None else layer.metadata.get(adapter.COORDINATES)
    noticed = list(map(for_window, input_warnings(tissue)))
    text = texts.OPENED_HELP.format(facts=section_facts(tissue, key))
    return "warning" if noticed else "success", "\n".join([text, *noticed])
