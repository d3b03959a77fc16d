"""Scores of domains against an annotation, and of their coherence in space.

An annotation reaches these functions and nothing else of the project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.domains.mixture import one_hot
from napari_semst.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_PAS_NEIGHBOURS = 10
_SILHOUETTE_BLOCK = 512
_SILHOUETTE_SPOTS = 10_000


def truth_scores(
    codes: NDArray[np.integer[Any]], truth: pd.Series[Any]
) -> dict[str, float]:
    """Return the agreement of domains with an annotation.

    Parameters
    ----------
    codes
        Domain of each spot, shape ``(n_spots,)``.
    truth
        Annotation of each spot; spots without one are left out of the score.

    Returns
    -------
    scores
        ``ari``, ``nmi``, ``ami``, ``homogeneity``, ``completeness``, ``acc`` (best
        one-to-one matching of domains to classes), ``f1_macro``, ``f1_weighted`` (after
        the same matching), ``n_scored`` spots and ``n_classes``.

    Raises
    ------
    InputError
        If fewer than two spots are annotated.
    """
    from sklearn import metrics

    known = truth.notna().to_numpy()
    if known.sum() < 2:
        raise InputError(
            f"Expected an annotation of at least two spots in {truth.name!r}; "
            f"found {int(known.sum())}. Choose another column."
        )
    classes, wanted = np.unique(
        truth[known].astype(str).to_numpy(dtype=str), return_inverse=True
    )
    domains = np.asarray(codes)[known]
    matched = matched_classes(domains, wanted)
    f1 = {
        kind: metrics.f1_score(
            wanted,
            matched,
            labels=np.arange(len(classes)),
            average=kind,
            zero_division=0.0,
        )
        for kind in ("macro", "weighted")
    }
    scores = {
        "ari": metrics.adjusted_rand_score(wanted, domains),
        "nmi": metrics.normalized_mutual_info_score(wanted, domains),
        "ami": metrics.adjusted_mutual_info_score(wanted, domains),
        "homogeneity": metrics.homogeneity_score(wanted, domains),
        "completeness": metrics.completeness_score(wanted, domains),
        "acc": float((matched == wanted).mean()),
        "f1_macro": f1["macro"],
        "f1_weighted": f1["weighted"],
        "n_scored": float(known.sum()),
        "n_classes": float(len(classes)),
    }
    return {name: float(value) for name, value in scores.items()}


def matched_classes(
    found: NDArray[np.integer[Any]], wanted: NDArray[np.integer[Any]]
) -> NDArray[np.integer[Any]]:
    """Return domains renamed to the classes they match best, -1 where to none.

    Parameters
    ----------
    found, wanted
        Domain and class of each spot, classes ``0 .. n_classes - 1`` all with a spot,
        each ``(n_spots,)``.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    domains, position = np.unique(found, return_inverse=True)
    table = contingency_matrix(wanted, position)
    classes, matches = linear_sum_assignment(-table)
    renamed = np.full(len(domains), -1)
    renamed[matches] = classes
    return renamed[position]


def spatial_scores(
    codes: NDArray[np.integer[Any]],
    coordinates: NDArray[np.floating[Any]],
    seed: int = 0,
    sections: NDArray[np.integer[Any]] | None = None,
) -> dict[str, float]:
    """Return how coherent domains are in space, without any annotation.

    Parameters
    ----------
    codes
        Domain of each spot, shape ``(n_spots,)``.
    coordinates
        Shape ``(n_spots, 2)``, any unit.
    seed
        Chooses the spots of the silhouette in sections above 10,000.
    sections
        Section of each spot: scores are the mean over sections, by their spots.

    Returns
    -------
    scores
        ``chaos`` (mean distance to the nearest spot of the same domain, in mean
        spacings; lower is better), ``pas`` (share of spots of which at least six of
        the ten nearest are of other domains; lower is better) and
        ``spatial_silhouette``.
    """
    from scipy.spatial import KDTree

    codes = np.asarray(codes)
    n_spots = len(codes)
    if sections is not None and sections.max() > 0:
        return _by_section(codes, coordinates, seed, sections)
    neighbours = min(_PAS_NEIGHBOURS, n_spots - 1)
    distances, nearest = KDTree(coordinates).query(coordinates, k=neighbours + 1)
    spacing = float(np.median(distances[:, 1])) or 1.0
    other = codes[nearest[:, 1:]] != codes[:, None]
    own = [coordinates[codes == code] for code in np.unique(codes)]
    steps = [
        KDTree(spots).query(spots, k=2)[0][:, 1] for spots in own if len(spots) > 1
    ]
    chaos = float(np.concatenate(steps).sum() / n_spots / spacing) if steps else 0.0
    scores = {
        "chaos": chaos,
        "pas": float((other.sum(1) > 0.5 * neighbours).mean()),
    }
    shown = np.random.RandomState(seed).permutation(n_spots)[:_SILHOUETTE_SPOTS]
    if 1 < len(np.unique(codes[shown])) < len(shown):
        scores["spatial_silhouette"] = _silhouette(coordinates[shown], codes[shown])
    return scores


def _silhouette(
    coordinates: NDArray[np.floating[Any]], codes: NDArray[np.integer[Any]]
) -> float:
    """Return the mean silhouette of spots (Rousseeuw 1987), alone in a domain 0.

    Some spots at a time; scikit-learn's would be most of what a quick run imports.
    """
    _, domain, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    places = np.asarray(coordinates, dtype=np.float64)
    member = one_hot(domain, len(sizes))
    total = 0.0
    for start in range(0, len(places), _SILHOUETTE_BLOCK):
        part = slice(start, start + _SILHOUETTE_BLOCK)
        apart = np.zeros((len(places[part]), len(places)))
        for axis in places.T:
            apart += np.subtract.outer(axis[part], axis) ** 2
        np.sqrt(apart, out=apart)
        sums, rows = apart @ member, np.arange(len(apart))
        others = sizes[domain[part]] - 1
        own = sums[rows, domain[part]] / np.maximum(others, 1)
        means = sums / sizes
        means[rows, domain[part]] = np.inf
        nearest = means.min(axis=1)
        scale = np.maximum(np.maximum(own, nearest), np.finfo(float).tiny)
        total += float(np.where(others > 0, (nearest - own) / scale, 0.0).sum())
    return total / len(places)


def _by_section(
    codes: NDArray[np.integer[Any]],
    coordinates: NDArray[np.floating[Any]],
    seed: int,
    sections: NDArray[np.integer[Any]],
) -> dict[str, float]:
    """Return the mean scores of sections, weighted by their spots."""
    total: dict[str, float] = {}
    spots: dict[str, int] = {}
    for section in np.unique(sections):
        own = sections == section
        for name, value in spatial_scores(codes[own], coordinates[own], seed).items():
            total[name] = total.get(name, 0.0) + value * int(own.sum())
            spots[name] = spots.get(name, 0) + int(own.sum())
    return {name: value / spots[name] for name, value in total.items()}
