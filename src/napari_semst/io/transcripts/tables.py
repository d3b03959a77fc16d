"""Tables of molecules read piece by piece: parquet by row group, text by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, check_file, translate_errors
from napari_semst.io.formats.gzipped import open_unpacked
from napari_semst.io.formats.text_tables import read_head
from napari_semst.io.outlines.xenium_vertices import rows_of
from napari_semst.io.transcripts.sources import TRANSCRIPTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from napari_semst.io.transcripts.sources import TranscriptColumns, TranscriptSource

    Box = tuple[float, float, float, float]

# Rows of parquet, and bytes of text, in memory at a time.
_ROWS, _BYTES = 500_000, 16_000_000


@dataclass(frozen=True, slots=True, eq=False)
class TranscriptPiece:
    """A piece of a table: the molecules wanted in it, as the table places them.

    Parameters
    ----------
    n_rows
        Rows of the piece, and of those that were left out before it.
    codes
        The gene of each molecule, shape ``(n,)``.
    places
        (x, y), shape ``(n, 2)``.
    quality, fields
        Of each, where asked for; shape ``(n,)``.
    """

    n_rows: int
    codes: NDArray[np.int64]
    places: NDArray[np.float64]
    quality: NDArray[np.float64] | None
    fields: NDArray[np.object_] | None


def parquet_files(file: Path) -> list[Path] | None:
    """Return the files of a table of parquet, None for text."""
    if file.is_dir():
        return sorted(file.glob("*.parquet"))
    return [file] if file.suffix == ".parquet" else None


def rows_in(file: Path) -> int:
    """Return how many rows a table has, 0 where only reading it tells."""
    from pyarrow import parquet

    parts = parquet_files(file)
    with translate_errors(file, TRANSCRIPTS):
        return sum(int(parquet.read_metadata(part).num_rows) for part in parts or ())


def box_in(file: Path, columns: TranscriptColumns) -> Box | None:
    """Return the box around molecules as their file tells it, None where it does not.

    Parameters
    ----------
    file
        The table.
    columns
        How its columns are called.
    """
    from pyarrow import parquet

    bounds: list[tuple[Any, Any] | None] = []
    for part in parquet_files(file) or ():
        with translate_errors(part, TRANSCRIPTS):
            about = parquet.read_metadata(part)
        places = {about.schema.column(i).path: i for i in range(about.num_columns)}
        for number in range(about.num_row_groups):
            group = about.row_group(number)
            if group.num_rows:
                bounds += [
                    _bounds(group.column(places[name]) if name in places else None)
                    for name in (columns.x, columns.y)
                ]
    told = [one for one in bounds if one is not None]
    if not told or len(told) < len(bounds):
        return None
    least = [float(min(low for low, _ in told[axis::2])) for axis in (0, 1)]
    most = [float(max(high for _, high in told[axis::2])) for axis in (0, 1)]
    return least[0], least[1], most[0], most[1]


def transcript_pieces(
    source: TranscriptSource,
    genes: Sequence[str],
    within: Box | None = None,
    first: Box | None = None,
) -> Iterator[TranscriptPiece]:
    """Yield a table piece by piece; of each the molecules of some genes.

    Parameters
    ----------
    source
        The table.
    genes
        By the names that the table has.
    within
        Least x and y, largest x and y, in the table's own places: parts of the file
        that lie outside by what it says of them are left out.
    first
        A box too: parts that touch it come first.

    Raises
    ------
    InputError
        If the file is gone or damaged, or is no such table.
    """
    parts = parquet_files(source.file)
    if parts is None:
        yield from _text_pieces(source, genes)
        return
    if not parts:
        check_file(source.file / "part.0.parquet", TRANSCRIPTS)
    for part in parts:
        check_file(part, TRANSCRIPTS)
        yield from _parquet_pieces(part, source, genes, within, first)


def _parquet_pieces(
    part: Path,
    source: TranscriptSource,
    genes: Sequence[str],
    within: Box | None,
    first: Box | None,
) -> Iterator[TranscriptPiece]:
    from pyarrow import parquet

    with translate_errors(part, TRANSCRIPTS):
        names = parquet.read_schema(part).names
    found = _found_columns(part, names, source.columns)
    with translate_errors(part, TRANSCRIPTS):
        # Each name is looked up once in a piece, not once for each molecule.
        table = parquet.ParquetFile(part, read_dictionary=[found.gene])
    with table:
        with translate_errors(part, TRANSCRIPTS):
            groups, n_left = _groups(table.metadata, found, genes, within, first)
            batches = table.iter_batches(_ROWS, groups, found.all())
        if n_left:
            yield _piece(None, found, genes, n_left)
        for batch in _guarded(batches, part) if groups else ():
            with translate_errors(part, TRANSCRIPTS):
                piece = _piece(batch, found, genes)
            yield piece


def _text_pieces(
    source: TranscriptSource, genes: Sequence[str]
) -> Iterator[TranscriptPiece]:
    import pyarrow as pa
    from pyarrow import csv

    file = source.file
    head = read_head(file, TRANSCRIPTS)
    found = _found_columns(file, head.names, source.columns)
    types: dict[str, Any] = dict.fromkeys(found.all(), pa.float64())
    types |= {found.gene: pa.string()} | (
        {found.field: pa.string()} if found.field else {}
    )
    with translate_errors(file, TRANSCRIPTS), open_unpacked(file, TRANSCRIPTS) as raw:
        table = csv.open_csv(
            raw,
            csv.ReadOptions(
                column_names=list(head.names),
                skip_rows=len(head.comments) + 1,
                block_size=_BYTES,
            ),
            csv.ParseOptions(delimiter=head.delimiter),
            csv.ConvertOptions(include_columns=found.all(), column_types=types),
        )
        with table:
            for batch in table:
                yield _piece(batch, found, genes)


def _guarded(batches: Any, part: Path) -> Iterator[pa.RecordBatch]:
    """Yield batches; what is wrong with a later one is told as of the first."""
    while True:
        with translate_errors(part, TRANSCRIPTS):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of a table as it calls them itself."""

    x: str
    y: str
    gene: str
    quality: str
    field: str

    def all(self) -> list[str]:
        return [x for x in (self.x, self.y, self.gene, self.quality, self.field) if x]


