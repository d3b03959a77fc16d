"""Where expression is not what the image predicts, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from napari_semst.methods.base import Discordance
from napari_semst.methods.image_guided_folds import cross_fitted, spatial_folds
from napari_semst.methods.image_guided_network import Normal, divergence
from napari_semst.prepare.components import smoothed
from napari_semst.progress import Progress
from napari_semst.sampling import chunks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from napari_semst.methods.image_guided_network import Prior
    from napari_semst.methods.image_guided_problem import Batch, GuidedProblem
    from napari_semst.prepare.section import Section
    from napari_semst.progress import RunControl

    Floats = NDArray[np.float32]

_CHUNK_SPOTS = 8192
# Spots of an expression cluster: so few that images within it are of one kind.
CLUSTER_SPOTS = 10
# Robust deviations of the log above the median from which a spot gives no image to the
# null: what is itself discordant would make discordance look usual.
TRIMMED_ABOVE = 3.0
_QUARTILE = 0.6745
# Nats that a dimension adds to a spot's discordance at most: discordance is heard in
# several dimensions, a drift of expression across the slide in one.
MOST_NATS = 2.0
# Rounds of averaging over the nearest spots: discordance comes in regions.
_ROUNDS = 2
# Scores of the null that are enough for any p-value that is asked for.
_NULL_SCORES, _LEAST_TIMES = 500_000, 3


class Divergences(NamedTuple):
    """What is measured of all spots.

    Parameters
    ----------
    per_dimension
        KL divergence, ``(n_spots, latent)``.
    expected
        Means of the priors, ``(n_spots, latent)``.
    """

    per_dimension: Floats
    expected: Floats


class CrossFit:
    """The trained network beside priors that did not see the spots they speak of.

    Parameters
    ----------
    problem
        The trained network and the section.
    folds, priors
        Fold of every spot, and the prior of every fold.
    """

    def __init__(
        self, problem: GuidedProblem, folds: NDArray[np.intp], priors: list[Prior]
    ) -> None:
        self.problem, self.folds, self.priors = problem, folds, priors
        latent = problem.settings.latent_dim
        self.widening = np.zeros(latent, np.float32)
        self._kept: dict[tuple[int, int], Normal] = {}

    def calibrate(self) -> None:
        """Widen each dimension's prior until its errors are as large as it says.

        What a prior says of spots that it never saw is too sure of itself; the factor
        is what maximises the likelihood of a common widening.
        """
        total = np.zeros(len(self.widening))
        usable = self.problem.inputs.usable
        for spots, posterior, prior in self._pairs(None):
            errors = (
                posterior.mean - prior.mean
            ).square() + posterior.log_variance.exp()
            known = torch.as_tensor(usable[spots], device=errors.device)
            ratio = errors / prior.log_variance.exp()
            total += ratio[known].sum(dim=0).double().cpu().numpy()
        factor = np.maximum(total / max(int(usable.sum()), 1), 1e-6)
        self.widening = np.log(factor).astype(np.float32)

    def measure(self, given: NDArray[np.intp] | None = None) -> Divergences:
        """Return the divergences of all spots.

        Parameters
        ----------
        given
            Whose image each spot gets, ``(n_spots,)``; its own where `None`.
        """
        image = None
        if given is not None:
            own = self.problem.inputs.image
            assert own is not None, "images were dealt where there are none"
            image = own[given]
        n_spots = self.problem.inputs.n_spots
        found = np.empty((n_spots, len(self.widening)), np.float32)
        expected = np.empty_like(found)
        for spots, posterior, prior in self._pairs(image):
            wide = torch.as_tensor(self.widening, device=prior.mean.device)
            widened = Normal(prior.mean, prior.log_variance + wide)
            found[spots] = divergence(posterior, widened).float().cpu().numpy()
            expected[spots] = prior.mean.float().cpu().numpy()
        return Divergences(found, expected)

    @torch.no_grad()
    def _pairs(
        self, image: Floats | None
    ) -> Iterator[tuple[NDArray[np.intp], Normal, Normal]]:
        """Yield some spots, their posterior, and the prior of their fold."""
        for fold, prior in enumerate(self.priors):
            own = np.flatnonzero(self.folds == fold)
            for part in chunks(len(own), _CHUNK_SPOTS):
                spots = own[part]
                batch = self.problem.of_spots(spots, image)
                posterior = self._posterior(batch, (fold, part.start))
                yield spots, posterior, prior(*batch[1:])

    def _posterior(self, batch: Batch, place: tuple[int, int]) -> Normal:
        """Return some spots' posterior; kept where no image could change it."""
        network = self.problem.network.eval()
        if network.image is not None:
            return network.posterior_of(*batch)
        if place not in self._kept:
            self._kept[place] = network.posterior_of(*batch)
        return self._kept[place]


