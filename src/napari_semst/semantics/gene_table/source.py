"""Spot embeddings from the built-in gene table: no download, no model, seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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
    provenance_record,
)
from napari_semst.semantics.gene_table.pooling import PooledGenes, average_gene_vectors
from napari_semst.semantics.spot_vectors import SpotVectors

if TYPE_CHECKING:
    from numpy.typing import NDArray


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

    def spot_vectors(
        self,
        gene_lists: GeneLists,
        weights: NDArray[np.floating[Any]] | None = None,
        species: Species | None = None,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> tuple[SpotVectors, Semantics]:
        """Return the same standardised, made when some spots are asked for.

        What is told of them comes beside, without vectors.

        Parameters
        ----------
        gene_lists, weights, species
            As for `embed_spots`; the lists are held instead of the vectors.

        Raises
        ------
        SemanticsError
            As of `embed_spots`.
        """
        species = species or guess_species(gene_lists.genes)
        pool = PooledGenes(
            gene_lists, weights, lambda names, ids: self._known(names, species, ids)
        )
        vectors = SpotVectors(pool, progress, cancelled)
        told = Semantics(
            embedding=np.empty((0, vectors.shape[1]), np.float32),
            coverage=vectors.coverage,
            provenance=self._provenance(
                vectors.coverage, vectors.n_empty, species, weights
            ),
        )
        return vectors, told

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
