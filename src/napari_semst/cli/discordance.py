"""``semst discordance``: what drives each region of discordant spots."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - Typer reads the types of options
from typing import Annotated

import typer

from napari_semst.cli.options import AsJson, Overwrite


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
