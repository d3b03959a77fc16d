"""Domains read anew from what a run learnt, after some spots were corrected by hand.

Somebody who says of some spots of a domain that they are another's says something of
those like them, too: of the same domain, near by, and alike in the run's latent. The
network is not trained again; what it learnt is read again, which takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.core.chunks import chunks
from napari_semst.errors import InputError
from napari_semst.explore.annotate import edited_columns
from napari_semst.explore.labels import NONE, read_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.explore.labels import Labels

    Floats = NDArray[np.float64]

REACH = 8.0
"""Steps from spot to spot over which a correction loses its weight, by e to 1/2."""

ALIKE = 0.35
"""The same among latents: root mean square difference of standardised dimensions."""

# A spot is settled with its neighbours: how many, in how many rounds, with what weight.
_NEIGHBOURS, _ROUNDS, _PULL = 6, 20, 0.5
# Spots of a domain that stand for those that were not corrected, and corrections: more
# are drawn from.
_MOST = 3000


@dataclass(frozen=True, slots=True, eq=False)
class Corrections:
    """What somebody changed about labels.

    Parameters
    ----------
    labels
        As they are now.
    domains
        Domain of each spot before, `NONE` for none, ``(n_spots,)``.
    corrected
        Which spots were given another name than most of their domain, ``(n_spots,)``.
    main
        Name, as a place among those of now, that most of each domain's spots have.
    """

    labels: Labels
    domains: NDArray[np.int32]
    corrected: NDArray[np.bool_]
    main: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class RefinedLabels:
    """Labels after corrections were followed.

    Parameters
    ----------
    labels
        With the names and colours of before.
    changed
        Which spots have another name now, the corrected ones not among them.
    sure
        Probability of each spot's name, 0 to 1, ``(n_spots,)``; 1 where no correction
        speaks.
    """

    labels: Labels
    changed: NDArray[np.bool_]
    sure: NDArray[np.float32]


def corrections_of(before: Labels, now: Labels) -> Corrections:
    """Return what was changed between two states of a section's labels.

    A domain whose spots all got one name was renamed or merged: that is taken as it
    is. Spots whose name differs from that of most of their domain were corrected.

    Raises
    ------
    InputError
        If none was corrected.
    """
    pairs = np.zeros((len(before.names), len(now.names)), np.int64)
    there = (before.codes >= 0) & (now.codes >= 0)
    np.add.at(pairs, (before.codes[there], now.codes[there]), 1)
    main = pairs.argmax(axis=1).astype(np.int32)
    corrected = there & (now.codes != main[before.codes])
    if not corrected.any():
        raise InputError(
            "Expected spots that were given another name than the rest of their "
            "domain; there are none. Select some with the lasso or the brush, and "
            "assign the name that they should have."
        )
    return Corrections(now, before.codes, corrected, main)


def refine_labels(
    corrections: Corrections,
    latent: NDArray[np.floating],
    places: Floats,
    sections: NDArray[np.integer] | None = None,
    seed: int = 0,
) -> RefinedLabels:
    """Return labels in which spots like the corrected ones follow them.

    For every domain with corrections the density of corrected spots of each name is
    compared with that of all its spots, under a Gaussian kernel over places and latent;
    what results is settled with the neighbours. Corrected spots keep their name, and
    domains without corrections stay as they are.

    Parameters
    ----------
    corrections
        From `corrections_of`.
    latent
        Of a run, ``(n_spots, width)``.
    places
        Of the spots, ``(n_spots, 2)``, in any unit.
    sections
        Section of each spot, where there are several: corrections stay in theirs.
    seed
        Draws spots where a domain has more than 3,000.

    Notes
    -----
    Linear in spots. Corrected spots are a sample of the wrong ones, the others are
    mostly right: learning from positive and unlabelled examples, Elkan and Noto 2008.
    """
    n = len(latent)
    codes = np.zeros(n, np.int64) if sections is None else np.asarray(sections)
    places = np.asarray(places, np.float64)
    joint = _joint(np.asarray(latent, np.float64), places, codes)
    random = np.random.default_rng(seed)
    names = corrections.labels.codes
    share = np.zeros((n, len(corrections.labels.names)), np.float32)
    known = np.flatnonzero(names >= 0)
    share[known, names[known]] = 1.0
    touched = np.zeros(n, bool)
    for spots in _domains(corrections, codes):
        share[spots] = _followed(corrections, spots, joint, random, share.shape[1])
        touched[spots] = True
    settled = _settled(share, touched, corrections, places, codes)
    after = np.where(touched, settled.argmax(axis=1), names).astype(np.int32)
    sure = np.where(touched, settled.max(axis=1), 1.0).astype(np.float32)
    labels = replace(corrections.labels, codes=after)
    return RefinedLabels(labels, after != names, sure)


def refine_column(
    tissue: AnnData, column: str, before: str | Labels = "", seed: int = 0
) -> RefinedLabels:
    """Return the labels of a column in which spots like those corrected follow them.

    Parameters
    ----------
    tissue
        With the latent of a run; it is not changed.
    column
        obs column with the labels as they were corrected.
    before
        The labels that were corrected, or their obs column; empty: what the column
        began as, where it was made by hand.
    seed
        As in `refine_labels`.

    Raises
    ------
    InputError
        If the section has no latent, what the column began as is not known, or nothing
        was corrected.
    """
    from napari_semst.io.coordinates import find_coordinates

    if keys.LATENT not in tissue.obsm:
        raise InputError(
            f"Expected the latent of a run in obsm[{keys.LATENT!r}]; there is none. "
            "Find domains first."
        )
    if isinstance(before, str):
        before = before or edited_columns(tissue).get(column, "")
    if isinstance(before, str) and (before not in tissue.obs or before == column):
        raise InputError(
            f"Expected obs[{column!r}] to be a corrected copy of other labels; found "
            "none that it began as. Correct domains: assign names to spots of them."
        )
    if isinstance(before, str):
        before = read_labels(tissue, before)
    corrections = corrections_of(before, read_labels(tissue, column))
    sections = None
    if keys.SECTION in tissue.obs:
        sections = tissue.obs[keys.SECTION].astype("category").cat.codes.to_numpy()
    latent = np.asarray(tissue.obsm[keys.LATENT])
    return refine_labels(corrections, latent, find_coordinates(tissue), sections, seed)


def _domains(
    corrections: Corrections, sections: NDArray[np.integer]
) -> Iterator[NDArray[np.int64]]:
    """Yield the spots of every domain with corrections, section by section."""
    for domain in np.unique(corrections.domains[corrections.corrected]):
        inside = (corrections.domains == domain) & (corrections.labels.codes != NONE)
        for section in np.unique(sections[inside & corrections.corrected]):
            yield np.flatnonzero(inside & (sections == section))


def _joint(
    latent: Floats, places: Floats, sections: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Return places and latents side by side, each in the width of its kernel."""
    from scipy.spatial import cKDTree

    spread = latent.std(axis=0)
    # Of a dimension that is the same everywhere nothing is to be learnt.
    tells = spread > 1e-9 * max(float(spread.max(initial=0.0)), 1e-300)
    wide = spread[tells] * np.sqrt(tells.sum()) * ALIKE
    alike = (latent - latent.mean(axis=0))[:, tells] / wide
    near = np.empty(places.shape)
    for section in np.unique(sections):
        of_it = sections == section
        own = places[of_it]
        nearest = cKDTree(own).query(own, k=min(2, len(own)))[0]
        step = float(np.median(nearest[:, -1])) if len(own) > 1 else 1.0
        near[of_it] = own / (max(step, 1e-12) * REACH)
    return np.concatenate([near, alike], axis=1).astype(np.float32)


