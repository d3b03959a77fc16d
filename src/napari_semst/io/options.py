"""What a caller may say about an input beyond its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Choices for inputs that leave one.

    Parameters
    ----------
    counts
        Where the raw counts are: a layer (or ``"raw"``) of an .h5ad, the matrix file
        or folder of a Space Ranger folder.
    positions
        Where the spots are: an obsm key or two obs columns (``"x,y"``) of an .h5ad,
        the positions file beside a 10x matrix.
    table
        The table of a store that holds several.
    """

    counts: str | Path | None = None
    positions: str | Path | None = None
    table: str | None = None

    def refuse_table(self, title: str) -> None:
        """Raise where a table was named for a kind of input that has only one."""
        if self.table is not None:
            raise InputError(
                f"Expected no table for a {title}, which holds one; got "
                f"table={self.table!r}. Leave it out."
            )
