"""Assignment of spots to a given number of domains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.domains.cluster_methods import READOUTS
from napari_semst.domains.confidence import spot_confidence
from napari_semst.domains.majority import majority_labels
from napari_semst.domains.mixture import one_hot
from napari_semst.domains.refine import refined

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_semst.config import DomainsConfig
    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.domains.consensus import ConsensusMember
    from napari_semst.domains.refine import Posterior
    from napari_semst.methods.base import Fit, View
    from napari_semst.prepare.section import Section


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
    members
        Members of the consensus, their domains in the order of the codes, those
        without a spot last; empty for the other readouts.
    """

    codes: NDArray[np.int32]
    confidence: NDArray[np.float32] | None = None
    members: tuple[ConsensusMember, ...] = ()

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
    config
        ``n_domains``, at most the number of spots, ``readout``, ``n_starts``,
        ``refine`` and ``majority`` are read.
    """
    k, n_spots = config.n_domains, section.n_spots
    control.check()
    if k == 1:
        return Assignment(np.zeros(n_spots, np.int32))
    read = yield from READOUTS[config.readout](fit, section, config, seed, control)
    asked = (fit.views, section, config, seed, control)
    if read.posterior is None:
        names, place = np.unique(read.labels, return_inverse=True)
        # Labels without probabilities: each counts as sure.
        sure = one_hot(place, len(names)).astype(np.float32)
        return Assignment(largest_first((yield from settled(sure, *asked))))
    labels = yield from settled(read.posterior, *asked)
    codes = largest_first(labels)
    share = read.posterior[np.arange(n_spots), labels]
    confidence = yield from spot_confidence(
        fit.views, section, codes, share, seed, control
    )
    order = _columns(labels, codes, k)
    ordered = tuple(member.ordered(order) for member in read.members)
    return Assignment(codes, confidence, ordered)


def settled(
    posterior: Posterior,
    views: Sequence[View],
    section: Section,
    config: DomainsConfig,
    seed: int,
    control: RunControl,
) -> Generator[Progress, None, NDArray[np.integer[Any]]]:
    """Return the domain of every spot, borders settled and majorities followed.

    Parameters
    ----------
    posterior
        As for `refined`.
    config
        ``refine`` and ``majority`` are read; either may be 0.
    """
    labels = yield from refined(posterior, views, section, config.refine, seed, control)
    return majority_labels(labels, section, config.majority, control)


def _columns(
    labels: NDArray[np.integer[Any]], codes: NDArray[np.int32], n_domains: int
) -> NDArray[np.integer[Any]]:
    """Return the label behind every code, then the labels that no spot has."""
    _, first = np.unique(codes, return_index=True)
    named = labels[first]
    return np.concatenate([named, np.setdiff1d(np.arange(n_domains), named)])


def largest_first(labels: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Return labels renumbered by falling size, ties by first appearance."""
    _, first, inverse, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(sizes), np.int32)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[inverse]
