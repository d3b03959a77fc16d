"""What the genes of a section's domains mean, whatever its panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.genes.table import GeneTable

    Floats = NDArray[np.float64]

_CHUNK_SPOTS = 20_000


class Projection(NamedTuple):
    """From the expression of a panel to what its genes mean.

    Expression is log(1 + x) of counts at the section's median depth, each gene less its
    mean and over its deviation (z-scores).

    Parameters
    ----------
    logged
        Shape ``(n_spots, n_known)``, sparse: genes that the table knows.
    mean, deviation
        Of each of these genes.
    vectors
        Of each of these genes, ``(n_known, n_dimensions)``.
    white
        The inverse root of the vectors' second moment plus its mean eigenvalue,
        ``(n_dimensions, n_dimensions)``: what most genes of a panel have in common
        must not speak for all of them.
    """

    logged: sparse.csr_matrix
    mean: Floats
    deviation: Floats
    vectors: Floats
    white: Floats

    @classmethod
    def of_panel(
        cls, counts: sparse.csr_matrix, genes: NDArray[np.str_], table: GeneTable
    ) -> Projection:
        """Return the projection of a section by a table of gene vectors.

        Parameters
        ----------
        counts
            Raw counts of all its genes, ``(n_spots, n_genes)``.
        genes
            Their names; the species is guessed from them.
        """
        from napari_semst.genes.gene_names import guess_species
        from napari_semst.prepare.components import log1p_transform, median_depth
        from napari_semst.prepare.normalise import gene_deviation, scale_depth

        vectors, known = table.map_genes(genes, guess_species(genes))
        depth = scale_depth(counts, median_depth(counts))
        logged = log1p_transform(depth)[:, np.flatnonzero(known)]
        deviation = gene_deviation(logged)
        deviation[deviation == 0] = 1.0
        mean = np.asarray(logged.mean(axis=0, dtype=np.float64)).ravel()
        own = vectors[known].astype(np.float64)
        values, axes = np.linalg.eigh(own.T @ own / max(len(own), 1))
        ridge = float(values.mean()) or 1.0
        white = axes / np.sqrt(np.maximum(values, 0) + ridge) @ axes.T
        return cls(logged, mean, deviation, own, white)

    @property
    def n_known(self) -> int:
        """How many genes of the panel the table knows."""
        return len(self.vectors)

    def domain_profiles(self, codes: NDArray[np.integer]) -> Floats:
        """Return the mean z-score of every gene in every domain, less that of domains.

        Parameters
        ----------
        codes
            Domain of each spot, ``0 .. n_domains - 1``, none of them empty.
        """
        n_spots = len(codes)
        ones = np.ones(n_spots), (codes, np.arange(n_spots))
        sums = sparse.csr_matrix(ones) @ self.logged
        size = np.bincount(codes)[:, None]
        means = (np.asarray(sums.todense()) / size - self.mean) / self.deviation
        return np.asarray(means - means.mean(axis=0))

    def signatures(
        self, profiles: Floats, order: NDArray[np.integer] | None = None
    ) -> Floats:
        """Return what profiles mean, as unit rows ``(n_domains, n_dimensions)``.

        Parameters
        ----------
        profiles
            As `domain_profiles` returns them.
        order
            Deals the genes' vectors to other genes of the panel, for a null.
        """
        vectors = self.vectors if order is None else self.vectors[order]
        meant = np.asarray(profiles @ vectors @ self.white)
        length = np.linalg.norm(meant, axis=1, keepdims=True)
        return np.asarray(meant / np.maximum(length, 1e-12))

    def spots(self) -> NDArray[np.float32]:
        """Return what every spot's expression means, ``(n_spots, n_dimensions)``.

        The mean of the section is 0, and the mean square of a row 1.
        """
        weights = (self.vectors @ self.white) / self.deviation[:, None]
        offset = self.mean @ weights
        found = np.empty((self.logged.shape[0], weights.shape[1]), np.float32)
        for start in range(0, len(found), _CHUNK_SPOTS):
            part = slice(start, start + _CHUNK_SPOTS)
            found[part] = self.logged[part] @ weights - offset
        size = float(np.sqrt((found**2).sum(axis=1).mean(dtype=np.float64))) or 1.0
        found /= np.float32(size)
        return found
