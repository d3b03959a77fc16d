"""Random connected domains of equal sizes: what domains are compared with.

Neighbouring spots are alike, so that permuted labels would make anything look
extraordinary. Connected domains keep the likeness of neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from napari_semst.core.compiled import compiled_once
from napari_semst.explanation.markers import membership

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_semst.core.sections import Sections

# Larger sections are gathered into about so many patches of neighbouring spots.
MOST_PATCHES = 3_000
DRAWS_AT_ONCE = 200


@dataclass(frozen=True)
class Patches:
    """Spots, or small groups of neighbouring ones, and which of them touch.

    Parameters
    ----------
    of_spot
        Patch of each spot.
    size
        Spots of each patch, ``(n_patches,)``.
    touching
        Symmetric, ``(n_patches, n_patches)``, nothing between sections.
    """

    of_spot: NDArray[np.int64]
    size: NDArray[np.int64]
    section: NDArray[np.int64]
    touching: sparse.csr_matrix


def make_patches(
    coordinates: NDArray[np.float64],
    sections: Sections,
    touching: sparse.csr_matrix,
    most: int = MOST_PATCHES,
) -> Patches:
    """Return every spot on its own, or those of one square together where many.

    Parameters
    ----------
    coordinates
        Shape ``(n_spots, 2)``.
    sections
        Which spots are of which section; no patch is of two.
    touching
        Which spots touch, ``(n_spots, n_spots)``.
    most
        About how many patches there are to be.
    """
    n_spots = len(coordinates)
    if n_spots <= most:
        alone = np.arange(n_spots)
        ones = np.ones(n_spots, np.int64)
        return Patches(alone, ones, sections.codes.astype(np.int64), touching)
    of_spot, n_patches = np.zeros(n_spots, np.int64), 0
    for spots in sections.spots():
        wanted = max(round(most * len(spots) / n_spots), 1)
        squares = _squares(coordinates[spots], wanted)
        of_spot[spots] = n_patches + squares
        n_patches += int(squares.max()) + 1
    size = np.bincount(of_spot, minlength=n_patches)
    section = np.zeros(n_patches, np.int64)
    section[of_spot] = sections.codes
    together = membership(of_spot, n_patches)
    joint = sparse.csr_matrix(together @ touching @ together.T)
    joint.setdiag(0)
    joint.eliminate_zeros()
    return Patches(of_spot, size, section, joint)


def _squares(coordinates: NDArray[np.float64], wanted: int) -> NDArray[np.int64]:
    """Return the square of each spot, of about so many that hold spots."""
    low = coordinates.min(axis=0)
    extent = np.maximum(coordinates.max(axis=0) - low, 1e-9)
    side = float(np.sqrt(extent.prod() / wanted))
    # Tissue fills only part of its frame: once more with squares that much smaller.
    for _ in range(2):
        places = np.floor((coordinates - low) / side).astype(np.int64)
        key = places[:, 0] * (int(places[:, 1].max()) + 1) + places[:, 1]
        found, squares = np.unique(key, return_inverse=True)
        side *= float(np.sqrt(min(len(found) / wanted, 1.0)))
    return np.asarray(squares, np.int64)


def random_domains(
    patches: Patches,
    sums: NDArray[np.float32],
    wanted: NDArray[np.int64],
    n_draws: int,
    seed: int,
) -> Iterator[NDArray[np.float64]]:
    """Yield what random connected domains of the given sizes add up to.

    Parameters
    ----------
    sums
        Sums over each patch's spots, shape ``(n_patches, width)``.
    wanted
        Spots of each domain in each section, ``(n_sections, n_domains)``.
    n_draws
        How often the sections are divided anew.

    Yields
    ------
    numpy.ndarray
        Sums over each domain, ``(some draws, n_domains, width)``, until there are
        ``n_draws`` of them.
    """
    graph, random = patches.touching, np.random.default_rng(seed)
    starts, touching = graph.indptr.astype(np.int64), graph.indices.astype(np.int32)
    for start in range(0, n_draws, DRAWS_AT_ONCE):
        n = min(DRAWS_AT_ONCE, n_draws - start)
        inside = np.zeros((n, wanted.shape[1], sums.shape[1]))
        for section, sizes in enumerate(wanted):
            own = np.flatnonzero(patches.section == section)
            seed_of_these = int(random.integers(2**31))
            grow(
                starts, touching, patches.size, own, sums, sizes, seed_of_these, inside
            )
        yield inside


@compiled_once(nogil=True)
def grow(starts, touching, size, own, sums, wanted, seed, inside):  # type: ignore[no-untyped-def]
    """Divide patches into random connected domains, and add up what is in each.

    All domains grow at the same time, each from a patch of its own by a random patch
    that touches it, the more often the more it lacks. A domain that is shut in goes
    on from another free patch.

    Parameters
    ----------
    starts, touching
        Which patches touch which, in CSR form.
    size
        Spots of each patch.
    own
        The patches of the section that is divided.
    sums
        What is added up, ``(n_patches, width)`` float32.
    wanted
        Spots of each domain, ``(n_domains,)``.
    inside
        Changed in place, ``(n_draws, n_domains, width)`` float64.
    """
    np.random.seed(seed)
    n_domains, width = wanted.size, sums.shape[1]
    # In which draw a patch was last taken: nothing has to be wiped.
    taken = np.full(starts.size - 1, -1, np.int64)
    # A patch may wait once for every patch that touches it.
    edge = np.empty((n_domains, touching.size + own.size), np.int32)
    n_edge = np.empty(n_domains, np.int64)
    lacks = np.empty(n_domains, np.float64)
    for draw in range(inside.shape[0]):
        free = np.random.permutation(own)
        n_edge[:] = 0
        lacks[:] = wanted
        next_free, left = 0, own.size
        while left > 0:
            domain = _most_lacking(lacks)
            patch = -1
            while n_edge[domain] > 0 and patch < 0:
                chosen = np.random.randint(n_edge[domain])
                patch = edge[domain, chosen]
                n_edge[domain] -= 1
                edge[domain, chosen] = edge[domain, n_edge[domain]]
                if taken[patch] == draw:
                    patch = -1
            if patch < 0:
                while taken[free[next_free]] == draw:
                    next_free += 1
                patch = free[next_free]
            taken[patch] = draw
            left -= 1
            lacks[domain] -= size[patch]
            for column in range(width):
                inside[draw, domain, column] += sums[patch, column]
            for other in touching[starts[patch] : starts[patch + 1]]:
                if taken[other] != draw:
                    edge[domain, n_edge[domain]] = other
                    n_edge[domain] += 1


@compiled_once(nogil=True)
def _most_lacking(lacks):  # type: ignore[no-untyped-def]
    """Return a domain drawn by what it lacks, or the one least over its size."""
    total = 0.0
    for lack in lacks:
        total += max(lack, 0.0)
    if total <= 0:
        return np.argmax(lacks)
    drawn = np.random.random() * total
    domain = 0
    for place in range(lacks.size):
        if lacks[place] > 0:
            domain = place
            drawn -= lacks[place]
            if drawn <= 0:
                break
    return domain
