"""Tables of text: their first lines, their columns, and what a preview says of them."""

from __future__ import annotations

import csv
import io
import math
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import MEGABYTE, check_columns, check_file, translate_errors
from napari_semst.io.counts import is_count_matrix
from napari_semst.io.formats.gzipped import LONGEST_LINE, is_packed, open_unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
_DELIMITERS = "\t,; "
# Fields that are looked at in the first lines.
_FIELDS = 1_000_000
# Bytes of text in which lines are counted at once.
_BLOCK = 4 * MEGABYTE


@dataclass(frozen=True, slots=True)
class TableHead:
    """The first lines of a table.

    Parameters
    ----------
    names
        Of the columns. Where rows have one field more than the header, as R writes
        them, the first is named ``""``.
    rows
        The first rows, as text.
    delimiter
        What stands between fields.
    comments
        Lines before the header, without their ``#``.
    packed
        Whether the file is packed by gzip.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    delimiter: str
    comments: tuple[str, ...]
    packed: bool


def has_ending(path: Path) -> bool:
    """Return whether a file is named as tables of text are."""
    return path.name.lower().endswith(ENDINGS)


def open_text(path: Path, what: str = "the table") -> IO[str]:
    """Return a file of text, unpacked where it is packed."""
    raw = open_unpacked(path, what)
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def peek(path: Path, n_rows: int = 20) -> TableHead | None:
    """Return the first lines of a table, None for what is none.

    Parameters
    ----------
    path
        The file; it may be anything.
    n_rows
        Rows to read at most.
    """
    if not path.is_file() or path.stat().st_size == 0:
        return None
    try:
        with open_text(path) as file:
            comments, lines = _first_lines(file, n_rows)
        packed = is_packed(path)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error):
        return None
    if len(lines) < 2 or any("\0" in line for line in lines):
        return None
    # The sign that is most frequent, unless text with it made fields of all lengths.
    counts = {sign: lines[1].count(sign) for sign in _DELIMITERS}
    for delimiter in sorted(counts, key=counts.__getitem__, reverse=True):
        found = _fields(lines, delimiter) if counts[delimiter] else None
        if found is not None:
            return TableHead(*found, delimiter, tuple(comments), packed)
    return None


def _fields(
    lines: list[str], delimiter: str
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]] | None:
    """Return names of columns and rows, None where they are no table."""
    fields = [
        tuple(f.strip() for f in r) for r in csv.reader(lines, delimiter=delimiter)
    ]
    names, rows = fields[0], tuple(fields[1:])
    if rows and len(rows[0]) == len(names) + 1:
        names = ("", *names)
    if len(names) < 2 or any(len(row) != len(names) for row in rows):
        return None
    return names, rows


def _first_lines(file: IO[str], n_rows: int) -> tuple[list[str], list[str]]:
    comments: list[str] = []
    lines: list[str] = []
    while len(lines) <= n_rows and (line := file.readline(LONGEST_LINE)):
        if not lines and line.startswith("#"):
            comments.append(line[1:].strip())
        elif line.strip():
            lines.append(line)
            n_rows = min(n_rows, 1 + _FIELDS // (1 + max(map(line.count, _DELIMITERS))))
    return comments, lines


def read_head(path: Path, what: str) -> TableHead:
    """Return the first lines of a table.

    Raises
    ------
    InputError
        If it is missing, empty or no table.
    """
    check_file(path, what)
    head = peek(path)
    if head is None:
        raise InputError(
            f"Expected {what} {path} to be a table with a header and rows of as many "
            "fields, split by commas or tabs; found something else. Choose another "
            "file, or download it again."
        )
    return head


def open_rows(path: Path, head: TableHead, what: str = "the table") -> IO[str]:
    """Return a table opened behind its comments and its header.

    Parameters
    ----------
    path, head
        The file, and its first lines.
    what
        What the file should be, as a user says it.
    """
    # pandas would skip these lines itself, but takes rows with them where a header
    # begins with an empty name and a quoted one ends with the delimiter (2.3.3).
    file = open_text(path, what)
    left = len(head.comments) + 1
    while left and (line := file.readline()):
        left -= bool(line.strip())
    return file


def read_chunks(
    path: Path, head: TableHead, types: dict[int, Any], n_rows: int
) -> Iterator[pd.DataFrame]:
    """Yield a table's rows, a few at a time; columns go by their number.

    Parameters
    ----------
    path, head
        The file, and its first lines.
    types
        Of the columns wanted; others may come too.
    n_rows
        How many rows at a time.
    """
    import pandas as pd

    # Without usecols and index_col: with them, fields too many in a row go unnoticed.
    with (
        open_rows(path, head) as file,
        pd.read_csv(
            file,
            sep=head.delimiter,
            header=None,
            names=range(len(head.names)),
            dtype=types,
            na_filter=False,
            chunksize=n_rows,
        ) as parts,
    ):
        yield from parts


def read_columns(path: Path, what: str, texts: Sequence[str]) -> pd.DataFrame:
    """Return a whole table of few columns.

    Parameters
    ----------
    path, what
        The file, and what it should be, as a user says it.
    texts
        Columns that stay text, such as ids of more digits than a number can hold.

    Raises
    ------
    InputError
        If it is missing, damaged or no table.
    """
    import pandas as pd

    head = read_head(path, what)
    check_columns(len(head.names), f"{what} {path}")
    with translate_errors(path, what), open_rows(path, head, what) as file:
        table: pd.DataFrame = pd.read_csv(
            file,
            sep=head.delimiter,
            header=None,
            names=list(_distinct(head.names)),
            dtype=dict.fromkeys(texts, str),
            skipinitialspace=True,
        )
    return table


def _distinct(names: Sequence[str]) -> Iterator[str]:
    """Yield names, those that occur again with a number behind them."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name}.{seen[name] - 1}"


