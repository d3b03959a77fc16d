"""How sure the domain of every spot is, from three sides and without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.core.chunks import chunks, fitted_spots
from napari_semst.core.progress import Progress
from napari_semst.domains.mixture import (
    Standardizer,
    fit_many_starts,
    fit_tied,
    one_hot,
)
from napari_semst.prepare.components import averaged_once

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_semst.core.progress import RunControl
    from napari_semst.domains.mixture import Mixture
    from napari_semst.methods.base import View
    from napari_semst.prepare.section import Section

    Values = NDArray[np.float32]

# Rounds of averaging, relative to the section's own number, and columns read there.
LADDER = ((-1, 10), (0, 15), (1, 20))
# Numbers of domains to ask, relative to the one that was wanted.
OTHER_DOMAINS = (-1, 1)
# Fewer than the consensus takes: these answers are averaged and never shown.
_STARTS = 3
_TINY = 1e-9


def spot_confidence(
    views: Sequence[View],
    section: Section,
    codes: NDArray[np.int32],
    share: NDArray[np.floating[Any]],
    seed: int,
    control: RunControl,
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Return how sure the domain of every spot is, 0 to 1.

    Three measures are ranked, the ranks averaged with equal weight, and the average
    is read on the mean scale of the three (`pooled`):

    - the share of the consensus behind the spot's domain;
    - the margin: how far the nearest other domain is, relative to the own (`margin`);
    - the kept share: with one domain fewer and one more, how much of the groups that
      the spot falls into is of its domain (`kept_share`). Domains that join, and
      borders that move, are in doubt even where all members of the consensus agree.

    A measure of doubt relative to the section, not a probability of error. It does not
    notice a domain that holds two tissues if both stay apart from all others. Where
    all spots are of one domain there is nothing to compare: the share is returned.

    Parameters
    ----------
    codes
        Domain of each spot, ``0 .. n_domains - 1``, each with a spot.
    share
        Share of the consensus behind it, ``(n_spots,)``.

    Notes
    -----
    Linear in spots but for sorting. Mixtures are fitted to a sample of large sections.
    Margin: fuzzy membership between two centres (Bezdek 1981) in the metric of the
    shared covariance. Common scale: quantile normalisation (Bolstad et al. 2003).
    """
    n_domains = int(codes.max()) + 1
    if n_domains == 1:
        return share.astype(np.float32)
    # A stream of its own: labels do not depend on how sure they are.
    random = np.random.default_rng([seed, 1])
    sample = fitted_spots(len(codes), random)
    others = (n_domains + difference for difference in OTHER_DOMAINS)
    asked = [n for n in others if 2 <= n <= len(sample)]
    # What was learnt has its borders settled; else what was averaged most often.
    learnt = any(not view.smooth for view in views)
    margins, kept = [], []
    steps = sum(len(LADDER) if view.smooth else 1 for view in views)
    for step, read in enumerate(_reads(views, section)):
        control.check()
        yield Progress("assign", step, steps, "How sure the domains are")
        units = Standardizer.fit(read.values[sample])
        points = units.transform(read.values[sample])
        if read.settled and read.smooth is not learnt:
            own = fit_tied(points, one_hot(codes[sample], n_domains), steps=1)
            margins.append(margin(own, units, read.values, codes))
        for n_others in asked:
            control.check()
            groups = fit_many_starts(points, n_others, _STARTS, random)
            kept.append(kept_share(groups, units, read.values, codes, sample))
    measures = [share, np.mean(margins, axis=0)]
    return pooled([*measures, np.mean(kept, axis=0)] if kept else measures)


class _Read(NamedTuple):
    """What is read of a view at one depth of averaging."""

    values: Values
    smooth: bool
    settled: bool


def _reads(views: Sequence[View], section: Section) -> Iterator[_Read]:
    """Yield every view on every rung of the ladder, the last ones marked settled."""
    for view in views:
        if not view.smooth:
            yield _Read(view.values[:, : LADDER[1][1]], smooth=False, settled=True)
            continue
        values, done = view.values[:, : LADDER[-1][1]], 0
        for offset, width in LADDER:
            rounds = max(section.smoothing_rounds + offset, 0)
            for step in range(done, rounds):
                values = averaged_once(values, section.average, in_place=step > 0)
            done = rounds
            last = offset == LADDER[-1][0]
            yield _Read(values[:, :width], smooth=True, settled=last)


def margin(
    mixture: Mixture, units: Standardizer, values: Values, codes: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return the distance of the nearest other domain over that and the own.

    Parameters
    ----------
    mixture
        Its components are the domains, in the order of the codes; two at least.
    values
        Shape ``(n_spots, width)``.

    Returns
    -------
    margin
        Of squared distances; a half midway between two centres, below where another
        domain's is nearer, 1 at the own centre.
    """
    margins = np.empty(len(codes), np.float32)
    for part in chunks(len(codes)):
        spots = units.transform(values[part]) @ mixture.white.T
        square = (spots**2).sum(axis=1)[:, None] + (mixture.centres**2).sum(axis=1)
        square = np.maximum(square - 2 * spots @ mixture.centres.T, 0.0)
        rows = np.arange(len(spots))
        own = square[rows, codes[part]]
        square[rows, codes[part]] = np.inf
        other = square.min(axis=1)
        margins[part] = (other + _TINY) / (own + other + 2 * _TINY)
    return margins


def kept_share(
    others: Mixture,
    units: Standardizer,
    values: Values,
    codes: NDArray[np.int32],
    sample: NDArray[np.int64] | slice,
) -> NDArray[np.float32]:
    """Return how much of the groups that a spot falls into is of its domain.

    Parameters
    ----------
    others
        A mixture of any number of groups, fitted to the sample.
    values
        Shape ``(n_spots, width)``.
    sample
        The spots in which groups and domains are compared.
    """
    table = one_hot(codes[sample], int(codes.max()) + 1).T @ others.posterior
    purity = table / np.maximum(table.sum(axis=0), _TINY)
    kept = np.empty(len(codes), np.float32)
    for part in chunks(len(codes)):
        groups = others.predict(units.transform(values[part]))
        kept[part] = (groups * purity[codes[part]]).sum(axis=1)
    return kept


def pooled(measures: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.float32]:
    """Return the mean rank of measures, on the mean scale of the measures.

    The spot that is n-th from below by its mean rank gets the mean of what the
    measures have there, so that none outweighs the others by its spread, and values
    keep their meaning from 0 to 1. Equal ranks get equal values.

    Parameters
    ----------
    measures
        Each ``(n_spots,)``, more is surer.
    """
    ranks = np.sum([_ranks(measure) for measure in measures], axis=0)
    scale = np.mean([np.sort(measure) for measure in measures], axis=0)
    place = _ranks(ranks) - 1
    found = np.interp(place, np.arange(len(scale)), scale)
    return np.asarray(np.clip(found, 0.0, 1.0), np.float32)


def _ranks(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the place of each value from below, counted from 1, the mean of equals."""
    # As scipy.stats has it, which takes a second to import.
    _, inverse, sizes = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return np.asarray((last - (sizes - 1) / 2)[inverse])
