"""What each spot expresses, gene by gene, that its image does not predict."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from napari_semst.core.chunks import chunks
from napari_semst.methods.image_guided.features import falling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.methods.image_guided.prediction import ImagePredictor
    from napari_semst.prepare.section import Section

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]

# Counts vary more than Poisson's by their square over this; residuals beyond are cut.
_DISPERSION, _CUT = 5.0, 10.0
# Rounds of averaging over the nearest spots: what is looked for comes in regions.
_ROUNDS = 2
# Directions of what is not predicted that are judged, and spots that tell them.
_DIRECTIONS, _TELLING = 10, 4000
# Spots that each direction takes: neighbours are alike, and fewer tell no covariance.
_SPOTS_PER_DIRECTION = 300
# Genes that are predicted at once, and values of them that are dense at once: a genome
# takes as much memory as one block of it.
_BLOCK_GENES, _CHUNK_VALUES, _CHUNK_SPOTS = 2048, 8_000_000, 4096


class PearsonResiduals:
    """Counts less what depth leads to expect, over their deviation, by spot.

    Source: Lause, Berens and Kobak (2021), analytic Pearson residuals.

    Parameters
    ----------
    section
        Whose counts are read; shares of genes are those of each of its sections.
    """

    def __init__(self, section: Section) -> None:
        # Once: counts that are in their file are read each time they are asked for.
        self._counts = counts = section.counts_in_memory
        self._codes = codes = section.sections.codes
        self._totals = np.asarray(counts.sum(axis=1), np.float64).ravel()
        # Sums by section without a copy of its counts.
        belongs = np.arange(len(section.sections.names))[:, None] == codes
        genes = np.asarray(belongs.astype(np.float64) @ counts)
        self._shares = genes / np.maximum(genes.sum(axis=1, keepdims=True), 1)

    @property
    def counted(self) -> Doubles:
        """Return how often each gene is counted, ``(n_genes,)``."""
        total: Doubles = np.asarray(self._counts.sum(axis=0), np.float64).ravel()
        return total

    def of_genes(self, genes: slice | Spots) -> PearsonResiduals:
        """Return the residuals of some genes, told by the same totals."""
        part = copy(self)
        part._counts = self._counts[:, genes]
        part._shares = self._shares[:, genes]
        return part

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of spots and genes."""
        return int(self._counts.shape[0]), int(self._counts.shape[1])

    def __getitem__(self, spots: Spots) -> Floats:
        """Return the residuals of some spots, ``(n, n_genes)``."""
        mean = self._totals[spots, None] * self._shares[self._codes[spots]]
        apart = self._counts[spots].toarray() - mean
        apart /= np.sqrt(np.maximum(mean + mean**2 / _DISPERSION, 1e-12))
        found: Floats = np.clip(apart, -_CUT, _CUT).astype(np.float32)
        return found


def averaging(section: Section, usable: Bools) -> sparse.csr_matrix:
    """Return the operator that averages usable spots nearby, ``(n_spots, n_spots)``.

    Rows of spots that have no usable spot near are empty.
    """
    near = section.average
    for _ in range(_ROUNDS - 1):
        near = section.average @ near
    near = sparse.csr_matrix(near @ sparse.diags(usable.astype(np.float64)))
    total = np.asarray(near.sum(axis=1)).ravel()
    scale = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
    return sparse.csr_matrix(sparse.diags(scale) @ near)


def unevenness(near: sparse.csr_matrix, usable: Bools) -> Doubles:
    """Return how much wider each average varies for reading few spots, ``(n_spots,)``.

    At least 1, which is the usual. Beside spots without a usable image, and at edges,
    averages are of fewer spots: all that is left over there is larger, and would be
    unusual for that alone. Of spots that vary for themselves, which is cautious for
    those that are alike.

    Parameters
    ----------
    near
        What `averaging` returned.
    usable
        Spots that tell what is usual.
    """
    norm = np.sqrt(np.asarray(near.multiply(near).sum(axis=1))).ravel()
    known = norm[usable & (norm > 0)]
    usual = float(np.median(known)) if len(known) else 1.0
    found: Doubles = np.maximum(norm / usual, 1)
    return found


def unpredicted_directions(
    genes: UnpredictedGenes, inputs: GuidedInputs, section: Section
) -> Floats:
    """Return the leading directions of what images do not predict, regional means.

    Each gene counts by the deviation of its regional means. What library size tells
    is left out.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spots, width)``, variances of 1.
    """
    near = averaging(section, inputs.usable)
    depth = inputs.depth
    axes = _axes(genes, near, depth, inputs.usable)
    along = np.zeros((len(depth), axes.shape[1]))
    for block, spots, apart in genes.residuals():
        along[spots] += apart @ axes[block]
    along[~inputs.usable] = 0
    known = inputs.usable
    tied = np.linalg.lstsq(depth[known], along[known], rcond=None)[0]
    regional = near @ (along - depth @ tied)
    regional /= unevenness(near, known)[:, None]
    regional -= regional[known].mean(axis=0)
    size = np.maximum(regional[known].std(axis=0), 1e-12)
    found: Floats = (regional / size).astype(np.float32)
    return found


