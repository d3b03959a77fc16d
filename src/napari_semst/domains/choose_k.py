"""The number of domains, from a curve that needs no annotation.

A Gaussian mixture of more domains always fits better. The Bayesian information
criterion (BIC) asks whether it fits better than its parameters cost, but takes spots
for independent; after averaging over neighbours they are not, and it never stops. Here
every spot counts for as much as it still says of its own: the variance that averaging
leaves of white noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.core.chunks import fitted_spots
from napari_semst.core.progress import Progress
from napari_semst.domains.consensus import agreed, pairwise_agreement
from napari_semst.domains.mixture import (
    Mixture,
    Standardizer,
    fit_many_starts,
    fit_tied,
    one_hot,
)
from napari_semst.errors import InputError
from napari_semst.prepare.components import averaged_once
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.base import View
    from napari_semst.prepare.section import Section

MOST_DOMAINS = 15
# Few components find the domains; more of them cost a small section more than they say.
WIDTHS = (10, 15)
_STARTS = 3
_SPOTS_PER_DOMAIN = 10
# Twice the log of the evidence ratio above which it is "very strong" (Kass and Raftery
# 1995); below it, two numbers of domains are a close call.
CLOSE = 10.0
_FEW_INDEPENDENT = 100
_LITTLE_AGREEMENT = 0.5


class MemberValues(NamedTuple):
    """What a member reads of all spots, and of those it is fitted to."""

    values: NDArray[np.float32]
    units: Standardizer
    points: NDArray[np.float64]


@dataclass(frozen=True)
class NumberOfDomains:
    """The curve over numbers of domains, and what was chosen from it.

    Parameters
    ----------
    k
        Numbers of domains tried.
    bic
        Information criterion, mean over members, for as many spots as are independent;
        higher is better, differences are twice log evidence.
    stability
        Mean adjusted Rand index between members, each of a view and starts of its own.
    coherence
        Share of neighbours in the same domain, beyond that by chance: 1 at most.
    independent_spots
        As how many spots the section counts.
    """

    k: NDArray[np.int64]
    bic: NDArray[np.float64]
    stability: NDArray[np.float64]
    coherence: NDArray[np.float64]
    independent_spots: float

    @property
    def score(self) -> NDArray[np.float64]:
        """What is chosen by: ``bic`` below its best, 0 for the chosen number."""
        return np.asarray(self.bic - self.bic.max())

    @property
    def ranking(self) -> list[int]:
        """Numbers of domains, best first; of equals the smaller."""
        return [int(k) for k in self.k[np.argsort(-self.score, kind="stable")]]

    @property
    def chosen(self) -> int:
        """The best number of domains."""
        return self.ranking[0]

    @property
    def runners_up(self) -> list[int]:
        """The next best two."""
        return self.ranking[1:3]

    def sentence(self) -> str:
        """Return the choice and its runners-up in words."""
        return chosen_in_words(self.chosen, self.runners_up)

    def warnings(self) -> list[str]:
        """Return what speaks against trusting the choice."""
        found, index = [], int(self.k.tolist().index(self.chosen))
        close = [int(k) for k in self.k[self.score > -CLOSE] if k != self.chosen]
        if close:
            found.append(
                f"The number of domains is a close call: {self.chosen} was chosen, "
                f"{_listed(close)} would do as well. Look at both."
            )
        if index == len(self.k) - 1 and index > 0:
            found.append(
                f"The largest number of domains tried, {self.chosen}, was chosen: more "
                "may fit better. Give the number yourself to go beyond."
            )
        if self.independent_spots < _FEW_INDEPENDENT:
            found.append(
                f"The section counts as {self.independent_spots:.0f} independent "
                "spots: small domains cannot be told from chance, and there may be "
                f"more than {self.chosen}."
            )
        if self.stability[index] < _LITTLE_AGREEMENT:
            found.append(
                f"Members agree little on {self.chosen} domains (adjusted Rand index "
                f"{self.stability[index]:.2f}): the number is uncertain."
            )
        return found

    def table(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        columns = ("bic", "stability", "coherence", "score")
        return {
            "k": self.k.tolist(),
            **{name: getattr(self, name).round(4).tolist() for name in columns},
            "chosen": self.chosen,
            "runners_up": self.runners_up,
            "independent_spots": round(self.independent_spots, 1),
        }


def chosen_in_words(chosen: int, runners_up: Sequence[int]) -> str:
    """Return a choice and its runners-up in words."""
    text = f"{chosen} domains chosen"
    return f"{text}; next best {_listed(runners_up)}" if len(runners_up) else text


def choose_number(
    views: Sequence[View], section: Section, seed: int, control: RunControl
) -> Generator[Progress, None, NumberOfDomains]:
    """Choose the number of domains without any annotation.

    For every number, mixtures over 10 and 15 columns of every view are fitted, each
    from starts of its own and again from what all agree on. The number with the
    highest mean information criterion is chosen (Schwarz 1978), for as many spots as
    are independent after averaging.

    Parameters
    ----------
    views
        Descriptions of the spots, each with columns by falling importance.
    section
        Gives the operator that averages neighbours, and the spatial neighbours.

    Raises
    ------
    InputError
        If there are too few spots for two domains.
    """
    n_spots = section.n_spots
    most = min(MOST_DOMAINS, n_spots // _SPOTS_PER_DOMAIN)
    if most < 2:
        raise InputError(
            Worded(
                f"Expected at least {2 * _SPOTS_PER_DOMAIN} spots to choose the number "
                f"of domains from; found {n_spots}. ",
                Way(
                    "Give the number: -k 2.",
                    "Give the number: n_domains=2.",
                    "Untick Automatic, and set the number of domains.",
                ),
            )
        )
    fitted = fitted_spots(n_spots, np.random.default_rng(seed))
    share = independent_share(section.average, section.smoothing_rounds, fitted)
    points = [r.points for r in readings(views, section, fitted)]
    edges = section.spatial[fitted][:, fitted].tocoo()
    numbers = np.arange(2, most + 1)
    rows = []
    for step, k in enumerate(numbers):
        yield Progress("assign", step, len(numbers), "Choosing the number of domains")
        rows.append(_row(points, int(k), edges, share, seed, control))
    bic, stability, coherence = np.array(rows).T
    return NumberOfDomains(numbers, bic, stability, coherence, n_spots * share)


def _row(
    points: Sequence[NDArray[np.float64]],
    k: int,
    edges: sparse.coo_matrix,
    share: float,
    seed: int,
    control: RunControl,
) -> tuple[float, float, float]:
    """Return criterion, stability and coherence of one number of domains."""
    first, again = members_at(points, k, seed, control)
    independent = len(points[0]) * share
    criterion = [
        2 * independent * max(one.log_likelihood, other.log_likelihood)
        - (k * one.centres.shape[1] + k - 1) * np.log(independent)
        for one, other in zip(first, again, strict=True)
    ]
    agreement = pairwise_agreement([member.posterior for member in first])
    pairs = agreement[np.triu_indices(len(first), 1)]
    labels = agreed([member.posterior for member in again]).argmax(axis=1)
    return (
        float(np.mean(criterion)),
        float(pairs.mean()) if len(pairs) else 1.0,
        _coherence(labels, edges, k),
    )


def members_at(
    points: Sequence[NDArray[np.float64]], k: int, seed: int, control: RunControl
) -> tuple[list[Mixture], list[Mixture]]:
    """Return a mixture per reading, from its own starts and from what all agree on.

    A mixture of many domains often stays in a poor optimum; what the others found
    lifts it out, so that the criterion compares numbers of domains, not luck.

    Parameters
    ----------
    points
        What each member reads, ``(n_spots, width)``, scaled.
    seed
        Seed of the starts; the same for a number wherever it is tried.
    """
    random = np.random.default_rng([seed, k])
    first = []
    for values in points:
        control.check()
        first.append(fit_many_starts(values, k, _STARTS, random))
    start = agreed([member.posterior for member in first]).astype(np.float64)
    control.check()
    return first, [fit_tied(values, start) for values in points]


def readings(
    views: Sequence[View], section: Section, fitted: NDArray[np.int64]
) -> list[MemberValues]:
    """Return what members read: every view, averaged, at every width."""
    found = []
    for view in views:
        values = view.values[:, : max(WIDTHS)]
        for step in range(section.smoothing_rounds if view.smooth else 0):
            values = averaged_once(values, section.average, in_place=step > 0)
        for width in sorted({min(width, values.shape[1]) for width in WIDTHS}):
            part = values[:, :width]
            units = Standardizer.fit(part[fitted])
            found.append(MemberValues(part, units, units.transform(part[fitted])))
    return found


def independent_share(
    average: sparse.csr_matrix, rounds: int, fitted: NDArray[np.int64]
) -> float:
    """Return for how much of a spot each counts after averaging, 0 to 1.

    The variance left of white noise: averaging m independent spots leaves 1/m.
    """
    if rounds == 0:
        return 1.0
    weights = average[fitted]
    for _ in range(rounds - 1):
        weights = weights @ average
    return float((weights.data.astype(np.float64) ** 2).sum() / len(fitted))


def _coherence(labels: NDArray[np.intp], edges: sparse.coo_matrix, k: int) -> float:
    if edges.nnz == 0:  # a thin sample of a section of many millions
        return 0.0
    chance = float((one_hot(labels, k).mean(axis=0) ** 2).sum())
    same = float((labels[edges.row] == labels[edges.col]).mean())
    return (same - chance) / max(1.0 - chance, 1e-12)


def _listed(numbers: Sequence[int]) -> str:
    words = [str(number) for number in numbers]
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
