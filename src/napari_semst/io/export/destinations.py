"""Where results may go: refused before the work, not after it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from napari_semst.errors import SaveError
from napari_semst.io.export.atomic import try_place
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def check_destination(
    output: Path,
    endings: Sequence[str] = (),
    *,
    overwrite: bool,
    reads: Iterable[Path] = (),
    size: int = 0,
) -> None:
    """Refuse a place for a result before the work.

    Parameters
    ----------
    output
        Where the result is to be.
    endings
        Of its name, in lower case; empty: any.
    overwrite
        Whether a file that stands there may be replaced.
    reads
        Files and folders that are read: neither they nor what folders hold is ever
        written over, whatever `overwrite` says.
    size
        Bytes that must fit there.

    Raises
    ------
    SaveError
        If the name has another ending, its folder is missing, full or not to be
        written in, the place is an input, or a file stands there.
    """
    if endings and output.suffix.lower() not in endings:
        raise SaveError(
            f"Expected a name that ends in {' or '.join(endings)}; got {output}."
        )
    if not output.absolute().parent.is_dir():
        raise SaveError(
            f"Expected an existing folder for {output}; found none. Make "
            f"{output.absolute().parent} first."
        )
    try_place(output, size)
    refuse_inputs(output, reads)
    if output.exists() and not overwrite:
        raise SaveError(
            Worded(
                f"Expected {output} not to exist yet; it does. Choose another name or ",
                Way("add --overwrite", "pass overwrite=True", "replace it"),
                ".",
            )
        )


def refuse_inputs(output: Path, reads: Iterable[Path]) -> None:
    """Refuse a place that is a file which is read, or part of a folder which is.

    Links are followed on both sides, and names that share one file are that file.

    Raises
    ------
    SaveError
        If it is.
    """
    for read in reads:
        if _is_part_of(output, read):
            what = f"part of {read}" if read.is_dir() else "which is read"
            raise SaveError(
                f"Expected another file than the input for the result; got {output}, "
                f"{what}. The input is never written over: choose another name."
            )


def _is_part_of(output: Path, read: Path) -> bool:
    read = read.expanduser()
    # A new file beside the instrument's own replaces nothing.
    if not output.exists() or not read.exists():
        return output.resolve() == read.resolve()
    if output.samefile(read):
        return True
    if not read.is_dir():
        return False
    folder = read.resolve()
    if folder in output.resolve().parents:
        return True
    # Hard links and mounts hide that a file is one of the folder's.
    return any(_names(folder, output.stat()))


def _names(folder: Path, wanted: os.stat_result) -> Iterable[bool]:
    """Yield True for each entry of a folder that is the wanted file."""
    if wanted.st_nlink < 2:
        return
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.stat(os.path.join(parent, name))
            except OSError:
                continue
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                yield True
