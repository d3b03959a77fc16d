"""Domains from many to few: fine ones inside the chosen ones, merged step by step.

The fine domains split the chosen ones, never cross them, so that at the chosen number
the tree gives back the consensus itself, and any other number is a table lookup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst import keys
from napari_semst.core.chunks import chunks, fitted_spots
from napari_semst.core.progress import Progress
from napari_semst.domains.choose_k import (
    MOST_DOMAINS,
    members_at,
    readings,
)
from napari_semst.domains.consensus import matched
from napari_semst.domains.mixture import one_hot
from napari_semst.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Generator

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.base import Fit
    from napari_semst.prepare.section import Section

    Codes = NDArray[np.integer[Any]]

# Finer than chosen by at least so many domains, where there are spots for them.
_FINER = 5
# Pieces of a domain that are smaller than this are no domains of their own.
_LEAST_SHARE = 0.005
_LEAST_SPOTS = 5
# Domains touch if at least this share of the smaller one's neighbours is the other's.
_TOUCHING = 0.01


class Hierarchy(NamedTuple):
    """Fine domains and the order in which they are merged.

    Parameters
    ----------
    fine
        Fine domain of each spot, ``0 .. n_fine - 1``.
    kept, merged
        At each step ``merged`` becomes part of ``kept``, the larger of the two. A
        domain's number never changes, and that of a chosen domain is its own.
    cost
        Rise of the squared distances of latents to their domain's mean, over their
        sum about the mean of all.
    """

    fine: NDArray[np.int32]
    kept: NDArray[np.int64]
    merged: NDArray[np.int64]
    cost: NDArray[np.float64]

    def table(self) -> dict[str, Any]:
        """Return the merges as plain values."""
        return {
            "kept": self.kept.tolist(),
            "merged": self.merged.tolist(),
            "cost": self.cost.round(6).tolist(),
            "n_fine": len(self.kept) + 1,
        }


def build_hierarchy(
    codes: Codes, fit: Fit, section: Section, seed: int, control: RunControl
) -> Generator[Progress, None, Hierarchy]:
    """Split chosen domains into fine ones, and order all merges from there to one.

    Fine mixtures over every view say how domains may be split. Merges inside chosen
    domains come first, then merges of chosen domains; among those, domains that touch
    come first, and the pair is taken whose merge costs least (Ward 1963).

    Parameters
    ----------
    codes
        Chosen domain of each spot, ``0 .. k - 1``.
    fit
        The views to split by, and the latent to merge by.
    """
    n_chosen = int(codes.max()) + 1
    spots = len(codes)
    finest = max(MOST_DOMAINS, n_chosen + _FINER)
    finest = min(finest, max(spots // (2 * _LEAST_SPOTS), n_chosen))
    yield Progress("assign", 0, 1, "Building the hierarchy of domains")
    pieces = np.asarray(codes, np.int32)
    if finest > n_chosen:
        finer = _fine_posterior(fit, section, finest, seed, control)
        pieces = _split(codes, finer)
    tree = _merges(pieces, codes, fit.latent, section.spatial)
    return _cut(tree, max(finest, n_chosen), codes)


def labels_at(hierarchy: Hierarchy, k: int) -> NDArray[np.int32]:
    """Return the domain of each spot at any number of domains, or raise `ConfigError`.

    Parameters
    ----------
    k
        Number of domains, 1 to that of the fine ones.
    """
    n_fine = len(hierarchy.kept) + 1
    if not 1 <= k <= n_fine:
        raise ConfigError(
            f"Expected 1 to {n_fine} domains, as the hierarchy holds; got {k}. Choose "
            "one of them, or run again with that number of domains."
        )
    return _names_after(hierarchy, n_fine - k)[hierarchy.fine]


def domains_at(tissue: AnnData, k: int, run: str | None = None) -> pd.Series[Any]:
    """Return the domains of a tissue at another number of domains, without a new run.

    Names are those of `semst_domain`; a domain that came from a merge keeps the name,
    and so the colour, of its larger part.

    Parameters
    ----------
    tissue
        With a result attached.
    k
        Number of domains.
    run
        Name of the run; the latest where `None`.

    Returns
    -------
    domains
        Categorical, one label per spot.

    Raises
    ------
    InputError
        If the tissue has no hierarchy of that run.
    ConfigError
        If the hierarchy does not hold so many domains.
    """
    import pandas as pd

    codes = labels_at(hierarchy_of(tissue, run), k)
    present = np.unique(codes)
    labels = pd.Categorical.from_codes(
        np.searchsorted(present, codes).tolist(),
        categories=[str(code + 1) for code in present],
    )
    return pd.Series(labels, index=tissue.obs_names, name=keys.DOMAIN)


def hierarchy_of(tissue: AnnData, run: str | None = None) -> Hierarchy:
    """Return the hierarchy that a run left in a tissue, or raise `InputError`."""
    run = str(tissue.uns.get(keys.LATEST, keys.DEFAULT_RUN)) if run is None else run
    facts = tissue.uns.get(keys.RUNS, {}).get(run, {})
    column = keys.of_run(keys.FINE, run)
    if "hierarchy" not in facts or column not in tissue.obs:
        raise InputError(
            f"Expected a hierarchy of domains of the run {run!r}; found none (runs "
            f"here: {', '.join(tissue.uns.get(keys.RUNS, {})) or 'none'}). Find its "
            "domains again with this version."
        )
    stored = facts["hierarchy"]
    fine = tissue.obs[column].astype(str).astype(np.int32).to_numpy() - 1
    kept, merged = (np.asarray(stored[n]).astype(np.int64) for n in ("kept", "merged"))
    return Hierarchy(fine, kept, merged, np.asarray(stored["cost"]).astype(np.float64))


def _names_after(hierarchy: Hierarchy, steps: int) -> NDArray[np.int32]:
    """Return what each fine domain is called after some merges."""
    names = np.arange(len(hierarchy.kept) + 1, dtype=np.int32)
    pairs = zip(hierarchy.kept[:steps], hierarchy.merged[:steps], strict=True)
    for kept, merged in pairs:
        names[names == merged] = kept
    return names


def _fine_posterior(
    fit: Fit, section: Section, k: int, seed: int, control: RunControl
) -> NDArray[np.float32]:
    """Return what members agree on for many domains, for every spot."""
    fitted = fitted_spots(section.n_spots, np.random.default_rng(seed))
    read = readings(fit.views, section, fitted)
    _, members = members_at([r.points for r in read], k, seed, control)
    orders, _ = matched([member.posterior for member in members])
    total = np.zeros((section.n_spots, k), np.float32)
    for one, member, order in zip(read, members, orders, strict=True):
        for part in chunks(section.n_spots):
            total[part] += member.predict(one.units.transform(one.values[part]))[
                :, order
            ]
    return total / np.float32(len(members))


def _split(codes: Codes, finer: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return chosen domains split where finer ones say so, without small pieces."""
    n_chosen, n_finer = int(codes.max()) + 1, finer.shape[1]
    least = max(_LEAST_SPOTS, _LEAST_SHARE * len(codes))
    table = np.zeros((n_chosen, n_finer), np.int64)
    np.add.at(table, (codes, finer.argmax(axis=1)), 1)
    stays = table >= least
    # A domain smaller than any piece stays whole.
    stays[np.arange(n_chosen), table.argmax(axis=1)] = True
    best = np.where(stays[codes], finer, -1.0).argmax(axis=1)
    _, pieces = np.unique(codes.astype(np.int64) * n_finer + best, return_inverse=True)
    return np.asarray(pieces, np.int32)


