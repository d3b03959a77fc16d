"""How much genes vary beyond what their mean lets expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.stored_counts import StoredCounts
from napari_semst.prepare.normalise import even_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_semst.prepare.rows import CountRows

_CHUNK_VALUES = 4_000_000


def standardised_variance(counts: CountRows, span: float) -> NDArray[np.float64]:
    """Return the variance of every gene's standardised counts, ``(n_genes,)``.

    The log of the variance is regressed on the log of the mean by local quadratics
    (Stuart et al. 2019, ``vst`` of Seurat and ``seurat_v3`` of scanpy). Counts are
    standardised by what that expects, and clipped at the root of the number of spots.

    Parameters
    ----------
    counts
        Raw counts, shape ``(n_spots, n_genes)``.
    span
        Share of the genes that each local fit looks at.

    Raises
    ------
    ValueError
        If a local fit is singular.
    """
    # Importing scanpy for this takes longer than a quick look at a section.
    from skmisc.loess import loess

    n_spots = counts.shape[0]
    total, square = _moments(counts, None)
    mean = total / n_spots
    variance = (square / n_spots - mean**2) * (n_spots / max(n_spots - 1, 1))
    varies = variance > 0
    expected = np.zeros(len(mean))
    fit = loess(np.log10(mean[varies]), np.log10(variance[varies]), span=span, degree=2)
    fit.fit()
    expected[varies] = fit.outputs.fitted_values
    deviation = np.sqrt(10**expected)
    most = deviation * np.sqrt(n_spots) + mean
    total, square = _moments(counts, most)
    about_mean = n_spots * mean**2 + square - 2 * total * mean
    return np.asarray(1 / ((n_spots - 1) * deviation**2) * about_mean)


def _moments(
    counts: CountRows, most: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return every gene's sum and sum of squares, counts clipped where asked for."""
    n_genes = counts.shape[1]
    total, square = np.zeros(n_genes), np.zeros(n_genes)
    for genes, values in _values(counts):
        if most is not None:
            np.minimum(values, most[genes], out=values)
        total += np.bincount(genes, values, n_genes)
        square += np.bincount(genes, values**2, n_genes)
    return total, square


def _values(
    counts: CountRows,
) -> Iterator[tuple[NDArray[np.integer[Any]], NDArray[np.float64]]]:
    """Yield genes and counts of all that is there, some at a time."""
    if isinstance(counts, StoredCounts):
        for genes, values in even_chunks(rows for _, rows in counts.blocks()):
            yield genes, values.astype(np.float64)
        return
    for start in range(0, counts.nnz, _CHUNK_VALUES):
        part = slice(start, start + _CHUNK_VALUES)
        yield counts.indices[part], counts.data[part].astype(np.float64)
