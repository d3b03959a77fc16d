"""Marker genes of chosen spots against others: rank sums, nothing dense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

# A domain with a smaller share of the spots than this has no say in their comparison.
_LEAST_SHARE = 0.1
MOST_SPOTS = 200_000


def marker_table(
    tissue: AnnData,
    inside: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    *,
    seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> pd.DataFrame:
    """Return how every gene differs between two sets of spots, best first.

    Wilcoxon's rank sum test on log-normalised counts, as scanpy's
    ``rank_genes_groups(method="wilcoxon", tie_correct=True)``.

    Parameters
    ----------
    tissue
        Counts in X; values that are no counts are taken as they are.
    inside, outside
        Which spots, shape ``(n_spots,)`` each. Of more than `MOST_SPOTS` so many are
        drawn, in proportion.
    seed
        Of that draw.
    tell
        Called with (genes done, genes in all).

    Returns
    -------
    pandas.DataFrame
        Columns ``gene``, ``score``, ``log2_fold_change``, ``share_in``,
        ``share_out``, ``auc``, ``p_adjusted`` (Benjamini-Hochberg over genes), sorted
        by score.

    Raises
    ------
    InputError
        If a set has fewer than three spots, or X is missing or negative.
    """
    import pandas as pd

    from napari_semst.explanation.markers import find_markers

    spots, codes = _chosen(inside, outside, seed)
    logged = _logged(tissue, spots)
    markers = find_markers(logged, codes, 2, tell)
    table = pd.DataFrame(
        {
            "gene": np.asarray(tissue.var_names, dtype=object),
            "score": markers.score[0],
            "log2_fold_change": markers.log2_fold_change[0],
            "share_in": markers.share_in[0],
            "share_out": markers.share_out[0],
            "auc": markers.auc[0],
            "p_adjusted": markers.p_adjusted[0],
        }
    )
    return table.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def rest_of_domains(
    inside: NDArray[np.bool_], codes: NDArray[np.integer]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return spots, and the others of their domains, to be compared with each other.

    Parameters
    ----------
    inside
        Which spots, shape ``(n_spots,)``.
    codes
        Domain of each spot, negative for none.

    Returns
    -------
    tuple
        The spots that lie in domains with a tenth of them or more, and the other
        spots of these domains, each ``(n_spots,)``.

    Raises
    ------
    InputError
        If none of the spots lies in a domain.
    """
    named = inside & (codes >= 0)
    if not named.any():
        raise InputError(
            "Expected selected spots that lie in domains; none of them does. Colour "
            "by domains, and select spots of them."
        )
    counts = np.bincount(codes[named])
    there = np.isin(codes, np.flatnonzero(counts >= _LEAST_SHARE * named.sum()))
    return inside & there, there & ~inside


def neighbouring_spots(
    coordinates: NDArray[np.float64],
    inside: NDArray[np.bool_],
    codes: NDArray[np.integer],
    least: float = 0.05,
) -> NDArray[np.bool_]:
    """Return the spots of the domains that border on chosen spots.

    Parameters
    ----------
    coordinates
        Shape ``(n_spots, 2)``.
    inside
        The chosen spots.
    codes
        Domain of each spot, negative for none.
    least
        Share of the border that a domain must have to count as a neighbour: one spot
        that touches does not make one.
    """
    from napari_semst.prepare.graphs import n_touching, nearest_graph

    touching = nearest_graph(coordinates, n_touching(coordinates))
    beyond = codes[(touching[inside].tocoo()).col]
    outer = ~inside[(touching[inside].tocoo()).col] & (beyond >= 0)
    counts = np.bincount(beyond[outer], minlength=int(codes.max(initial=0)) + 1)
    bordering = np.flatnonzero(counts >= max(least * counts.sum(), 1))
    return np.isin(codes, bordering) & ~inside


def _chosen(
    inside: NDArray[np.bool_], outside: NDArray[np.bool_], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the spots to read, and 0 for those inside, 1 for those outside."""
    sizes = int(inside.sum()), int((outside & ~inside).sum())
    if min(sizes) < 3:
        raise InputError(
            "Expected at least 3 spots on either side to compare; found "
            f"{sizes[0]:,} and {sizes[1]:,}. Choose other domains."
        )
    spots = np.flatnonzero(inside | outside)
    if len(spots) > MOST_SPOTS:
        random = np.random.default_rng(seed)
        share = MOST_SPOTS / len(spots)
        kept = [
            random.choice(
                there, max(round(share * len(there)), min(3, len(there))), False
            )
            for there in (np.flatnonzero(inside), np.flatnonzero(outside & ~inside))
        ]
        spots = np.sort(np.concatenate(kept))
    return spots, np.where(inside[spots], 0, 1).astype(np.int32)


def _logged(tissue: AnnData, spots: NDArray[np.int64]) -> sparse.csr_matrix:
    from napari_semst.explanation.markers import log_normalised
    from napari_semst.explore.spot_values import layer_holds_counts

    if tissue.X is None:
        raise InputError("Expected counts in X to compare genes; the section has no X.")
    matrix = sparse.csr_matrix(tissue.X[spots], dtype=np.float32)
    if matrix.nnz and matrix.data.min() < 0:
        raise InputError(
            "Expected counts, or values of 0 and more, in X; found negative ones. "
            "Put the raw counts into X."
        )
    return log_normalised(matrix) if layer_holds_counts(tissue) else matrix
