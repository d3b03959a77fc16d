"""``semst verify``: whether a result is what it says of itself."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_semst.cli.shared_options import AsJson, Quiet, SavedRun
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from napari_semst.verification.check import Verification

# Exit codes, beside those of all commands.
SOMETHING_DIFFERS, NOT_TOLD = 4, 5
_CODES = {"differs": SOMETHING_DIFFERS, "unknown": NOT_TOLD}
_WIDTH = 96

_Result = Annotated[
    Path, typer.Argument(help="What `semst run` or `semst apply` saved.")
]
_Inputs = Annotated[
    list[Path] | None,
    typer.Option(
        "--input",
        help="Where a file that the run read is now; again for more.",
    ),
]
_Rerun = Annotated[
    bool,
    typer.Option(
        "--rerun", help="Run again with the recorded settings and compare the labels."
    ),
]
_Table = Annotated[str, typer.Option(help="SpatialData: name of the table.")]


def verify(
    result: _Result,
    inputs: _Inputs = None,
    run: SavedRun = None,
    rerun: _Rerun = False,
    table: _Table = "semst",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Check that what a saved result says of itself is true; nothing is written."""
    from napari_semst.cli.output import show_progress
    from napari_semst.core.progress import run_to_end
    from napari_semst.verification.verify import verifying

    steps = verifying(result, run=run, inputs=inputs or (), rerun=rerun, table=table)
    found = run_to_end(show_progress(steps, quiet=quiet))
    typer.echo(_as_json(found) if as_json else _in_words(found))
    code = _CODES.get(found.state, 0)
    if code:
        raise typer.Exit(code)


def _as_json(found: Verification) -> str:
    facts = found.to_dict()
    for told, check in zip(facts["checks"], found.checks, strict=True):
        told["text"] = for_shell(check.text)
    return json.dumps(facts, indent=2)


def _in_words(found: Verification) -> str:
    """Return the checks as a table for people, what they come to first."""
    count = {
        state: sum(check.state == state for check in found.checks)
        for state in ("holds", "differs", "unknown")
    }
    whole = sum(count.values())
    one = {state: "s" if number == 1 else "" for state, number in count.items()}
    told = {
        "differs": f"{count['differs']} of {whole} checks differ{one['differs']}",
        "unknown": f"{count['holds']} of {whole} checks hold{one['holds']}, "
        f"{count['unknown']} cannot be told",
        "holds": f"all {count['holds']} checks hold",
    }
    wide = max(len(check.name) for check in found.checks)
    lines = [f"{found.result}, run {found.run}: {told[found.state]}"]
    for check in found.checks:
        head = f"  {check.name:{wide}}  {check.state:7}  "
        lines += textwrap.wrap(
            for_shell(check.text),
            _WIDTH,
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
