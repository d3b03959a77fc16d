"""Vectors that an engine elsewhere made of written prompts, as one row per spot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.embedding.prompts import SPOTS_FILE, read_spots, visible_files
from napari_semst.errors import InputError
from napari_semst.io.checks import MEGABYTE, check_file
from napari_semst.io.formats.parquet_tables import check_parquet, read_parquet_table
from napari_semst.semantics.base import AVERAGED_NOTE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VECTORS = "vectors"
MADE_BY = "made_by.json"
_BATCH = 8192
_DAMAGED = "Expected vectors in Parquet files with the columns key and embedding"
# What an engine may say of itself; how prompts were written is known.
_ITS_OWN = ("model", "revision", "pooling", "dtype", "engine")


class JoinedEmbedding(NamedTuple):
    """One vector per spot, their names, how it was made, genes listed first."""

    embedding: NDArray[np.float32]
    names: list[str]
    about: dict[str, Any]
    listed: NDArray[np.uint32] | None


def join_vectors(folder: Path) -> JoinedEmbedding:
    """Return the vector of each spot's prompt.

    Parameters
    ----------
    folder
        As `write_prompts` wrote it; files with vectors are below ``vectors``, and
        ``vectors/made_by.json`` may say what made them.

    Raises
    ------
    InputError
        If a text has no vector or two, or vectors are of other texts, of different
        widths, not finite, or zero.
    """
    place, names, about, listed = read_spots(folder / SPOTS_FILE)
    keys, files = _keys(folder)
    if len(place) and place.max() >= len(keys):
        raise InputError(
            f"Expected {place.max() + 1} texts in {folder}; found {len(keys)}. Files "
            "are missing: copy them again."
        )
    filling = _Filling(keys, place)
    for file in visible_files(folder, f"{VECTORS}/**/*.parquet"):
        filling.read(file)
    filling.check_complete(files, folder)
    embedding = filling.result
    assert embedding is not None
    empty = place < 0
    warnings = []
    if empty.any():
        embedding[empty] = embedding[~empty].mean(axis=0)
        warnings.append(f"{int(empty.sum())} spots list no gene; {AVERAGED_NOTE}")
    if filling.lengths[1] - filling.lengths[0] < 1e-3 * filling.lengths[1]:
        warnings.append(
            f"All vectors have the length {filling.lengths[1]:.4g}: the engine "
            "normalised them. Those of the source 'prompts' are not."
        )
    made = {"model": "not told", "revision": "not told", "pooling": "not told"}
    made |= _made_by(folder / VECTORS / MADE_BY)
    about = {**about, **made, "texts": len(keys), "coverage": None}
    return JoinedEmbedding(embedding, names, {**about, "warnings": warnings}, listed)


class _Filling:
    """Rows of spots, filled as the vectors of their texts come."""

    def __init__(self, keys: NDArray[np.bytes_], place: NDArray[np.int64]) -> None:
        self._order = np.argsort(keys)
        self._sorted = keys[self._order]
        self._spots = np.argsort(place, kind="stable")
        bounds = np.arange(len(keys) + 1)
        self._starts = np.searchsorted(place[self._spots], bounds)
        self.seen = np.zeros(len(keys), dtype=bool)
        self.result: NDArray[np.float32] | None = None
        self.lengths = (np.inf, 0.0)
        self._n_spots = len(place)

    def read(self, file: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        try:
            check_parquet(file, "vectors in")
            with parquet.ParquetFile(file) as opened:
                columns = ["key", "embedding"]
                for batch in opened.iter_batches(_BATCH, columns=columns):
                    keys = np.array(batch.column("key").to_pylist(), dtype="S32")
                    self._put(keys, _matrix(batch.column("embedding")), file)
        except (OSError, pyarrow.ArrowException, KeyError, ValueError) as error:
            raise InputError(
                f"{_DAMAGED}; {file} is none: {error}. Compute its texts again."
            ) from error

    def _put(
        self, keys: NDArray[np.bytes_], vectors: NDArray[np.float32], file: Path
    ) -> None:
        at = np.searchsorted(self._sorted, keys)
        at = np.minimum(at, len(self._sorted) - 1)
        if len(keys) and not (self._sorted[at] == keys).all():
            raise ValueError("it has vectors of texts that are not in texts-*.parquet")
        texts = self._order[at]
        if self.seen[texts].any() or len(np.unique(texts)) < len(texts):
            raise ValueError("it has a second vector of a text; remove one of the two")
        self.seen[texts] = True
        if self.result is None:
            shape = (self._n_spots, vectors.shape[1])
            self.result = np.zeros(shape, dtype=np.float32)
        if vectors.shape[1] != self.result.shape[1]:
            raise ValueError(
                f"its vectors have {vectors.shape[1]} numbers, those of other files "
                f"{self.result.shape[1]}"
            )
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
        if len(lengths) and not (np.isfinite(lengths).all() and lengths.min() > 0):
            raise ValueError("it has vectors of zeros, NaN or infinity")
        low, high = self.lengths
        self.lengths = (
            float(lengths.min(initial=low)),
            float(lengths.max(initial=high)),
        )
        counts = self._starts[texts + 1] - self._starts[texts]
        ends = np.cumsum(counts)
        within = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
        spots = self._spots[np.repeat(self._starts[texts], counts) + within]
        self.result[spots] = np.repeat(vectors, counts, axis=0)

    def check_complete(self, files: list[tuple[str, int]], folder: Path) -> None:
        """Refuse where texts have no vector, and say which files they are from."""
        if self.seen.all():
            return
        ends = np.cumsum([count for _, count in files])
        missing = np.flatnonzero(~self.seen)
        of = np.unique(np.searchsorted(ends, missing, side="right"))
        names = ", ".join(files[number][0] for number in of[:5])
        raise InputError(
            f"Expected a vector of each of {len(self.seen)} texts below "
            f"{folder / VECTORS}; {len(missing)} have none, of {names}"
            f"{', ...' if len(of) > 5 else ''}. Compute these files again."
        )


def _keys(folder: Path) -> tuple[NDArray[np.bytes_], list[tuple[str, int]]]:
    """Return the keys of all texts, and how many are in each file."""
    import pyarrow

    parts, files = [], []
    for file in visible_files(folder, "texts-*.parquet"):
        try:
            column = read_parquet_table(file, "texts in", columns=["key"])["key"]
        except (OSError, pyarrow.ArrowException, KeyError) as error:
            raise InputError(
                f"Expected texts as `semst prompts write` writes them in {file}; could "
                f"not read it: {error}. Copy it again."
            ) from error
        parts.append(np.array(column.to_pylist(), dtype="S32"))
        files.append((file.name, len(column)))
    if not parts:
        raise InputError(f"Expected texts-*.parquet in {folder}; found none.")
    return np.concatenate(parts), files


def _matrix(column: Any) -> NDArray[np.float32]:
    """Return a column of lists as ``(n_rows, n_dimensions)``."""
    from pyarrow import compute

    # Engines' tensor types hold lists.
    column = getattr(column, "storage", column)
    widths = np.unique(compute.list_value_length(column).to_numpy(zero_copy_only=False))
    if len(widths) != 1 or column.null_count or not widths[0] > 0:
        raise ValueError("its vectors are missing or of several lengths")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    if flat.dtype.kind not in "fiu":
        raise ValueError("its vectors are no numbers")
    with np.errstate(over="ignore"):
        numbers: NDArray[np.float32] = flat.astype(np.float32)
    return numbers.reshape(len(column), int(widths[0]))


def _made_by(file: Path) -> dict[str, Any]:
    from napari_semst.semantics.precomputed.file import parse_record

    if not file.is_file():
        return {}
    check_file(file, "what made the vectors", at_most=MEGABYTE)
    record = parse_record(file.read_text(encoding="utf-8", errors="replace"))
    kept = {name: record.pop(name) for name in _ITS_OWN if name in record}
    if record:
        engine = kept.get("engine", {})
        held = engine if isinstance(engine, dict) else {"name": engine}
        kept["engine"] = {**record, **held}
    return kept
