"""What gave the genes of a run their meaning, as its record tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_semst import keys
from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.forms import (
    WrappedLabel,
    add_row,
    form_layout,
    stacked,
)
from napari_semst.widgets.shared.status import Banner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

_LONGEST = 24  # letters of a revision on show; hovering tells all


class MeaningFacts(QWidget):
    """Source, model, revision, pooling, coverage and warnings of one run."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.control = Banner()
        self.warnings = Banner()
        self.rows: list[tuple[str, str]] = []
        self._rows = form_layout()
        stacked(self, self.control, self._rows, self.warnings, spacing=6)

    def show_run(self, facts: Mapping[str, Any]) -> None:
        """Show the record of a run."""
        while self._rows.rowCount():
            self._rows.removeRow(0)
        self.rows = meaning_rows(facts.get("semantics", {}))
        for label, value in self.rows:
            self._add(label, value)
        control, warned = warnings_of(facts)
        self.control.setVisible(bool(control))
        self.control.say("warning", control)
        self.warnings.setVisible(bool(warned))
        self.warnings.say("warning", "\n".join([texts.WARNINGS, *warned]))

    def _add(self, label: str, value: str) -> None:
        # A hash is one word that no line can break.
        cut = len(value) > _LONGEST and " " not in value and label == "Revision"
        shown = WrappedLabel()
        shown.setText(f"{value[:_LONGEST]}..." if cut else value)
        shown.setToolTip(value)
        shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        add_row(self._rows, label, shown)


def run_record(tissue: AnnData, run: str) -> Mapping[str, Any]:
    """Return the record of a run, empty where there is none."""
    facts: Mapping[str, Any] = tissue.uns.get(keys.RUNS, {}).get(run, {})
    return facts


def control_name(facts: Mapping[str, Any]) -> str:
    """Return the name of a run's control, '' where its semantics was not spoilt."""
    return str(facts.get("semantics", {}).get("control") or "")


def warnings_of(facts: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return what is said of a run's control, '' for none, and its other warnings."""
    control = control_name(facts)
    warned = [str(line) for line in facts.get("warnings", ())]
    if not control:
        return "", warned
    # The library says it in more words, but the dock must not depend on that.
    own_lines = [line for line in warned if line.startswith(texts.CONTROL_BEGINS)]
    control_line = (
        own_lines[0] if own_lines else texts.CONTROL_RUN.format(control=control)
    )
    return control_line, [line for line in warned if line not in own_lines]


def source_label(semantics: Mapping[str, Any]) -> str:
    """Return what users call the source of a record."""
    name = str(semantics.get("source", "none"))
    return texts.SEMANTICS.get(name, name)


def meaning_rows(semantics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return labels and values of what a record tells of the semantics."""
    rows = [("Source", source_label(semantics))]
    for key, label in texts.FACTS.items():
        value = semantics.get(key)
        # Files have no None: it is kept as ''.
        if value is not None and str(value):
            rows.append((label, _shown(key, value)))
    reading = semantics.get("reading", {})
    if "texts" in reading:
        counts = texts.TEXTS_READ.format(
            texts=int(reading["texts"]), cached=int(reading.get("from_cache", 0))
        )
        rows.append(("Texts", counts))
    return rows


def _shown(key: str, value: Any) -> str:
    if key == "coverage":
        return texts.COVERAGE_LINE.format(share=float(value))
    if key == "per":
        return texts.PER.get(str(value), str(value))
    return str(value)


def meaning_line(facts: Mapping[str, Any]) -> list[str]:
    """Return one line for the card: source, model and coverage."""
    semantics = facts.get("semantics", {})
    if not semantics.get("source"):
        return []
    line = f"{texts.SEMANTICS_OF}: {source_label(semantics)}"
    model = semantics.get("model")
    if model and semantics["source"] != "builtin":
        line += f", {model}"
    coverage = semantics.get("coverage")
    if coverage is not None and coverage != "":
        line += f"; {texts.COVERAGE_LINE.format(share=float(coverage))}"
    return [f"{line}."]
