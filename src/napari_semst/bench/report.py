"""The report of a comparison: one page with tables, figures and the configuration."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from napari_semst.bench.pictures import draw_figures
from napari_semst.bench.summary import SCORES_SHOWN, summary_tables, variant_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_semst.bench.prepared import PreparedBench
    from napari_semst.bench.results import Finished

REPORT = "report.html"
_COMPARES = {
    "1": "SemST with semantics beside methods without.",
    "2": "SemST with each fusion, each source and each control of semantics.",
    "3": "Every host alone, with feature-wise semantic modulation (fsm), and with it "
    "while names of genes are permuted.",
    "5": "Every host alone and with other fusions of semantics.",
}


def write_bench_report(
    prepared: PreparedBench,
    finished: Finished,
    failed: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write ``report.html`` of what is finished, and return it.

    Parameters
    ----------
    failed
        Cells that failed, in words, with the reason.
    """
    from napari_semst.pipeline.provenance import versions
    from napari_semst.report.page import page_environment
    from napari_semst.report.write import write_page

    plan, facts = prepared.plan, prepared.facts
    known = [facts[file.path] for file in plan.files]
    page = (
        page_environment("napari_semst.bench")
        .get_template("bench.html")
        .render(
            plan=plan,
            cells=len(prepared.cells.cells),
            cells_finished=finished.count(plan.readouts),
            written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            warnings=_warnings(prepared, finished, len(failed)),
            files=list(zip(plan.files, known, strict=True)),
            tables=summary_tables(plan, finished, [one.name for one in known]),
            scores=SCORES_SHOWN,
            compares={f"table {n}": words for n, words in _COMPARES.items()},
            pictures=draw_figures(plan, facts, finished),
            failed=failed,
            versions=list(versions().items()),
            plan_text=json.dumps(prepared.plan_values(), indent=2),
            settings=_settings(finished),
        )
    )
    return write_page(page, prepared.store.folder / REPORT, overwrite=True)


def _warnings(prepared: PreparedBench, finished: Finished, n_failed: int) -> list[str]:
    whole = len(prepared.cells.cells)
    there = finished.count(prepared.plan.readouts)
    told = []
    if there < whole:
        told.append(
            f"{whole - there} of {whole} cells are not finished: rows with fewer seeds "
            "than others are not to be compared with those."
        )
    if n_failed:
        told.append(f"{n_failed} cells failed; the reasons stand below.")
    if prepared.plan.seeds == 1:
        told.append("One seed: no difference here is known to be more than chance.")
    told += [
        f"{one.method} on {one.file} was left out: {one.why}."
        for one in prepared.cells.left_out
    ]
    return told


def _settings(finished: Finished) -> list[tuple[str, str, str]]:
    """Return the request behind every hash of settings, once."""
    found: dict[str, tuple[str, str, str]] = {}
    for (file, variant, _), cell in finished.each().items():
        told = cell.record["settings_hash"]
        label = f"{file}, {variant_label(variant)}"
        found.setdefault(told, (told, label, cell.record["request"]))
    return list(found.values())
