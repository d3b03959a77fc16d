"""The command line: ``semst run``, ``semst sample``, ``semst inspect``, ..."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_semst.cli.embed import cache, embed, server
from napari_semst.cli.explain import discordance
from napari_semst.cli.options import AsJson, InputPath, Overwrite
from napari_semst.cli.prompts import prompts
from napari_semst.cli.run import run
from napari_semst.cli.sample import samples
from napari_semst.cli.share_options import export, figure, import_regions, report
from napari_semst.wording import for_shell

_DEBUG = "--debug"

app = typer.Typer(
    name="semst",
    help="Find the spatial domains of a tissue section, guided by what genes mean.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(samples, name="sample")
app.command()(run)
app.add_typer(cache, name="cache")
app.command()(embed)
app.command()(server)
app.add_typer(prompts, name="prompts")


def _version(wanted: bool) -> None:
    if wanted:
        from napari_semst import __version__

        typer.echo(f"napari-semst {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option(_DEBUG, help="Show the traceback of errors.")
    ] = False,
) -> None:
    """Find the spatial domains of a tissue section, guided by what genes mean."""


@app.command()
def domains(
    source: Annotated[Path, typer.Argument(help="A file that `semst run` wrote.")],
    n_domains: Annotated[
        int, typer.Option("--domains", "-k", help="Number of domains.")
    ] = 0,
    name: Annotated[
        str | None, typer.Option("--run", help="Name of the run; else the latest.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Save: .h5ad with the file's all, or .csv."
        ),
    ] = None,
    curve: Annotated[
        Path | None,
        typer.Option(help="Draw the curve that -k auto chose by (.png, .svg, .pdf)."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Give the domains of a saved run at another number, without a new run."""
    from napari_semst.cli import domains as cli_domains

    cli_domains.domains(source, n_domains, name, output, curve, overwrite=overwrite)


@app.command()
def explain(
    source: Annotated[Path, typer.Argument(help="A file that `semst run` wrote.")],
    name: Annotated[
        str | None, typer.Option("--run", help="Name of the run; else the latest.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="obs column to explain instead of a run.")
    ] = None,
    semantics: Annotated[
        str,
        typer.Option(
            help="auto: the built-in table where the run had it; builtin: always; "
            "none: genes only."
        ),
    ] = "auto",
    counterfactual: Annotated[
        bool,
        typer.Option(
            "--counterfactual",
            help="Also find the domains again, without semantics and with another "
            "seed: two more runs.",
        ),
    ] = False,
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
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress.")
    ] = False,
) -> None:
    """Say why each domain is a domain: genes, meanings, what semantics moved."""
    from napari_semst.cli import explain as cli_explain
    from napari_semst.explanation.types import ExplainOptions

    cli_explain.explain(
        source,
        ExplainOptions(name, labels, semantics, counterfactual, n_draws=draws),
        output,
        overwrite=overwrite,
        as_json=as_json,
        quiet=quiet,
    )


@app.command()
def apply(
    model: Annotated[
        Path, typer.Argument(help="A model that `semst run --save-model` wrote.")
    ],
    source: InputPath,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Where to save; else <name>_semst.h5ad here, or nothing with --json.",
        ),
    ] = None,
    counts_layer: Annotated[
        str, typer.Option(help="Layer that holds the raw counts.")
    ] = "",
    coordinates: Annotated[str, typer.Option(help="obsm key of the coordinates.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<index>.")] = (
        "auto"
    ),
    adapt: Annotated[
        bool,
        typer.Option(
            help="Let the model's domains move towards this section's spots first."
        ),
    ] = True,
    name: Annotated[str, typer.Option("--run", help="Name of the run.")] = "default",
    truth: Annotated[
        str | None,
        typer.Option(help="obs column with an annotation: it is scored, never used."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Also write the domains as a table.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the domains (.png, .svg, .pdf).")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress.")
    ] = False,
) -> None:
    """Label a section by a saved model, without training."""
    from napari_semst.cli import apply as cli_apply
    from napari_semst.io.concat_sections import stem
    from napari_semst.pipeline.job import RunOutputs

    files = RunOutputs(
        output or (None if as_json else Path(f"{stem(source)}_semst.h5ad")),
        csv,
        figure,
        overwrite,
    )
    cli_apply.apply(
        model,
        source,
        cli_apply.Reading(counts_layer, coordinates, device, adapt),
        name,
        truth,
        files,
        as_json=as_json,
        quiet=quiet,
    )


app.command()(discordance)
app.command()(figure)
app.command()(report)
app.command()(export)
app.command("import")(import_regions)


@app.command()
def score(
    source: InputPath,
    truth: Annotated[str, typer.Option(help="obs column of the annotation.")],
    labels: Annotated[str, typer.Option(help="obs column to score.")] = "semst_domain",
    as_json: AsJson = False,
) -> None:
    """Score a column of labels against an annotation."""
    from napari_semst.cli import inspect as cli_files

    cli_files.score(source, truth, labels, as_json=as_json)


@app.command()
def inspect(
    source: InputPath,
    part: Annotated[
        str | None,
        typer.Option(help="Part of an input that holds several: bin size or table."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only a preview: the counts are not read.")
    ] = False,
) -> None:
    """Say what a file or folder holds, and whether it can be clustered."""
    from napari_semst.cli import inspect as cli_files

    if not (cli_files.preview if quick else cli_files.inspect)(source, part):
        raise typer.Exit(2)


@app.command()
def view(source: InputPath) -> None:
    """Open a section in napari, with the dock."""
    from napari_semst.viewer.window import open_window

    open_window(source)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for the results.")] = Path(
        "demo-output"
    ),
) -> None:
    """Simulate a section, find its domains and draw them."""
    from napari_semst.cli import inspect as cli_files

    cli_files.demo(folder)


@app.command()
def presets() -> None:
    """List the recipes."""
    from napari_semst.config.presets import PRESETS

    for name, preset in PRESETS.items():
        typer.echo(f"{name:14} {preset.summary}")


def main() -> None:
    """Run the command line; errors are one line, with a traceback after --debug."""
    from napari_semst.core.threads import idle_politely
    from napari_semst.errors import SemstError, ShareDone

    idle_politely()
    # Users add it where they notice that they need it: at the end.
    debug = _DEBUG in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != _DEBUG]
    try:
        app(arguments)
    except ShareDone:
        # The first of the processes that torchrun started saves and reports. This one
        # holds nothing that is to be closed, and ends without unloading libraries.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    except SemstError as error:
        if debug:
            raise
        typer.echo(f"semst: {for_shell(error)}", err=True)
        sys.exit(2)
    except Exception as error:
        if debug:
            raise
        typer.echo(
            f"semst: unexpected {type(error).__name__}: {error}. Nothing of yours was "
            "changed. Run again with --debug and report what it says.",
            err=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
