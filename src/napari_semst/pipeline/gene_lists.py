"""Which genes speak for a spot: by what they are ranked, and the lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.progress import Progress, RunControl, run_in_thread

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import Config
    from napari_semst.prepare.section import Section
    from napari_semst.semantics import GeneLists


def ranked_values(section: Section, ranking: str) -> sparse.csr_matrix:
    """Return the values by which a spot's genes are ranked.

    Parameters
    ----------
    section
        The spots, ``(n_spots, n_genes)``.
    ranking
        ``scaled`` (counts by depth and the gene's deviation, as published),
        ``expression`` (counts) or ``specificity`` (counts by depth, times the log of
        how few spots have the gene).
    """
    from napari_semst.prepare.normalise import depth_scaled, with_values

    if ranking == "scaled":
        return section.scaled_expression()
    if ranking == "expression":
        return section.counts
    depth = depth_scaled(section.counts, section.config.target_sum)
    divisor = gene_divisor(section, ranking).astype(np.float32)
    return with_values(depth, depth.data / divisor[depth.indices])


def gene_divisor(section: Section, ranking: str) -> NDArray[np.float64]:
    """Return what every gene's values are divided by before a spot's are ranked.

    Parameters
    ----------
    section, ranking
        As in `ranked_values`; ``expression`` divides by nothing and is not asked for.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_genes,)``.
    """
    from napari_semst.prepare import normalise

    if ranking == "specificity":
        return normalise.gene_commonness(section.counts)
    depth = normalise.depth_scaled(section.counts, section.config.target_sum)
    return normalise.gene_deviation(depth)


def list_genes(
    ranked: sparse.csr_matrix,
    genes: NDArray[np.str_],
    config: Config,
    control: RunControl,
) -> Generator[Progress, None, GeneLists]:
    """List the genes that speak for each spot, highest first.

    Parameters
    ----------
    ranked
        Values by which genes are ranked, ``(n_spots, n_genes)``.
    genes
        Their names.
    config
        Its ``semantics`` are read.
    control
        Asked for cancelling.
    """
    from napari_semst.semantics import rank_genes

    wanted = config.semantics
    return (
        yield from run_in_thread(
            "describe",
            "Ranking the genes of every spot",
            lambda tell: rank_genes(
                ranked,
                genes,
                wanted.n_genes,
                leave_out_uninformative=wanted.leave_out_uninformative,
                progress=tell,
                cancelled=lambda: control.cancelled,
            ),
            control,
        )
    )
