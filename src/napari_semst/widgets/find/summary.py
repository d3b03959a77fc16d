"""What the card says of a section that is open and of a run that is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.widgets.find import texts
from napari_semst.widgets.find.meaning import meaning_line, warnings_of
from napari_semst.widgets.shared.sections import NO_SECTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.pipeline.result import DomainResult
    from napari_semst.widgets.find.job import JobAnswer


def section_status(
    tissue: AnnData | None, counts_layer: str = ""
) -> tuple[str, str, str]:
    """Return kind, title and text for the card before a run.

    Parameters
    ----------
    tissue
        The section, or None.
    counts_layer
        Where the raw counts are; empty: X.
    """
    from napari_semst.io.notes import input_warnings

    if tissue is None:
        return "ready", NO_SECTION, texts.NO_SECTION_HELP
    noticed = input_warnings(tissue)
    uncounted = counts_problem(tissue, counts_layer)
    if uncounted:
        return "warning", texts.NO_COUNTS, "\n".join([uncounted, *noticed])
    kind = "warning" if noticed else "ready"
    return kind, texts.READY, "\n".join([texts.READY_HELP, *noticed])


def counts_problem(tissue: AnnData, counts_layer: str = "") -> str:
    """Return what to do where a section holds no raw counts at first sight, else ''."""
    from napari_semst.io.counts import quick_check

    found, elsewhere = quick_check(tissue, counts_layer)
    if not found:
        return ""
    advice = texts.COUNTS_NOWHERE
    if elsewhere:
        advice = texts.COUNTS_ELSEWHERE.format(places=" or ".join(elsewhere))
    where = f"The table {counts_layer!r}" if counts_layer else "X"
    return texts.NO_COUNTS_HELP.format(where=where, found=found, advice=advice)


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
    return discordance_line(result.provenance, found.discordant, found.contradiction)


def discordance_line(
    provenance: Mapping[str, Any],
    called: NDArray[np.bool_] | None,
    discordance: NDArray[np.floating] | None,
) -> list[str]:
    """Return how many spots are discordant and have no image, if the run looked.

    Parameters
    ----------
    provenance
        What a run tells of itself.
    called, discordance
        Which spots are discordant, and how much, each ``(n_spots,)``; `None` where
        the run did not look.
    """
    import numpy as np

    from napari_semst.explanation.run import config_of

    if called is None or discordance is None:
        return []
    rate = provenance.get("discordance", {}).get("fdr")
    if rate is None:
        rate = config_of(provenance).image_guided.discordance_fdr
    usable = int(np.isfinite(discordance).sum())
    said = texts.DISCORDANT_LINE.format(
        called=int(called.sum()), usable=usable, fdr=float(rate)
    )
    if provenance.get("training", {}).get("patterns_predicted") == 0:
        said = texts.NOT_COMPARED
    missing = len(discordance) - usable
    return [f"{said} {texts.NO_IMAGE_OF.format(missing=missing)}" if missing else said]


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
