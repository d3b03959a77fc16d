"""Spot embeddings from a table of gene vectors that the user brings."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.numpy_files import load_numpy
from napari_semst.errors import SemanticsError
from napari_semst.genes.gene_names import Species, bare_id, guess_species
from napari_semst.genes.table import UNREADABLE, readable_names
from napari_semst.io.formats.numeric_tables import (
    is_text_table,
    read_numbers,
    user_path,
)
from napari_semst.semantics.base import (
    AVERAGED_NOTE,
    LOW_COVERAGE,
    CancelCheck,
    GeneLists,
    ProgressCallback,
    Semantics,
    provenance_record,
)
from napari_semst.semantics.gene_table.pooling import average_gene_vectors
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_FIELDS = ("symbols", "vectors")


class UserTable:
    """Average the vectors of each spot's genes, taken from a file.

    Names are compared as they are, and in upper case where they differ by that only;
    Ensembl ids, where both have them, before names.
    Vectors keep their lengths.

    Parameters
    ----------
    table
        A ``.npz`` file with ``symbols``, ``(n_genes,)`` texts, and ``vectors``,
        ``(n_genes, n_dimensions)``; or a ``.csv`` or ``.tsv`` file with a column of
        symbols and columns of numbers. Nothing pickled is ever loaded.

    Raises
    ------
    SemanticsError
        If there is no such file, or it holds something else.
    """

    name = "table"

    def __init__(self, table: Path | str) -> None:
        if not str(table):
            raise SemanticsError(
                Worded(
                    "Expected a file of gene vectors; got none. ",
                    Way(
                        "Name it: --semantics table:FILE.",
                        "Set semantics.table.",
                        "Choose it under Gene table.",
                    ),
                )
            )
        path = user_path(table)
        symbols, vectors = _read(path)
        self.label = path.name
        self.symbols, self.vectors = _checked(symbols, vectors, path.name)
        # Lists have symbols where Ensembl ids are known: so has the table then.
        self._by_id = {
            bare_id(name): row for row, name in enumerate(self.symbols.tolist())
        }
        self._by_id.pop("", None)
        names = readable_names(self.symbols).tolist()
        self._rows = {name: row for row, name in reversed([*enumerate(names)])}
        self._upper = {name.upper(): row for row, name in reversed([*enumerate(names)])}

    def embed_spots(
        self,
        gene_lists: GeneLists,
        weights: NDArray[np.floating[Any]] | None = None,
        species: Species | None = None,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> Semantics:
        """Return the weighted mean of the known genes' vectors, per spot.

        Arguments and errors are those of `BuiltinTable.embed_spots`; the species is
        recorded only.
        """
        embedding, coverage, n_empty = average_gene_vectors(
            gene_lists, weights, self._known, progress, cancelled
        )
        mean = float(coverage.mean(dtype=np.float64)) if coverage.size else 0.0
        warnings = []
        if mean < LOW_COVERAGE:
            warnings.append(
                f"{self.label} knows {mean:.0%} of the listed genes (50% or more is "
                "expected). Check that its symbols are of the section's species."
            )
        if n_empty:
            warnings.append(
                f"{n_empty} of {coverage.size} spots list no gene that {self.label} "
                f"knows; {AVERAGED_NOTE}"
            )
        digest = hashlib.sha256("\n".join(self.symbols.tolist()).encode())
        digest.update(np.ascontiguousarray(self.vectors).tobytes())
        return Semantics(
            embedding=embedding,
            coverage=coverage,
            provenance=provenance_record(
                source=self.name,
                model=self.label,
                revision=f"sha256:{digest.hexdigest()[:16]}",
                pooling="mean" if weights is None else "weighted mean",
                coverage=mean,
                species=species or guess_species(gene_lists.genes),
                warnings=warnings,
                genes=len(self.symbols),
            ),
        )

    def genes_outside(
        self, names: NDArray[np.str_], species: Species
    ) -> tuple[NDArray[np.str_], Species]:
        """Return the symbols of all genes but those named."""
        taken = {self._row(str(name)) for name in names}
        left = [row for row in range(len(self.symbols)) if row not in taken]
        return readable_names(self.symbols)[left], species

    def _row(self, name: str) -> int:
        row: int = self._rows.get(name, self._upper.get(name.upper(), -1))
        return row

    def _known(
        self, names: NDArray[np.str_], ids: NDArray[np.str_] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        told = [""] * len(names) if ids is None else [bare_id(one) for one in ids]
        pairs = zip(map(str, names), told, strict=True)
        found = [self._by_id.get(one, self._row(name)) for name, one in pairs]
        rows = np.array(found, dtype=np.int64)
        known = rows >= 0
        if not known.any():
            examples = ", ".join(map(str, names[:3])) or "no genes at all"
            own = ", ".join(map(str, self.symbols[:3]))
            raise SemanticsError(
                f"Expected genes that {self.label} knows ({own}, ...); it knows none "
                f"of {len(names)} listed ({examples}). Bring a table with the names "
                "of the section, or choose another source."
            )
        return self.vectors[rows] * known[:, None].astype(np.float32), known


def _read(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return symbols and vectors as a file has them."""
    if is_text_table(path):
        names, numbers = read_numbers(path)
        if names is None:
            raise SemanticsError(
                f"Expected a column of gene symbols in {path.name}; found numbers "
                "only. Put the symbols first, under the title 'symbol'."
            )
        return np.array(names, dtype=np.str_), numbers
    if path.suffix.lower() != ".npz":
        raise SemanticsError(
            f"Expected a gene table as .npz, .csv or .tsv; found {path.name}. Pickled "
            "files are refused because opening one can run code: save symbols and "
            "vectors with numpy.savez."
        )
    if not path.is_file():
        raise SemanticsError(
            f"Expected a gene table; {path} does not exist. Check the path."
        )
    try:
        with path.open("rb") as stream:
            archive = load_numpy(stream)
            if isinstance(archive, np.ndarray):
                raise TypeError("it is a single array")
            with archive:
                symbols, vectors = (np.asarray(archive[field]) for field in _FIELDS)
    except UNREADABLE as error:
        raise SemanticsError(
            f"Expected {' and '.join(_FIELDS)} in {path.name}; could not read them: "
            f"{error}. Arrays of Python objects are pickled and refused: save them "
            "with numpy.savez, symbols as numpy.array(names, dtype=str)."
        ) from error
    return symbols, vectors


