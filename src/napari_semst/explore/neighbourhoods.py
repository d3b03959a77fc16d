"""How domains lie beside each other: who touches whom, how large and thick each is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.explore.labels import NONE, read_labels

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.explore.labels import Labels

    Floats = NDArray[np.float64]

SHUFFLES = 999
"""Times that borders are shuffled; of more than 100,000 border contacts a tenth."""

BINS = 12
"""Distances at which expression along a border is told."""

_MANY = 100_000
# A spot farther than this from another does not touch it: in steps of a lattice, or in
# the usual distance to the nearest few of scattered cells.
_TOUCHES, _TOUCHES_SCATTERED = 1.2, 1.6


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhoods:
    """How the domains of a section lie beside each other.

    Parameters
    ----------
    names
        Of the domains.
    contacts
        Pairs of touching spots, one in each of two domains, ``(n, n)``, symmetric; on
        the diagonal those within one.
    expected
        Contacts of two domains if borders of these lengths met at random, ``(n, n)``.
    p_more
        Share of shuffles in which two domains touch at least so often, ``(n, n)``; NaN
        on the diagonal. Neighbouring contacts are alike: it ranks pairs.
    area
        Of each domain in squared units of the places, ``(n,)``.
    thickness
        Of each domain in units of the places, ``(n,)``: four times the mean distance
        of its spots to its border, which is exact for bands. NaN where a domain has no
        border.
    distance
        Of each spot to the border of its domain, ``(n_spots,)``; NaN where there is
        none.
    """

    names: tuple[str, ...]
    contacts: NDArray[np.int64]
    expected: Floats
    p_more: Floats
    area: Floats
    thickness: Floats
    distance: Floats

    def touching(self, name: str) -> tuple[tuple[str, int, float], ...]:
        """Return who touches a domain, how often and with what p, the most first."""
        own = self.names.index(name)
        row = self.contacts[own].copy()
        row[own] = 0
        order = np.argsort(-row, kind="stable")
        return tuple(
            (self.names[other], int(row[other]), float(self.p_more[own, other]))
            for other in order
            if row[other]
        )


def section_neighbourhoods(tissue: AnnData, column: str) -> Neighbourhoods:
    """Return how the labels of a column lie beside each other, section by section.

    Parameters
    ----------
    tissue
        The section, or several joined.
    column
        obs column of the labels.

    Raises
    ------
    InputError
        If there is no such column, or there are no coordinates.
    """
    from napari_semst.io.coordinates import find_coordinates

    sections = None
    if keys.SECTION in tissue.obs:
        sections = tissue.obs[keys.SECTION].astype("category").cat.codes.to_numpy()
    return neighbourhoods(
        read_labels(tissue, column), find_coordinates(tissue), sections
    )


def neighbourhoods(
    labels: Labels,
    places: Floats,
    sections: NDArray[np.integer] | None = None,
    seed: int = 0,
) -> Neighbourhoods:
    """Return how the domains of a section lie beside each other.

    Parameters
    ----------
    labels
        Domain of each spot; those without a name count as no tissue.
    places
        Of the spots, ``(n_spots, 2)``.
    sections
        Section of each spot, where there are several: only spots of one touch.
    seed
        Of the shuffles.

    Raises
    ------
    InputError
        If fewer than two domains have spots.
    """
    codes = labels.codes
    if len(np.unique(codes[codes != NONE])) < 2:
        raise InputError(
            "Expected spots of two domains or more; found fewer. Colour by domains, or "
            "by another column with several names."
        )
    places = np.asarray(places, dtype=np.float64)
    parts = np.zeros(len(codes), np.int64) if sections is None else sections
    n = len(labels.names)
    distance = np.full(len(codes), np.nan)
    area = np.zeros(n)
    pairs = []
    for part in np.unique(parts):
        spots = np.flatnonzero((parts == part) & (codes != NONE))
        if len(spots) < 2:
            continue
        own, here = codes[spots], places[spots]
        step, near = _touching(here)
        pairs.append(own[near])
        area += np.bincount(own, minlength=n) * _tile(here, near, step)
        distance[spots] = _to_border(here, own, step)
    ends = np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)
    contacts = _counted(ends[:, 0], ends[:, 1], n)
    expected, p_more = _by_chance(ends, contacts, n, seed)
    thickness = np.full(n, np.nan)
    for code in range(n):
        away = distance[codes == code]
        away = away[np.isfinite(away)]
        if len(away):
            thickness[code] = 4 * away.mean()
    return Neighbourhoods(
        labels.names, contacts, expected, p_more, area, thickness, distance
    )


def _touching(places: Floats) -> tuple[float, NDArray[np.int64]]:
    """Return the step from spot to spot, and the pairs of spots that touch."""
    from scipy.spatial import cKDTree

    from napari_semst.prepare.graphs import detect_lattice, n_touching

    lattice = detect_lattice(places)
    step = lattice.pitch
    k = min(n_touching(places), len(places) - 1)
    away, nearest = cKDTree(places).query(places, k=k + 1)
    first = np.repeat(np.arange(len(places)), k)
    second, away = nearest[:, 1:].ravel(), away[:, 1:].ravel()
    usual = _TOUCHES_SCATTERED * float(np.median(away))
    fits = away <= (_TOUCHES * step if lattice.regular else usual)
    pairs = np.sort(np.stack([first[fits], second[fits]], axis=1), axis=1)
    return step, np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _tile(places: Floats, pairs: NDArray[np.int64], step: float) -> float:
    """Return the area that a spot stands for: on a lattice its tile, else the mean."""
    from napari_semst.prepare.graphs import detect_lattice, n_touching

    lattice = detect_lattice(places)
    if lattice.regular:
        square = n_touching(places) == 4
        return float(step**2 * (1.0 if square else np.sqrt(3) / 2))
    # Cells whose neighbours are r away fill the plane like hexagons of that pitch.
    apart = places[pairs[:, 0]] - places[pairs[:, 1]]
    pitch = float(np.median(np.sqrt((apart**2).sum(axis=1)))) if len(apart) else step
    return float(pitch**2 * np.sqrt(3) / 2)


def _to_border(places: Floats, codes: NDArray[np.integer], step: float) -> Floats:
    """Return each spot's distance to the border of its domain.

    It runs half a step before the nearest spot of another.
    """
    from scipy.spatial import cKDTree

    found = np.full(len(places), np.nan)
    for code in np.unique(codes):
        inside = codes == code
        if inside.all():
            break
        away, _ = cKDTree(places[~inside]).query(places[inside])
        found[inside] = np.maximum(away - step / 2, 0)
    return found


def _counted(
    first: NDArray[np.integer], second: NDArray[np.integer], n: int
) -> NDArray[np.int64]:
    """Return how many pairs there are of each two domains, symmetric."""
    table = np.bincount(first * n + second, minlength=n * n).reshape(n, n)
    both = table + table.T
    np.fill_diagonal(both, np.diag(table))
    return np.asarray(both)


def _by_chance(
    ends: NDArray[np.integer], contacts: NDArray[np.int64], n: int, seed: int
) -> tuple[Floats, Floats]:
    """Return mean contacts where borders are shuffled, and the share with as many."""
    border = ends[ends[:, 0] != ends[:, 1]].astype(np.int64)
    times = SHUFFLES if len(border) <= _MANY else SHUFFLES // 10
    random = np.random.default_rng(seed)
    total, as_many = np.zeros((n, n)), np.ones((n, n))
    loose = border.ravel()
    for _ in range(times):
        random.shuffle(loose)
        half = len(loose) // 2
        first, second = loose[:half], loose[half:]
        # Two ends of one domain are no contact: the others stand for all.
        kept = first != second
        table = _counted(first[kept], second[kept], n) * (half / max(kept.sum(), 1))
        total += table
        as_many += table >= contacts
    p_more = as_many / (times + 1)
    np.fill_diagonal(p_more, np.nan)
    expected = total / times
    np.fill_diagonal(expected, np.nan)
    return expected, p_more


def expression_along(
    values: NDArray[np.floating], distance: Floats, spots: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """Return how values change with the distance to the border, for a plot.

    Parameters
    ----------
    values, distance
        Of each spot, ``(n_spots,)``.
    spots
        Those of one domain, ``(n_spots,)``.

    Returns
    -------
    tuple
        Distances in the middle of up to `BINS` bins of as many spots, the mean of the
        values in each, and its standard error; each ``(n_bins,)``.
    """
    known = spots & np.isfinite(distance) & np.isfinite(values)
    order = np.argsort(distance[known], kind="stable")
    away, found = distance[known][order], np.asarray(values, float)[known][order]
    bins = [b for b in np.array_split(np.arange(len(away)), BINS) if len(b) > 1]
    middle = np.array([np.median(away[b]) for b in bins])
    mean = np.array([found[b].mean() for b in bins])
    error = np.array([found[b].std(ddof=1) / np.sqrt(len(b)) for b in bins])
    return middle, mean, error


def near_border(
    nearby: Neighbourhoods, labels: Labels, name: str, reach: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return a domain's spots at its border and those inside, for markers of a border.

    Parameters
    ----------
    reach
        Distance to the border, in units of the places, up to which spots are at it.
    """
    own = labels.codes == labels.place(name)
    near = own & (nearby.distance <= reach)
    return near, own & (nearby.distance > reach)


def border_zone(
    nearby: Neighbourhoods, labels: Labels, name: str, share: float = 1 / 3
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return a domain's spots nearest to its border, and its others.

    Parameters
    ----------
    share
        Of the domain's spots that are at the border; spots as far away as the last of
        them are, too.

    Raises
    ------
    InputError
        If the domain has no border, or no spots further inside.
    """
    own = labels.codes == labels.place(name)
    known = own & np.isfinite(nearby.distance)
    if not known.any():
        raise InputError(
            f"Expected {name!r} to touch another domain; it touches none. Choose one "
            "that does."
        )
    reach = float(np.quantile(nearby.distance[known], share, method="lower"))
    near, inside = near_border(nearby, labels, name, reach)
    if not inside.any():
        raise InputError(
            f"Expected spots of {name!r} that are further inside than those at its "
            "border; found none: it is one spot thick. Choose a thicker domain."
        )
    return near, inside
