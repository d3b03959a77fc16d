"""What a caller may say about an input beyond its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    """

    counts: str | Path | None = None
    positions: str | Path | None = None
