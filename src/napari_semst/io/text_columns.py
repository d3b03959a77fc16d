"""Columns of tables as texts, the same with every release of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MISSING = "nan"
"""What stands for an entry that a column lacks."""


def as_texts(column: pd.Series) -> pd.Series:
    """Return a column as texts, `MISSING` where it has no entry.

    From pandas 3 on conversion to text keeps gaps, which equal nothing, not even each
    other; before it writes them as ``nan``, ``None`` or ``<NA>``.

    Parameters
    ----------
    column
        Of any type, shape ``(n,)``.
    """
    return column.astype(object).where(column.notna(), MISSING).astype(str)
