"""The command line: ``semst run``, ``semst sample``, ``semst inspect``, ..."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from napari_semst.cli.apply import apply
from napari_semst.cli.convert import convert
from napari_semst.cli.domains import domains
from napari_semst.cli.embed import cache, embed, server
from napari_semst.cli.explain import discordance, explain
from napari_semst.cli.inspect import inspect, score, view
from napari_semst.cli.prompts import prompts
from napari_semst.cli.run import presets, run
from napari_semst.cli.sample import demo, samples
from napari_semst.cli.share import export, figure, import_regions, report
from napari_semst.wording import for_shell

_DEBUG = "--debug"

app = typer.Typer(
    name="semst",
    help="Find the spatial domains of a tissue section, guided by what genes mean.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# In the order of the help; groups come after commands there.
for _command in (
    run, embed, server, domains, explain, apply, discordance, figure, report, export,
):  # fmt: skip
    app.command()(_command)
app.command("import")(import_regions)
for _command in (convert, score, inspect, view, demo, presets):
    app.command()(_command)
app.add_typer(samples, name="sample")
app.add_typer(cache, name="cache")
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
