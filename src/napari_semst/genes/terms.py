"""GO terms and pathways: their names, and their genes in the gene table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from napari_semst.errors import SemanticsError
from napari_semst.genes.table import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_semst.genes.table import GeneTable

BUILTIN_FILE = "term_table.npz"
FIELDS = ("names", "origins", "sizes", "steps", "provenance")


@dataclass(frozen=True)
class TermTable:
    """Named sets of the gene table's genes.

    Parameters
    ----------
    names, origins
        Of the terms: ``"myelination"``, ``"GO process"``.
    members
        Which genes of the table are in which term, shape ``(n_terms, n_genes)``.
    provenance
        Sources, licences, attribution.
    """

    names: tuple[str, ...]
    origins: tuple[str, ...]
    members: sparse.csr_matrix
    provenance: Mapping[str, Any]

    def directions(self, table: GeneTable) -> NDArray[np.float32]:
        """Return where each term lies among the genes: the mean of its genes' vectors.

        Parameters
        ----------
        table
            The gene table whose rows the terms refer to.

        Returns
        -------
        numpy.ndarray
            Unit vectors, shape ``(n_terms, n_dimensions)``.
        """
        total = np.asarray(self.members @ table.vectors, dtype=np.float32)
        norms = np.linalg.norm(total, axis=1, keepdims=True)
        unit: NDArray[np.float32] = total / np.maximum(norms, np.float32(1e-12))
        return unit


@lru_cache(maxsize=1)
def builtin_terms() -> TermTable:
    """Return the terms that ship with the package, read once."""
    path = resources.files("napari_semst.genes") / "data" / BUILTIN_FILE
    with path.open("rb") as stream:
        return read_terms(stream)


def read_terms(source: IO[bytes]) -> TermTable:
    """Return the terms of an npz file that ``scripts/build_gene_table.py`` wrote.

    Raises
    ------
    SemanticsError
        If the file is no such table, or damaged; nothing pickled is ever loaded.
    """
    try:
        with np.load(source, allow_pickle=False) as archive:
            return _terms({name: archive[name] for name in FIELDS})
    except UNREADABLE as error:
        raise SemanticsError(
            f"Expected a table of terms (npz with {', '.join(FIELDS)}); could not read "
            f"it: {error}. Build one with scripts/build_gene_table.py."
        ) from error


def _terms(arrays: dict[str, NDArray[Any]]) -> TermTable:
    """Return the terms of the arrays of a file; ValueError where they disagree."""
    names, origins = (
        tuple(arrays[key].tobytes().decode("utf-8").split("\n"))
        for key in ("names", "origins")
    )
    about = json.loads(arrays["provenance"].tobytes().decode("utf-8"))
    sizes = arrays["sizes"].astype(np.int64)
    pointers = np.concatenate([[0], np.cumsum(sizes)])
    if not len(names) == len(origins) == len(sizes) or (sizes < 1).any():
        raise ValueError("names, origins and sizes disagree")
    # Rows are stored as steps above the one before, anew for every term.
    upto = np.cumsum(arrays["steps"], dtype=np.int64)
    before = np.concatenate([[0], upto[pointers[1:-1] - 1]])
    rows = upto - np.repeat(before, sizes)
    members = sparse.csr_matrix(
        (np.ones(len(rows), np.float32), rows, pointers),
        shape=(len(sizes), int(about["genes"])),
    )
    return TermTable(names, origins, members, about)
