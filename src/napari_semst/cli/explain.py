"""``semst explain`` and ``semst discordance``: why each domain of a run is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.cli.shared_options import (
    AsJson,
    Overwrite,
    Quiet,
    ResultPath,
    SavedRun,
)
from napari_semst.core.progress import run_to_end
from napari_semst.errors import SaveError
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

_Semantics = Annotated[
    str,
    typer.Option(
        help="auto: the built-in table where the run had it; builtin: always; "
        "none: genes only."
    ),
]
_Counterfactual = Annotated[
    bool,
    typer.Option(
        "--counterfactual",
        help="Also find the domains again, without semantics and with another "
        "seed: two more runs.",
    ),
]


def explain(
    source: ResultPath,
    name: SavedRun = None,
    labels: Annotated[
        str | None, typer.Option(help="obs column to explain instead of a run.")
    ] = None,
    semantics: _Semantics = "auto",
    counterfactual: _Counterfactual = False,
    draws: Annotated[
        int, typer.Option(help="Random connected domains to compare with.")
    ] = 9_999,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Save: .csv, or .h5ad with the file's all."
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say why each domain is a domain: genes, meanings, what semantics moved."""
    from napari_semst.cli.output import show_progress
    from napari_semst.explanation.explain import explain_steps
    from napari_semst.explanation.summary import explanation_text
    from napari_semst.explanation.types import ExplainOptions
    from napari_semst.io.read import read
    from napari_semst.pipeline.job import RunOutputs

    options = ExplainOptions(name, labels, semantics, counterfactual, n_draws=draws)
    _check_output(source, output, labels, overwrite=overwrite)
    tissue = read(source)
    if output is not None and not _is_table(output):
        RunOutputs(output, None, None, overwrite).try_writing(tissue)
    told = run_to_end(show_progress(explain_steps(tissue, options), quiet=quiet))
    if output is not None:
        _write(tissue, told, output, overwrite=overwrite)
    told = {**told, "notes": [for_shell(note) for note in told["notes"]]}
    _print(source, told, explanation_text, output, as_json=as_json)


def _check_output(
    source: Path, output: Path | None, labels: str | None, *, overwrite: bool
) -> None:
    from napari_semst.pipeline.job import RunOutputs

    if output is None:
        return
    if _is_table(output):
        RunOutputs(None, output, None, overwrite).check(source)
        return
    if output.suffix.lower() != ".h5ad":
        raise SaveError(
            f"Expected a name that ends in .csv or .h5ad; got {output}. A table has "
            "genes and terms, the .h5ad all of the file."
        )
    if labels is not None:
        raise SaveError(
            "Expected a .csv for the explanation of a column of labels; got "
            f"{output}. Only runs have a place for theirs in an .h5ad."
        )
    RunOutputs(output, None, None, overwrite).check(source)


def _is_table(output: Path) -> bool:
    return output.suffix.lower() == ".csv"


def _write(
    tissue: AnnData, told: dict[str, Any], output: Path, *, overwrite: bool
) -> None:
    from napari_semst.explanation.explain import attach_explanation
    from napari_semst.explanation.summary import explanation_table
    from napari_semst.io.export.h5ad import write, write_table

    if _is_table(output):
        write_table(explanation_table(told), output, overwrite=overwrite)
        return
    attach_explanation(tissue, told)
    write(tissue, output, overwrite=overwrite)


def _print(
    source: Path,
    told: dict[str, Any],
    words: Callable[[dict[str, Any]], str],
    output: Path | None,
    *,
    as_json: bool,
) -> None:
    if as_json:
        typer.echo(json.dumps({"input": str(source), **told}, indent=2))
        return
    typer.echo(words(told))
    if output is not None:
        typer.echo(f"Wrote {output}.")


def discordance(
    source: Annotated[
        Path,
        typer.Argument(help="A file that `semst run --method image-guided` wrote."),
    ],
    n_genes: Annotated[
        int, typer.Option("--genes", help="Genes told of a region, at most.")
    ] = 10,
    least_spots: Annotated[
        int, typer.Option(help="Discordant spots that a region has at least.")
    ] = 5,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save a table (.csv).")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say where image and expression disagree, and by which genes and features."""
    from napari_semst.cli.output import show_progress
    from napari_semst.explanation.discordance import discordance_steps
    from napari_semst.explanation.discordance_summary import (
        discordance_table,
        discordance_text,
    )
    from napari_semst.explanation.types import DiscordanceOptions
    from napari_semst.io.export.h5ad import write_table
    from napari_semst.io.read import read
    from napari_semst.pipeline.job import RunOutputs

    options = DiscordanceOptions(n_genes, least_spots=least_spots)
    RunOutputs(None, output, None, overwrite).check(source)
    steps = discordance_steps(read(source), options)
    told = run_to_end(show_progress(steps, quiet=quiet))
    if output is not None:
        write_table(discordance_table(told), output, overwrite=overwrite)
    _print(source, told, discordance_text, output, as_json=as_json)
