"""``semst apply``: a section labelled by a saved model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.cli.shared_options import (
    AsJson,
    CsvOutput,
    FigureOutput,
    InputPath,
    JournalOutput,
    Overwrite,
    Quiet,
    ResultOutput,
    RunName,
    Truth,
    setting_option,
)
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData

    from napari_semst.config import Config
    from napari_semst.core.progress import Progress
    from napari_semst.pipeline.journal import Journal
    from napari_semst.pipeline.model import DomainModel
    from napari_semst.pipeline.result import DomainResult


def apply(
    model: Annotated[
        Path, typer.Argument(help="A model that `semst run --save-model` wrote.")
    ],
    source: InputPath,
    output: ResultOutput = None,
    counts_layer: Annotated[str, setting_option("prepare.counts_layer")] = "",
    coordinates: Annotated[str, setting_option("prepare.coordinates")] = "",
    device: Annotated[str, setting_option("training.device")] = "auto",
    max_memory: Annotated[float, setting_option("training.max_memory")] = 0.0,
    adapt: Annotated[
        bool,
        typer.Option(
            help="Let the model's domains move towards this section's spots first."
        ),
    ] = True,
    name: RunName = "default",
    truth: Truth = None,
    csv: CsvOutput = None,
    figure: FigureOutput = None,
    journal: JournalOutput = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Label a section by a saved model, without training."""
    from napari_semst import keys
    from napari_semst.cli.journal import opened_journal
    from napari_semst.cli.output import show_progress
    from napari_semst.cli.run import result_path
    from napari_semst.core.progress import run_to_end
    from napari_semst.pipeline.apply_model import label_section
    from napari_semst.pipeline.files_read import inputs_of
    from napari_semst.pipeline.job import RunOutputs, Scoring
    from napari_semst.pipeline.model import load_model
    from napari_semst.pipeline.result import attach

    keys.check_run_name(name)
    output = output or (None if as_json else result_path(source))
    files = RunOutputs(output, csv, figure, overwrite, reads=(model,))
    scoring = Scoring(truth, drop_unannotated=False)
    with opened_journal(journal, [*inputs_of(source), model]) as told:
        told.started("apply", inputs=[source, model])
        files.check(source)
        told.stage("read")
        loaded = load_model(model)
        tissue = scoring.choose(_read(source, loaded, max_memory))
        files.try_writing(tissue)
        ways: Any = {"coordinates": coordinates, "counts_layer": counts_layer}
        ways |= {"device": device, "adapt": adapt, "max_memory": max_memory}
        steps = label_section(tissue, loaded, **ways)
        steps = _told(steps, source, model, loaded.config, told)
        result = run_to_end(show_progress(steps, quiet=quiet))
        attach(tissue, result, name, inplace=True)
        told.stage("write")
        written = files.write(tissue, coordinates)
        told.wrote(written, result)
    scores = scoring.scores(tissue, result.codes, coordinates)
    account = _account(source, result, scores, written)
    typer.echo(json.dumps(account, indent=2) if as_json else _format_account(account))


def _read(source: Path, model: DomainModel, max_memory: float) -> AnnData:
    """Read the features that the model knows, within a limit of memory."""
    from napari_semst.core.memory import memory_limited
    from napari_semst.io.read import read

    with memory_limited(max_memory):
        return read(source, features=model.config.prepare.features)


def _told(
    steps: Generator[Progress, None, DomainResult],
    source: Path,
    model: Path,
    config: Config,
    journal: Journal,
) -> Generator[Progress, None, DomainResult]:
    """Note what is read in the result, and tell the journal all of it."""
    from napari_semst.core.progress import RunControl, with_callback
    from napari_semst.pipeline.input_files import with_inputs

    steps = with_inputs(
        steps, [source], config, RunControl(), model=model, tell=journal.inputs
    )
    result = yield from with_callback(steps, journal.hear)
    # The file's own name says more than its hash alone.
    result.provenance["model"]["file"] = model.name
    return result


def _account(
    source: Path, result: DomainResult, scores: dict[str, float], written: list[str]
) -> dict[str, Any]:
    """Return the machine-readable account of a section that a model labelled."""
    import numpy as np

    from napari_semst.pipeline.summary import peak_memory_mb

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


def _format_account(account: dict[str, Any]) -> str:
    """Return the account for people."""
    sizes = "  ".join(f"{n}: {size}" for n, size in account["domain_sizes"].items())
    model, scores = account["model"], account["scores"]
    shown = [f"{n} {scores[n]:.3f}" for n in ("ari", "nmi", "chaos") if n in scores]
    lines = [
        f"{account['n_spots']} spots labelled by {model['file']} "
        f"in {sum(account['seconds'].values()):.1f} s, nothing trained",
        f"  spots per domain   {sizes}",
        f"  genes              {model['genes_found']} of the model's {model['genes']}",
        f"  model              {account['method']}, of a section of {model['spots']} "
        f"spots, SHA-256 {model['hash'][:12]}",
        f"  scores             {'  '.join(shown)}",
    ]
    lines += [f"  note               {for_shell(text)}" for text in account["warnings"]]
    lines += [f"  wrote              {path}" for path in account["written"]]
    return "\n".join(lines)
