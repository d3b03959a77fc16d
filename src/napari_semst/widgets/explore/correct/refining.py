"""Let the rest of the section follow what was corrected by hand, or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import ref

from qtpy.QtWidgets import QWidget

from napari_semst.explore.annotate import edited_columns
from napari_semst.explore.corrections import refine_column
from napari_semst.explore.labels import same_column
from napari_semst.explore.recovery import PROBABILITY
from napari_semst.session.actions import Action
from napari_semst.session.log import record_action
from napari_semst.viewer.adapter import snapshot
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.errors import describe_error
from napari_semst.widgets.shared.forms import note_label, push_button, row_of, stacked
from napari_semst.widgets.shared.unsaved import mark_unsaved
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.explore.corrections import RefinedLabels
    from napari_semst.explore.labels import Labels
    from napari_semst.widgets.explore.context import ExploreContext


@dataclass(frozen=True, eq=False)
class _Proposal:
    tissue: AnnData
    looked_at: AnnData
    column: str
    began: str
    since: str
    refined: RefinedLabels


class RefinePart(QWidget):
    """A button that follows corrections, and what to do with what came of it."""

    def __init__(self, context: ExploreContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.task = BackgroundTask(_refined)
        self.button = push_button("Refine from corrections", TIPS["refine"])
        self.note = note_label()
        self.show_button = push_button("Select what changed", TIPS["show_changed"])
        self.keep_button = push_button("Keep", TIPS["keep_refined"])
        self.discard_button = push_button("Discard", TIPS["discard_refined"])
        self.answer = QWidget()
        buttons = row_of(
            self.show_button, self.keep_button, self.discard_button, spacing=6
        )
        stacked(self.answer, self.note, buttons, spacing=4)
        stacked(self, self.button, self.answer, spacing=6)
        # The labels that a column was made with.
        self._bases: dict[str, tuple[ref[AnnData], Labels]] = {}
        self.proposal: tuple[_Proposal, str] | None = None
        self.button.clicked.connect(self.refine)
        self.show_button.clicked.connect(self._on_show)
        self.keep_button.clicked.connect(self._on_keep)
        self.discard_button.clicked.connect(self._on_discard)
        self.task.done.connect(self._on_done)
        self.task.failed.connect(self._on_failed)
        context.section_changed.connect(self._on_section)
        context.explained.connect(self._refresh)
        self._on_section()

    def refine(self) -> None:
        """Let spots like those corrected in the column on show follow them."""
        tissue, column = self._context.tissue, self._column()
        if tissue is not None and column:
            self._propose(None)
            self.button.setEnabled(False)
            self._context.card.show_status("running", texts.REFINING, column)
            began = edited_columns(tissue)[column]
            held, labels = self._bases.get(column, (None, None))
            # What was refined here is corrected from there on.
            same = held is not None and held() is tissue
            before = labels if same and labels is not None else began
            since = "" if isinstance(before, str) else column
            self.task.start(tissue, snapshot(tissue), column, began, since, before)

    def shutdown(self) -> None:
        """Drop an answer that is awaited; for when the dock goes."""
        self.task.drop()

    def _column(self) -> str:
        """Return the column on show where it is a copy of others, else nothing."""
        tissue, colouring = self._context.tissue, self._context.colouring
        if tissue is None or colouring is None or colouring.place != "obs":
            return ""
        began = edited_columns(tissue).get(colouring.column, "")
        return colouring.column if began in tissue.obs else ""

    def _on_done(self, proposal: _Proposal) -> None:
        self._refresh()
        tissue = self._context.tissue
        if tissue is None or tissue is not proposal.tissue:
            return
        for column in (proposal.column, proposal.began):
            if not same_column(tissue, proposal.looked_at, column):
                self._context.card.show_status(
                    "warning",
                    texts.CHANGED_MEANWHILE,
                    texts.CHANGED_MEANWHILE_HELP.format(column=column),
                )
                return
        changed = proposal.refined.changed
        if not changed.any():
            self._context.card.show_status(
                "success", texts.NOTHING_REFINED, texts.NOTHING_REFINED_HELP
            )
            return
        name = f"{proposal.column}_refined"
        given = {
            "of": proposal.column,
            "before": proposal.began,
            "since": proposal.since,
        }
        made = self._context.editing.take(
            name, proposal.refined.labels, proposal.began, Action("refine", given)
        )
        if not made:
            return
        self._propose((proposal, made))
        self._bases[made] = ref(tissue), proposal.refined.labels
        n, sure = int(changed.sum()), float(proposal.refined.sure[changed].mean())
        text = texts.REFINED_HELP.format(
            n=n, total=tissue.n_obs, sure=sure, column=made
        )
        self.note.setText(text)
        self._context.card.show_status("success", texts.REFINED, text)

    def _on_failed(self, error: Exception, details: str) -> None:
        self._refresh()
        title, text = describe_error(error)
        self._context.card.show_status("error", title, text, details)

    def _propose(self, proposal: tuple[_Proposal, str] | None) -> None:
        self.proposal = proposal
        self.answer.setVisible(proposal is not None)

    def _on_show(self) -> None:
        """Let the spots stand out that followed the corrections."""
        if self.proposal is not None:
            changed: NDArray[np.bool_] = self.proposal[0].refined.changed
            self._context.state.select(self.proposal[0].tissue, changed.copy())

    def _on_keep(self) -> None:
        """Keep the labels, and beside them how sure each of them is."""
        if self.proposal is None:
            return
        proposal, made = self.proposal
        proposal.tissue.obs[f"{made}{PROBABILITY}"] = proposal.refined.sure
        record_action(proposal.tissue, Action("keep_refined", {"made": made}))
        mark_unsaved(self._context.viewer, proposal.tissue)
        self._context.state.select(proposal.tissue, None)
        self._propose(None)
        text = texts.REFINED_KEPT_HELP.format(column=made)
        self._context.card.show_status("success", texts.REFINED_KEPT, text)
        self._context.state.tissue_changed.emit(proposal.tissue, self)

    def _on_discard(self) -> None:
        """Go back to the labels as they were corrected."""
        if self.proposal is None:
            return
        proposal, made = self.proposal
        self._propose(None)
        self._context.state.select(proposal.tissue, None)
        annotator = self._context.editing.annotator
        if annotator is not None and annotator.just_made == made:
            self._context.editing.undo()
            self._context.colour_by(proposal.column)
        else:
            self._context.card.show_status(
                "warning", texts.EDITED_SINCE, texts.EDITED_SINCE_HELP
            )

    def _on_section(self) -> None:
        self.task.drop()
        self._propose(None)
        self._refresh()

    def _refresh(self, *_: object) -> None:
        ready = bool(self._column())
        self.button.setEnabled(ready and not self.task.busy)
        if self.proposal is not None:
            there = self.proposal[1] in self.proposal[0].tissue.obs
            if not there:  # taken back by Undo
                self._propose(None)


def _refined(
    original: AnnData,
    tissue: AnnData,
    column: str,
    began: str,
    since: str,
    before: str | Labels,
) -> _Proposal:
    """Return what the corrections of a column come to; for a worker."""
    refined = refine_column(tissue, column, before)
    return _Proposal(original, tissue, column, began, since, refined)
