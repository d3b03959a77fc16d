"""Where a result is to go, looked at before the work and not after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.errors import SaveError
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def check_output_path(
    output: Path,
    *,
    overwrite: bool,
    source: Path | None = None,
    suffixes: Sequence[str] = (),
) -> None:
    """Refuse a place for a result.

    Parameters
    ----------
    source
        The input, which is never written over.
    suffixes
        How the name may end; in any way where there are none.

    Raises
    ------
    SaveError
        If the ending is another, the folder does not exist, the place is the input, or
        a file stands there.
    """
    if suffixes and output.suffix.lower() not in suffixes:
        raise SaveError(
            f"Expected a name that ends in {' or '.join(suffixes)}; got {output}."
        )
    if not output.absolute().parent.is_dir():
        raise SaveError(
            f"Expected an existing folder for {output}; found none. Make "
            f"{output.absolute().parent} first."
        )
    if not output.exists():
        return
    if source is not None and source.exists() and output.samefile(source):
        raise SaveError(
            f"Expected another file than the input for the result; got {output}. The "
            "input is never written over: choose another name."
        )
    if not overwrite:
        raise SaveError(
            Worded(
                f"Expected {output} not to exist yet; it does. Choose another name or ",
                Way("add --overwrite", "overwrite=True", "replace it"),
                ".",
            )
        )