def is_number(text: str) -> bool:
    """Return whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def n_lines(path: Path) -> int:
    """Return the number of lines of text, ended as on any system.

    What stands after the last end counts as a line, where there is anything.
    """
    found, last = 0, b"\n"
    with open_unpacked(path) as file:
        while block := file.read(_BLOCK):
            found += block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")
            # The two bytes of one end may lie in two blocks.
            found -= last == b"\r" and block[:1] == b"\n"
            last = block[-1:]
    return found + (last not in b"\r\n")


def row_names(path: Path, head: TableHead, column: int = 0) -> list[str]:
    """Return the names of rows, with the file read line by line.

    Parameters
    ----------
    path, head
        The table, and its first lines.
    column
        Number of the column of names.
    """
    delimiter, skipped = head.delimiter.encode(), len(head.comments) + 1
    with open_unpacked(path) as file:
        lines = (_split(line, delimiter, column) for line in file if line.strip())
        fields = [line[min(column, len(line) - 1)].strip() for line in lines]
    return [f.strip(b'"').decode("utf-8", "replace") for f in fields[skipped:]]


def _split(line: bytes, delimiter: bytes, column: int) -> list[bytes]:
    """Return the fields of a line as far as a column, those in quotes whole."""
    found = line.split(delimiter, column + 1)
    if not any(map(_is_cut, found[: column + 1])):
        return found
    text = line.decode("utf-8", "replace")
    try:
        row = next(csv.reader([text], delimiter=delimiter.decode()))
    except csv.Error:  # a quote that is never closed
        return found
    return [field.encode() for field in row[: column + 1]]


def _is_cut(field: bytes) -> bool:
    """Return whether a field begins with a quote that another field closes."""
    field = field.strip()
    return field.startswith(b'"') and (len(field) < 2 or not field.endswith(b'"'))


def text_columns(head: TableHead) -> tuple[str, ...]:
    """Return the columns, beside the first, that do not hold numbers."""
    return tuple(
        name
        for column, name in enumerate(head.names)
        if column and not all(is_number(row[column] or "0") for row in head.rows)
    )


def holds_counts(head: TableHead, columns: Sequence[int] | None = None) -> bool:
    """Return whether the first rows hold whole numbers, beside their names.

    Parameters
    ----------
    head
        The first lines of the table.
    columns
        Numbers of the columns that are genes; all but the first if not given.
    """
    genes = range(1, len(head.names)) if columns is None else columns
    values = [[row[column] for column in genes] for row in head.rows]
    numbers = [float(v) for row in values for v in row if is_number(v)]
    return is_count_matrix(np.asarray(numbers)) and any(
        number > 0 for number in numbers
    )


def preview_tables(
    counts: Path, cells: Path, genes: Sequence[int], head: TableHead
) -> dict[str, Any]:
    """Return what is known of a table of counts and one of cells.

    Parameters
    ----------
    counts, cells
        The files.
    genes
        Numbers of the columns of counts that are genes.
    head
        The first lines of the counts.
    """
    about = read_head(cells, cells.name)
    return {
        "n_spots": n_lines(cells) - 1 - len(about.comments),
        "n_genes": len(genes),
        "counts": counts.name if holds_counts(head, genes) else "",
        "coordinates": cells.name,
        "columns": tuple(name for name in about.names[1:] if name),
        "annotations": text_columns(about),
    }
