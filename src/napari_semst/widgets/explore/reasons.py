"""Explanations for the section chosen: asked for, kept with their run, shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst import keys
from napari_semst.viewer import adapter, columns
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.explore.trial import look_ahead, runs_of, why_not
from napari_semst.widgets.find.downloads import Downloads, may_download
from napari_semst.widgets.shared.worker import BackgroundTask
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.config import Config
    from napari_semst.widgets.explore.legend import LegendTable
    from napari_semst.widgets.explore.sections import OpenSections
    from napari_semst.widgets.explore.why import WhyPanel


class Reasons(QObject):
    """Join the panel to the section and its legend.

    Parameters
    ----------
    sections
        Tells the section and the labels on show.
    legend
        Tells the names chosen.
    panel
        Asks, and shows the answers.
    """

    said = Signal(str, str, str)  # kind, title and text of the card
    failed = Signal(object, str)
    kept = Signal(object)  # tissue that holds the explanation now

    def __init__(
        self,
        sections: OpenSections,
        legend: LegendTable,
        panel: WhyPanel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._sections, self._panel = sections, panel
        # Of labels that are no run's: they have no place in the file.
        self._loose: tuple[AnnData, str, dict[str, Any]] | None = None
        # The test that waits for an answer about a download.
        self._waiting: tuple[AnnData, str] | None = None
        # The run that the forecast in the tooltip is of.
        self._looked: tuple[ref[AnnData], str, list[Config]] | None = None
        self.downloads = Downloads(panel)
        self.ahead = BackgroundTask(look_ahead)
        panel.asked.connect(self.ask)
        panel.test_asked.connect(self.test)
        panel.given_up.connect(self._on_declined)
        panel.seen.connect(self._offer_test)
        self.downloads.agreed.connect(self._on_agreed)
        self.downloads.declined.connect(self._on_declined)
        self.downloads.failed.connect(self._on_not_looked)
        self.ahead.done.connect(self._on_ahead)
        panel.answered.connect(self._on_answered)
        panel.failed.connect(self.failed)
        legend.chosen_changed.connect(panel.show_names)

    def ask(self) -> None:
        """Explain the labels on show."""
        from napari_semst.explanation.types import ExplainOptions

        tissue, column = self._sections.tissue, self._column()
        if tissue is None or not column:
            self.said.emit("warning", texts.CHOOSE_DOMAINS, texts.CHOOSE_LABELS_HELP)
            return
        run = run_of(tissue, column)
        wanted = ExplainOptions(run=run) if run else ExplainOptions(labels=column)
        self._panel.ask(tissue, adapter.snapshot(tissue), wanted)

    def test(self) -> None:
        """Explain the run on show, and test its domains without semantics."""
        tissue, column = self._sections.tissue, self._column()
        run = run_of(tissue, column) if tissue is not None else ""
        if tissue is None or why_not(tissue, run):
            return
        # The last one has the semantics of the run.
        config = runs_of(tissue, run)[-1]
        self._waiting = tissue, run
        if not may_download(config):
            self._on_agreed()
            return
        self._panel.wait_for(texts.TEST_CHECKS)
        self.downloads.check(config)

    def _on_agreed(self) -> None:
        from napari_semst.explanation.types import ExplainOptions

        if self._waiting is None:
            return
        (tissue, run), self._waiting = self._waiting, None
        wanted = ExplainOptions(run=run, counterfactual=True)
        self._panel.ask(tissue, adapter.snapshot(tissue), wanted)

    def _on_declined(self) -> None:
        if self._waiting is not None:
            self._waiting = None
            self._panel.rest()

    def _on_not_looked(self, error: Exception, details: str) -> None:
        if self._waiting is not None:
            self._on_declined()
            self.failed.emit(error, details)

    def _offer_test(self) -> None:
        """Offer the test where the labels on show allow it, and say what it takes."""
        tissue, column = self._sections.tissue, self._column()
        # The settings of the run are read for it: not for every coat of paint.
        if tissue is None or not self._panel.isVisible():
            return
        run = run_of(tissue, column)
        why = why_not(tissue, run)
        if why:
            tip = f"{TIPS['test']}\n{texts.TEST_NOT.format(reason=why)}"
            self._looked = None
            self._panel.offer_test(possible=False, tip=tip)
            return
        configs = runs_of(tissue, run)
        if self._looked is not None:
            known, looked, before = self._looked
            # By identity: a tissue compares itself value by value.
            if known() is tissue and (looked, before) == (run, configs):
                return
        self._looked = ref(tissue), run, configs
        self._panel.offer_test(possible=True, tip=TIPS["test"])
        self.ahead.start(tissue, run)

    def _on_ahead(self, found: tuple[str, str]) -> None:
        run, told = found
        if self._looked is not None and self._looked[1] == run:
            self._panel.offer_test(possible=True, tip=f"{TIPS['test']}\n{told}")

    def refresh(self) -> None:
        """Show the explanation of the labels on show, where there is one."""
        tissue, column = self._sections.tissue, self._column()
        self._panel.setEnabled(bool(column))
        self._offer_test()
        self._panel.show_explanation(
            None if tissue is None else self._explanation(tissue, column)
        )

    def _column(self) -> str:
        colouring = self._sections.colouring
        if colouring is None or colouring.kind != "categories":
            return ""
        return colouring.column if colouring.place == "obs" else ""

    def _explanation(self, tissue: AnnData, column: str) -> dict[str, Any] | None:
        from napari_semst.explanation.run import plain

        run = run_of(tissue, column)
        if run:
            facts = plain(tissue.uns.get(keys.RUNS, {}).get(run, {}))
            found: dict[str, Any] | None = facts.get("explanation")
            return found
        if self._loose is None:
            return None
        other, labels, explanation = self._loose
        return explanation if other is tissue and labels == column else None

    def _on_answered(self, tissue: AnnData, explanation: dict[str, Any]) -> None:
        from napari_semst.explanation.explain import attach_explanation

        if explanation.get("run"):
            attach_explanation(tissue, explanation)
            self.kept.emit(tissue)
        else:
            self._loose = tissue, str(explanation["labels"]), explanation
        self.refresh()
        notes = "\n".join(for_window(note) for note in explanation.get("notes", ()))
        self.said.emit("success", texts.EXPLAINED, notes or texts.EXPLAINED_HELP)


def run_of(tissue: AnnData, column: str) -> str:
    """Return the run whose own domains a column holds, empty where it is none's."""
    if column == keys.DOMAIN:
        return columns.latest_run(tissue)
    run = column.removeprefix(f"{keys.DOMAIN}_")
    known = tissue.uns.get(keys.RUNS, {})
    return run if run != column and run in known else ""