def discordance(
    problem: GuidedProblem,
    section: Section,
    posterior: tuple[Floats, Floats],
    control: RunControl,
) -> Generator[Progress, None, Discordance]:
    """Return the calibrated discordance of every spot.

    Parameters
    ----------
    problem
        The trained network and the section.
    section
        Places, and the operator that averages neighbours.
    posterior
        Means and logs of variances, each ``(n_spots, latent)``.
    control
        Cancels.
    """
    settings, usable = problem.settings, problem.inputs.usable
    folds = spatial_folds(problem.inputs, section.coordinates)
    priors = yield from cross_fitted(problem, posterior, folds, control)
    fit = CrossFit(problem, folds, priors)
    fit.calibrate()
    found = fit.measure()
    score = regional(bounded(found.per_dimension), section, usable)
    null = yield from permuted(fit, section, score, control)
    p_value = np.full(len(score), np.nan, np.float32)
    p_value[usable] = above(score[usable], null)
    rate = false_discovery_rate(p_value)
    return Discordance(
        score.astype(np.float32),
        np.where(usable[:, None], found.per_dimension, np.float32(np.nan)),
        p_value,
        rate,
        # Spots without a usable image have no rate, and are never called.
        rate <= settings.discordance_fdr,
        found.expected,
    )


def bounded(per_dimension: Floats) -> Floats:
    """Return the divergence of each spot, ``(n_spots,)``, no dimension above its bound.

    Parameters
    ----------
    per_dimension
        Nats, ``(n_spots, latent)``.
    """
    total: Floats = np.minimum(per_dimension, MOST_NATS).sum(axis=1)
    return total


def regional(values: Floats, section: Section, usable: NDArray[np.bool_]) -> Floats:
    """Return each spot's mean with spots nearby, of those that are usable.

    Parameters
    ----------
    values
        Shape ``(n_spots,)``.
    section
        Gives the operator that averages neighbours.
    usable
        Spots that count; others are NaN.
    """
    weights = usable[:, None].astype(np.float32)
    share = smoothed(weights, section.average, _ROUNDS)[:, 0]
    kept = np.where(usable, values, 0)
    total = smoothed(kept[:, None], section.average, _ROUNDS)[:, 0]
    mean = np.divide(total, share, out=np.full_like(total, np.nan), where=share > 0)
    found: Floats = np.where(usable, mean, np.nan).astype(np.float32)
    return found