def directions_told_by(n_spots: int) -> int:
    """Return of how many directions so many spots tell the covariance."""
    return min(_DIRECTIONS, -(-n_spots // _SPOTS_PER_DIRECTION))


class UnpredictedGenes:
    """What images do not predict of each gene, a block of genes after the other.

    Parameters
    ----------
    learnt
        Spots that predictions are learnt from.
    """

    def __init__(
        self,
        predictor: ImagePredictor,
        section: Section,
        learnt: Bools,
        control: RunControl,
    ) -> None:
        self._predictor, self._learnt, self._control = predictor, learnt, control
        self._truth = PearsonResiduals(section)
        self.shape = self._truth.shape
        self._parts = list(chunks(self.shape[1], _BLOCK_GENES))
        # Of a single block weights are kept; of a genome they would take gigabytes.
        self._kept: list[Doubles] | None = None
        self._most: tuple[PearsonResiduals, list[Doubles]] | None = None

    def residuals(self) -> Iterator[tuple[slice, Spots, Floats]]:
        """Yield some genes, some spots, and what is not predicted, ``(n, n_genes)``."""
        every = np.arange(self.shape[0])
        for block in self._parts:
            truth = self._truth.of_genes(block)
            weights = self._weights(truth)
            fit = max(_CHUNK_VALUES // max(truth.shape[1], 1), 1)
            for part in chunks(len(every), min(fit, _CHUNK_SPOTS)):
                self._control.check()
                spots = every[part]
                expected = self._predictor.expected_of(spots, weights, self._control)
                yield block, spots, truth[spots] - expected.astype(np.float32)

    def _weights(self, truth: PearsonResiduals) -> list[Doubles]:
        """Return what predicts a block of genes, by partition."""
        if self._kept is not None:
            return self._kept
        weights = self._predictor.weights_of(truth, self._learnt, self._control)
        if len(self._parts) == 1:
            self._kept = weights
        return weights

    def of_spots(self, spots: Spots) -> Floats:
        """Return what is not predicted of some spots, ``(n, n_genes)``.

        Of a genome it is that of the genes that are counted most, as many as a block
        has.
        """
        if self._most is None:
            truth, counted = self._truth, self._truth.counted
            if len(self._parts) > 1:
                most = np.argsort(-counted, kind="stable")[:_BLOCK_GENES]
                truth = truth.of_genes(np.sort(most))
            weights = (
                self._weights(truth)
                if len(self._parts) == 1
                else self._predictor.weights_of(truth, self._learnt, self._control)
            )
            self._most = truth, weights
        truth, weights = self._most
        found = np.empty((len(spots), truth.shape[1]), np.float32)
        for part in chunks(len(spots), _CHUNK_SPOTS):
            self._control.check()
            some = spots[part]
            expected = self._predictor.expected_of(some, weights, self._control)
            found[part] = truth[some] - expected.astype(np.float32)
        return found


def _axes(
    genes: UnpredictedGenes, near: sparse.csr_matrix, depth: Doubles, usable: Bools
) -> Doubles:
    """Return the directions over each gene's deviation, ``(n_genes, width)``."""
    telling = np.flatnonzero(usable)
    telling = telling[:: -(-len(telling) // _TELLING)]
    around = near[telling]
    regional = np.zeros((len(telling), genes.shape[1]), np.float32)
    for block, spots, apart in genes.residuals():
        regional[:, block] += around[:, spots[0] : spots[-1] + 1] @ apart
    by_depth = around @ depth
    scale = np.zeros(genes.shape[1])
    for block in chunks(genes.shape[1], _BLOCK_GENES):
        own = regional[:, block]
        own -= by_depth @ np.linalg.lstsq(by_depth, own, rcond=None)[0]
        size = own.std(axis=0)
        # A gene that hardly varies says nothing, whatever its units.
        scale[block] = np.divide(1, size, out=np.zeros_like(size), where=size > 1e-6)
        own *= scale[block]
    width = min(*regional.shape, directions_told_by(int(usable.sum())))
    axes: Doubles = _leading(regional, width) * scale[:, None]
    return axes


def _leading(values: Floats, width: int) -> Doubles:
    """Return the directions in which rows vary most, ``(n_columns, width)``.

    By products of rows where these are fewer: of all genes of a genome products of
    columns would take gigabytes, and their directions hours.
    """
    n_rows, n_columns = values.shape
    if n_columns <= n_rows:
        square = (values.T @ values).astype(np.float64) / n_rows
        return falling(square)[1][:, :width]
    by_row = falling((values @ values.T).astype(np.float64))[1][:, :width]
    axes = np.empty((n_columns, width))
    for part in chunks(n_columns, _BLOCK_GENES):
        axes[part] = values[:, part].T.astype(np.float64) @ by_row
    axes /= np.maximum(np.linalg.norm(axes, axis=0), 1e-12)
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(width)]
    found: Doubles = axes * np.where(largest < 0, -1.0, 1.0)
    return found
