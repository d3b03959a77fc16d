"""The ways to read domains off what was learnt, all with one interface."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from napari_semst.core.chunks import chunks, fitted_spots
from napari_semst.core.progress import Progress
from napari_semst.domains.consensus import ConsensusMember, agreed, consensus_posterior
from napari_semst.domains.full_mixture import fit_full
from napari_semst.domains.leiden import leiden
from napari_semst.domains.mixture import (
    Standardizer,
    fit_many_starts,
    k_means,
    one_hot,
    scaled,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from napari_semst.config import DomainsConfig
    from napari_semst.core.progress import RunControl
    from napari_semst.methods.base import Fit
    from napari_semst.prepare.section import Section

    Labels = NDArray[np.integer[Any]]


class ReadoutResult(NamedTuple):
    """What a readout says of all spots.

    Parameters
    ----------
    labels
        Domain of each spot, any numbers, ``(n_spots,)``.
    posterior
        Probability of every domain, ``(n_spots, n_domains)``, labels its columns;
        `None` for readouts that have no members to agree.
    members
        Members of a consensus, their domains in the posterior's order.
    """

    labels: Labels
    posterior: NDArray[np.floating[Any]] | None = None
    members: tuple[ConsensusMember, ...] = ()


class Readout(Protocol):
    """A way from what was learnt to a domain for every spot."""

    def __call__(
        self,
        fit: Fit,
        section: Section,
        config: DomainsConfig,
        seed: int,
        control: RunControl,
    ) -> Generator[Progress, None, ReadoutResult]:
        """Return the domains of all spots.

        Parameters
        ----------
        fit
            The latent, and the views of the spots.
        section
            Gives the operator that averages neighbours, and how often.
        config
            ``n_domains``, at most the number of spots, and ``n_starts`` are read.
        seed
            Seed of starts and samples.
        control
            Asked for cancelling between starts or steps.
        """
        ...


class OfLatent(Protocol):
    """A clustering of one latent; of several each is read, and all are heard."""

    def __call__(
        self,
        latent: NDArray[np.float32],
        k: int,
        n_starts: int,
        seed: int,
        control: RunControl,
    ) -> Generator[Progress, None, Labels]:
        """Return the cluster of each spot.

        Parameters
        ----------
        latent
            Shape ``(n_spots, width)``.
        k
            Clusters wanted, from 2 to the number of spots.
        n_starts
            Random starts, of which the best is taken.
        seed, control
            As for a `Readout`.
        """
        ...


def consensus(
    fit: Fit, section: Section, config: DomainsConfig, seed: int, control: RunControl
) -> Generator[Progress, None, ReadoutResult]:
    """Return what mixtures over several views agree on (`consensus_posterior`)."""
    members: list[ConsensusMember] = []
    posterior = yield from consensus_posterior(
        fit.views,
        section.average,
        section.smoothing_rounds,
        config.n_domains,
        config.n_starts,
        seed,
        control,
        members=members,
    )
    return ReadoutResult(posterior.argmax(axis=1), posterior, tuple(members))


def k_means_of_latent(
    latent: NDArray[np.float32], k: int, n_starts: int, seed: int, control: RunControl
) -> Generator[Progress, None, Labels]:
    """Return the k-means of the latent; centres are found in a sample of many spots."""
    yield Progress("assign", 0, 1, "k-means")
    control.check()
    fitted = fitted_spots(len(latent), np.random.default_rng(seed))
    return k_means(latent, k, n_starts, seed, fitted=fitted)


def tied_mixture(
    latent: NDArray[np.float32], k: int, n_starts: int, seed: int, control: RunControl
) -> Generator[Progress, None, Labels]:
    """Return the likeliest mixture with one covariance shared by all domains."""
    yield Progress("assign", 0, 1, "Gaussian mixture, tied covariance")
    control.check()
    random = np.random.default_rng(seed)
    fitted = fitted_spots(len(latent), random)
    if len(fitted) == len(latent):
        mixture = fit_many_starts(scaled(latent), k, n_starts, random)
        return np.asarray(mixture.posterior.argmax(axis=1))
    units = Standardizer.fit(latent[fitted])
    mixture = fit_many_starts(units.transform(latent[fitted]), k, n_starts, random)
    labels = np.empty(len(latent), np.int64)
    for part in chunks(len(latent)):
        control.check()
        labels[part] = mixture.predict(units.transform(latent[part])).argmax(axis=1)
    return labels


def full_mixture(
    latent: NDArray[np.float32], k: int, n_starts: int, seed: int, control: RunControl
) -> Generator[Progress, None, Labels]:
    """Return the likeliest mixture in which every domain has a covariance of its own.

    A domain of few spots has fewer of them than its covariance has entries: the
    shared covariance (`tied_mixture`) is the safer choice for small sections.
    """
    random = np.random.default_rng(seed)
    fitted = fitted_spots(len(latent), random)
    units = Standardizer.fit(latent[fitted])
    mixture = yield from fit_full(
        units.transform(latent[fitted]), k, n_starts, random, control
    )
    labels = np.empty(len(latent), np.int64)
    for part in chunks(len(latent)):
        control.check()
        labels[part] = mixture.predict(units.transform(latent[part]))
    return labels


def _read_off_latent(
    cluster: OfLatent,
    fit: Fit,
    section: Section,
    config: DomainsConfig,
    seed: int,
    control: RunControl,
) -> Generator[Progress, None, ReadoutResult]:
    labellings: list[Labels] = []
    for latent in (fit.latent, *fit.replicates):
        labels = yield from cluster(
            latent, config.n_domains, config.n_starts, seed, control
        )
        labellings.append(np.unique(labels, return_inverse=True)[1])
    if len(labellings) == 1:
        return ReadoutResult(labellings[0])
    width = max(int(labels.max()) for labels in labellings) + 1
    posterior = agreed([one_hot(labels, width) for labels in labellings])
    return ReadoutResult(posterior.argmax(axis=1), posterior)


# A new readout is a line here, and its name among the choices of
# `DomainsConfig.readout`.
READOUTS: Mapping[str, Readout] = MappingProxyType(
    {
        "consensus": consensus,
        "gmm": partial(_read_off_latent, tied_mixture),
        "gmm-full": partial(_read_off_latent, full_mixture),
        "kmeans": partial(_read_off_latent, k_means_of_latent),
        "leiden": partial(_read_off_latent, leiden),
    }
)
