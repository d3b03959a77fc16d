"""What a run did, as plain values."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.methods.section_texts import (
    power_text,
    section_lines,
    section_rows,
)
from napari_semst.methods.spec import method_spec
from napari_semst.semantics.base import known_coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_semst.pipeline.result import DomainResult

_SPATIAL = ("chaos", "pas", "spatial_silhouette")


def run_summary(
    sources: Sequence[Path],
    n_genes: int,
    result: DomainResult,
    scores: dict[str, float],
    written: list[str],
) -> dict[str, Any]:
    """Return the machine-readable account of a run."""
    import numpy as np

    facts = result.provenance
    sizes = np.bincount(result.codes).tolist()
    rounded = {key: round(value, 4) for key, value in scores.items()}
    truth = {k: rounded.pop(k) for k in list(rounded) if k not in _SPATIAL}
    account = {
        "input": str(sources[0]) if len(sources) == 1 else list(map(str, sources)),
        "n_spots": len(result.codes),
        "n_genes": n_genes,
        "n_domains": len(result.names),
        "domain_sizes": dict(zip(result.names, sizes, strict=True)),
        "method": facts["config"]["model"]["method"],
        "preset": facts["config"]["preset"],
        "readout": facts["config"]["domains"]["readout"],
        "seed": facts["seed"],
        "semantics": _semantics(facts["semantics"]),
        "coverage": known_coverage(facts["semantics"]),
        "genes_known": facts["semantics"].get("genes"),
        "device": facts["device"],
        "section": facts["section"],
        "epochs": facts["training"]["epochs"],
        "losses": {n: round(curve[-1], 6) for n, curve in facts["losses"].items()},
        "seconds": facts["seconds"],
        "peak_memory_mb": peak_memory_mb(),
        "spatial_scores": rounded,
        "warnings": facts["warnings"],
        "written": written,
    }
    if (found := image_summary(result)) is not None:
        account["image"] = found
    if "number_of_domains" in facts:
        account["number_of_domains"] = facts["number_of_domains"]
    return {**account, "scores": truth} if truth else account


def image_summary(result: DomainResult) -> dict[str, Any] | None:
    """Return what a run says of the image, `None` where it read and compared none."""
    import numpy as np

    from napari_semst.methods.image_guided.regions import KINDS

    facts = result.provenance
    settings, trained = facts["config"], facts["training"]
    guided = method_spec(settings["model"]["method"]).discordance
    if result.morphology is None and not guided:
        return None
    summary: dict[str, Any] = {
        "encoder": settings["morphology"]["encoder"],
        "spots": len(result.codes),
    }
    if result.morphology is not None:
        codes, names = result.morphology.reasons()
        unusable = codes[~result.morphology.usable]
        counts = np.bincount(unusable, minlength=len(names))
        summary["unusable"] = len(unusable)
        summary["reasons"] = {
            name: int(count) for name, count in zip(names, counts, strict=True) if count
        }
        summary["pixels_per_spot"] = {
            name: one["pixels_per_spot"]
            for name, one in facts["morphology"].get("images", {}).items()
        }
    if guided:
        summary["dimensions"] = trained["latent_dimensions"]
        summary["active_dimensions"] = trained["active_dimensions"]
    if result.discordance is not None:
        found = result.discordance
        summary["discordant"] = int(found.discordant.sum())
        counts = np.bincount(found.kind, minlength=len(KINDS)).tolist()
        summary["kinds"] = dict(zip(KINDS[1:], counts[1:], strict=True))
        summary["regions"] = trained["discordant_regions"]
        summary["fdr"] = settings["image_guided"]["discordance_fdr"]
        summary["predicted"] = trained["predicted_by_image"]
        if rows := section_rows(trained):
            said = [{"says": text} for _, text in section_lines(trained)]
            summary["sections"] = [
                _known(row) | text for row, text in zip(rows, said, strict=True)
            ]
            summary["compared"] = int(np.isfinite(found.p_value).sum())
        elif len(found.predicted):
            summary["power"] = power_text(*found.power[0])
    return summary


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with None for numbers that are not known."""
    return {name: None if value != value else value for name, value in row.items()}


def _semantics(facts: dict[str, Any]) -> str:
    """Return the name of the source; a control is never taken for a result."""
    control = facts.get("control")
    name = str(facts.get("source", "none"))
    if by := facts.get("computed_by"):
        name = f"{name}, computed by {by.get('source', '?')}: {by.get('model', '?')}"
    return f"{name} (CONTROL: {control})" if control else name


def peak_memory_mb() -> float | None:
    """Return the most memory this process has held, in MB; `None` where unknown.

    On Linux by its status: ``ru_maxrss`` still holds the peak of the process that
    started it.
    """
    if (own := _high_water()) is not None:
        return own
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


def _high_water() -> float | None:
    """Return the peak of this process by Linux, in MB; `None` elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return round(int(found[0]) * 1024 / 1e6, 1) if found else None
