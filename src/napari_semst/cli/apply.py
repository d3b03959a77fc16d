"""What ``semst apply`` does, once its options are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from napari_semst.cli.output import shown
from napari_semst.core.progress import run_to_end
from napari_semst.pipeline.job import RunOutputs, Scoring
from napari_semst.pipeline.summary import peak_memory_mb

if TYPE_CHECKING:
    from pathlib import Path

    from napari_semst.pipeline.result import DomainResult


@dataclass(frozen=True, slots=True)
class Reading:
    """How a section is read and labelled: none of it is the model's."""

    counts_layer: str
    coordinates: str
    device: str
    adapt: bool


def apply(
    model: Path,
    source: Path,
    reading: Reading,
    name: str,
    truth: str | None,
    files: RunOutputs,
    *,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Read, label by a model, save, score and report.

    Parameters
    ----------
    model, source
        The model's file and the input.
    reading
        Counts, coordinates and device, and whether the model adapts.
    name
        Name of the run.
    truth
        Annotation to score against, if any.
    files
        Where results go.
    as_json, quiet
        Print JSON; show no progress.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst import keys
    from napari_semst.io.read import read
    from napari_semst.pipeline.model import load_model
    from napari_semst.pipeline.result import attach
    from napari_semst.pipeline.transfer import label_section

    keys.check_run_name(name)
    files.check(source)
    known = load_model(model)
    scoring = Scoring(truth, drop_unannotated=False)
    tissue = scoring.choose(read(source))
    steps = label_section(
        tissue,
        known,
        counts_layer=reading.counts_layer,
        coordinates=reading.coordinates,
        device=reading.device,
        adapt=reading.adapt,
    )
    result = run_to_end(shown(steps, quiet=quiet))
    # The file's own name says more than its hash alone.
    result.provenance["model"]["file"] = model.name
    attach(tissue, result, name, inplace=True)
    written = files.write(tissue, reading.coordinates)
    scores = scoring.scores(tissue, result.codes, reading.coordinates)
    account = report(source, result, scores, written)
    typer.echo(json.dumps(account, indent=2) if as_json else words(account))


def report(
    source: Path, result: DomainResult, scores: dict[str, float], written: list[str]
) -> dict[str, Any]:
    """Return the machine-readable account of a section that a model labelled."""
    import numpy as np

    facts = result.provenance
    # A domain of the model that the section does not have is told with no spot.
    sizes = np.bincount(result.codes, minlength=len(result.names)).tolist()
    return {
        "input": str(source),
        "model": facts["model"],
        "n_spots": len(result.codes),
        "n_domains": len(result.names),
        "domain_sizes": dict(zip(result.names, sizes, strict=True)),
        "method": facts["config"]["model"]["method"],
        "device": facts["device"],
        "section": facts["section"],
        "seconds": facts["seconds"],
        "peak_memory_mb": peak_memory_mb(),
        "scores": {name: round(value, 4) for name, value in scores.items()},
        "warnings": facts["warnings"],
        "written": written,
    }


def words(account: dict[str, Any]) -> str:
    """Return the account for people."""
    sizes = "  ".join(f"{n}: {size}" for n, size in account["domain_sizes"].items())
    model, scores = account["model"], account["scores"]
    told = [f"{n} {scores[n]:.3f}" for n in ("ari", "nmi", "chaos") if n in scores]
    lines = [
        f"{account['n_spots']} spots labelled by {model['file']} "
        f"in {sum(account['seconds'].values()):.1f} s, nothing trained",
        f"  spots per domain   {sizes}",
        f"  genes              {model['genes_found']} of the model's {model['genes']}",
        f"  model              {account['method']}, of a section of {model['spots']} "
        f"spots, SHA-256 {model['hash'][:12]}",
        f"  scores             {'  '.join(told)}",
    ]
    lines += [f"  note               {text}" for text in account["warnings"]]
    lines += [f"  wrote              {path}" for path in account["written"]]
    return "\n".join(lines)
