"""Which molecules are drawn: those of a tile around the view, thinned if too many.

A tile is somewhat larger than the view, so that small moves need no other. Of too many
molecules those are drawn whose places have the lowest ranks: the same ones in each tile
of a level, so that none flickers, and twice as many in the next level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.io.transcripts.molecules import is_sampled, place_ranks
from napari_semst.viewer.grid_index import GridIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.io.transcripts.molecules import Molecules
    from napari_semst.viewer.arrange import CanvasArrangement

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MOST_MOLECULES = 10_000_000
"""Of a table, that are kept in memory: with their order some 350 MB."""

MOST_DRAWN = 20_000
"""In a tile: what a layer of points redraws in less than a tenth of a second."""

# Around the view, of its sides.
_MARGIN = 0.25
# From one level of samples to the next, and how many molecules need no coarser one.
_STEP, _FEW = 8, 200_000


@dataclass(frozen=True, slots=True, eq=False)
class MoleculeTile:
    """Molecules that are drawn in a box of the canvas.

    Parameters
    ----------
    low, high
        Corners of the box, (y, x).
    places
        Of those drawn, (y, x), shape ``(n, 2)``.
    codes
        Their genes, shape ``(n,)``.
    share
        Of all in the box, how much of them these are.
    """

    low: Floats
    high: Floats
    places: Floats
    codes: NDArray[np.int16]
    share: float

    def n_within(self, low: Floats, high: Floats) -> int:
        """Return how many of those drawn are in a box."""
        inside = (self.places >= low) & (self.places <= high)
        return int(inside.all(axis=1).sum())


@dataclass(frozen=True, slots=True, eq=False)
class MoleculeView:
    """What is to be seen of molecules in a view.

    Parameters
    ----------
    tile
        To be drawn; None where the one on show still does.
    n_drawn, n_there
        In the view.
    exact
        Whether the second is counted, and not told from a sample.
    """

    tile: MoleculeTile | None
    n_drawn: int
    n_there: int
    exact: bool


class CanvasMolecules:
    """Molecules where they stand on the canvas.

    Parameters
    ----------
    parts
        As they were read, of each section; in the coordinates of the tissue.
    arrangement
        Where the sections stand.
    """

    def __init__(
        self, parts: Sequence[Molecules], arrangement: CanvasArrangement
    ) -> None:
        self.parts = tuple(parts)
        share = min((part.share for part in parts), default=1.0)
        places, codes, ranks = [], [], []
        for part in parts:
            own, code, rank = part.places, part.codes, place_ranks(part.places)
            if part.share > share:
                kept = is_sampled(rank, share)
                own, code, rank = own[kept], code[kept], rank[kept]
            scale, shift = _standing(arrangement, part.section)
            places.append(own[:, ::-1] * scale + shift)
            codes.append(code)
            ranks.append(rank)
        self._codes = np.concatenate(codes) if codes else np.empty(0, np.int16)
        self._ranks = np.concatenate(ranks) if ranks else np.empty(0, np.uint32)
        whole = np.concatenate(places) if places else np.empty((0, 2))
        self._levels = _levels(whole, self._ranks, share)
        self.share = share

    def __len__(self) -> int:
        return len(self._codes)

    def look(
        self,
        low: Floats,
        high: Floats,
        now: MoleculeTile | None = None,
        most: int = MOST_DRAWN,
    ) -> MoleculeView:
        """Return what to draw for a view.

        Parameters
        ----------
        low, high
            Corners of the view, (y, x), where spots stand.
        now
            The tile on show.
        most
            Molecules to draw at most.
        """
        margin = _MARGIN * (high - low)
        tile = self._tile(low - margin, high + margin, most)
        n_there, exact = self._count(low, high, most)
        if (
            now is not None
            and bool((now.low <= low).all() and (now.high >= high).all())
            and now.share >= tile.share
        ):
            return MoleculeView(None, now.n_within(low, high), n_there, exact)
        return MoleculeView(tile, tile.n_within(low, high), n_there, exact)

    def _tile(self, low: Floats, high: Floats, most: int) -> MoleculeTile:
        which, share = self._found(low, high, most)
        # As powers of two: the same molecules are drawn in the tiles of a level.
        part = 2.0 ** -np.ceil(np.log2(max(len(which) / most, 1.0)))
        share *= part
        if part < 1:
            which = which[is_sampled(self._ranks[which], share)]
        index = self._levels[-1][0] if self._levels else None
        places = np.empty((0, 2)) if index is None else index.places[which]
        return MoleculeTile(low, high, places, self._codes[which], share)

    def _count(self, low: Floats, high: Floats, most: int) -> tuple[int, bool]:
        which, share = self._found(low, high, most)
        return round(len(which) / share), share == 1.0

    def _found(self, low: Floats, high: Floats, most: int) -> tuple[Ints, float]:
        """Return enough of the molecules in a box, and the share of all they are."""
        for index, members, share in self._levels:
            found = index.within(low, high)
            if members is None or len(found) >= most:
                return (found if members is None else members[found]), share
        return np.empty(0, np.int64), self.share


def _levels(
    places: Floats, ranks: NDArray[np.uint32], share: float
) -> list[tuple[GridIndex, Ints | None, float]]:
    """Return samples of molecules, the coarsest first and all of them last."""
    if not len(places):
        return []
    found: list[tuple[GridIndex, Ints | None, float]] = []
    found.append((GridIndex(places), None, share))
    n, part = len(places), share
    while n > _FEW:
        part /= _STEP
        members = np.flatnonzero(is_sampled(ranks, part))
        n = len(members)
        if n:
            found.append((GridIndex(places[members]), members, part))
    return found[::-1]


def _standing(arrangement: CanvasArrangement, section: str) -> tuple[float, Floats]:
    """Return what takes a section's own (y, x) to the canvas: scale and shift."""
    names = arrangement.names
    if len(names) < 2:
        return float(arrangement.scales[0]), arrangement.shifts[0]
    place = names.index(section)
    return float(arrangement.scales[place]), arrangement.shifts[place]


def can_stand(arrangement: CanvasArrangement, parts: Sequence[Molecules]) -> bool:
    """Return whether it is known where molecules stand: of which section they are."""
    names = arrangement.names
    return len(names) < 2 or all(part.section in names for part in parts)
