"""Tables that a spreadsheet shows and does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# Spreadsheets take a cell that begins so for a formula. Signs are left: names of
# genes and spots begin with them, and numbers.
_BEGINNINGS = ("=", "@", "\t", "\r")
GUARD = "'"


def guard_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts begin like no formula: those that do get a ``'``.

    Parameters
    ----------
    table
        It is not changed; numbers stay numbers.
    """
    guarded = table.copy(deep=False)
    for place, (_, column) in enumerate(table.items()):
        if column.dtype.kind in "biufcM":
            continue
        texts = column.astype("str")
        risky = texts.str.startswith(_BEGINNINGS) & column.notna()
        if risky.any():
            mended = column.astype(object)
            mended[risky] = GUARD + texts[risky]
            guarded.isetitem(place, mended)
    guarded.columns = [
        f"{GUARD}{name}" if str(name).startswith(_BEGINNINGS) else name
        for name in table.columns
    ]
    return guarded


def without_guards(texts: pd.Series[str]) -> pd.Series[str]:
    """Return texts of a table as they were before `guard_cells`."""
    guarded = texts.str.startswith(tuple(GUARD + start for start in _BEGINNINGS))
    return texts.where(~guarded, texts.str[len(GUARD) :])
