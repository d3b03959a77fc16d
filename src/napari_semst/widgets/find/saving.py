"""Results on their way into files: what is unsaved, levels kept, sections written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst.errors import SemstError
from napari_semst.session.actions import Action
from napari_semst.session.log import record_action
from napari_semst.viewer import adapter
from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.closing import guard_closing
from napari_semst.widgets.shared.state import state_of
from napari_semst.widgets.shared.unsaved import mark_saved, mark_unsaved

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_semst.widgets.find.results import ResultsPanel
    from napari_semst.widgets.find.section import SectionPicker
    from napari_semst.widgets.shared.files import FileDialogs, SavedFile


class ResultSaver(QObject):
    """Mark what is unsaved, write what is asked for."""

    status_changed = Signal(str, str, str)
    failed = Signal(object, str)
    shown_again = Signal()

    def __init__(
        self,
        viewer: Viewer,
        section: SectionPicker,
        results: ResultsPanel,
        files: FileDialogs,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._dock = viewer, parent
        self._section, self._results, self._files = section, results, files
        results.keep_wanted.connect(self._on_keep)
        results.save_wanted.connect(self._on_save)
        results.table_wanted.connect(self._on_save_table)
        files.saved.connect(self._on_saved)

    def mark_unsaved(self, tissue: AnnData) -> None:
        """Mark a section's layers; from now on the window asks before it closes."""
        mark_unsaved(self._viewer, tissue)
        guard_closing(self._dock, self._viewer)

    def _on_keep(self, number: int) -> None:
        """Write the level on show into the section, as a column of its own."""
        from napari_semst.domains.levels import level_key, write_level

        tissue = self._section.tissue
        if tissue is None:
            return
        replaced = texts.KEPT_REPLACED if level_key(number) in tissue.obs else ""
        try:
            key = write_level(tissue, number, self._results.look.run)
        except SemstError as error:
            self.failed.emit(error, "")
            return
        given = {"k": number, "run": self._results.look.run}
        record_action(tissue, Action("level", given))
        self.mark_unsaved(tissue)
        self.shown_again.emit()
        state_of(self._viewer).tissue_changed.emit(tissue, self._dock)
        text = texts.KEPT_HELP.format(number=number, key=key, replaced=replaced)
        self.status_changed.emit("success", texts.LEVEL_KEPT, text)

    def _on_save(self) -> None:
        if self._section.layer is not None:
            self._files.ask_save(self._section.layer)

    def _on_save_table(self) -> None:
        if self._section.layer is not None:
            self._files.ask_save_table(self._section.layer)

    def _on_saved(self, saved: SavedFile) -> None:
        if saved.whole:
            mark_saved(self._viewer, saved)
            state_of(self._viewer).tissue_changed.emit(saved.tissue, self._dock)
            layer = self._section.layer
            if layer is not None:
                self._results.mark_unsaved(adapter.UNSAVED in layer.metadata)
        self.status_changed.emit("success", "Saved", str(saved.path))
