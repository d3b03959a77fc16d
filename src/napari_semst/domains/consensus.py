"""One answer from many: mixtures over several views of a section, matched and averaged.

No matrix of spots by spots: members are matched domain by domain and their posteriors
averaged, so the cost is linear in spots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.core.chunks import chunks, fitted_spots, spots_at_once
from napari_semst.core.progress import Progress
from napari_semst.domains.mixture import (
    Mixture,
    Standardizer,
    fit_many_starts,
    fit_tied,
    one_hot,
)
from napari_semst.prepare.components import averaged_once

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.base import View

    Posterior = NDArray[np.floating[Any]]

# What members read: few components find the domains, many settle their borders.
FIRST_WIDTHS = (10, 15, 20)
SECOND_WIDTHS = (30, 50)
# Rounds of averaging, relative to the section's own number.
FIRST_ROUNDS = (-1, 0, 1)
SECOND_ROUNDS = (-1, 0)
# With 30 to 50 components a thin domain's share of the covariance needs a firmer floor.
_CHUNK_SPOTS = 20_000
_SECOND_RIDGE = 1e-3
_MATCHING_ROUNDS = 5
_SETTLED = 1e-4
# Another section's domains lie elsewhere by more than their spots scatter. What a
# domain was counts as a tenth of the section's spots, each domain by its share.
_KEPT_WEIGHT = 0.1
_MOVING_STEPS = 20


def consensus_posterior(
    views: Sequence[View],
    average: sparse.csr_matrix,
    rounds: int,
    n_domains: int,
    n_starts: int,
    seed: int,
    control: RunControl,
    *,
    members: list[ConsensusMember] | None = None,
) -> Generator[Progress, None, Posterior]:
    """Return the probability of every domain for every spot, agreed among members.

    Of large sections a sample of spots is fitted and matched, and all are assigned by
    the last members.

    First, mixtures over few components of every view, at three depths of spatial
    averaging, are matched and averaged. Then mixtures over more components start from
    that answer, and are averaged in turn, together with the first ones of what was
    learnt.

    Parameters
    ----------
    views
        Descriptions of the spots, each with columns by falling importance.
    n_starts
        Starts of each first mixture.
    members
        Where given, the members behind the answer are appended to it, their domains
        in its order: `predict_members` asks them about the spots of another section.

    Returns
    -------
    posterior
        Shape ``(n_spots, n_domains)``, rows sum to 1.
    """
    random = np.random.default_rng(seed)
    plain = [view for view in views if view.smooth]
    learnt = [view for view in views if not view.smooth]
    few = _plans(learnt, rounds, FIRST_ROUNDS, FIRST_WIDTHS)
    first = [*few, *_plans(plain, rounds, FIRST_ROUNDS, FIRST_WIDTHS)]
    second = _plans(plain, rounds, SECOND_ROUNDS, SECOND_WIDTHS)
    fitted = fitted_spots(len(views[0].values), random)
    steps = len(first) + len(second)
    planned: list[_PlannedMember] = []
    for step, values in enumerate(_read(first, average)):
        control.check()
        yield Progress("assign", step, steps, "Members of the consensus")
        units = Standardizer.fit(values[fitted])
        points = units.transform(values[fitted])
        del values  # the next is made before this name is given anew
        mixture = fit_many_starts(points, n_domains, n_starts, random)
        planned.append(_PlannedMember.of(mixture, units))
    posterior = agreed([member.fitted for member in planned])
    # What was learnt keeps its vote; it has too few columns to settle borders.
    planned = planned[: len(few)]
    for step, values in enumerate(_read(second, average), start=len(first)):
        control.check()
        yield Progress("assign", step, steps, "Settling the borders")
        units = Standardizer.fit(values[fitted])
        points = units.transform(values[fitted])
        del values
        start = posterior.astype(np.float64)
        mixture = fit_tied(points, start, ridge=_SECOND_RIDGE)
        planned.append(_PlannedMember.of(mixture, units))
    orders, _ = matched([member.fitted for member in planned])
    plans, n_spots = [*few, *second], len(views[0].values)
    total = np.zeros((n_spots, n_domains), np.float32)
    if len(fitted) == n_spots:
        for member, order in zip(planned, orders, strict=True):
            total += member.fitted[:, order]
    else:
        # Read again, as votes of every member for every spot are more than the views.
        for step, values in enumerate(_read(plans, average)):
            control.check()
            yield Progress("assign", steps, steps, "Assigning every spot")
            member, order = planned[step], orders[step]
            _add_votes(total, member.mixture, member.units, values, order)
            del values
    if members is not None:
        members += [
            ConsensusMember.of(plan, views, member).ordered(order)
            for plan, member, order in zip(plans, planned, orders, strict=True)
        ]
    return total / np.float32(len(planned))


class ConsensusMember(NamedTuple):
    """A member of a consensus, ready to be asked about spots it has not seen.

    Parameters
    ----------
    view
        Which of the views it reads.
    rounds
        How often that is averaged over neighbours.
    units
        Of the values it was fitted to, ``(width,)``: it reads so many columns.
    mixture
        What was fitted; of its posterior nothing is kept.
    """

    view: int
    rounds: int
    units: Standardizer
    mixture: Mixture

    @classmethod
    def of(
        cls, plan: _Plan, views: Sequence[View], member: _PlannedMember
    ) -> ConsensusMember:
        """Return the member that a member is once its own spots are forgotten."""
        view = next(index for index, known in enumerate(views) if known is plan.view)
        bare = member.mixture._replace(posterior=member.mixture.posterior[:0])
        return cls(view, plan.rounds, member.units, bare)

    def ordered(self, order: NDArray[np.integer[Any]]) -> ConsensusMember:
        """Return the same member with its domains in another order."""
        mixture = self.mixture
        changed = mixture._replace(
            posterior=mixture.posterior[:, order],
            centres=mixture.centres[order],
            weight=mixture.weight[order],
        )
        return self._replace(mixture=changed)


def predict_members(
    views: Sequence[View],
    average: sparse.csr_matrix,
    members: Sequence[ConsensusMember],
    seed: int,
    control: RunControl,
    *,
    adapt: bool = True,
) -> Generator[Progress, None, Posterior]:
    """Return what the members of an earlier consensus say of other spots.

    Parameters
    ----------
    views
        Descriptions of the spots, made as those that the members were fitted to.
    members
        Members, all with their domains in one order.
    adapt
        Let the centres of the domains move towards these spots, see `adapted`.

    Returns
    -------
    posterior
        Shape ``(n_spots, n_domains)``, rows sum to 1.
    """
    plans = [
        _Plan(views[member.view], member.rounds, len(member.units.centre))
        for member in members
    ]
    shape = len(views[0].values), len(members[0].mixture.weight)
    total = np.zeros(shape, np.float32)
    sample = fitted_spots(shape[0], np.random.default_rng(seed))
    for step, values in enumerate(_read(plans, average)):
        control.check()
        yield Progress("assign", step, len(members), "Members of the consensus")
        mixture, units = members[step].mixture, members[step].units
        if adapt:
            mixture = adapted(mixture, units.transform(values[sample]))
        _add_votes(total, mixture, units, values)
        del values
    return total / np.float32(len(members))


def adapted(mixture: Mixture, points: NDArray[np.float64]) -> Mixture:
    """Return a mixture whose centres have moved towards other spots.

    Expectation maximisation of the centres alone, with the old ones as a prior
    (Gauvain and Lee 1994): a domain that these spots have moves to where it is among
    them, one that they lack hardly moves. Covariance and shares are kept.

    Parameters
    ----------
    points
        The spots, in that section's units, ``(n_spots, width)``.
    """
    spots = points @ mixture.white.T
    kept = _KEPT_WEIGHT * len(points) * mixture.weight[:, None]
    now = mixture
    for _ in range(_MOVING_STEPS):
        posterior = now.predict(points).astype(np.float64)
        size = posterior.sum(axis=0)[:, None] + kept
        now = now._replace(
            centres=(posterior.T @ spots + kept * mixture.centres) / size
        )
    return now


def _add_votes(
    total: NDArray[np.float32],
    mixture: Mixture,
    units: Standardizer,
    values: NDArray[np.float32],
    order: NDArray[np.intp] | slice = slice(None),
) -> None:
    """Add a mixture's posterior of all spots, some at a time, its domains in order."""
    for part in chunks(len(values)):
        total[part] += mixture.predict(units.transform(values[part]))[:, order]


