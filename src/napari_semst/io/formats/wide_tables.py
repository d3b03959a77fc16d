"""Wide tables of counts, as text: read a few rows at a time, never dense as a whole."""

from __future__ import annotations

import csv
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import translate_errors
from napari_semst.io.formats.text_tables import (
    TableHead,
    open_text,
    read_chunks,
    read_head,
)
from napari_semst.io.matrices import CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray
    from scipy import sparse

# What pandas and numpy say of a text where a number should be.
_NO_NUMBER = ("convert", "read to its end")
# How programs write a field that holds nothing.
_EMPTY = ("", "na", "n/a", "null", "none", "<na>")
# Columns from which on rows are parsed one by one.
_WIDE = 2000


def read_wide(
    path: Path, what: str, ids: Sequence[int], wanted: Callable[[str], bool]
) -> tuple[pd.DataFrame, list[str], sparse.csr_matrix]:
    """Return a table of counts without ever holding it dense.

    Parameters
    ----------
    path, what
        The file, and what it should be, as a user says it.
    ids
        Numbers of the columns that name the rows.
    wanted
        Whether a column of counts of this name is to be read.

    Returns
    -------
    ids, names, counts
        Texts of the id columns; names of the columns of counts; CSR float32 of shape
        ``(n_rows, n_names)``.

    Raises
    ------
    InputError
        If it is missing, damaged, no table, or holds anything but numbers.
    """
    import pandas as pd
    from scipy import sparse

    head = read_head(path, what)
    values = [i for i, name in enumerate(head.names) if i not in ids and wanted(name)]
    names = [head.names[i] for i in values]
    n_rows = max(1, CHUNK // max(1, len(head.names)))
    texts, counts = [], []
    with translate_errors(path, what):
        try:
            for table, numbers in _blocks(path, head, ids, values, n_rows):
                _refuse_gaps(numbers, table, names, what, path)
                texts.append(table)
                counts.append(sparse.csr_matrix(numbers))
        except ValueError as error:
            if not any(words in str(error) for words in _NO_NUMBER):
                raise
            n_done = sum(map(len, texts))
            found = _first_text(path, head, ids, values, (n_done, n_rows))
            raise InputError(
                f"Expected nothing but numbers in {what} {path} (beside the names of "
                f"its rows); {found or f'found other text: {error}.'}"
            ) from error
    table = pd.concat(texts, ignore_index=True)
    return table, names, sparse.csr_matrix(sparse.vstack(counts, format="csr"))


def _blocks(
    path: Path, head: TableHead, ids: Sequence[int], values: list[int], n_rows: int
) -> Iterator[tuple[pd.DataFrame, NDArray[np.float32]]]:
    """Yield names and numbers of a few rows at a time."""
    last = list(range(len(head.names) - len(values), len(head.names)))
    if len(values) >= _WIDE and values == last:
        yield from _wide_blocks(path, head, ids, values, n_rows)
        return
    types = dict.fromkeys(ids, str) | dict.fromkeys(values, np.float32)
    for part in read_chunks(path, head, types, n_rows):
        yield part[list(ids)], part[values].to_numpy(np.float32)


def _wide_blocks(
    path: Path, head: TableHead, ids: Sequence[int], values: list[int], n_rows: int
) -> Iterator[tuple[pd.DataFrame, NDArray[np.float32]]]:
    """Yield the same of a table with so many columns that pandas takes minutes."""
    import pandas as pd

    n_first, n_values = values[0], len(values)
    with open_text(path) as file:
        lines = (line for line in file if line.strip())
        for _ in range(len(head.comments) + 1):
            next(lines)
        while some := list(itertools.islice(lines, n_rows)):
            names = np.empty((len(some), n_first), dtype=object)
            numbers = np.empty((len(some), n_values), np.float32)
            for row, line in enumerate(some):
                *names[row], rest = line.split(head.delimiter, n_first)
                if '"' in line:
                    fields = next(csv.reader([line], delimiter=head.delimiter))
                    names[row], found = (
                        fields[:n_first],
                        np.array(fields[n_first:], "f4"),
                    )
                else:
                    found = np.fromstring(rest, np.float32, sep=head.delimiter)
                if len(found) != n_values:
                    raise ValueError(
                        f"could not convert all of the row {names[row, 0]}: of "
                        f"{n_values:,} fields {len(found):,} are numbers"
                    )
                numbers[row] = found
            yield pd.DataFrame(names)[list(ids)], numbers


def _first_text(
    path: Path,
    head: TableHead,
    ids: Sequence[int],
    values: list[int],
    where: tuple[int, int],
) -> str:
    """Return what is wrong with the first row that does not hold numbers.

    Parameters
    ----------
    path, head, ids, values
        As for `_blocks`.
    where
        Rows before those in question, and how many these are.
    """
    with open_text(path) as file:
        lines = (line for line in file if line.strip())
        first = len(head.comments) + 1 + where[0]
        some = itertools.islice(lines, first, first + where[1])
        for row in csv.reader(some, delimiter=head.delimiter):
            name = "named " + " ".join(row[i].strip() for i in ids if i < len(row))
            if len(row) != len(head.names):
                return (
                    f"the row {name} has {len(row):,} fields where the header has "
                    f"{len(head.names):,}. Copy or download the file again."
                )
            bad = [i for i in values if not _holds_number(row[i])]
            if not bad:
                continue
            text, column = row[bad[0]].strip(), head.names[bad[0]]
            empty = [i for i in bad if row[i].strip().lower() in _EMPTY]
            if len(empty) == len(values):
                return (
                    f"the row {name} has none: all its {len(values):,} counts are "
                    "empty. Remove the row, or export the table again."
                )
            if len(empty) == len(bad):
                also = f" and {len(bad) - 1:,} more" if len(bad) > 1 else ""
                return (
                    f"the row {name} has an empty field for {column}{also}. Copy or "
                    "download the file again."
                )
            return (
                f"the row {name} has {text!r} for {column}. Remove columns and rows "
                "that hold no counts."
            )
    return ""


def _holds_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refuse_gaps(
    numbers: Any, ids: pd.DataFrame, names: list[str], what: str, path: Path
) -> None:
    bad = ~np.isfinite(numbers)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InputError(
            f"Expected a number in every field of {what} {path}; the row "
            f"{' '.join(ids.iloc[row].astype(str))} has none for {names[column]}. Copy "
            "or download the file again."
        )
