"""The journal of a command."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from napari_semst.cli.streams import TERMINATED, last_words
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from napari_semst.pipeline.journal import Journal


@contextmanager
def opened_journal(path: Path | None, reads: Iterable[Path]) -> Iterator[Journal]:
    """Open the journal of a command, and tell its end whatever that is.

    Parameters
    ----------
    path
        The file to which lines are added; `None` for no journal.
    reads
        What the command reads: it is never written to.

    Raises
    ------
    SaveError
        If it is an input, something else than a journal, or cannot be written.
    """
    from napari_semst.core.process_group import follows
    from napari_semst.io.export.destinations import refuse_inputs
    from napari_semst.pipeline.journal import Journal

    # Of several processes that train together, the first one reports.
    if path is None or follows():
        yield Journal.to(None)
        return
    refuse_inputs(path, reads)
    given = ["semst", *sys.argv[1:]]
    journal = Journal.to(path, for_shell, arguments=given)
    try:
        with (
            journal,
            last_words(lambda: journal.ended("interrupted", SystemExit(TERMINATED))),
        ):
            yield journal
    finally:
        if journal.failure is not None:
            typer.echo(
                f"semst: lines of the journal {path} could not be written: "
                f"{journal.failure.strerror}.",
                err=True,
            )
