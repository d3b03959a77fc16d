"""The nearest spots by cosine: all compared with all, or with those of near groups.

Both ways are products of a few rows at a time, each on one thread, in sizes that are
fixed: the same bits whatever the number of threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.core.threads import side_by_side, threads_limited
from napari_semst.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Spots whose lists one job fills, and scores that it holds at once.
_JOB_SPOTS = 8192
_SCORES = 2**19
_EXACT_SPOTS = 1024
# Groups for each root of the number of spots, and how many of them a spot looks into.
_GROUPS_PER_ROOT = 1.5
_MOST_GROUPS = 2**16
LOOKED_INTO = 60
# Groups are found on a sample of so many spots for each.
_SAMPLED_PER_GROUP = 20
_ROUNDS = 3


def nearest_by_cosine(
    points: NDArray[np.floating], k: int, check: Callable[[], None] = lambda: None
) -> NDArray[np.int32]:
    """Return every spot's nearest others, by comparing all with all.

    Parameters
    ----------
    points
        Shape ``(n_spots, width)``.
    k
        Fewer than there are spots.
    check
        Called between pieces; ends the search by raising.

    Returns
    -------
    nearest
        Nearest first, ``(n_spots, k)``; a spot itself is never among them.
    """
    unit = _unit_rows(points)
    lists = _Lists.empty(len(unit), k)

    def fill(start: int) -> None:
        stop = min(start + _JOB_SPOTS, len(unit))
        buffer = np.empty(_SCORES, np.float32)
        part = lists.part(start, stop)
        rows = np.arange(stop - start, dtype=np.int32)
        for first in range(0, len(unit), _EXACT_SPOTS):
            check()
            others = unit[first : first + _EXACT_SPOTS]
            part.compare(unit[start:stop], rows, others, first, buffer)

    _in_parts(fill, len(unit))
    return lists.nearest


def nearest_in_groups(
    points: NDArray[np.floating],
    k: int,
    seed: int,
    check: Callable[[], None] = lambda: None,
) -> tuple[NDArray[np.int32], int]:
    """Return the nearest others that are found in the groups nearest to each spot.

    Spots are divided into groups by k-means of their directions (an inverted file,
    Jégou, Douze and Schmid 2011); a spot is compared with all spots of the
    `LOOKED_INTO` groups whose centres are nearest to it, its own among them.

    Parameters
    ----------
    points, k, check
        As of `nearest_by_cosine`.
    seed
        Draws the sample that groups are found on.

    Returns
    -------
    nearest, n_groups
        Nearest first, ``(n_spots, k)``. Groups too small for k others would leave
        places empty, which are -1.
    """
    unit = _unit_rows(points)
    groups, order = _grouped(unit, seed, check)
    lists = _Lists.empty(len(unit), k)

    def fill(start: int) -> None:
        stop = min(start + _JOB_SPOTS, len(unit))
        _fill_from_groups(groups, lists.part(start, stop), check)

    _in_parts(fill, len(unit))
    # Spots were put in the order of their groups.
    nearest, short = np.empty_like(lists.nearest), order.astype(np.int32)
    nearest[order] = np.where(lists.nearest < 0, np.int32(-1), short[lists.nearest])
    return nearest, len(groups.centres)


class _Lists(NamedTuple):
    """The nearest so far of some spots that stand together, and their scores."""

    nearest: NDArray[np.int32]
    best: NDArray[np.float32]
    start: int

    @classmethod
    def empty(cls, n_spots: int, k: int) -> _Lists:
        best = np.full((n_spots, k), -np.inf, np.float32)
        return cls(np.full((n_spots, k), -1, np.int32), best, 0)

    def part(self, start: int, stop: int) -> _Lists:
        return _Lists(self.nearest[start:stop], self.best[start:stop], start)

    def compare(
        self,
        own: NDArray[np.float32],
        rows: NDArray[np.int32],
        others: NDArray[np.float32],
        first: int,
        buffer: NDArray[np.float32],
    ) -> None:
        """Compare some of these spots with others that stand together.

        Parameters
        ----------
        own
            Directions of all spots of these lists.
        rows
            Which of them are compared.
        first
            Number of the first of the others.
        buffer
            Written over.
        """
        from napari_semst.prepare.nearest_kernels import keep_best

        at_once = max(1, len(buffer) // len(others))
        for begin in range(0, len(rows), at_once):
            some = rows[begin : begin + at_once]
            size = len(some) * len(others)
            if size > len(buffer):  # one spot, and more others than a buffer holds
                buffer = np.empty(size, np.float32)
            scores = buffer[:size].reshape(len(some), len(others))
            np.matmul(own[some], others.T, out=scores)
            keep_best(scores, some, first, self.start, self.nearest, self.best)


class _Groups(NamedTuple):
    """Spots in the order of their groups.

    Parameters
    ----------
    unit
        Directions of the spots, ``(n_spots, width)``.
    member
        Group of each, rising, ``(n_spots,)``.
    begins
        Where each group begins, and where the last one ends.
    centres
        Directions of the groups, ``(n_groups, width)``.
    """

    unit: NDArray[np.float32]
    member: NDArray[np.int64]
    begins: NDArray[np.int64]
    centres: NDArray[np.float32]


def _grouped(
    unit: NDArray[np.float32], seed: int, check: Callable[[], None]
) -> tuple[_Groups, NDArray[np.int64]]:
    """Return the spots in the order of their groups, and that order."""
    n_spots = len(unit)
    n_groups = min(int(_GROUPS_PER_ROOT * np.sqrt(n_spots)) + 1, _MOST_GROUPS, n_spots)
    with threads_limited(1):
        centres = _centres(unit, n_groups, np.random.default_rng(seed))
    member = np.empty(n_spots, np.int64)

    def assign(start: int) -> None:
        check()
        part = slice(start, start + _JOB_SPOTS)
        member[part] = _nearest_centre(unit[part], centres)

    _in_parts(assign, n_spots)
    order = np.argsort(member, kind="stable")
    sizes = np.bincount(member, minlength=n_groups)
    begins = np.concatenate([[0], np.cumsum(sizes)])
    return _Groups(unit[order], member[order], begins, centres), order


def _centres(
    unit: NDArray[np.float32], n_groups: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Return directions of groups, by a few rounds of k-means on a sample."""
    from scipy import sparse

    size = min(len(unit), n_groups * _SAMPLED_PER_GROUP)
    sample = unit[np.sort(random.choice(len(unit), size, replace=False))]
    centres = sample[np.sort(random.choice(size, n_groups, replace=False))]
    for _ in range(_ROUNDS):
        member = _nearest_centre(sample, centres)
        ones = np.ones(size, np.float32)
        owner = sparse.csr_matrix((ones, (member, np.arange(size))), (n_groups, size))
        sums = np.asarray(owner @ sample)
        # A group that lost all its spots stays where it was.
        empty = np.bincount(member, minlength=n_groups) == 0
        centres = np.where(empty[:, None], centres, _unit_rows(sums))
    return centres


