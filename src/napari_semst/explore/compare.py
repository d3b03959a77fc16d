"""Two ways of labelling the same spots: a table of both, and where they disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.explore.labels import Labels


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """How two labellings agree.

    Parameters
    ----------
    rows, columns
        Names of the one and of the other.
    table
        Spots that have both names, shape ``(n_rows, n_columns)``.
    partner
        For each row, the column it is matched with, -1 for none: the one-to-one
        matching with the most spots in common.
    agree
        Whether a spot's two names are matched, shape ``(n_spots,)``.
    known
        Spots that have a name in both.
    ari, nmi
        Adjusted Rand index and normalised mutual information of the known spots.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    table: NDArray[np.int64]
    partner: NDArray[np.int64]
    agree: NDArray[np.bool_]
    known: NDArray[np.bool_]
    ari: float
    nmi: float

    @property
    def share(self) -> float:
        """Share of the known spots whose names are matched."""
        return float(self.agree.sum() / max(self.known.sum(), 1))


def compare(one: Labels, other: Labels) -> Comparison:
    """Return how two labellings of spots named in both agree, or raise `InputError`."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    known = (one.codes >= 0) & (other.codes >= 0)
    if known.sum() < 2:
        raise InputError(
            "Expected two spots or more that have a name in both columns; found "
            f"{int(known.sum())}. Choose other columns."
        )
    first, second = one.codes[known], other.codes[known]
    shape = len(one.names), len(other.names)
    table = np.bincount(
        first.astype(np.int64) * shape[1] + second, minlength=shape[0] * shape[1]
    ).reshape(shape)
    partner = np.full(shape[0], -1)
    left, right = linear_sum_assignment(-table)
    # A pair without a spot in common is no match.
    real = table[left, right] > 0
    partner[left[real]] = right[real]
    agree = known & (np.append(partner, -1)[one.codes] == other.codes)
    return Comparison(
        one.names,
        other.names,
        table,
        partner,
        agree,
        known,
        float(adjusted_rand_score(first, second)),
        float(normalized_mutual_info_score(first, second)),
    )
