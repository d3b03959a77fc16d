"""Explanations for the section chosen: asked for, kept with their run, shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst import keys
from napari_semst.viewer import adapter, columns
from napari_semst.widgets.explore import texts

if TYPE_CHECKING:
    from anndata import AnnData

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
        panel.asked.connect(self.ask)
        panel.answered.connect(self._on_answered)
        panel.failed.connect(self.failed)
        legend.chosen_changed.connect(panel.show_names)

    def ask(self) -> None:
        """Explain the labels on show."""
        from napari_semst.explanation.explain import Wanted

        tissue, column = self._sections.tissue, self._column()
        if tissue is None or not column:
            self.said.emit("warning", texts.CHOOSE_DOMAINS, texts.CHOOSE_LABELS_HELP)
            return
        run = run_of(tissue, column)
        wanted = Wanted(run=run) if run else Wanted(labels=column)
        self._panel.ask(tissue, adapter.snapshot(tissue), wanted)

    def refresh(self) -> None:
        """Show the explanation of the labels on show, where there is one."""
        tissue, column = self._sections.tissue, self._column()
        self._panel.setEnabled(bool(column))
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
        notes = "\n".join(explanation.get("notes", ()))
        self.said.emit("success", texts.EXPLAINED, notes or texts.EXPLAINED_HELP)


def run_of(tissue: AnnData, column: str) -> str:
    """Return the run whose own domains a column holds, empty where it is none's."""
    if column == keys.DOMAIN:
        return columns.latest_run(tissue)
    run = column.removeprefix(f"{keys.DOMAIN}_")
    known = tissue.uns.get(keys.RUNS, {})
    return run if run != column and run in known else ""