def expression_clusters(
    expressed: Floats, usable: NDArray[np.bool_], seed: int
) -> NDArray[np.intp]:
    """Return small clusters of spots that express alike, ``(n_spots,)``.

    Parameters
    ----------
    expressed
        Components of expression, averaged over neighbours, ``(n_spots, width)``; the
        image has no say.
    usable
        Spots that are clustered; others are -1.
    seed
        Of the search.
    """
    from sklearn.cluster import MiniBatchKMeans

    values = expressed[usable]
    wanted = max(len(values) // CLUSTER_SPOTS, 1)
    search = MiniBatchKMeans(
        min(wanted, 2000), n_init=1, random_state=seed, batch_size=4096, max_iter=30
    )
    found = np.full(len(usable), -1, np.intp)
    found[usable] = search.fit_predict(values)
    return found


def inliers(score: Floats) -> NDArray[np.bool_]:
    """Return which spots are as usual, by the lower half of the logs of scores.

    Parameters
    ----------
    score
        Shape ``(n_spots,)``, NaN where unknown; those are no inliers.
    """
    logs = np.log(np.maximum(score, 1e-6))
    quarter, middle = np.nanquantile(logs, [0.25, 0.5])
    deviation = max((middle - quarter) / _QUARTILE, 1e-6)
    usual: NDArray[np.bool_] = logs <= middle + TRIMMED_ABOVE * deviation
    return usual


def permuted(
    fit: CrossFit, section: Section, score: Floats, control: RunControl
) -> Generator[Progress, None, Floats]:
    """Return scores under the null: images permuted within expression clusters.

    Images come from spots that are as usual, and only the scores of such spots count:
    else the discordant ones would set the limit that they are to exceed.
    """
    problem = fit.problem
    seed, n_spots = problem.training.seed, problem.inputs.n_spots
    enough = max(-(-_NULL_SCORES // n_spots), _LEAST_TIMES)
    times = min(problem.settings.permutations, enough)
    usual = inliers(score)
    expressed = smoothed(problem.inputs.components.root, section.average, 1)
    clusters = expression_clusters(expressed, problem.inputs.usable, seed)
    random = np.random.default_rng([seed, 11])
    found = []
    for done in range(times):
        control.check()
        yield Progress("discordance", done, times, "Permuting images within clusters")
        given = donors(clusters, usual, random)
        measured = fit.measure(given).per_dimension
        null = regional(bounded(measured), section, problem.inputs.usable)
        found.append(null[usual])
    return np.concatenate(found)


def donors(
    clusters: NDArray[np.intp], usual: NDArray[np.bool_], random: np.random.Generator
) -> NDArray[np.intp]:
    """Return whose image each spot gets, ``(n_spots,)``: one of its cluster's usual.

    Spots whose cluster has no usual one keep their own.

    Parameters
    ----------
    clusters
        Of every spot; -1 for those that keep their own.
    usual
        Spots whose image is given away.
    random
        Draws.
    """
    found = np.arange(len(clusters))
    giving = np.flatnonzero(usual & (clusters >= 0))
    giving = giving[np.argsort(clusters[giving], kind="stable")]
    sizes = np.bincount(clusters[giving], minlength=int(clusters.max()) + 1)
    starts = np.cumsum(sizes) - sizes
    asked = np.flatnonzero(clusters >= 0)
    asked = asked[sizes[clusters[asked]] > 0]
    own = clusters[asked]
    place = (random.random(len(asked)) * sizes[own]).astype(np.intp)
    found[asked] = giving[starts[own] + place]
    return found


def above(score: Floats, null: Floats) -> Floats:
    """Return the share of null scores at or above each score, itself among them.

    Parameters
    ----------
    score, null
        Shapes ``(n_spots,)`` and ``(n_null,)``.
    """
    ordered = np.sort(null)
    higher = len(ordered) - np.searchsorted(ordered, score, side="left")
    share: Floats = ((1 + higher) / (1 + len(ordered))).astype(np.float32)
    return share


def false_discovery_rate(p_value: Floats) -> Floats:
    """Return q values, NaN where p is.

    Source: Benjamini and Hochberg, 1995.

    Parameters
    ----------
    p_value
        Shape ``(n_spots,)``.
    """
    from scipy.stats import false_discovery_control

    rate = np.full(len(p_value), np.nan, np.float32)
    known = ~np.isnan(p_value)
    if known.any():
        rate[known] = false_discovery_control(np.clip(p_value[known], 0, 1))
    return rate