class _Plan(NamedTuple):
    """What a member reads: a view, averaged so many times, so many of its columns."""

    view: View
    rounds: int
    width: int


class _PlannedMember(NamedTuple):
    """A member, and its posterior at the fitted spots."""

    fitted: Posterior
    mixture: Mixture
    units: Standardizer

    @classmethod
    def of(cls, mixture: Mixture, units: Standardizer) -> _PlannedMember:
        """Return what a mixture says of its own points."""
        fitted = np.ascontiguousarray(mixture.posterior, np.float32)
        return cls(fitted, mixture, units)


def _plans(
    views: Sequence[View], rounds: int, offsets: Sequence[int], widths: Sequence[int]
) -> list[_Plan]:
    """Return every view at every depth of averaging and width, without repeats."""
    levels = sorted({max(rounds + offset, 0) for offset in offsets})
    return [
        _Plan(view, level, width)
        for view in views
        for level in (levels if view.smooth else [0])
        for width in sorted({min(width, view.values.shape[1]) for width in widths})
    ]


def _read(
    plans: Sequence[_Plan], average: sparse.csr_matrix
) -> Iterator[NDArray[np.float32]]:
    """Yield what each plan reads; plans of a view follow each other, rounds rising.

    What was yielded may be written over by the next.
    """
    view, values, done = None, np.empty((0, 0), np.float32), 0
    widest = max((plan.width for plan in plans), default=0)
    for plan in plans:
        if plan.view is not view:
            view, values, done = plan.view, plan.view.values[:, :widest], 0
        for step in range(done, plan.rounds):
            values = averaged_once(values, average, in_place=step > 0)
        done = plan.rounds
        yield values[:, : plan.width]


