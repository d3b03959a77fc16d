"""Whether a domain has more of a term than random pieces of tissue of its size.

Neighbouring spots are alike, so that any piece of tissue has something of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.explanation.groups import membership
from napari_semst.explanation.regions import random_domains

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_semst.explanation.regions import Patches
    from napari_semst.explanation.semantic_contrast import Listed
    from napari_semst.explanation.terms import TermSet


def by_places(
    tested: TermSet,
    listed: Listed,
    patches: Patches,
    wanted: NDArray[np.int64],
    score: NDArray[np.float64],
    some: NDArray[np.int64],
    n_draws: int,
    seed: int,
    tell: Callable[[int], None],
) -> NDArray[np.float64]:
    """Return p-values of terms in domains, by random connected domains of equal sizes.

    Each domain is compared with the random ones of its own size, which keep the
    likeness of neighbours, so that no spot is taken for independent of the next. One
    more than the draws with as much, of one more than all draws: never 0 (Phipson and
    Smyth 2010, doi:10.2202/1544-6115.1585).

    Parameters
    ----------
    tested, listed
        The terms, and what spots are made of.
    patches
        Spots, or groups of them.
    wanted
        Spots of each domain in each section, ``(n_sections, n_domains)``.
    score
        Of every term in every domain: difference of the means inside and outside,
        along the term, ``(n_domains, n_terms)``.
    some
        Terms that are asked for.
    n_draws, seed
        How often the sections are divided anew, and from which seed.
    tell
        Called with the draws done.

    Returns
    -------
    numpy.ndarray
        ``(n_domains, n_terms)``; 1 for terms that are not asked for.
    """
    directions = tested.directions[some].astype(np.float32)
    together = membership(patches.of_spot, len(patches.size))
    told = together @ listed.told.astype(np.float64)
    sums = (together @ listed.shares) @ listed.vectors
    columns = np.column_stack([told, sums]).astype(np.float32)
    total = columns.sum(axis=0, dtype=np.float64)
    high, done = np.zeros((len(score), len(some))), 0
    # Sums in single precision: a random domain that is the domain itself is as high.
    least = score[:, some] - 1e-6 * np.abs(score[:, some])
    for inside in random_domains(patches, columns, wanted, n_draws, seed):
        high += (_apart(inside, total, directions) >= least).sum(axis=0)
        done += len(inside)
        tell(done)
    p: NDArray[np.float64] = np.ones(score.shape)
    p[:, some] = (1 + high) / (n_draws + 1)
    return p


def _apart(
    inside: NDArray[np.float64],
    total: NDArray[np.float64],
    directions: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return each domain's mean less all others', ``(n_draws, n_domains, n_terms)``."""
    n_in = np.maximum(inside[..., :1], 1e-9)
    n_out = np.maximum(total[0] - inside[..., :1], 1e-9)
    mean_in, mean_out = inside[..., 1:] / n_in, (total[1:] - inside[..., 1:]) / n_out
    apart: NDArray[np.float32] = (mean_in - mean_out).astype(np.float32) @ directions.T
    return apart
