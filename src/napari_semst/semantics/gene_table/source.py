"""Spot embeddings from the built-in gene table: no download, no model, seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from napari_semst.errors import SemanticsError
from napari_semst.genes.gene_names import ENSEMBL, Species, guess_species
from napari_semst.genes.name_reader import RULES
from napari_semst.genes.table import GeneTable, builtin_table
from napari_semst.semantics.base import (
    AVERAGED_NOTE,
    LOW_COVERAGE,
    CancelCheck,
    GeneLists,
    ProgressCallback,
    Semantics,
    check_cancelled,
    provenance_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

CHUNK_SPOTS = 20_000


class BuiltinTable:
    """Average the table's vectors of each spot's genes.

    Parameters
    ----------
    table
        The gene table; the one that ships with the package if None (read on first use).
    """

    name = "builtin"

    def __init__(self, table: GeneTable | None = None) -> None:
        self._table = table

    @property
    def table(self) -> GeneTable:
        """The gene table in use."""
        return builtin_table() if self._table is None else self._table

    def embed_spots(
        self,
        gene_lists: GeneLists,
        weights: NDArray[np.floating[Any]] | None = None,
        species: Species | None = None,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> Semantics:
        """Return the weighted mean of the known genes' vectors, per spot.

        Genes the table does not know are left out of the mean; spots without any known
        gene get the mean of the others, which is neutral once standardised.

        Parameters
        ----------
        weights
            Weight of each listed gene, shape as ``gene_lists.indices``, not negative;
            equal if None.

        Raises
        ------
        SemanticsError
            If weights do not fit the lists, or no listed gene is known.
        """
        species = species or guess_species(gene_lists.genes)
        embedding, coverage, n_empty = average_gene_vectors(
            gene_lists,
            weights,
            lambda names, ids: self._known(names, species, ids),
            progress,
            cancelled,
        )
        return Semantics(
            embedding=embedding,
            coverage=coverage,
            provenance=self._provenance(coverage, n_empty, species, weights),
        )

    def genes_outside(
        self, names: NDArray[np.str_], species: Species
    ) -> tuple[NDArray[np.str_], Species]:
        """Return the symbols of all genes but those named; they are human."""
        taken = {row for name in names for row in self.table.rows(str(name), species)}
        symbols = enumerate(self.table.symbols)
        return np.array([s for row, s in symbols if row not in taken]), "human"

    def _known(
        self,
        names: NDArray[np.str_],
        species: Species,
        ids: NDArray[np.str_] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        vectors, known = self.table.map_genes(names, species, ids)
        if not known.any():
            raise SemanticsError(_nothing_known(names, species))
        return vectors, known

    def _provenance(
        self,
        coverage: NDArray[np.float32],
        n_empty: int,
        species: Species,
        weights: object,
    ) -> dict[str, Any]:
        mean = float(coverage.mean(dtype=np.float64)) if coverage.size else 0.0
        warnings = []
        if mean < LOW_COVERAGE:
            warnings.append(
                f"The gene table knows {mean:.0%} of the listed genes (50% or more is "
                f"expected). Names were read as {species}: check the species, and that "
                "the genes are symbols or human Ensembl ids."
            )
        if n_empty:
            warnings.append(
                f"{n_empty} of {coverage.size} spots list no gene that the table "
                f"knows; {AVERAGED_NOTE}"
            )
        about = self.table.provenance
        return provenance_record(
            source=self.name,
            model=str(about.get("name", "gene table")),
            revision=f"{about.get('revision', 'unknown')}, names {RULES}",
            pooling="mean" if weights is None else "weighted mean",
            coverage=mean,
            species=species,
            warnings=warnings,
            attribution=str(about.get("attribution", "")),
        )


def average_gene_vectors(
    gene_lists: GeneLists,
    weights: NDArray[np.floating[Any]] | None,
    vectors_of: Callable[
        [NDArray[np.str_], NDArray[np.str_] | None],
        tuple[NDArray[np.float32], NDArray[np.bool_]],
    ],
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Return the mean of the known genes' vectors per spot, whoever knows them.

    Parameters
    ----------
    vectors_of
        Returns vectors ``(n_genes, n_dimensions)`` and which are known ``(n_genes,)``
        of the names and ids of all listed genes, each asked once.

    Returns
    -------
    tuple
        Embedding ``(n_spots, n_dimensions)``; share of known genes ``(n_spots,)``;
        number of spots without any, which were given the mean of the others.
    """
    used = gene_lists.used
    share = checked_weights(weights, gene_lists)
    vectors, known = vectors_of(gene_lists.genes[used], gene_lists.ids_of(used))
    if not len(used):
        empty_lists = np.zeros(gene_lists.n_spots, dtype=np.float32)
        width = vectors.shape[1]
        return np.zeros((gene_lists.n_spots, width), np.float32), empty_lists, 0
    place = np.searchsorted(used, gene_lists.indices)  # -1 lands on 0, masked below
    is_known = gene_lists.listed & known[np.minimum(place, len(used) - 1)]
    share = share * is_known
    embedding = pool_gene_vectors(share, place, vectors, progress, cancelled)
    empty = share.sum(axis=1) == 0
    embedding[empty] = embedding[~empty].mean(axis=0) if (~empty).any() else 0
    coverage = is_known.sum(axis=1) / np.maximum(gene_lists.listed.sum(axis=1), 1)
    return embedding, coverage.astype(np.float32), int(empty.sum())


