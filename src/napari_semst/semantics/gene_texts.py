"""What a language model is given to read of single genes."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import SemanticsError
from napari_semst.semantics.prompts import Passage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_COLUMNS = ("symbol", "summary")


def gene_passages(
    symbols: Sequence[str], summaries: Mapping[str, str]
) -> tuple[list[Passage], NDArray[np.bool_]]:
    """Return the text of each gene, and which of them have a summary.

    Parameters
    ----------
    symbols
        Gene names.
    summaries
        Upper-case symbol -> what is known of the gene.
    """
    found = [summaries.get(symbol.upper(), "") for symbol in symbols]
    passages = [
        Passage("", "", (symbol,), f": {summary}" if summary else "")
        for symbol, summary in zip(symbols, found, strict=True)
    ]
    return passages, np.array([bool(summary) for summary in found], dtype=bool)


def read_summaries(path: str) -> dict[str, str]:
    """Return the summaries of a table with the columns symbol and summary.

    Parameters
    ----------
    path
        A ``.csv`` or ``.tsv`` file in UTF-8 with a line of names; nothing if empty.

    Returns
    -------
    dict
        Upper-case symbol -> summary; empty summaries are left out.

    Raises
    ------
    SemanticsError
        If the file is missing, of another kind, or lacks a column.
    """
    if not path:
        return {}
    place = Path(os.path.expanduser(path))
    separator = _SEPARATORS.get(place.suffix.lower())
    if separator is None:
        raise SemanticsError(
            f"Expected summaries in a .csv or .tsv file; got {place.name}. Save the "
            "table as one of them."
        )
    try:
        with place.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, delimiter=separator)
            names = {str(name).strip().lower(): name for name in rows.fieldnames or ()}
            if not set(_COLUMNS) <= set(names):
                raise SemanticsError(
                    f"Expected the columns symbol and summary in {place.name}; found "
                    f"{', '.join(names) or 'none'}. Name them so in its first line."
                )
            symbol, summary = (names[column] for column in _COLUMNS)
            return {
                row[symbol].strip().upper(): row[summary].strip()
                for row in rows
                if row[symbol] and row[summary] and row[summary].strip()
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SemanticsError(
            f"Expected a readable table of summaries in {place.name}; {error}. Check "
            "the path, and that it is text in UTF-8."
        ) from error