def _nearest_centre(
    unit: NDArray[np.float32], centres: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Return the nearest centre of each spot."""
    step = max(1, _SCORES // len(centres))
    parts = range(0, len(unit), step)
    return np.concatenate(
        [(unit[at : at + step] @ centres.T).argmax(axis=1) for at in parts]
    )


def _fill_from_groups(
    groups: _Groups, lists: _Lists, check: Callable[[], None]
) -> None:
    """Compare the spots of these lists with those of the groups nearest to them."""
    own = groups.unit[lists.start : lists.start + len(lists.nearest)]
    looked = _near_groups(own, groups.centres)
    n_looked = looked.shape[1]
    order = np.argsort(looked.ravel(), kind="stable")
    rows = (order // n_looked).astype(np.int32)
    bounds = np.searchsorted(looked.ravel()[order], np.arange(len(groups.centres) + 1))
    buffer = np.empty(_SCORES, np.float32)
    # Their own groups first: what is found there spares places in the lists later.
    first = int(groups.member[lists.start])
    for group in np.roll(np.arange(len(groups.centres)), -first):
        some = rows[bounds[group] : bounds[group + 1]]
        begin, end = groups.begins[group], groups.begins[group + 1]
        if len(some) and end > begin:
            check()
            lists.compare(own, some, groups.unit[begin:end], int(begin), buffer)


def _near_groups(
    own: NDArray[np.float32], centres: NDArray[np.float32]
) -> NDArray[np.uint16]:
    """Return the groups nearest to each spot, in no order of nearness."""
    from napari_semst.prepare.nearest_kernels import columns_from

    n_groups = len(centres)
    n_looked = min(LOOKED_INTO, n_groups)
    looked = np.empty((len(own), n_looked), np.uint16)
    step = max(1, _SCORES // n_groups)
    for start in range(0, len(own), step):
        values = own[start : start + step] @ centres.T
        least = np.partition(values, n_groups - n_looked, axis=1)[:, -n_looked]
        least = np.ascontiguousarray(least)
        columns_from(values, least, looked[start : start + step])
    return looked


def _in_parts(work: Callable[[int], None], n_spots: int) -> None:
    """Do work on the spots from each start, side by side where there are several."""
    starts = range(0, n_spots, _JOB_SPOTS)
    side_by_side([lambda start=start: work(start) for start in starts])  # type: ignore[misc]


def _unit_rows(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return values as rows of length 1; rows of zeros stay zeros."""
    length = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))
    # A score that is no number would neither be larger nor smaller than any other.
    if n_bad := int((~np.isfinite(length)).sum()):
        raise InputError(
            f"Expected finite expression in every spot; that of {n_bad:,} is not. "
            "Remove them, or look for NaN and infinity in the counts."
        )
    length[length == 0] = 1.0
    return np.ascontiguousarray(values / length[:, None], dtype=np.float32)
