"""Profiles of spots: log-normalised, each gene standardised, averaged over neighbours.

Standardising a gene is a scale and a shift, and averaging treats each column on its
own. Sums over genes with given weights are therefore taken of the sparse matrix, and
only these are averaged: spots by all genes is never held densely.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from napari_semst.core.chunks import chunks
from napari_semst.errors import InputError
from napari_semst.transfer.foremost import ForemostAxes, foremost_axes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_semst.core.sections import Sections
    from napari_semst.genes.gene_names import Species
    from napari_semst.pipeline.inputs import SectionInputs
    from napari_semst.transfer.settings import TransferSettings

# Columns that are averaged at once: a million spots of them are 128 MB.
_WIDTH = 32
_LEAST_SPOTS = 10


@dataclass(frozen=True)
class Profiles:
    """A section's standardised expression, averaged over neighbours when it is read.

    Parameters
    ----------
    genes
        Symbols of the genes that vary, ``(n_genes,)``.
    species
        As the symbols tell.
    logged
        Log-normalised counts, ``(n_spots, n_genes)``.
    mean, deviation
        Of each gene's log-normalised counts, ``(n_genes,)``.
    average
        Averages each spot with its nearest spots, ``(n_spots, n_spots)``.
    n_rounds
        How often it is applied.
    coordinates
        Shape ``(n_spots, 2)``.
    sections
        Which spots are of which section.
    gene_ids
        Ensembl id of each gene, ``(n_genes,)``; None where the section has none.
    foremost
        Axes of the section that profiles are read along; None: all that genes show.
    """

    genes: NDArray[np.str_]
    species: Species
    logged: sparse.csr_matrix
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    average: sparse.csr_matrix
    n_rounds: int
    coordinates: NDArray[np.float64]
    sections: Sections
    gene_ids: NDArray[np.str_] | None = None
    foremost: ForemostAxes | None = None

    @property
    def whole(self) -> Profiles:
        """The same profiles with all that genes show."""
        return replace(self, foremost=None)

    def along_foremost(
        self,
        sample: NDArray[np.floating[Any]],
        tell: Callable[[int, int], None] = lambda done, of: None,
    ) -> Profiles:
        """Return the same profiles, read along the section's foremost axes.

        Parameters
        ----------
        sample
            Averaged profiles of some spots, ``(n_sampled, n_genes)``.
        tell
            Called with (axes done, axes in all).
        """
        axes, counts = foremost_axes(sample)
        along = self.whole.weighted_sums(axes.T, tell)
        return replace(self, foremost=ForemostAxes(axes, counts, along))

    @property
    def n_spots(self) -> int:
        """The number of spots."""
        return int(self.logged.shape[0])

    def weighted_sums(
        self,
        weights: NDArray[np.floating[Any]],
        tell: Callable[[int, int], None] = lambda done, of: None,
    ) -> NDArray[np.float32]:
        """Return sums over each spot's averaged z-scores with given weights of genes.

        Parameters
        ----------
        weights
            Shape ``(n_genes, width)``.
        tell
            Called with (columns done, columns in all).

        Returns
        -------
        numpy.ndarray
            Shape ``(n_spots, width)``.
        """
        if self.foremost is not None:
            return self.foremost.sums(weights)
        per_unit = (weights / self.deviation[:, None]).astype(np.float32)
        shift = (self.mean @ per_unit.astype(np.float64)).astype(np.float32)
        width = weights.shape[1]
        sums = np.empty((self.n_spots, width), np.float32)
        for part in chunks(width, _WIDTH):
            sums[:, part] = self.averaged(self.logged @ per_unit[:, part] - shift[part])
            tell(part.stop, width)
        return sums

    def lengths(self) -> NDArray[np.float32]:
        """Return how long each spot's profile is, ``(n_spots,)``.

        Raises
        ------
        ValueError
            If it is not read along axes: it would have to be held whole.
        """
        if self.foremost is None:
            raise ValueError("profiles that are read along axes have lengths")
        return self.foremost.lengths()

    def averaged(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return columns averaged over neighbours, ``(n_spots, width)``."""
        for _ in range(self.n_rounds):
            values = self.average @ values
        return values

    def group_means(self, together: sparse.csr_matrix) -> NDArray[np.float32]:
        """Return mean averaged z-scores of groups of spots.

        The averaging is moved from genes, which are many, to the groups.

        Parameters
        ----------
        together
            How much each spot counts in each group, ``(n_groups, n_spots)``; rows that
            add up to 1 give means.

        Returns
        -------
        numpy.ndarray
            Shape ``(n_groups, n_genes)``.
        """
        spread = sparse.csr_matrix(together)
        for _ in range(self.n_rounds):
            spread = sparse.csr_matrix(spread @ self.average)
        total = np.asarray(spread.sum(axis=1), np.float64).ravel()
        sums = (spread @ self.logged).toarray()
        means = (sums - total[:, None] * self.mean) / self.deviation
        if self.foremost is not None:
            return self.foremost.profiles(means)
        return np.asarray(means, np.float32)


