"""What the dock says of a section, of a run, and of what its genes mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_semst import keys
from napari_semst.semantics.base import known_coverage
from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.forms import (
    WrappedLabel,
    add_row,
    form_layout,
    stacked,
)
from napari_semst.widgets.shared.sections import NO_SECTION
from napari_semst.widgets.shared.status import Banner
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.pipeline.result import DomainResult
    from napari_semst.widgets.find.job import JobAnswer

_LONGEST = 24  # letters of a revision on show; hovering tells all


def section_status(
    tissue: AnnData | None, counts_layer: str = "", sections_by: str = ""
) -> tuple[str, str, str]:
    """Return kind, title and text for the card before a run.

    Parameters
    ----------
    counts_layer
        Where the raw counts are; empty: X.
    sections_by
        The column that tells its sections apart, empty for one section.
    """
    from napari_semst.io.notes import input_warnings

    if tissue is None:
        return "ready", NO_SECTION, texts.NO_SECTION_HELP
    told = input_warnings(tissue, told_apart=bool(sections_by))
    noticed = list(map(for_window, told))
    uncounted = counts_problem(tissue, counts_layer)
    if uncounted:
        return "warning", texts.NO_COUNTS, "\n".join([uncounted, *noticed])
    kind = "warning" if noticed else "ready"
    return kind, texts.READY, "\n".join([texts.READY_HELP, *noticed])


def counts_problem(tissue: AnnData, counts_layer: str = "") -> str:
    """Return what to do where a section holds no raw counts at first sight, else ''."""
    from napari_semst.io.counts import quick_check

    values, elsewhere = quick_check(tissue, counts_layer)
    if not values:
        return ""
    advice = texts.COUNTS_NOWHERE
    if elsewhere:
        advice = texts.COUNTS_ELSEWHERE.format(places=" or ".join(elsewhere))
    where = f"The table {counts_layer!r}" if counts_layer else "X"
    return texts.NO_COUNTS_HELP.format(where=where, found=values, advice=advice)


def joined_status(tissue: AnnData, count: int) -> tuple[str, str, str]:
    """Return kind, title and text for the card after sections were joined."""
    kind, _, noticed = section_status(tissue)
    title = texts.JOINED.format(count=count)
    about = texts.JOINED_HELP.format(genes=tissue.n_vars)
    kind = "success" if kind == "ready" else kind
    return kind, title, f"{about}\n{noticed}"


def run_status(answer: JobAnswer) -> tuple[str, str, str]:
    """Return kind, title and text for the card: a warning if the run warned."""
    result, job = answer.result, answer.job
    title = f"{len(result.names)} domains found in {format_duration(answer.seconds)}"
    control, warnings = warnings_of(result.provenance)
    lines = [
        *chosen_line(result.provenance),
        f"Kept as run '{job.run}'.",
        *meaning_line(result.provenance),
        *_discordance_of(result),
        *warnings,
    ]
    if control:
        return "warning", f"CONTROL RUN: {title}", "\n".join([control, *lines])
    return "warning" if warnings else "success", title, "\n".join(lines)


def chosen_line(provenance: Mapping[str, Any]) -> list[str]:
    """Return how many domains were chosen and what would do, if the run chose."""
    from napari_semst.domains.choose_k import chosen_in_words

    curve = provenance.get("number_of_domains")
    if curve is None:
        return []
    return [f"{chosen_in_words(int(curve['chosen']), curve['runners_up'])}."]


def _discordance_of(result: DomainResult) -> list[str]:
    found = result.discordance
    if found is None:
        return []
    return discordance_line(result.provenance, found.discordant, found.fdr)


def discordance_line(
    provenance: Mapping[str, Any],
    called: NDArray[np.bool_] | None,
    discordance: NDArray[np.floating] | None,
) -> list[str]:
    """Return how many spots are discordant and have no image, if the run looked.

    Parameters
    ----------
    called, discordance
        Which spots are discordant, and how much, each ``(n_spots,)``; `None` where
        the run did not look.
    """
    import numpy as np

    from napari_semst.pipeline.provenance import recorded_config

    if called is None or discordance is None:
        return []
    rate = provenance.get("discordance", {}).get("fdr")
    if rate is None:
        rate = recorded_config(provenance).image_guided.discordance_fdr
    usable = int(np.isfinite(discordance).sum())
    said = texts.DISCORDANT_LINE.format(
        called=int(called.sum()), usable=usable, fdr=float(rate)
    )
    if provenance.get("training", {}).get("patterns_predicted") == 0:
        said = texts.NOT_COMPARED
    regions = len(
        provenance.get("training", {}).get("discordant_regions", {}).get("q", ())
    )
    if regions:
        some = {"s": "s were", "them": "them"}
        one = {"s": " was", "them": "it"}
        said += (
            f" {texts.IN_REGIONS.format(n=regions, **(some if regions > 1 else one))}"
        )
    missing = len(discordance) - usable
    several = "sections_compared" in provenance.get("training", {})
    left = texts.NOT_ASKED_OF if several else texts.NO_IMAGE_OF
    return [f"{said} {left.format(missing=missing)}" if missing else said]


def device_line(provenance: Mapping[str, Any]) -> str:
    """Return what was computed on and why, or '' where it is not said."""
    device = provenance.get("device", {})
    name, reason = device.get("name", ""), device.get("reason", "")
    shown = "the CPU" if name == "cpu" else name
    return f"Used {shown}. {reason}".strip() if name else ""


def format_duration(seconds: float) -> str:
    """Return for instance ``42 s`` or ``3 min 5 s``."""
    whole = max(round(seconds), 1)
    if whole < 60:
        return f"{whole} s"
    rest = f" {whole % 60} s" if whole % 60 else ""
    return f"{whole // 60} min{rest}"


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
    warned = [for_window(line) for line in facts.get("warnings", ())]
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
    if key == "coverage" and value != "":
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
    coverage = known_coverage(semantics)
    if coverage is not None:
        line += f"; {texts.COVERAGE_LINE.format(share=coverage)}"
    return [f"{line}."]
