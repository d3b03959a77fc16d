"""Leading principal axes of a sparse matrix of many genes, by products with blocks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import qr

from napari_semst.core.chunks import chunks
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
# Up to so many spots, or genes, their products with each other are small and exact.
_FEW = 512
_ROWS_AT_ONCE = 4096
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
    or when the blocks fill the space. What an exhausted block lacks is drawn anew, so
    that axes are at right angles also where the matrix has fewer than are wanted.
    """
    # The last bits of products are not to depend on the number of cores.
    with threads_limited(1):
        if values.shape[0] <= _FEW:
            return _axes_of_few_spots(values, means, sections, width)
        if values.shape[1] <= _FEW:
            return _axes_of_few_genes(values, means, sections, width)
        scatter = _scatter(values.astype(np.float32, copy=False), means, sections)
        # What products lose is of the size of the means, that are taken away in them.
        away = np.sqrt(((means**2).sum(axis=1)[sections]).sum())
        lost = float(np.finfo(np.float32).eps * away)
        return _axes_by_blocks(scatter, values.shape, width, seed, lost)


def _axes_of_few_spots(
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


def _axes_of_few_genes(
    values: sparse.csr_matrix,
    means: NDArray[np.float64],
    sections: NDArray[np.int32],
    width: int,
) -> NDArray[np.float64]:
    """Return the axes of few genes, from their products with each other."""
    scatter = np.zeros((values.shape[1],) * 2)
    for part in chunks(values.shape[0], _ROWS_AT_ONCE):
        centred = values[part].toarray() - means[sections[part]]
        scatter += centred.T @ centred
    return np.asarray(np.linalg.eigh(scatter)[1][:, ::-1][:, :width])


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
    scatter: Callable[[Block], Block],
    shape: tuple[int, int],
    width: int,
    seed: int,
    lost: float,
) -> NDArray[np.float64]:
    n_genes, most = shape[1], min(shape)
    size = min(_BLOCK, most)
    # More than all there is cannot be spanned.
    n_blocks = max(most // size, -(-width // size))
    first_look = min(-(-_VECTORS_AN_AXIS * width // size), n_blocks)
    random = np.random.default_rng(seed)
    first = random.normal(size=(n_genes, size))
    block = np.linalg.qr(first.astype(np.float32))[0]
    basis, small = np.empty((n_genes, 0), np.float32), np.zeros((0, 0))
    longest = 0.0
    for done in range(1, n_blocks + 1):
        basis = np.concatenate([basis, block], axis=1)
        image = scatter(block)
        longest = max(longest, float(np.linalg.norm(image, axis=0).max()))
        # Whole columns, not the band alone: rounding leaves a little beyond it.
        along = basis.T @ image
        small = _bordered(small, along.astype(np.float64))
        nothing = _rounding(longest, lost)
        block, beyond = _next_block(basis, image - basis @ along, nothing, random)
        looks = done >= first_look and (done - first_look) % _BETWEEN_LOOKS == 0
        if not looks and done < n_blocks:
            continue
        values, turns = np.linalg.eigh(small)
        turns = turns[:, ::-1][:, :width]
        left = np.linalg.norm(beyond @ turns[-size:], axis=0)
        if (left <= _rounding(float(values[-1]), lost)).all():
            break
    return np.asarray(basis @ turns, np.float64)


def _rounding(largest: float, lost: float) -> float:
    """Return what of a product is nothing, beside an eigenvalue and what is lost."""
    return max(_SETTLED * largest, lost * (math.sqrt(max(largest, 0.0)) + lost))


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


def _next_block(
    basis: Block, rest: Block, nothing: float, random: np.random.Generator
) -> tuple[Block, NDArray[np.float64]]:
    """Return the block to go on with, and what of the rest lies along it.

    Where some of the rest is nothing, directions are drawn at random in its place:
    rounding alone would point back into the basis.
    """
    block, beyond = np.linalg.qr(rest)
    if np.abs(np.diagonal(beyond)).min() <= nothing:
        block, beyond, order = qr(rest, mode="economic", pivoting=True)
        gone = np.abs(np.diagonal(beyond)) <= nothing
        beyond[gone] = 0.0
        beyond = beyond[:, np.argsort(order)]
        drawn = random.normal(size=block.shape).astype(np.float32)
        block = np.where(gone, drawn - basis @ (basis.T @ drawn), block)
        block, again = np.linalg.qr(block)
        beyond = again @ beyond
    # Once more: what the first time left of the basis is rounding.
    block, again = np.linalg.qr(block - basis @ (basis.T @ block))
    return block, again.astype(np.float64) @ beyond.astype(np.float64)