def _merges(
    pieces: NDArray[np.int32],
    codes: Codes,
    latent: NDArray[np.float32],
    spatial: sparse.csr_matrix,
) -> Hierarchy:
    """Return all merges of pieces, those inside chosen domains first."""
    n = int(pieces.max()) + 1
    size = np.bincount(pieces, minlength=n).astype(np.float64)
    centre = latent.mean(axis=0, dtype=np.float64)
    mean, spread, contact = np.zeros((n, latent.shape[1])), 0.0, np.zeros((n, n))
    for some in chunks(len(pieces)):
        parts, centred = one_hot(pieces[some], n), latent[some] - centre
        mean += parts.T @ centred
        spread += float((centred**2).sum())
        edges = spatial[some]
        first = np.repeat(pieces[some].astype(np.int64), np.diff(edges.indptr))
        between = first * n + pieces[edges.indices]
        contact += np.bincount(between, minlength=n * n).reshape(n, n)
    mean, spread = mean / size[:, None], spread or 1.0
    owner = np.zeros(n, np.int64)
    owner[pieces] = codes
    alive, steps, costs = np.ones(n, bool), [], []
    for _ in range(n - 1):
        one, other, cost = _cheapest(alive, size, mean, contact, owner)
        kept, merged = (one, other) if size[one] >= size[other] else (other, one)
        both = size[kept] + size[merged]
        mean[kept] = (size[kept] * mean[kept] + size[merged] * mean[merged]) / both
        size[kept] = both
        contact[kept] += contact[merged]
        contact[:, kept] += contact[:, merged]
        contact[merged] = contact[:, merged] = 0.0
        alive[merged] = False
        steps.append((kept, merged))
        costs.append(cost / spread)
    table = np.array(steps, np.int64).reshape(-1, 2)
    return Hierarchy(pieces, table[:, 0], table[:, 1], np.array(costs, np.float64))


