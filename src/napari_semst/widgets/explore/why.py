"""Why a domain is a domain: a sentence for each, worked out on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QProgressBar, QWidget

from napari_semst import keys
from napari_semst.errors import SemstError
from napari_semst.session.actions import Action
from napari_semst.session.log import record_action
from napari_semst.viewer import adapter, colourings
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.explore.without_semantics import (
    configs_of_test,
    forecast_test,
    reason_not_testable,
)
from napari_semst.widgets.shared.downloads import DownloadQuestion, may_download
from napari_semst.widgets.shared.forms import (
    WrappedLabel,
    note_label,
    push_button,
    row_of,
    stacked,
)
from napari_semst.widgets.shared.key_question import agrees_to_send_key
from napari_semst.widgets.shared.worker import BackgroundTask, SteppedTask
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from anndata import AnnData
    from qtpy.QtGui import QShowEvent

    from napari_semst.config import Config
    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.explanation.types import ExplainOptions
    from napari_semst.widgets.explore.legend import LegendTable
    from napari_semst.widgets.shared.sections import OpenSections


class WhyPanel(QWidget):
    """Ask why domains are domains; read the sentence of those chosen."""

    asked = Signal()
    test_asked = Signal()
    seen = Signal()  # it came into view
    given_up = Signal()
    answered = Signal(object, object)  # tissue, explanation
    failed = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._work = SteppedTask(_explain, self)
        self._told: dict[str, str] = {}
        self.button = push_button("Explain domains", TIPS["explain"])
        self.test_button = push_button(texts.TEST, TIPS["test"])
        self._testable, self._running = False, False
        self.cancel_button = push_button("Cancel", TIPS["cancel_explain"])
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.message = note_label()
        self.text = WrappedLabel()
        row = row_of(self.button, self.cancel_button, spacing=6, shares=(2, 1))
        stacked(
            self,
            row,
            self.test_button,
            self.bar,
            self.message,
            self.text,
            spacing=6,
            top=4,
        )
        self.button.clicked.connect(self.asked)
        self.test_button.clicked.connect(self.test_asked)
        self.cancel_button.clicked.connect(self.cancel)
        self._work.progressed.connect(self._on_progress)
        self._work.done.connect(self._on_answered)
        self._work.failed.connect(self._on_failed)
        self._show_state(running=False, said=texts.WHY_ASK)

    @property
    def busy(self) -> bool:
        """Whether an explanation is being worked out."""
        return self._work.busy

    def ask(self, tissue: AnnData, copy: AnnData, wanted: ExplainOptions) -> None:
        """Work an explanation out in a thread, from a snapshot of the tissue."""
        self.cancel()
        self._show_state(running=True, said=texts.WHY_BUSY)
        self._work.start(tissue, copy, wanted)

    def cancel(self) -> None:
        """Give up what is being worked out, or what was to be."""
        if self.busy:
            self._work.stop()
            self.rest()
        elif self._running:
            self.given_up.emit()

    def offer_test(self, *, possible: bool, tip: str) -> None:
        """Offer the test without semantics, or tell by the tooltip why it is not."""
        self._testable = possible
        self.test_button.setEnabled(possible and not self._running)
        self.test_button.setToolTip(tip)

    def wait_for(self, said: str) -> None:
        """Show that something is looked up before an explanation begins."""
        self._show_state(running=True, said=said)

    def rest(self) -> None:
        """Show that nothing is on."""
        said = texts.WHY_CHOOSE if self._told else texts.WHY_ASK
        self._show_state(running=False, said=said)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  Qt's name
        """Say that the part is in view now."""
        super().showEvent(event)
        self.seen.emit()

    def show_explanation(self, explanation: dict[str, Any] | None) -> None:
        """Take the sentences of an explanation, or of none."""
        domains = (explanation or {}).get("domains", {})
        self._told = {name: str(domain["sentence"]) for name, domain in domains.items()}
        if not self.busy:
            self.rest()
        self.show_names([])

    def show_names(self, names: Sequence[str]) -> None:
        """Show the sentences of some domains, of all where none is chosen."""
        chosen = [self._told[name] for name in names if name in self._told]
        self.text.setText("\n\n".join(chosen or self._told.values()))
        self.text.setVisible(bool(self._told))

    def _show_state(self, *, running: bool, said: str) -> None:
        self._running = running
        self.button.setEnabled(not running)
        self.test_button.setEnabled(not running and self._testable)
        self.cancel_button.setVisible(running)
        self.bar.setVisible(running)
        self.bar.setRange(0, 0)
        self.message.setText(said)

    def _on_progress(self, progress: Progress) -> None:
        self.bar.setRange(0, progress.steps or 0)
        self.bar.setValue(progress.step)
        if progress.message:
            self.message.setText(progress.message)

    def _on_answered(self, answer: tuple[AnnData, dict[str, Any]]) -> None:
        self._show_state(running=False, said=texts.WHY_ASK)
        self.answered.emit(*answer)

    def _on_failed(self, error: Exception, details: str) -> None:
        self._show_state(running=False, said=texts.WHY_ASK)
        self.failed.emit(error, details)


def _explain(
    tissue: AnnData, copy: AnnData, wanted: ExplainOptions, control: RunControl
) -> Generator[Progress, None, tuple[AnnData, dict[str, Any]]]:
    """Yield progress; return the tissue itself, and the explanation of its copy."""
    from napari_semst.explanation.explain import explain_steps

    told = yield from explain_steps(copy, wanted, control)
    return tissue, told


class DomainExplainer(QObject):
    """Join the panel to the section and its legend."""

    status_changed = Signal(str, str, str)  # kind, title and text of the card
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
        self.downloads = DownloadQuestion(panel)
        self.ahead = BackgroundTask(forecast_test)
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
            self.status_changed.emit(
                "warning", texts.CHOOSE_DOMAINS, texts.CHOOSE_LABELS_HELP
            )
            return
        run = run_of_column(tissue, column)
        wanted = ExplainOptions(run=run) if run else ExplainOptions(labels=column)
        self._panel.ask(tissue, adapter.snapshot(tissue), wanted)

    def test(self) -> None:
        """Explain the run on show, and test its domains without semantics."""
        tissue, column = self._sections.tissue, self._column()
        run = run_of_column(tissue, column) if tissue is not None else ""
        if tissue is None or reason_not_testable(tissue, run):
            return
        # The last one has the semantics of the run.
        config = configs_of_test(tissue, run)[-1]
        semantics = config.semantics
        if semantics.source == "server" and not self._key_may_go(semantics.url):
            return
        self._waiting = tissue, run
        if not may_download(config):
            self._on_agreed()
            return
        self._panel.wait_for(texts.TEST_CHECKS)
        self.downloads.check(config)

    def _key_may_go(self, url: str) -> bool:
        try:
            return agrees_to_send_key(self._panel, url)
        except SemstError as error:
            self.failed.emit(error, "")
            return False

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
        run = run_of_column(tissue, column)
        why = reason_not_testable(tissue, run)
        if why:
            tip = f"{TIPS['test']}\n{texts.TEST_NOT.format(reason=why)}"
            self._looked = None
            self._panel.offer_test(possible=False, tip=tip)
            return
        configs = configs_of_test(tissue, run)
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
        from napari_semst.pipeline.provenance import python_values

        run = run_of_column(tissue, column)
        if run:
            facts = python_values(tissue.uns.get(keys.RUNS, {}).get(run, {}))
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
            told = explanation["domains"].values()
            tested = any(one.get("counterfactual") for one in told)
            wanted = {"run": explanation["run"], "counterfactual": tested}
            record_action(tissue, Action("explain", wanted))
            self.kept.emit(tissue)
        else:
            self._loose = tissue, str(explanation["labels"]), explanation
        self.refresh()
        notes = "\n".join(for_window(note) for note in explanation.get("notes", ()))
        self.status_changed.emit(
            "success", texts.EXPLAINED, notes or texts.EXPLAINED_HELP
        )


def run_of_column(tissue: AnnData, column: str) -> str:
    """Return the run whose own domains a column holds, empty where it is none's."""
    if column == keys.DOMAIN:
        return colourings.latest_run(tissue)
    run = column.removeprefix(f"{keys.DOMAIN}_")
    known = tissue.uns.get(keys.RUNS, {})
    return run if run != column and run in known else ""
