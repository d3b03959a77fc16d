"""Edits of labels from the legend, and going back; widgets stay outside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst.explore.annotators import annotator_of
from napari_semst.explore.label_edits import LabelEdit
from napari_semst.explore.labels import read_labels
from napari_semst.session.actions import Action
from napari_semst.session.log import record_action
from napari_semst.viewer import adapter
from napari_semst.widgets.explore import texts
from napari_semst.widgets.shared.errors import error_report
from napari_semst.widgets.shared.unsaved import mark_unsaved
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from napari_semst.explore.annotate import Annotator
    from napari_semst.explore.labels import Labels
    from napari_semst.widgets.explore.legend import LegendTable
    from napari_semst.widgets.shared.sections import OpenSections


@dataclass(frozen=True, eq=False)
class _Split:
    """A split that is being worked out, and the labels that it is of."""

    tissue: AnnData
    column: str
    labels: Labels
    edit: LabelEdit


class LabelEditor(QObject):
    """Edit the labels of the section chosen."""

    edited = Signal(str)  # column to show
    status_changed = Signal(str, str, str)  # kind, title and text of the card
    failed = Signal(object, str)

    def __init__(self, sections: OpenSections, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sections = sections
        self.splitting = BackgroundTask(_with_parts)
        self.splitting.done.connect(self._on_parts)
        self.splitting.failed.connect(self.failed)

    def listen_to(self, legend: LegendTable) -> None:
        """Do what a legend asks for."""
        legend.renamed.connect(self._on_renamed)
        legend.recoloured.connect(self.recolour)
        legend.merged.connect(self._on_merged)
        legend.split.connect(self._on_split)
        legend.moved.connect(self._on_moved)
        legend.undo_wanted.connect(self.undo)
        legend.redo_wanted.connect(self.redo)

    @property
    def annotator(self) -> Annotator | None:
        """What edits the section chosen."""
        tissue = self._sections.tissue
        return None if tissue is None else annotator_of(tissue)

    def edit(self, change: LabelEdit, column: str = "", *, begin: bool = False) -> str:
        """Edit labels, or a copy of them where they are no work of hand.

        Parameters
        ----------
        column
            Which ones; empty: those on show.
        begin
            Whether to make the column if there is none.

        Returns
        -------
        str
            The column edited, empty where it could not be.
        """
        annotator, colouring = self.annotator, self._sections.colouring
        if annotator is None or colouring is None:
            return ""
        column = column or colouring.column
        done = self._tried(lambda: annotator.edit(column, change, begin=begin))
        if done and done != column.strip():
            text = texts.COPIED_HELP.format(column=column, copy=done)
            self.status_changed.emit("success", texts.COPIED, text)
        if done:
            given = {"column": column, "how": change.how, "given": change.given}
            self._tell(done, Action("edit", {**given, "begin": begin}))
        return done

    def take(self, name: str, labels: Labels, began: str, action: Action) -> str:
        """Take labels in as a column, and show it.

        Parameters
        ----------
        name
            Of the column; the next that is free where it is taken.
        began
            What they came from.
        action
            What made them, for the record of the session, without these names.

        Returns
        -------
        str
            The column, empty where it could not be.
        """
        annotator = self.annotator
        if annotator is None:
            return ""
        done = self._tried(lambda: annotator.put(name, labels, began))
        if done:
            put = {"column": name, "began": began, "made": done}
            self._tell(done, Action(action.name, {**action.given, **put}))
        return done

    def recolour(self, name: str, color: str) -> None:
        """Give a name of the column on show another colour."""
        annotator, colouring = self.annotator, self._sections.colouring
        if annotator is None or colouring is None:
            return
        column = colouring.column

        def recolour() -> str:
            annotator.recolour(column, name, color)
            return column

        if self._tried(recolour):
            given = {"column": column, "name": name, "color": color}
            self._tell(colouring.key, Action("recolour", given))

    def undo(self) -> None:
        """Take back the last edit of the section's labels."""
        annotator = self.annotator
        if annotator is not None and annotator.can_undo:
            column = self._tried(annotator.undo)
            if column:
                self.status_changed.emit("success", texts.UNDONE, column)
                self._tell(column, Action("undo"))

    def redo(self) -> None:
        """Do again the edit that was taken back last."""
        annotator = self.annotator
        if annotator is not None and annotator.can_redo:
            column = self._tried(annotator.redo)
            if column:
                self.status_changed.emit("success", texts.REDONE, column)
                self._tell(column, Action("redo"))

    def _tell(self, column: str, action: Action) -> None:
        tissue = self._sections.tissue
        if tissue is not None:
            record_action(tissue, action)
            mark_unsaved(self._sections.viewer, tissue)
        self.edited.emit(column)

    def _tried(self, do: Callable[[], str]) -> str:
        """Return what a call returns; its error is told."""
        try:
            return do()
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self.failed.emit(error, error_report(error))
            return ""

    def _on_renamed(self, name: str, new: str) -> None:
        self.edit(LabelEdit("renamed", {"name": name, "new": new}))

    def _on_merged(self, names: list[str]) -> None:
        self.edit(LabelEdit("merged", {"names": names}))

    def _on_moved(self, name: str, step: int) -> None:
        self.edit(LabelEdit("moved", {"name": name, "step": step}))

    def _on_split(self, name: str, how: str) -> None:
        layer, tissue = self._sections.layer, self._sections.tissue
        colouring = self._sections.colouring
        if layer is None or tissue is None or colouring is None:
            return
        given = {
            "name": name,
            "parts": how,
            "coordinates": layer.metadata.get(adapter.COORDINATES),
        }
        column = colouring.column
        labels = read_labels(tissue, column)
        split = LabelEdit("split", given, adapter.snapshot(tissue))
        self.status_changed.emit("running", texts.SPLITTING, name)
        self.splitting.start(_Split(tissue, column, labels, split))

    def shutdown(self) -> None:
        """Drop a split that is awaited; for when the dock goes."""
        self.splitting.drop()

    def _on_parts(self, split: _Split) -> None:
        """Split the labels, where they are still those that the parts are of."""
        tissue = self._sections.tissue
        if tissue is not split.tissue or split.column not in tissue.obs:
            return
        now, name = read_labels(tissue, split.column), split.edit.given["name"]
        inside = now.spots_of([name]) if name in now.names else None
        if inside is None or not np.array_equal(inside, split.labels.spots_of([name])):
            text = texts.SPLIT_STALE_HELP
            self.status_changed.emit("warning", texts.SPLIT_STALE, text)
            return
        if self.edit(split.edit, split.column):
            self.status_changed.emit("success", texts.SPLIT, name)


def _with_parts(split: _Split) -> _Split:
    """Return a split whose parts are known; for a worker."""
    parts = split.edit.parts_of(split.labels)
    return replace(split, edit=replace(split.edit, tissue=None, parts=parts))
