"""A table of gene vectors with the names under which its genes are found."""

from __future__ import annotations

import json
import lzma
import os
import struct
import zipfile
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from napari_semst.errors import SemanticsError
from napari_semst.genes.gene_names import ENSEMBL, human_ensembl_number, is_nameless

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_semst.genes.gene_names import Species


BUILTIN_FILE = "gene_table.npz"
FIELDS = (
    "vectors",
    "scale",
    "symbols",
    "alias_symbols",
    "alias_rows",
    "ensembl_numbers",
    "mouse_symbols",
    "mouse_counts",
    "mouse_rows",
    "provenance",
)


@dataclass(frozen=True)
class GeneTable:
    """Unit vectors of human genes, with aliases, Ensembl ids and mouse homologues.

    Parameters
    ----------
    vectors
        Shape ``(n_genes, n_dimensions)``, float32.
    symbols
        Approved human symbols, one per row.
    aliases
        Upper-case alias or previous symbol -> row.
    ensembl
        Number of the human Ensembl gene id -> row.
    mouse
        Mouse symbol -> rows of its human homologues.
    provenance
        Sources, versions, licences, attribution.
    """

    vectors: NDArray[np.float32]
    symbols: tuple[str, ...]
    aliases: Mapping[str, int]
    ensembl: Mapping[int, int]
    mouse: Mapping[str, tuple[int, ...]]
    provenance: Mapping[str, Any]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {symbol.upper(): row for row, symbol in enumerate(self.symbols)}

    def rows(self, gene: str, species: Species) -> tuple[int, ...]:
        """Return the rows that stand for one gene; none where it is unknown.

        Human genes are found by Ensembl id, approved symbol, then previous symbol or
        alias. Genes of other species are found by mouse homology and, as the last
        resort, by their upper-case symbol; so are those of human and mouse together,
        whose symbols differ in case.
        """
        gene = gene.strip()
        if ENSEMBL.fullmatch(gene):
            number = human_ensembl_number(gene)
            row = None if number is None else self.ensembl.get(number)
            return () if row is None else (row,)
        if is_nameless(gene):
            return ()
        if species in ("mouse", "human and mouse") and gene in self.mouse:
            return self.mouse[gene]
        upper = gene.upper()
        row = self._row_of.get(upper, self.aliases.get(upper))
        return () if row is None else (row,)

    def map_genes(
        self, genes: Iterable[str], species: Species
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the vector of each gene and whether the table knows it.

        Several homologues are averaged and brought back to unit length, so that every
        gene weighs the same.

        Returns
        -------
        tuple of numpy.ndarray
            Vectors ``(n_genes, n_dimensions)`` float32, zero where unknown; known
            ``(n_genes,)`` boolean.
        """
        homologues = [self.rows(str(gene), species) for gene in genes]
        counts = np.array([len(rows) for rows in homologues], dtype=np.int64)
        columns = np.array([row for rows in homologues for row in rows], dtype=np.int64)
        mapping = sparse.csr_matrix(
            (
                np.ones(len(columns), dtype=np.float32),
                columns,
                np.concatenate([[0], np.cumsum(counts)]),
            ),
            shape=(len(homologues), len(self.symbols)),
        )
        vectors = np.asarray(mapping @ self.vectors, dtype=np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(norms, np.float32(1e-12)), counts > 0

    def readable(self, genes: Iterable[str]) -> NDArray[np.str_]:
        """Return names with human Ensembl ids replaced by symbols where known."""
        names = []
        for gene in genes:
            number = human_ensembl_number(str(gene))
            row = None if number is None else self.ensembl.get(number)
            names.append(str(gene) if row is None else self.symbols[row])
        return np.array(names, dtype=np.str_)


@lru_cache(maxsize=1)
def builtin_table() -> GeneTable:
    """Return the table that ships with the package, read once."""
    path = resources.files("napari_semst.genes") / "data" / BUILTIN_FILE
    with path.open("rb") as stream:
        return read_table(stream)


def read_table(source: Path | IO[bytes]) -> GeneTable:
    """Return the table of an npz file that ``scripts/build_gene_table.py`` wrote.

    Raises
    ------
    SemanticsError
        If the file is no such table, or damaged; nothing pickled is ever loaded.
    """
    try:
        with ExitStack() as files:
            if isinstance(source, Path):
                # Opened here: numpy leaves the file open where it is damaged.
                path = Path(os.path.expanduser(source))
                source = files.enter_context(path.open("rb"))
            archive = files.enter_context(np.load(source, allow_pickle=False))
            return _table({name: archive[name] for name in FIELDS})
    except UNREADABLE as error:
        raise SemanticsError(
            f"Expected a gene table (npz with {', '.join(FIELDS)}); could not read it: "
            f"{error}. Build one with scripts/build_gene_table.py."
        ) from error


def _table(arrays: dict[str, NDArray[Any]]) -> GeneTable:
    """Return the table of the arrays of a file; ValueError where they disagree."""
    numbers = arrays["ensembl_numbers"]
    aliases = zip(_names(arrays["alias_symbols"]), arrays["alias_rows"], strict=True)
    starts = np.cumsum(arrays["mouse_counts"], dtype=np.int64)[:-1]
    homologues = np.split(arrays["mouse_rows"], starts)
    mouse = zip(_names(arrays["mouse_symbols"]), homologues, strict=True)
    vectors = arrays["vectors"].T.astype(np.float32) * arrays["scale"][:, None]
    return GeneTable(
        vectors=np.ascontiguousarray(vectors),
        symbols=tuple(_names(arrays["symbols"])),
        aliases={name: int(row) for name, row in aliases},
        ensembl={int(n): row for row, n in enumerate(numbers) if n},
        mouse={name: tuple(rows.tolist()) for name, rows in mouse},
        provenance=json.loads(arrays["provenance"].tobytes().decode("utf-8")),
    )


def _names(joined: NDArray[np.uint8]) -> list[str]:
    """Return the names of a newline-joined utf-8 byte array."""
    text = joined.tobytes().decode("utf-8")
    return text.split("\n") if text else []


def readable_names(genes: Sequence[str] | NDArray[np.str_]) -> NDArray[np.str_]:
    """Return names in which human Ensembl ids are symbols, where these are known.

    Whether a gene says little, and what a language model reads, depends on the symbol.
    """
    names = np.asarray(genes, dtype=np.str_)
    if not any(human_ensembl_number(str(gene)) for gene in names):
        return names
    # Read only here: most files have symbols and need no table to be ranked.

    return builtin_table().readable(names)


# A damaged .npz fails in the zip archive, in its compression, or in the array within;
# RuntimeError stands for encrypted members and for unknown compression, MemoryError
# for a damaged shape, TypeError for a single array where an archive was expected.
UNREADABLE: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    RuntimeError,
    MemoryError,
    IndexError,
    OverflowError,
    struct.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)