def _found_columns(
    file: Path, names: Sequence[str], wanted: Sequence[TranscriptColumns]
) -> _Columns:
    """Return the columns of a table; refuse one that lacks any but the quality."""
    known = {name.lower(): name for name in names}
    for one in wanted:
        gene = next((known[g.lower()] for g in one.gene if g.lower() in known), "")
        if gene and not (_needed(one) - {*known}):
            return _Columns(
                known[one.x.lower()],
                known[one.y.lower()],
                gene,
                known.get(one.quality.lower(), "") if one.quality else "",
                known[one.field.lower()] if one.field else "",
            )
    first = wanted[0]
    missing = sorted(_needed(first) - {*known})
    if not any(gene.lower() in known for gene in first.gene):
        missing.append(" or ".join(first.gene))
    raise InputError(
        f"Expected {TRANSCRIPTS} {file} to have the columns {first.x}, {first.y} and "
        f"{' or '.join(first.gene)}; missing: {', '.join(missing)}; found: "
        f"{abbreviate(list(names))}. Copy or export the file again."
    )


def _needed(columns: TranscriptColumns) -> set[str]:
    """Return what a table must have beside its genes, in lower case."""
    return {name.lower() for name in (columns.x, columns.y, columns.field) if name}


def _groups(
    about: Any,
    found: _Columns,
    genes: Sequence[str],
    within: Box | None,
    first: Box | None,
) -> tuple[list[int], int]:
    """Return the row groups to read, those near the view first; and rows left out."""
    places = {about.schema.column(i).path: i for i in range(about.num_columns)}
    near: list[int] = []
    others: list[int] = []
    n_left = 0
    for number in range(about.num_row_groups):
        group = about.row_group(number)
        xs, ys, names = (
            _bounds(group.column(places[name]) if name in places else None)
            for name in (found.x, found.y, found.gene)
        )
        if not _may_hold(names, genes) or not _touches(xs, ys, within):
            n_left += int(group.num_rows)
        elif first is not None and _touches(xs, ys, first):
            near.append(number)
        else:
            others.append(number)
    return near + others, n_left


def _bounds(column: Any) -> tuple[Any, Any] | None:
    """Return what a file says is the least and the largest of a column."""
    told = None if column is None else column.statistics
    return None if told is None or not told.has_min_max else (told.min, told.max)


def _may_hold(bounds: tuple[Any, Any] | None, genes: Sequence[str]) -> bool:
    # Numbers have an order other than that of their texts.
    if bounds is None or not isinstance(bounds[0], bytes | str):
        return True
    low, high = (
        one if isinstance(one, bytes) else str(one).encode("utf-8") for one in bounds
    )
    return any(low <= gene.encode("utf-8") <= high for gene in genes)


def _touches(
    xs: tuple[Any, Any] | None, ys: tuple[Any, Any] | None, box: Box | None
) -> bool:
    if box is None or xs is None or ys is None:
        return True
    return bool(
        xs[0] <= box[2] and xs[1] >= box[0] and ys[0] <= box[3] and ys[1] >= box[1]
    )


def _piece(
    batch: pa.RecordBatch | None, found: _Columns, genes: Sequence[str], n_rows: int = 0
) -> TranscriptPiece:
    import pandas as pd
    import pyarrow as pa

    if batch is None:
        nothing = np.empty(0, np.int64)
        return TranscriptPiece(n_rows, nothing, np.empty((0, 2)), None, None)
    names = pd.Index(list(genes), dtype=object)
    codes = rows_of(pa.chunked_array([batch.column(found.gene)]), names)
    hits = np.flatnonzero(codes >= 0)
    x, y = (_numbers(batch.column(name))[hits] for name in (found.x, found.y))
    quality = _numbers(batch.column(found.quality))[hits] if found.quality else None
    fields = None
    if found.field:
        told = batch.column(found.field).take(pa.array(hits))
        fields = told.cast(pa.string()).to_numpy(zero_copy_only=False)
    places = np.stack([x, y], axis=1)
    there = np.isfinite(places).all(axis=1)
    if not there.all():
        hits, places = hits[there], places[there]
        quality = None if quality is None else quality[there]
        fields = None if fields is None else fields[there]
    return TranscriptPiece(batch.num_rows, codes[hits], places, quality, fields)


def _numbers(column: Any) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
