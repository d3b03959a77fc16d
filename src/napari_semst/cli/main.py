"""The command line: ``semst run``, ``semst sample``, ``semst inspect``, ..."""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated

import typer

from napari_semst.cli.apply import apply
from napari_semst.cli.bench import bench
from napari_semst.cli.convert import convert
from napari_semst.cli.domains import domains
from napari_semst.cli.embed import cache, embed, server
from napari_semst.cli.explain import discordance, explain
from napari_semst.cli.inspect import inspect, score, view
from napari_semst.cli.prompts import prompts
from napari_semst.cli.run import presets, run
from napari_semst.cli.sample import demo, samples
from napari_semst.cli.share import export, figure, import_regions, report, session
from napari_semst.cli.streams import INTERRUPTED, NOT_SAID, TERMINATED
from napari_semst.cli.transfer import signature, transfer
from napari_semst.cli.verify import verify
from napari_semst.wording import for_shell

_DEBUG = "--debug"
# Objects made before the collector looks for cycles, and looks before it looks at older
# ones. Importing torch and anndata makes half a million that stay: by Python's numbers
# a seventh of the import is spent looking at them.
_COLLECT_AFTER = 50_000, 20, 100

app = typer.Typer(
    name="semst",
    help="Find the spatial domains of a tissue section, guided by what genes mean.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# In the order of the help; groups come after commands there.
for _command in (
    run, embed, server, domains, explain, apply, transfer, signature, discordance,
    figure, report, session, export,
):  # fmt: skip
    app.command()(_command)
app.command("import")(import_regions)
for _command in (convert, verify, score, bench, inspect, view, demo, presets):
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
    from napari_semst.cli.streams import end_on_request, guard_output
    from napari_semst.core.threads import idle_politely

    gc.set_threshold(*_COLLECT_AFTER)
    idle_politely()
    end_on_request()
    output = guard_output()
    # Users add it where they notice that they need it: at the end.
    debug = _DEBUG in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != _DEBUG]
    code = _run(arguments, debug=debug)
    output.flush()
    if output.failure is not None and not output.is_closed_by_reader and code == 0:
        typer.echo(
            "semst: the work is done, and saved where that was asked for; what it had "
            f"to say could not be written to standard output: "
            f"{output.failure.strerror}.",
            err=True,
        )
        code = NOT_SAID
    sys.exit(code)


def _run(arguments: list[str], *, debug: bool) -> int:
    """Run a command and return its exit code."""
    from napari_semst.errors import SemstError, ShareDone

    try:
        app(arguments)
    except SystemExit as end:
        return _said_at_the_end(end)
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
        return 2
    except Exception as error:
        if debug:
            raise
        typer.echo(
            f"semst: unexpected {type(error).__name__}: {error}. Files appear whole or "
            "not at all. Run again with --debug and report what it says.",
            err=True,
        )
        return 1
    return 0


def _said_at_the_end(end: SystemExit) -> int:
    code = end.code if isinstance(end.code, int) else int(end.code is not None)
    word = {INTERRUPTED: "interrupted", TERMINATED: "ended on request"}.get(code)
    if word is not None:
        typer.echo(
            f"semst: {word}. Files appear whole or not at all: what was not finished "
            "is not there, and what stood there before still is.",
            err=True,
        )
    return code


if __name__ == "__main__":
    main()