def _followed(
    corrections: Corrections,
    spots: NDArray[np.int64],
    joint: NDArray[np.float32],
    random: np.random.Generator,
    n_names: int,
) -> NDArray[np.float32]:
    """Return the probability of every name for a domain's spots, rows sum to 1."""
    names = corrections.labels.codes[spots]
    corrected = corrections.corrected[spots]
    given, of_given = _drawn(spots[corrected], random)
    every, of_every = _drawn(spots, random)
    votes = np.zeros((len(given), n_names), np.float32)
    votes[np.arange(len(given)), corrections.labels.codes[given]] = of_given
    found = np.empty((len(spots), n_names), np.float32)
    for part in chunks(len(spots), _MOST):
        here = joint[spots[part]]
        alike = of_every * _kernel(here, joint[every]).sum(axis=1, keepdims=True)
        found[part] = (_kernel(here, joint[given]) @ votes) / np.maximum(alike, 1e-12)
    found /= _share_corrected(found, corrected)
    # Of what is surely wrong, names share it; what is not wrong keeps its name.
    found /= np.maximum(found.sum(axis=1, keepdims=True), 1.0)
    main = corrections.main[corrections.domains[spots[0]]]
    found[:, main] = 1.0 - found.sum(axis=1)
    found[corrected] = 0.0
    found[corrected, names[corrected]] = 1.0
    return found


def _share_corrected(found: NDArray[np.float32], corrected: NDArray[np.bool_]) -> float:
    """Return which share of a domain's wrong spots was corrected, as far as is known.

    Around a corrected spot all are wrong, so that the share of corrected ones there is
    it. The spot itself counts: without it, a domain's only correction would be none of
    the spots around, and all of the domain would follow it. It is at least the share of
    corrected ones among all spots.
    """
    around = float(found[corrected].sum(axis=1).mean())
    return max(around, float(corrected.mean()))


def _drawn(
    spots: NDArray[np.int64], random: np.random.Generator
) -> tuple[NDArray[np.int64], float]:
    """Return some of many spots, and for how many each of them stands."""
    if len(spots) <= _MOST:
        return spots, 1.0
    drawn = np.sort(random.choice(spots, _MOST, replace=False))
    return drawn, len(spots) / _MOST


def _kernel(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)
    away = np.maximum(squares - 2 * (first @ second.T), 0)
    return np.asarray(np.exp(-away / 2))


def _settled(
    share: NDArray[np.float32],
    touched: NDArray[np.bool_],
    corrections: Corrections,
    places: Floats,
    sections: NDArray[np.integer],
) -> NDArray[np.float32]:
    """Return probabilities after spots were settled with their neighbours."""
    from napari_semst.prepare.components import neighbour_average

    moving = touched & ~corrections.corrected
    now = share.copy()
    for section in np.unique(sections[touched]):
        of_it = np.flatnonzero(sections == section)
        average = neighbour_average(places[of_it], min(_NEIGHBOURS, len(of_it) - 1))
        free = moving[of_it]
        own = share[of_it]
        field = own.copy()
        for _ in range(_ROUNDS):
            pulled = (1 - _PULL) * own + _PULL * (average @ field)
            field[free] = pulled[free]
        now[of_it] = field
    return np.asarray(now / np.maximum(now.sum(axis=1, keepdims=True), 1e-12))
