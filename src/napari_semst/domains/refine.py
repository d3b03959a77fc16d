"""Borders settled by what a spot says of its own, and by what its neighbours are.

What the consensus reads is averaged over neighbours, and so cannot tell which side of
a border a spot is on. Its own counts can, but are noisy; the neighbours' domains weigh
against them. A hidden Markov random field, solved in a few rounds of its mean field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.chunks import chunks, fitted_spots
from napari_semst.core.progress import Progress
from napari_semst.domains.mixture import Standardizer, fit_tied

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.base import View
    from napari_semst.prepare.section import Section

    Posterior = NDArray[np.floating[Any]]
    Labels = NDArray[np.integer[Any]]

# Two rings of a hexagonal lattice, the spot itself left to its own evidence.
NEIGHBOURS = 18
WIDTH = 15
# Weight of the spot's own log evidence, and of the share of neighbours in a domain;
# one choice for all tissues, on a plateau (docs/benchmarks.md).
OWN = 0.4
PULL = 4.0
# A spot changes only where its new domain is likelier by this probability.
MARGIN = 0.5
# Domains below this share of the mean size lose no spot: at their borders larger ones
# outvote them.
SMALL = 0.5
# A domain that would lose a larger share of its spots is not ragged but thin.
MOST_LOST = 0.5
# Probability that a domain has at least, so that own evidence can still raise it.
LEAST = 1e-3
_RIDGE = 1e-3


def refined(
    posterior: Posterior,
    views: Sequence[View],
    section: Section,
    rounds: int,
    seed: int,
    control: RunControl,
) -> Generator[Progress, None, Labels]:
    """Return the domain of every spot after settling borders.

    In every round ``log q = log p + 0.4 e + 4 n`` up to a constant: p is the
    posterior, e the spot's own evidence (`own_evidence`), n the mean of q over the 18
    nearest spots and itself. A spot changes only where q of its new domain exceeds
    that of the old one by a half. Domains of less than half their section's mean size
    lose no spot there, and those that would lose more than half of their spots none:
    thin ones stay.

    Parameters
    ----------
    posterior
        Probability of every domain, ``(n_spots, n_domains)``, rows sum to 1.
    section
        Gives the coordinates, and which spots are of which section.
    rounds
        Times to do it; 0 returns the likeliest domains as they are.

    Notes
    -----
    Besag 1986; mean field for hidden Markov random fields: Celeux, Forbes and Peyrard
    2003. Linear in spots but for the search of neighbours, N log N.
    """
    from napari_semst.prepare.components import neighbour_average

    before: Labels = posterior.argmax(axis=1)
    if rounds == 0:
        return before
    yield Progress("assign", 0, rounds, "Settling borders by single spots")
    fixed = OWN * own_evidence(posterior, views, seed, control)
    fixed += np.log(np.maximum(posterior, LEAST))
    field, _ = section.sections.inside(
        lambda spots: (neighbour_average(section.coordinates[spots], NEIGHBOURS), "")
    )
    now = posterior
    for step in range(rounds):
        control.check()
        yield Progress("assign", step, rounds, "Settling borders by single spots")
        now = _normalised(fixed + PULL * (field @ now))
    after = now.argmax(axis=1)
    rows = np.arange(len(now))
    sure = now[rows, after] > now[rows, before] + MARGIN
    moves = sure & (after != before)
    cells = section.sections.codes.astype(np.int64) * posterior.shape[1] + before
    return np.where(moves & ~_kept(cells, moves, posterior.shape[1]), after, before)


def _kept(
    cells: NDArray[np.int64], moves: NDArray[np.bool_], n_domains: int
) -> NDArray[np.bool_]:
    """Return which spots stay because of the size of their domain in their section.

    Parameters
    ----------
    cells
        Section and domain of each spot as one number.
    """
    n_cells = -(-(int(cells.max()) + 1) // n_domains) * n_domains
    size = np.bincount(cells, minlength=n_cells)
    there = np.maximum((size.reshape(-1, n_domains) > 0).sum(axis=1), 1)
    mean = np.repeat(size.reshape(-1, n_domains).sum(axis=1) / there, n_domains)
    lost = np.bincount(cells[moves], minlength=n_cells)
    stays = (size < SMALL * mean) | (lost > MOST_LOST * size)
    kept: NDArray[np.bool_] = stays[cells]
    return kept


def own_evidence(
    posterior: Posterior, views: Sequence[View], seed: int, control: RunControl
) -> NDArray[np.float32]:
    """Return what each spot's expression says before any averaging.

    Log probability of every domain, up to a constant for each spot, by a mixture with
    a shared covariance over 15 components, estimated from the posterior; mean over
    the views that a consensus would average, or over all where there are none.

    Parameters
    ----------
    posterior
        Where the domains are, ``(n_spots, n_domains)``.
    """
    plain = [view for view in views if view.smooth] or list(views)
    # A stream of its own: what it draws changes nothing elsewhere.
    sample = fitted_spots(len(posterior), np.random.default_rng([seed, 2]))
    total = np.zeros(posterior.shape, np.float32)
    for view in plain:
        control.check()
        values = view.values[:, :WIDTH]
        units = Standardizer.fit(values[sample])
        points = units.transform(values[sample])
        start = np.asarray(posterior[sample], np.float64)
        mixture = fit_tied(points, start, steps=1, ridge=_RIDGE)
        for part in chunks(len(values)):
            total[part] += mixture.log_posterior(units.transform(values[part]))
    return total / np.float32(len(plain))


def _normalised(logits: Posterior) -> NDArray[np.float32]:
    logits = logits - logits.max(axis=1, keepdims=True)
    shares = np.exp(logits, out=logits)
    shares /= shares.sum(axis=1, keepdims=True)
    return np.asarray(shares, np.float32)
