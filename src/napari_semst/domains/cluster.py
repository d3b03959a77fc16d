"""Assignment of spots to a given number of domains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.domains.confidence import spot_confidence
from napari_semst.domains.consensus import Voter, consensus_posterior
from napari_semst.domains.mixture import fit_many_starts, k_means, one_hot, scaled
from napari_semst.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import DomainsConfig
    from napari_semst.methods.base import Fit
    from napari_semst.prepare.section import Section
    from napari_semst.progress import RunControl


@dataclass(frozen=True, slots=True)
class Assignment:
    """Domains of all spots.

    Parameters
    ----------
    codes
        Domain of each spot, ``0 .. n_domains - 1``, largest domain first.
    confidence
        How sure a spot's domain is, 0 to 1, see `spot_confidence`; `None` for readouts
        that have no members to agree.
    voters
        Members of the consensus, their domains in the order of the codes, those
        without a spot last; empty for the other readouts.
    """

    codes: NDArray[np.int32]
    confidence: NDArray[np.float32] | None = None
    voters: tuple[Voter, ...] = ()

    @property
    def n_domains(self) -> int:
        """The number of domains that have a spot."""
        return int(self.codes.max()) + 1


def assign_domains(
    fit: Fit, section: Section, config: DomainsConfig, seed: int, control: RunControl
) -> Generator[Progress, None, Assignment]:
    """Assign every spot to a domain.

    Parameters
    ----------
    fit
        The latent, for a single mixture or k-means, and the views, for the consensus.
    section
        Gives the operator that averages neighbours.
    config
        ``n_domains``, at most the number of spots, ``readout``, ``n_starts`` and
        ``refine`` are read.
    seed
        Seed of the starts.
    control
        Asked for cancelling between starts.
    """
    k, n_spots = config.n_domains, section.n_spots
    control.check()
    if k == 1:
        return Assignment(np.zeros(n_spots, np.int32))
    posterior = None
    voters: list[Voter] = []
    if config.readout == "consensus":
        posterior = yield from consensus_posterior(
            fit.views,
            section.average,
            section.smoothing_rounds,
            k,
            config.n_starts,
            seed,
            control,
            voters=voters,
        )
        labels = posterior.argmax(axis=1)
    else:
        yield Progress("assign", 0, 1, config.readout)
        single = {"gmm": _mixture, "kmeans": _k_means}[config.readout]
        labels = single(fit.latent, k, config.n_starts, seed)
    labels = majority(labels, section.average, config.refine)
    codes = largest_first(labels)
    if posterior is None:
        return Assignment(codes)
    share = posterior[np.arange(n_spots), labels]
    confidence = yield from spot_confidence(
        fit.views, section, codes, share, seed, control
    )
    order = _columns(labels, codes, k)
    ordered = tuple(voter.ordered(order) for voter in voters)
    return Assignment(codes, confidence, ordered)


def _columns(
    labels: NDArray[np.integer[Any]], codes: NDArray[np.int32], n_domains: int
) -> NDArray[np.integer[Any]]:
    """Return the label behind every code, then the labels that no spot has."""
    _, first = np.unique(codes, return_index=True)
    named = labels[first]
    return np.concatenate([named, np.setdiff1d(np.arange(n_domains), named)])


def majority(
    labels: NDArray[np.integer[Any]], average: sparse.csr_matrix, rounds: int
) -> NDArray[np.integer[Any]]:
    """Return labels after giving spots the domain of most of their near neighbours.

    A spot changes only where more than half of its neighbourhood, itself included, is
    of one other domain: thin domains two spots wide stay.

    Parameters
    ----------
    labels
        Domain of each spot.
    average
        Operator that averages each spot with its nearest spots.
    rounds
        Times to do it.
    """
    for _ in range(rounds):
        names, place = np.unique(labels, return_inverse=True)
        shares = average @ one_hot(place, len(names))
        most = shares.argmax(axis=1)
        sure = shares[np.arange(len(labels)), most] > 0.5
        labels = np.where(sure, names[most], labels)
    return labels


def largest_first(labels: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Return labels renumbered by falling size, ties by first appearance."""
    _, first, inverse, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(sizes), np.int32)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[inverse]


def _k_means(
    latent: NDArray[np.float32], k: int, n_starts: int, seed: int
) -> NDArray[np.integer[Any]]:
    return k_means(latent, k, n_starts, seed)


def _mixture(
    latent: NDArray[np.float32], k: int, n_starts: int, seed: int
) -> NDArray[np.integer[Any]]:
    random = np.random.default_rng(seed)
    found = fit_many_starts(scaled(latent), k, n_starts, random)
    return np.asarray(found.posterior.argmax(axis=1))
