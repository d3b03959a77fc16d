"""A section made ready for a method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.prepare import components, genes, graphs, normalise
from napari_semst.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import PrepareConfig
    from napari_semst.progress import RunControl

_LEAST_SPOTS = 10
_SPOTS_PER_ROUND = 400
_MOST_ROUNDS = 3


@dataclass(frozen=True)
class Section:
    """What methods see of a tissue: no annotation, no names of spots.

    Parameters
    ----------
    genes
        Names of the chosen genes, shape ``(n_genes,)``.
    counts
        Raw counts of the chosen genes, shape ``(n_spots, n_genes)``.
    coordinates
        Shape ``(n_spots, 2)``.
    spatial
        Spatial neighbours, symmetric and binary, no self loops.
    average
        Operator that averages each spot with its nearest spots.
    near
        How many nearest spots that are.
    config
        The settings it was made with.
    notes
        In words: how genes were chosen and neighbours found.
    """

    genes: NDArray[np.str_]
    counts: sparse.csr_matrix
    coordinates: NDArray[np.float64]
    spatial: sparse.csr_matrix
    average: sparse.csr_matrix
    near: int
    config: PrepareConfig
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def n_spots(self) -> int:
        """The number of spots."""
        return int(self.counts.shape[0])

    def scaled_expression(
        self, chosen: NDArray[np.intp] | None = None
    ) -> sparse.csr_matrix:
        """Return the authors' scaled matrix: depth, then each gene's deviation.

        Parameters
        ----------
        chosen
            Genes to return, by index; all where `None`.
        """
        depth = normalise.depth_scaled(self.counts, self.config.target_sum)
        if chosen is not None:
            depth = depth[:, chosen]
        return normalise.deviation_scaled(depth, self.config.clip)

    @property
    def smoothing_rounds(self) -> int:
        """How often components are averaged over neighbours.

        One round per 400 spots, at most three, unless set: small sections have
        domains of few spots, which more averaging would wash out.
        """
        if self.config.smoothing_rounds >= 0:
            return self.config.smoothing_rounds
        return int(np.clip(round(self.n_spots / _SPOTS_PER_ROUND), 1, _MOST_ROUNDS))

    def components(
        self, seed: int
    ) -> tuple[components.ExpressionAxes, NDArray[np.float32], NDArray[np.float32]]:
        """Return axes and components of the root and of the log of scaled counts.

        Centred, not divided by each gene's deviation: that would give the noise of
        every rare gene the weight of a marker.
        """
        return components.ExpressionAxes.of_section(
            self.counts, self.config.n_components, seed
        )


def prepare_section(
    counts: sparse.csr_matrix,
    gene_names: NDArray[np.str_],
    coordinates: NDArray[np.floating[Any]],
    config: PrepareConfig,
    control: RunControl,
) -> Generator[Progress, None, Section]:
    """Choose genes and find spatial neighbours (semst.md, sections 1 and 2).

    Parameters
    ----------
    counts
        Raw counts of all genes, shape ``(n_spots, n_all_genes)``.
    gene_names
        Shape ``(n_all_genes,)``.
    coordinates
        Shape ``(n_spots, 2)``.
    config
        The settings of this stage.
    control
        Asked for cancelling between steps.

    Raises
    ------
    InputError
        If there are too few spots, or no gene is left.
    """
    n_spots, n_all = counts.shape
    if n_spots < _LEAST_SPOTS:
        raise InputError(
            f"Expected a section of at least {_LEAST_SPOTS} spots; found {n_spots}."
        )
    yield Progress("prepare", 0, 3, "Choosing genes")
    counts = normalise.as_csr(counts)
    least = genes.least_spots(n_spots, n_all, config.min_cells, config.min_share)
    seen = genes.expressed_genes(counts, least)
    if not len(seen):
        raise InputError(
            f"Expected genes that are seen in at least {least} spots; found none among "
            f"{n_all}. Lower min_cells, or check that X holds counts."
        )
    control.check()
    # A panel of a million cells is not copied where every gene stays.
    kept = counts if len(seen) == n_all else counts[:, seen]
    yield Progress("prepare", 1, 3, "Finding variable genes")
    chosen = genes.variable_genes(kept, config.n_top_genes)
    control.check()
    yield Progress("prepare", 2, 3, "Finding spatial neighbours")
    spatial, found = graphs.spatial_graph(coordinates, config)
    neighbours = config.smoothing_neighbours or graphs.near_neighbours(coordinates)
    average = components.neighbour_average(coordinates, neighbours)
    control.check()
    chosen_counts = kept if len(chosen) == len(seen) else kept[:, chosen]
    notes = {
        "genes": len(chosen),
        "min_cells": least,
        "spatial_graph": found,
        "mean_spatial_neighbours": float(spatial.nnz / n_spots),
        "empty_spots": int((np.diff(chosen_counts.indptr) == 0).sum()),
    }
    return Section(
        gene_names[seen][chosen],
        chosen_counts,
        np.asarray(coordinates, dtype=np.float64),
        spatial,
        average,
        neighbours,
        config,
        notes,
    )
