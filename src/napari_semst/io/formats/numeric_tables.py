"""Tables of numbers in text files, with a column of names or without."""

from __future__ import annotations

import csv
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import SemanticsError
from napari_semst.io.checks import check_columns
from napari_semst.io.formats.text_tables import open_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SEPARATORS = {".csv": ",", ".tsv": "\t", ".csv.gz": ",", ".tsv.gz": "\t"}
TEXT_ENDINGS = tuple(SEPARATORS)
# Titles of a column that holds names; pandas leaves that of an index empty.
_TITLES = {"", "symbol", "symbols", "gene", "genes", "gene_symbol", "gene_name"}
_TITLES |= {"name", "names", "index", "spot", "spots", "barcode", "barcodes", "cell"}


def is_text_table(path: Path) -> bool:
    """Return whether a file's name ends as a table of text."""
    return path.name.lower().endswith(TEXT_ENDINGS)


def read_numbers(path: Path) -> tuple[list[str] | None, NDArray[np.float64]]:
    """Return the names, if any, and the numbers of a .csv or .tsv file.

    A first row is a header where it has the title of a column of names (``symbol``,
    ``gene``, ``spot``, ``barcode``, nothing, ...), or no number at all. Names are in
    the column of that title, else in the first column where this is not all numbers.

    Parameters
    ----------
    path
        A file that ends as one of `SEPARATORS`.

    Returns
    -------
    tuple
        Names or None; numbers ``(n_rows, n_columns)``, float64.

    Raises
    ------
    SemanticsError
        If the file is missing, empty, ragged, or holds other than numbers.
    """
    import pandas

    name = path.name.lower()
    separator = next(own for end, own in SEPARATORS.items() if name.endswith(end))
    if not path.is_file():
        raise SemanticsError(
            f"Expected a table of numbers; {path} does not exist. Check the path."
        )
    try:
        first = _first_row(path, separator)
        check_columns(len(first), f"the table {path}", SemanticsError)
        titles = [field.strip().lower() for field in first]
        titled = [i for i, title in enumerate(titles) if title in _TITLES]
        # Beside a column of names, one without a title holds numbers of rows.
        column = next((i for i in titled if titles[i]), titled[0] if titled else 0)
        numbered = [i for i in titled if i != column and not titles[i]]
        has_header = bool(titled) or not any(map(_is_number, first))
        kinds = dict.fromkeys(range(len(first)), np.float64)
        with open_text(path, "the table of numbers") as file:
            # Not by pandas: see `text_tables.open_rows`.
            if has_header:
                file.readline()
            frame = pandas.read_csv(
                file,
                sep=separator,
                header=None,
                dtype={**kinds, **dict.fromkeys([column, *numbered], str)},
                # Nothing is taken for a missing value: NA is a name as well.
                keep_default_na=False,
            ).drop(columns=numbered)
        names = [field.strip() for field in frame.pop(column)]
        if not titled and all(map(_is_number, names)):
            frame.insert(0, column, [float(field) for field in names])
            return None, frame.to_numpy(np.float64)
        return names, frame.to_numpy(np.float64)
    except (OSError, EOFError, ValueError, csv.Error, zlib.error) as error:
        raise SemanticsError(
            f"Expected a table of numbers in {path.name}; could not read it: {error}. "
            f"Save it with fields apart by {separator!r} and a number in each."
        ) from error


def user_path(place: str | Path) -> Path:
    """Return a path in which ``~`` stands for the user's home."""
    # Unlike Path's, this one leaves the names of unknown users as they are.
    return Path(os.path.expanduser(place))


def _first_row(path: Path, separator: str) -> Sequence[str]:
    """Return the fields of the first row."""
    with open_text(path) as stream:
        fields = next(csv.reader(stream, delimiter=separator), None)
    if not fields:
        raise ValueError("it is empty")
    return fields


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
