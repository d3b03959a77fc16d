"""Leading principal axes of a sparse matrix of many genes, by products with blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.threads import threads_limited

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy import sparse

    Block = NDArray[np.float32]

# Vectors that go through the matrix together: a product with so many takes as long as
# one with three alone, as the matrix is read once.
_BLOCK = 16
# Whether the axes have settled is looked at when so many vectors a wanted axis are
# there, and then after so many blocks: a look takes longer than a block.
_VECTORS_AN_AXIS, _BETWEEN_LOOKS = 4, 4
# Up to so many spots their products with each other are small and exact.
_FEW_SPOTS = 512
# An axis has settled where the scatter turns it by no more than this share of the
# largest eigenvalue; a few times the rounding of single precision.
_SETTLED = 2e-6


def axes_of_scatter(
    values: sparse.csr_matrix,
    means: NDArray[np.float64],
    sections: NDArray[np.int32],
    width: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return the axes of largest scatter about the means of sections.

    Parameters
    ----------
    values
        Shape ``(n_spots, n_genes)``; it is neither centred nor made dense.
    means
        Of every section, ``(n_sections, n_genes)``.
    sections
        Section of each spot, ``(n_spots,)``.
    width
        How many; fewer than spots and genes.
    seed
        Of the first block.

    Returns
    -------
    axes
        Shape ``(n_genes, width)``, by falling scatter, with signs as they come.

    Notes
    -----
    Block Lanczos with full orthogonalisation (Golub and Underwood 1977): products in
    single precision, the small problem in double. It ends when all axes have settled,
    or when the blocks fill the space.
    """
    # The last bits of products are not to depend on the number of cores.
    with threads_limited(1):
        if values.shape[0] <= _FEW_SPOTS:
            return _axes_of_few(values, means, sections, width)
        scatter = _scatter(values.astype(np.float32, copy=False), means, sections)
        return _axes_by_blocks(scatter, values.shape, width, seed)


def _axes_of_few(
    values: sparse.csr_matrix,
    means: NDArray[np.float64],
    sections: NDArray[np.int32],
    width: int,
) -> NDArray[np.float64]:
    """Return the axes of few spots, from their products with each other."""
    centred = values.toarray().astype(np.float64) - means[sections]
    turns = np.linalg.eigh(centred @ centred.T)[1][:, ::-1][:, :width]
    # Of unit length, and at right angles even where spots are alike.
    axes, lengths = np.linalg.qr(centred.T @ turns)
    return np.asarray(axes * np.where(np.diagonal(lengths) < 0, -1.0, 1.0))


def _scatter(
    values: sparse.csr_matrix, means: NDArray[np.float64], sections: NDArray[np.int32]
) -> Callable[[Block], Block]:
    """Return what applies the scatter about the means to a block of vectors."""
    turned, rounded = values.T, means.astype(np.float32)
    one = len(means) == 1

    def apply(block: Block) -> Block:
        scores = values @ block
        offsets = rounded @ block
        # Centred before they are turned back: the means may outweigh all else.
        scores -= offsets if one else offsets[sections]
        scattered = turned @ scores
        if one:
            sums = scores.sum(axis=0, dtype=np.float64)[None]
        else:
            sums = np.stack(
                [
                    np.bincount(sections, column, minlength=len(means))
                    for column in scores.T
                ],
                axis=1,
            )
        scattered -= rounded.T @ sums.astype(np.float32)
        return np.asarray(scattered)

    return apply


def _axes_by_blocks(
    scatter: Callable[[Block], Block], shape: tuple[int, int], width: int, seed: int
) -> NDArray[np.float64]:
    n_genes, most = shape[1], min(shape)
    size = min(_BLOCK, most)
    # More than all there is cannot be spanned.
    n_blocks = max(most // size, -(-width // size))
    first_look = min(-(-_VECTORS_AN_AXIS * width // size), n_blocks)
    first = np.random.default_rng(seed).normal(size=(n_genes, size))
    block = np.linalg.qr(first.astype(np.float32))[0]
    basis, small = np.empty((n_genes, 0), np.float32), np.zeros((0, 0))
    for done in range(1, n_blocks + 1):
        basis = np.concatenate([basis, block], axis=1)
        image = scatter(block)
        # Whole columns, not the band alone: rounding leaves a little beyond it.
        along = basis.T @ image
        small = _bordered(small, along.astype(np.float64))
        block, beyond = _next_block(basis, image - basis @ along)
        looks = done >= first_look and (done - first_look) % _BETWEEN_LOOKS == 0
        if not looks and done < n_blocks:
            continue
        values, turns = np.linalg.eigh(small)
        turns = turns[:, ::-1][:, :width]
        left = np.linalg.norm(beyond @ turns[-size:], axis=0)
        if (left <= _SETTLED * values[-1]).all():
            break
    return np.asarray(basis @ turns, np.float64)


def _bordered(
    small: NDArray[np.float64], column: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a symmetric matrix with the columns of one more block."""
    before, size = len(small), column.shape[1]
    wider = np.zeros((before + size,) * 2)
    wider[:before, :before] = small
    wider[:, before:] = column
    wider[before:, :before] = column[:before].T
    own = wider[before:, before:]
    wider[before:, before:] = (own + own.T) / 2
    return wider


def _next_block(basis: Block, rest: Block) -> tuple[Block, NDArray[np.float64]]:
    """Return the block to go on with, and what of the rest lies along it."""
    block, beyond = np.linalg.qr(rest)
    # Once more: what the first time left of the basis is rounding.
    block, again = np.linalg.qr(block - basis @ (basis.T @ block))
    return block, again.astype(np.float64) @ beyond.astype(np.float64)
