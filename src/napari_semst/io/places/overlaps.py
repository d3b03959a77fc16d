"""Samples that share their ground, told from the places of their spots.

Labels that share ground are no sign yet: types of cells do. But the spots of one
section keep their distance from each other, whatever their type, while two sections
know nothing of each other: where they lie on the same ground, spots of one come as near
to spots of the other as chance will have it, down to the same place. So the pairs of
spots that are much nearer than others are looked at. In one section they are of one
label at least as often as spots drawn at random; where a column tells samples apart,
hardly ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst import keys
from napari_semst.io.text_columns import as_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

# Of so many spots neighbours are looked at: their share is then known to 1 %.
_ASKED = 20_000
_NEIGHBOURS = 12
_FEWEST_SPOTS = 20
# A pair is close where a spot's nearest one is nearer than this share of the next one.
_CLOSE = 0.5
# Least share of spots among those of other samples, and of close pairs.
_AMONG_OTHERS = 0.05
_CLOSE_PAIRS = 0.03
# A spot lies among others if their middle is no farther from that of its own neighbours
# than this share of the reach: along a border the two lie on either side.
_ONE_MIDDLE = 0.5
# Pairs of one label, as a share of those that chance would bring: up to the first it
# tells samples; from the second on labels keep together, as types of cells do.
_APART = 0.5
_TOGETHER = 1.25
# Pairs of one label that chance must bring for a share of them to be relied upon, and
# by how many standard deviations of chance there must be fewer.
_ENOUGH_PAIRS = 20
_SURELY_FEWER = 3.0
# Types of cells, or domains of samples, can differ between near spots as well: columns
# of such names, or told by nothing but the nearest spots, must leave fewer together.
_HARDLY_ANY = 0.1
# Above this share of spots at the place of another no column is needed to say so.
_SAME_PLACES = 0.5
# Columns that leave so little more together than the best one are as good.
_ALIKE = 0.15
# Columns of which a sample of spots has more values than this share measure or name
# single spots.
_MOST_NUMBERS, _MOST_TEXTS = 0.25, 0.5
_LOOKED_AT = 2_000
# A table is cut into so many parts to see whether its order tells samples.
_PARTS = (8, 64)

_SAMPLE_NAMES = (
    keys.SECTION,
    "library_id",
    "library",
    "sample_id",
    "sample",
    "section_id",
    "section",
    "slice",
    "slide",
    "batch",
    "orig.ident",
    "fov",
)
_SAMPLE_WORDS = re.compile(
    r"(?i)(?<![a-z])(animal|batch|bregma|chip|donor|fov|individual|library|mouse|patient"
    r"|puck|replicate|sample|section|slice|slide|specimen|subject)s?(?![a-z])"
    r"|genotype"
)
_LABEL_WORDS = re.compile(
    r"(?i)annot|class|cluster|domain|group|label|layer|leiden|louvain|niche|phase|region"
    r"|state|truth|type"
)
# Places in a field of view, as CosMx has them: measures, whatever their values.
_PLACE_WORDS = re.compile(r"(?i)^(?:center|centre|centroid)_?[xyz]|[a-z]_(?:px|um|mm)$")


@dataclass(frozen=True, slots=True)
class SharedGround:
    """Samples whose spots lie among each other.

    Parameters
    ----------
    column
        The obs column that tells them apart; empty where none does.
    names
        Of the samples, in the order of their first spots.
    share
        Of the spots that lie among those of other samples.
    at_one_place
        Whether, without a column, it is that of the spots at the place of another.
    """

    column: str
    names: tuple[str, ...]
    share: float
    at_one_place: bool = False


class _Evidence(NamedTuple):
    """What the places say of a column.

    Parameters
    ----------
    column
        Its name.
    share
        Of the spots that lie among those of other values.
    left
        Pairs that it leaves together, as a share of those that chance would bring.
    rank
        The least for the column that is best named.
    is_told
        Whether distances tell it, and not only the table itself.
    """

    column: str
    share: float
    left: float
    rank: tuple[int, int, int]
    is_told: bool


def shared_ground(
    obs: pd.DataFrame,
    places: NDArray[np.floating],
    sections: NDArray[np.integer] | None = None,
    prefer: str = "",
) -> SharedGround | None:
    """Return the samples that lie on one another, `None` where there are none.

    The cost is that of a search tree of the places and of the neighbours of 20,000
    spots; the same spots are asked each time.

    Parameters
    ----------
    obs
        Columns of the spots; which one tells samples apart is found.
    places
        Shape ``(n_spots, 2)``, any unit.
    sections
        Section of each spot where sections are told apart, shape ``(n_spots,)``:
        only samples inside them are looked for.
    prefer
        Of columns that tell samples equally well, the one to name.
    """
    if len(places) < _FEWEST_SPOTS or len(places) != len(obs):
        return None
    own = np.asarray(places, np.float64)
    if sections is not None:
        # Set so far apart that no neighbour is of another one.
        own = own + np.outer(sections, [3 * np.ptp(own[:, 0]) + 1, 0])
    near = _Neighbourhood(own)
    found = [
        evidence
        for name in _few_valued(obs)
        if (evidence := near.evidence(name, obs[name])) is not None
    ]
    if found:
        least = min(one.left for one in found)
        alike = [one for one in found if one.left <= least + _ALIKE]
        best = min(alike, key=lambda one: (one.column != prefer, one.rank))
        names = as_texts(obs[best.column].drop_duplicates().dropna())
        return SharedGround(best.column, tuple(names), best.share)
    if same := near.share_at_one_place():
        return SharedGround("", (), same, at_one_place=True)
    apart = near.share_by_order(len(obs))
    return SharedGround("", (), apart) if apart else None


class _Pairs(NamedTuple):
    """Pairs of spots of one value: how many there are, and how many chance brings."""

    found: float
    chance: float

    @property
    def ratio(self) -> float:
        return self.found / max(self.chance, 1)

    @property
    def is_enough(self) -> bool:
        return self.chance >= _ENOUGH_PAIRS

    @property
    def is_together(self) -> bool:
        return self.is_enough and self.ratio > _TOGETHER

    def is_apart(self, ratio: float) -> bool:
        fewer = (self.chance - self.found) / np.sqrt(max(self.chance, 1))
        return bool(self.ratio <= ratio and fewer >= _SURELY_FEWER)


class _Neighbourhood:
    """The neighbours of some spots, and what they say of columns."""

    def __init__(self, places: NDArray[np.float64]) -> None:
        from scipy.spatial import KDTree

        n_spots = len(places)
        self._spots = np.arange(n_spots)
        if n_spots > _ASKED:
            chance = np.random.default_rng(0)
            self._spots = np.sort(chance.choice(n_spots, _ASKED, replace=False))
        reach = min(_NEIGHBOURS, n_spots - 1)
        tree = KDTree(places, balanced_tree=False, compact_nodes=False)
        distances, others = tree.query(places[self._spots], k=reach + 1)
        # A spot is not its own neighbour; among many at one place it may not be found.
        own = others == self._spots[:, None]
        own[~own.any(axis=1), -1] = True
        order = np.argsort(own, axis=1, kind="stable")[:, :-1]
        self._others = np.take_along_axis(others, order, axis=1)
        self._distances = np.take_along_axis(distances, order, axis=1)
        radius = np.maximum(self._distances[:, -1:], np.finfo(float).tiny)
        towards = places[self._others] - places[self._spots][:, None]
        self._towards = (towards / radius[:, :, None]).astype(np.float32)
        first, second = self._distances[:, 0], self._distances[:, 1]
        self._close = (first == 0) | (first < _CLOSE * second)
        self._keep_distance = bool(self._close.mean() < _CLOSE_PAIRS)
        self._places = places[self._spots]

    def share_at_one_place(self) -> float:
        """Return the share of spots at the place of another, 0 if it is a small one."""
        share = float((self._distances[:, 0] == 0).mean())
        return share if share >= _SAME_PLACES else 0.0

    def share_by_order(self, n_spots: int) -> float:
        """Return the share of spots on shared ground that their order tells, else 0.

        Where samples follow one another in a table, near spots that are not of one
        sample stand far apart in it.
        """
        import pandas as pd

        for n_parts in _PARTS:
            part = np.arange(n_spots) * n_parts // n_spots
            found = self.evidence("", pd.Series(part))
            if found is not None and found.is_told:
                return found.share
        return 0.0

    def evidence(self, name: str, column: pd.Series) -> _Evidence | None:
        """Return what speaks for a column, `None` if it tells no samples apart."""
        own, others, n_values = self._codes(column)
        same = others == own[:, None]
        if n_values < 2 or (~same).mean() < _AMONG_OTHERS / 2 or self._is_thin(own):
            return None
        share = float(self._among_others(same).mean())
        pairs, nearest = self._kept_together(own, same)
        told = self._is_told(name, pairs, nearest)
        # Places drawn at random keep no distance: then only what the table says of
        # itself is left to go by.
        together = pairs.is_together or nearest.is_together
        if share < _AMONG_OTHERS or (together and not told):
            return None
        if not told and (
            share < 2 * _AMONG_OTHERS
            or self._keep_distance
            or column.dtype.kind == "b"
            or not _is_joined(name, column, certain=pairs.is_enough)
        ):
            return None
        left = pairs.ratio if pairs.is_enough else nearest.ratio
        # Of those that chance alone speaks for, the one that divides most.
        size = n_values if told else -n_values
        rank = (int(column.isna().any()), _name_rank(name), size)
        return _Evidence(name, share, left, rank, told)

    @staticmethod
    def _is_told(name: str, pairs: _Pairs, nearest: _Pairs) -> bool:
        """Return whether distances tell samples by a column.

        Where there are close pairs, these say it: the nearest spots are of another
        domain already where those of two samples differ.
        """
        is_label = _is_label(name)
        if pairs.is_apart(_HARDLY_ANY if is_label else _APART):
            return True
        if is_label or pairs.is_enough or pairs.ratio > _APART:
            return False
        return nearest.is_apart(_APART if pairs.chance else _HARDLY_ANY)

    def _codes(
        self, column: pd.Series
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Return values of the spots asked and of their neighbours, as numbers."""
        import pandas as pd

        asked = np.concatenate([self._spots, self._others.ravel()])
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes = column.cat.codes.to_numpy()[asked]
            codes, values = pd.factorize(codes)
        else:
            codes, values = pd.factorize(column.iloc[asked])
            values = range(len(values) + bool((codes < 0).any()))
            codes = np.where(codes < 0, len(values) - 1, codes)
        own, others = np.split(codes, [len(self._spots)])
        return own, others.reshape(self._others.shape), len(values)

    def _kept_together(
        self, own: NDArray[np.int64], same: NDArray[np.bool_]
    ) -> tuple[_Pairs, _Pairs]:
        """Return how many near spots are of one value, and how many chance brings.

        Of close pairs, and of the nearest spots where those around are of several
        values.
        """
        counts = np.bincount(own[self._close]).astype(float)
        chance = float((counts**2).sum()) / max(float(counts.sum()), 1)
        if self._keep_distance:
            chance = 0.0
        pairs = _Pairs(float(same[self._close, 0].sum()), chance)
        mixed = same[(~same).sum(axis=1) >= 2]
        usual = float(mixed.mean(axis=1).sum())
        return pairs, _Pairs(float(mixed[:, 0].sum()), usual)

    def _among_others(self, same: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which spots have those of other values on all sides."""
        n_own = same.sum(axis=1)
        n_other = same.shape[1] - n_own
        own = np.einsum("ij,ijk->ik", same, self._towards)
        others = self._towards.sum(axis=1) - own
        # A single neighbour says nothing of where the others of its kind are.
        own = own / np.maximum(n_own, 1)[:, None] * (n_own > 1)[:, None]
        apart = own - others / np.maximum(n_other, 1)[:, None]
        middle = np.hypot(apart[:, 0], apart[:, 1]) < _ONE_MIDDLE
        return np.asarray((n_other >= 2) & middle)

    def _is_thin(self, own: NDArray[np.int64]) -> bool:
        """Return whether values are lines, as the rows of an array are."""
        counts = np.maximum(np.bincount(own), 1)
        inside = [
            column - (np.bincount(own, column) / counts)[own]
            for column in self._places.T
        ]
        width = np.sqrt(max(float(np.linalg.eigvalsh(np.cov(inside))[0]), 0.0))
        return bool(width < 0.5 * float(np.median(self._distances[:, -1])))


def _few_valued(obs: pd.DataFrame) -> Iterator[str]:
    """Yield columns of few values: neither measures nor names of single spots."""
    from pandas.api.types import is_numeric_dtype

    some = obs.iloc[:: max(1, len(obs) // _LOOKED_AT)]
    once = obs.columns[~obs.columns.duplicated(keep=False)]
    for name in once:
        column = some[name]
        most = _MOST_NUMBERS if is_numeric_dtype(column) else _MOST_TEXTS
        if str(name).startswith(keys.RESULTS):
            continue
        if is_numeric_dtype(column) and _PLACE_WORDS.search(str(name)):
            continue
        if 1 < column.nunique(dropna=False) <= most * len(some):
            yield name


def is_named_as_sample(name: str) -> bool:
    """Return whether a column is called as samples are.

    Parameters
    ----------
    name
        Of the column.
    """
    return name.lower() in _SAMPLE_NAMES or bool(_SAMPLE_WORDS.search(name))


def _is_joined(name: str, column: pd.Series, *, certain: bool) -> bool:
    """Return whether name or order of a column say that samples were joined by it.

    The order does only where it is certain that labels do not keep together.
    """
    import pandas as pd

    named = is_named_as_sample(name)
    if named or _is_label(name) or not certain:
        return named
    codes, values = pd.factorize(column)
    runs = int(np.count_nonzero(codes[1:] != codes[:-1])) + 1
    return runs <= min(3 * len(values), len(codes) // 20)


def _name_rank(name: str) -> int:
    """Return how much a name is one of samples, the least for the best."""
    lower = name.lower()
    if lower in _SAMPLE_NAMES:
        return _SAMPLE_NAMES.index(lower)
    if _is_label(name):
        return len(_SAMPLE_NAMES) + 2
    return len(_SAMPLE_NAMES) + (0 if _SAMPLE_WORDS.search(name) else 1)


def _is_label(name: str) -> bool:
    """Return whether a name is one of types or domains, and of nothing else."""
    return bool(_LABEL_WORDS.search(name)) and not _SAMPLE_WORDS.search(name)