def _cheapest(
    alive: NDArray[np.bool_],
    size: NDArray[np.float64],
    mean: NDArray[np.float64],
    contact: NDArray[np.float64],
    owner: NDArray[np.int64],
) -> tuple[int, int, float]:
    """Return the two domains to merge next, and Ward's cost of it."""
    live = np.flatnonzero(alive)
    apart = ((mean[live, None] - mean[live]) ** 2).sum(axis=-1)
    cost = apart * np.multiply.outer(size[live], size[live])
    cost /= np.add.outer(size[live], size[live])
    allowed = ~np.eye(len(live), dtype=bool)
    inside = allowed & (owner[live, None] == owner[live])
    if inside.any():
        allowed = inside
    edges = contact[live].sum(axis=1)
    least = np.maximum(_TOUCHING * np.minimum.outer(edges, edges), 1.0)
    touching = allowed & (contact[np.ix_(live, live)] >= least)
    if touching.any():
        allowed = touching
    cheapest = np.where(allowed, cost, np.inf).argmin()
    one, other = np.unravel_index(cheapest, cost.shape)
    return int(live[one]), int(live[other]), float(cost[one, other])


def _cut(tree: Hierarchy, finest: int, codes: Codes) -> Hierarchy:
    """Return the tree from its finest level on, numbered as the chosen domains are."""
    n, n_chosen = len(tree.kept) + 1, int(codes.max()) + 1
    first = max(n - finest, 0)
    at_finest, at_chosen = (_names_after(tree, s) for s in (first, n - n_chosen))
    owner = np.zeros(n, np.int64)
    owner[tree.fine] = codes
    number = np.full(n, -1, np.int64)
    number[at_chosen] = owner
    sizes = np.bincount(at_finest[tree.fine], minlength=n)
    others = [p for p in np.unique(at_finest) if number[p] < 0]
    others.sort(key=lambda piece: -sizes[piece])
    number[others] = n_chosen + np.arange(len(others))
    fine = number[at_finest[tree.fine]].astype(np.int32)
    kept, merged = number[tree.kept[first:]], number[tree.merged[first:]]
    return Hierarchy(fine, kept, merged, tree.cost[first:])