def agreed(members: Sequence[Posterior]) -> Posterior:
    """Return the mean posterior after matching every member's domains."""
    return matched(members)[1]


def matched(members: Sequence[Posterior]) -> tuple[list[NDArray[np.intp]], Posterior]:
    """Return the common order of every member's domains, and the mean posterior.

    Members are matched to the one that agrees best with all others, then to their
    running mean, until it settles. Overlaps are taken over the geometric mean of the
    domains' sizes, so that thin domains find their like.

    Parameters
    ----------
    members
        Posteriors of equal shape ``(n_spots, n_domains)``, domains in any order.

    Returns
    -------
    orders, mean
        ``member[:, order]`` puts a member's domains in the order of the mean.
    """
    from scipy.optimize import linear_sum_assignment

    mean = members[int(pairwise_agreement(members).sum(axis=1).argmax())]
    orders: list[NDArray[np.intp]] = []
    for _ in range(_MATCHING_ROUNDS):
        total, orders = np.zeros_like(mean), []
        for member in members:
            sizes = np.outer(mean.sum(axis=0) + 1e-9, member.sum(axis=0) + 1e-9)
            overlap = mean.T @ member / np.sqrt(sizes)
            # Rows come sorted, so that the columns are the order.
            orders.append(linear_sum_assignment(-overlap)[1])
            total += member[:, orders[-1]]
        change = float(np.abs(total / len(members) - mean).max())
        mean = total / len(members)
        if change < _SETTLED:
            break
    return orders, mean


def pairwise_agreement(members: Sequence[Posterior]) -> NDArray[np.float64]:
    """Return the adjusted Rand index between all members' labels.

    All contingency tables come from one product of the one-hot labels.
    """
    n_members, n_domains = len(members), members[0].shape[1]
    width = n_members * n_domains
    both_ways, n_spots = np.zeros((width, width)), len(members[0])
    # Sums of whole numbers, which are the same in any chunks.
    for part in chunks(n_spots, spots_at_once(_CHUNK_SPOTS)):
        labels = [member[part].argmax(axis=1) for member in members]
        rows = np.hstack([one_hot(one, n_domains) for one in labels])
        both_ways += rows.T @ rows

    def pairs(count: Any) -> Any:
        return count * (count - 1) / 2

    tables = both_ways.reshape(n_members, n_domains, n_members, n_domains)
    both = pairs(tables).sum(axis=(1, 3))
    own = pairs(np.diagonal(both_ways).reshape(n_members, n_domains)).sum(axis=1)
    chance = np.outer(own, own) / pairs(n_spots)
    most = (own[:, None] + own) / 2
    return np.asarray((both - chance) / np.maximum(most - chance, 1e-12))