def _checked(
    symbols: NDArray[Any], vectors: NDArray[Any], file: str
) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
    """Return symbols and float32 vectors, or say what is wrong with them."""
    if symbols.dtype.kind == "S":
        try:
            symbols = np.char.decode(symbols, "utf-8")
        except UnicodeDecodeError as error:
            raise SemanticsError(
                f"Expected symbols in {file} as texts; found bytes that are no UTF-8. "
                "Save them as numpy.array(names, dtype=str)."
            ) from error
    if symbols.ndim != 1 or symbols.dtype.kind != "U":
        raise SemanticsError(
            f"Expected a list of texts as symbols in {file}; found "
            f"{symbols.ndim}-D {symbols.dtype}."
        )
    if vectors.ndim != 2 or not vectors.shape[1] or vectors.dtype.kind not in "fiu":
        raise SemanticsError(
            f"Expected vectors as numbers, genes x dimensions, in {file}; found shape "
            f"{vectors.shape} of type {vectors.dtype}."
        )
    if len(symbols) != len(vectors) or not len(symbols):
        raise SemanticsError(
            f"Expected one vector per symbol in {file}; found {len(symbols)} symbols "
            f"and {len(vectors)} vectors."
        )
    symbols = np.char.strip(symbols)
    names, counts = np.unique(symbols, return_counts=True)
    if (counts > 1).any():
        twice = ", ".join(map(str, names[counts > 1][:3]))
        raise SemanticsError(
            f"Expected every symbol once in {file}; {int((counts > 1).sum())} stand "
            f"there again ({twice}). Keep one row of each."
        )
    with np.errstate(over="ignore"):  # overflow is reported below
        values = np.ascontiguousarray(vectors, dtype=np.float32)
    bad = int((~np.isfinite(values)).any(axis=1).sum())
    if bad:
        raise SemanticsError(
            f"Expected finite numbers in {file}; {bad} of {len(values)} rows hold NaN "
            "or infinity. Remove those genes."
        )
    if not values.any():
        raise SemanticsError(
            f"Expected vectors that say something of genes in {file}; all are zeros. "
            "Make the table again."
        )
    return symbols, values
