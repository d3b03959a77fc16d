"""``semst explain``: why each domain of a saved run is a domain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.cli.options import AsJson, Overwrite
from napari_semst.core.progress import run_to_end
from napari_semst.errors import SaveError
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.explanation.types import ExplainOptions


def explain(
    source: Path,
    wanted: ExplainOptions,
    output: Path | None,
    *,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Explain, save where asked, and report.

    Parameters
    ----------
    source
        A file with a result; it is not changed.
    wanted
        What is asked.
    output
        ``.csv`` for a table, ``.h5ad`` for all of the file and the explanation in it;
        `None` for neither.
    overwrite
        Replace files that exist.
    as_json
        Print JSON instead of sentences.
    quiet
        Show no progress.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst.cli.output import shown
    from napari_semst.explanation.explain import explain_steps
    from napari_semst.explanation.summary import words
    from napari_semst.io.read import read
    from napari_semst.pipeline.job import RunOutputs

    table = output is not None and output.suffix.lower() == ".csv"
    if output is not None and not table and output.suffix.lower() != ".h5ad":
        raise SaveError(
            f"Expected a name that ends in .csv or .h5ad; got {output}. A table has "
            "genes and terms, the .h5ad all of the file."
        )
    if output is not None and not table and wanted.labels is not None:
        raise SaveError(
            "Expected a .csv for the explanation of a column of labels; got "
            f"{output}. Only runs have a place for theirs in an .h5ad."
        )
    RunOutputs(
        None if table else output, output if table else None, None, overwrite
    ).check(source)
    tissue = read(source)
    told = run_to_end(shown(explain_steps(tissue, wanted), quiet=quiet))
    if output is not None:
        _write(tissue, told, output, table=table, overwrite=overwrite)
    told = {**told, "notes": [for_shell(note) for note in told["notes"]]}
    if as_json:
        typer.echo(json.dumps({"input": str(source), **told}, indent=2))
        return
    typer.echo(words(told))
    if output is not None:
        typer.echo(f"Wrote {output}.")


def _write(
    tissue: AnnData,
    told: dict[str, Any],
    output: Path,
    *,
    table: bool,
    overwrite: bool,
) -> None:
    from napari_semst.explanation.explain import attach_explanation
    from napari_semst.explanation.summary import as_table
    from napari_semst.io.export.h5ad import write, write_table

    if table:
        write_table(as_table(told), output, overwrite=overwrite)
        return
    attach_explanation(tissue, told)
    write(tissue, output, overwrite=overwrite)


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
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress.")
    ] = False,
) -> None:
    """Say where image and expression disagree, and by which genes and features."""
    from napari_semst.cli.output import shown
    from napari_semst.core.progress import run_to_end
    from napari_semst.explanation.discordance import discordance_steps
    from napari_semst.explanation.discordance_summary import as_table, words
    from napari_semst.explanation.types import DiscordanceOptions
    from napari_semst.io.export.h5ad import write_table
    from napari_semst.io.read import read
    from napari_semst.pipeline.job import RunOutputs

    asked = DiscordanceOptions(n_genes, least_spots=least_spots)
    RunOutputs(None, output, None, overwrite).check(source)
    told = run_to_end(shown(discordance_steps(read(source), asked), quiet=quiet))
    if output is not None:
        write_table(as_table(told), output, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps({"input": str(source), **told}, indent=2))
        return
    typer.echo(words(told))
    if output is not None:
        typer.echo(f"Wrote {output}.")