def pool_gene_vectors(
    weights: NDArray[np.floating[Any]],
    columns: NDArray[np.integer[Any]],
    vectors: NDArray[np.float32],
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> NDArray[np.float32]:
    """Return the weighted mean of gene vectors per spot, by a sparse product.

    Parameters
    ----------
    weights
        Shape ``(n_spots, n_listed)``; zero leaves a gene out.
    columns
        Rows of `vectors` that are meant, shape ``(n_spots, n_listed)``.
    vectors
        Shape ``(n_genes, n_dimensions)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spots, n_dimensions)``, float32; zero where all weights are zero.
    """
    n_spots = len(weights)
    totals = weights.sum(axis=1, keepdims=True)
    shares = (weights / np.where(totals > 0, totals, 1)).astype(np.float32)
    pooled = np.zeros((n_spots, vectors.shape[1]), dtype=np.float32)
    for start in range(0, n_spots, CHUNK_SPOTS):
        check_cancelled(cancelled)
        stop = min(start + CHUNK_SPOTS, n_spots)
        kept = shares[start:stop] > 0
        pointers = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        product = sparse.csr_matrix(
            (shares[start:stop][kept], columns[start:stop][kept], pointers),
            shape=(stop - start, len(vectors)),
        )
        pooled[start:stop] = product @ vectors
        if progress is not None:
            progress(stop, n_spots)
    return pooled


def checked_weights(
    weights: NDArray[np.floating[Any]] | None, gene_lists: GeneLists
) -> NDArray[np.float64]:
    """Return weights of the lists' shape, or raise `SemanticsError`.

    Parameters
    ----------
    weights
        Shape as ``gene_lists.indices``, not negative; all 1 if None.
    """
    if weights is None:
        return np.ones(gene_lists.indices.shape)
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != gene_lists.indices.shape:
        raise SemanticsError(
            f"Expected weights of shape {gene_lists.indices.shape}, one per listed "
            f"gene; found {values.shape}."
        )
    if not np.isfinite(values).all() or (values < 0).any():
        raise SemanticsError(
            "Expected finite weights of 0 or more; found others. Use None for equal "
            "weights."
        )
    return values


def _nothing_known(names: NDArray[np.str_], species: Species) -> str:
    """Return the sentence for data of which the table knows no gene."""
    examples = ", ".join(str(name) for name in names[:3]) or "no genes at all"
    advice = "Use gene symbols or human Ensembl ids, or choose another source."
    if len(names) and all(ENSEMBL.fullmatch(str(name)) for name in names[:3]):
        advice = (
            "Only human Ensembl ids are known: use the column that holds the symbols "
            "as gene names."
        )
    return (
        f"Expected gene names that the built-in table knows; found {examples} (read as "
        f"{species}), none of them known. {advice}"
    )
