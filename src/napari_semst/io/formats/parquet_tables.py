"""Parquet files, looked at before memory is taken for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.core.memory import check_fits, declares_too_much
from napari_semst.errors import InputError
from napari_semst.io.checks import MOST_COLUMNS, check_columns

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

# Of a value while it is read: a number, or where a text begins.
_VALUE_BYTES = 8


def check_parquet(path: Path, what: str, content: Any = None) -> None:
    """Refuse a file whose rows cannot be in it.

    Equal values take next to no room, so that a small file can declare any number.

    Parameters
    ----------
    path, what
        The file or folder of files, and what it should be, as a user says it.
    content
        Its bytes as an open file, if not those at the path.

    Raises
    ------
    InputError
        With what it declares and holds.
    """
    from pyarrow import parquet

    files = [path] if content is not None or path.is_file() else path.glob("*.parquet")
    for file in files:
        about = parquet.read_metadata(file if content is None else content)
        check_columns(about.num_columns, f"{what} {file}")
        size = file.stat().st_size
        n_bytes = about.num_rows * min(about.num_columns, MOST_COLUMNS) * _VALUE_BYTES
        if declares_too_much(n_bytes, size):
            raise InputError(
                f"Expected {what} {file} to hold what it declares, "
                f"{about.num_rows:,} rows; it holds {size / 1e6:,.1f} MB. It is "
                "damaged: copy or download it again."
            )
        check_fits(n_bytes, file, what)


def read_parquet_table(path: Path, what: str, **options: Any) -> pa.Table:
    """Return a table once it can be in its file; options are those of pyarrow."""
    from pyarrow import parquet

    check_parquet(path, what)
    return parquet.read_table(path, **options)
