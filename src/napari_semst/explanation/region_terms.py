"""Which terms the genes of a region are of more often than other genes are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.config import Config

# Genes of a term that are measured, and genes of the region among them, at least;
# larger terms say little.
_LEAST_MEASURED, _LEAST_OF_REGION, _LARGEST_TERM = 5, 3, 300
_FOUND = 0.05
# Of two terms, the share of the smaller one's genes from which on they say the same.
_SAME = 0.6


class RegionTerms:
    """The terms that the genes measured are of.

    Parameters
    ----------
    genes
        Symbols of the genes that are compared, ``(n_genes,)``.
    config
        Settings of the run, for the species.
    """

    def __init__(self, genes: NDArray[np.str_], config: Config) -> None:
        from napari_semst.genes.table import builtin_table
        from napari_semst.genes.terms import builtin_terms
        from napari_semst.semantics import guess_species

        table, terms = builtin_table(), builtin_terms()
        asked = config.semantics.species
        species = guess_species(genes) if asked == "auto" else asked
        rows = [table.rows(str(gene), species) for gene in genes]  # type: ignore[arg-type]
        gene = np.repeat(np.arange(len(genes)), [len(one) for one in rows])
        flat = np.array([row for one in rows for row in one], dtype=np.int64)
        shape = len(genes), len(table.symbols)
        reads = sparse.csr_matrix((np.ones(len(flat)), (gene, flat)), shape=shape)
        self._known = np.array([len(one) > 0 for one in rows], bool)
        members = sparse.csc_matrix((reads @ terms.members.T) > 0, dtype=np.float64)
        sizes = np.diff(terms.members.indptr)
        fit = (np.diff(members.indptr) >= _LEAST_MEASURED) & (sizes <= _LARGEST_TERM)
        self._terms = np.flatnonzero(fit)
        self._names = terms.names
        self._members = sparse.csc_matrix(members[:, self._terms])
        self._genes = genes

    def told(self, chosen: NDArray[np.intp], most: int) -> dict[str, list[Any]]:
        """Return the terms that some genes are of more often than by chance.

        By the hypergeometric test against all genes measured, corrected for the number
        of terms (Benjamini and Hochberg); of terms that say the same the clearest.
        Genes that vary together are no independent draws: p-values order terms.

        Parameters
        ----------
        chosen
            Indices of the genes, the clearest first.
        most
            Terms at most.
        """
        from scipy.stats import false_discovery_control, hypergeom

        inside = np.zeros(len(self._genes), bool)
        inside[chosen] = True
        inside &= self._known
        found: dict[str, list[Any]] = {"term": [], "genes": [], "p_adjusted": []}
        if not len(self._terms) or inside.sum() < _LEAST_OF_REGION:
            return found
        hits = np.asarray(self._members.T @ inside.astype(np.float64)).ravel()
        measured = np.diff(self._members.indptr)
        p_value = hypergeom.sf(
            hits - 1, int(self._known.sum()), measured, int(inside.sum())
        )
        adjusted = false_discovery_control(p_value)
        taken: list[set[int]] = []
        for term in np.lexsort((self._terms, p_value)):
            if adjusted[term] > _FOUND or len(taken) == most:
                break
            own = self._members.indices[slice(*self._members.indptr[term : term + 2])]
            genes = set(own[inside[own]].tolist())
            same = (
                len(genes & one) >= _SAME * min(len(genes), len(one)) for one in taken
            )
            if len(genes) < _LEAST_OF_REGION or any(same):
                continue
            taken.append(genes)
            listed = [str(self._genes[gene]) for gene in chosen if int(gene) in genes]
            found["term"].append(self._names[self._terms[term]])
            found["genes"].append(", ".join(listed))
            found["p_adjusted"].append(float(f"{adjusted[term]:.4g}"))
        return found
