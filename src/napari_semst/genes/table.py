"""A table of gene vectors with the names under which its genes are found."""

from __future__ import annotations

import json
import lzma
import os
import struct
import zipfile
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from napari_semst.errors import SemanticsError
from napari_semst.genes.gene_names import ENSEMBL, human_ensembl_number
from napari_semst.genes.name_reader import NameReader, species_of_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_semst.genes.gene_names import Species


BUILTIN_FILE = "gene_table.npz"
FIELDS = (
    "vectors",
    "scale",
    "symbols",
    "previous_symbols",
    "previous_rows",
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
    """Unit vectors of human genes, with the names under which they are found.

    Parameters
    ----------
    vectors
        Shape ``(n_genes, n_dimensions)``, float32.
    symbols
        Approved human symbols, one per row.
    aliases
        Upper-case alias -> the one row that it can mean.
    ensembl
        Number of the human Ensembl gene id -> row.
    mouse
        Every mouse symbol -> rows of its human homologues, of which there may be none.
    provenance
        Sources, versions, licences, attribution.
    previous
        Upper-case previous symbol -> the one row that it can mean.
    """

    vectors: NDArray[np.float32]
    symbols: tuple[str, ...]
    aliases: Mapping[str, int]
    ensembl: Mapping[int, int]
    mouse: Mapping[str, tuple[int, ...]]
    provenance: Mapping[str, Any]
    previous: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def _reader(self) -> NameReader:
        return NameReader(self.symbols, self.previous, self.aliases, self.mouse)

    def rows(self, gene: str, species: Species, gene_id: str = "") -> tuple[int, ...]:
        """Return the rows that stand for one gene; none where it is unknown.

        A human Ensembl id goes before the name. Human names are approved symbols, then
        previous symbols, then aliases, each where it can mean one gene alone. Mouse
        names are found by homology, then, as those of other species, by the symbol
        that they share with human.
        A probe of several genes has a row of each.

        Parameters
        ----------
        gene
            Its name, or its Ensembl id.
        species
            How names are read; an Ensembl id tells its gene's own.
        gene_id
            Its Ensembl id where the input has it, else empty.
        """
        gene, gene_id = gene.strip(), gene_id.strip()
        for told in (gene_id, gene):
            number = human_ensembl_number(told)
            row = None if number is None else self.ensembl.get(number)
            if row is not None:
                return (row,)
        if not gene or ENSEMBL.fullmatch(gene):
            return ()
        other = human_ensembl_number(gene_id) is not None
        species = species_of_id(gene_id, species)
        return self._reader.rows(gene, species, approved_only=other)

    def map_genes(
        self,
        genes: Iterable[str],
        species: Species,
        ids: Iterable[str] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the vector of each gene and whether the table knows it.

        Several homologues, and the genes of a probe, are averaged and brought back to
        unit length, so that every gene weighs the same.

        Parameters
        ----------
        genes, species
            As for `rows`.
        ids
            Ensembl ids of the genes, empty where there is none; None for none at all.

        Returns
        -------
        tuple of numpy.ndarray
            Vectors ``(n_genes, n_dimensions)`` float32, zero where unknown; known
            ``(n_genes,)`` boolean.
        """
        names = [str(gene) for gene in genes]
        told = [""] * len(names) if ids is None else [str(one) for one in ids]
        homologues = [
            self.rows(name, species, one) for name, one in zip(names, told, strict=True)
        ]
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


@lru_cache(maxsize=1)
def builtin_symbols() -> tuple[tuple[str, ...], Mapping[int, int]]:
    """Return the approved symbols of that table, and the row of each Ensembl number.

    Without its vectors and other names, which take ten times as long to read.
    """
    if builtin_table.cache_info().currsize:
        table = builtin_table()
        return table.symbols, table.ensembl
    path = resources.files("napari_semst.genes") / "data" / BUILTIN_FILE
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        names = tuple(_names(archive["symbols"]))
        return names, _rows_of_numbers(archive["ensembl_numbers"])


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
    previous, aliases = (
        zip(_names(arrays[f"{kind}_symbols"]), arrays[f"{kind}_rows"], strict=True)
        for kind in ("previous", "alias")
    )
    starts = np.cumsum(arrays["mouse_counts"], dtype=np.int64)[:-1]
    homologues = np.split(arrays["mouse_rows"], starts)
    mouse = zip(_names(arrays["mouse_symbols"]), homologues, strict=True)
    vectors = arrays["vectors"].T.astype(np.float32) * arrays["scale"][:, None]
    return GeneTable(
        vectors=np.ascontiguousarray(vectors),
        symbols=tuple(_names(arrays["symbols"])),
        aliases={name: int(row) for name, row in aliases},
        ensembl=_rows_of_numbers(numbers),
        mouse={name: tuple(rows.tolist()) for name, rows in mouse},
        provenance=json.loads(arrays["provenance"].tobytes().decode("utf-8")),
        previous={name: int(row) for name, row in previous},
    )


def _rows_of_numbers(numbers: NDArray[np.integer[Any]]) -> dict[int, int]:
    return {number: row for row, number in enumerate(numbers.tolist()) if number}


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