def read_profiles(
    inputs: SectionInputs,
    settings: TransferSettings,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Profiles:
    """Return the profiles of a section; its counts are not changed.

    Raises
    ------
    InputError
        If no gene varies, or the section has too few spots.
    """
    from napari_semst.genes.gene_names import guess_species
    from napari_semst.prepare.genes import expressed_genes, least_spots
    from napari_semst.prepare.normalise import (
        canonical_csr,
        gene_deviation,
        scale_depth,
        with_values,
    )

    counts = canonical_csr(inputs.counts)
    n_spots, n_genes = counts.shape
    if n_spots < _LEAST_SPOTS:
        raise InputError(
            f"Expected a section of {_LEAST_SPOTS} spots or more; found {n_spots}."
        )
    tell(0, 3)
    scaled = scale_depth(counts, inputs.settings.target_sum)
    logged = with_values(scaled, np.log1p(scaled.data))
    found = least_spots(
        n_spots, n_genes, inputs.settings.min_cells, inputs.settings.min_share
    )
    seen = expressed_genes(counts, found)
    if len(seen) < n_genes:
        logged = sparse.csr_matrix(logged[:, seen])
    tell(1, 3)
    deviation = gene_deviation(logged)
    varies = deviation > 0
    if not varies.any():
        raise InputError(
            "Expected genes whose expression differs between spots; found none."
        )
    if not varies.all():
        seen, deviation = seen[varies], deviation[varies]
        logged = sparse.csr_matrix(logged[:, np.flatnonzero(varies)])
    mean = np.asarray(logged.mean(axis=0), np.float64).ravel()
    symbols = inputs.symbols[seen]
    tell(2, 3)
    average = _average(inputs, settings.n_neighbours)
    tell(3, 3)
    return Profiles(
        symbols,
        guess_species(inputs.symbols),
        logged,
        mean,
        deviation,
        average,
        settings.n_rounds,
        inputs.coordinates,
        inputs.sections,
        None if inputs.gene_ids is None else inputs.gene_ids[seen],
    )


def _average(inputs: SectionInputs, n_neighbours: int) -> sparse.csr_matrix:
    """Return the mean of each spot and its nearest ones in its section."""

    def build(spots: NDArray[np.int64]) -> tuple[sparse.csr_matrix, str]:
        return nearest_average(inputs.coordinates[spots], n_neighbours), ""

    return inputs.sections.inside(build)[0]


def nearest_average(
    coordinates: NDArray[np.float64], n_neighbours: int
) -> sparse.csr_matrix:
    """Return the operator that averages each spot with its nearest spots, itself too.

    Parameters
    ----------
    coordinates
        Shape ``(n_spots, 2)``.
    n_neighbours
        Nearest spots, the spot itself not counted.
    """
    from scipy.spatial import KDTree

    n_spots = len(coordinates)
    k = min(n_neighbours, n_spots - 1) + 1
    tree = KDTree(coordinates)
    nearest = np.empty((n_spots, k), np.int32)
    for part in chunks(n_spots):
        found = tree.query(coordinates[part], k=k)[1]
        nearest[part] = np.asarray(found).reshape(-1, k)
    values = np.full(nearest.size, 1 / k, np.float32)
    pointers = np.arange(n_spots + 1) * k
    return sparse.csr_matrix(
        (values, nearest.ravel(), pointers), shape=(n_spots, n_spots)
    )


def mean_of_groups(codes: NDArray[np.integer[Any]], n_groups: int) -> sparse.csr_matrix:
    """Return the operator that takes the mean of each group of spots; -1 is of none."""
    from napari_semst.explanation.markers import membership

    together = membership(codes, n_groups)
    size = np.maximum(np.asarray(together.sum(axis=1)).ravel(), 1)
    return sparse.csr_matrix(sparse.diags_array(1 / size) @ together)
