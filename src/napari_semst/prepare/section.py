"""A section made ready for a method."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from napari_semst.core.progress import Progress
from napari_semst.core.sections import Sections
from napari_semst.errors import InputError
from napari_semst.io.export.names import storable_text
from napari_semst.prepare import components, genes, graphs, normalise
from napari_semst.prepare.align_sections import align_sections
from napari_semst.prepare.rows import (
    genes_per_spot,
    never_ends,
    row_blocks,
    some_genes,
    some_rows,
)
from napari_semst.prepare.scaled_rows import ScaledRows, depth_deviation

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from napari_semst.config import PrepareConfig
    from napari_semst.core.progress import RunControl
    from napari_semst.morphology.base import Morphology
    from napari_semst.prepare.align_sections import SectionAlignment
    from napari_semst.prepare.rows import CountRows

_LEAST_SPOTS = 10
_SPOTS_PER_ROUND = 400
_MOST_ROUNDS = 3


_CHUNK_VALUES = 4_000_000


class Components(NamedTuple):
    """A section's components, and by what they were made.

    Parameters
    ----------
    axes
        Of the expression.
    root, logged
        Scores of all spots, each ``(n_spots, width)``; those of several sections are
        shifted into the frame of the largest.
    alignment
        By what they were shifted; `None` for one section.
    """

    axes: components.ExpressionAxes
    root: NDArray[np.float32]
    logged: NDArray[np.float32]
    alignment: SectionAlignment | None = None

    def notes(self) -> dict[str, object]:
        """Return the provenance of the alignment; empty for one section."""
        return {} if self.alignment is None else self.alignment.notes()


@dataclass(frozen=True)
class Section:
    """What methods see of a tissue: no annotation, no names of spots.

    Parameters
    ----------
    genes
        Names of the chosen genes, shape ``(n_genes,)``.
    counts
        Raw counts of the chosen genes, shape ``(n_spots, n_genes)``; in memory, or in
        their file where the method looks through them by rows.
    coordinates
        Shape ``(n_spots, 2)``.
    spatial
        Spatial neighbours, symmetric and binary, no self loops.
    average
        Operator that averages each spot with its nearest spots.
    near
        How many nearest spots that are, in the mean of sections.
    config
        The settings it was made with.
    notes
        In words: how genes were chosen and neighbours found.
    morphology
        Features of the image around each spot, where they were asked for.
    gene_ids
        Ensembl ids of the chosen genes, ``(n_genes,)``; None where there are none.
    check
        Called between pieces of long passes over the counts; ends them by raising.
    """

    genes: NDArray[np.str_]
    counts: CountRows
    coordinates: NDArray[np.float64]
    spatial: sparse.csr_matrix
    average: sparse.csr_matrix
    near: float
    sections: Sections
    config: PrepareConfig
    notes: dict[str, Any] = field(default_factory=dict)
    morphology: Morphology | None = None
    gene_ids: NDArray[np.str_] | None = None
    check: Callable[[], None] = field(default=never_ends, repr=False, compare=False)
    # Not copied with other fields: it would be that of other counts.
    _kept: dict[int, Components] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def n_spots(self) -> int:
        """The number of spots."""
        return int(self.counts.shape[0])

    @property
    def counts_in_memory(self) -> sparse.csr_matrix:
        """All counts, for methods that do not read them by rows."""
        return some_rows(self.counts, None)

    def scaled_expression(
        self, chosen: NDArray[np.intp] | None = None
    ) -> sparse.csr_matrix:
        """Return the authors' scaled matrix: depth, then each gene's deviation.

        Parameters
        ----------
        chosen
            Genes to return, by index; all where `None`.
        """
        return self.scaled_rows(chosen).whole()

    def scaled_rows(self, chosen: NDArray[np.intp] | None = None) -> ScaledRows:
        """Return the same, made when some spots are asked for.

        Parameters
        ----------
        chosen
            As of `scaled_expression`.
        """
        depth = self.config.target_sum
        deviation = self.deviation
        if chosen is not None:
            deviation = depth_deviation(self.counts, depth, chosen, self.check)
        divisor = np.where(deviation == 0, 1.0, deviation).astype(np.float32)
        return ScaledRows(self.counts, depth, divisor, self.config.clip, chosen)

    @cached_property
    def deviation(self) -> NDArray[np.float64]:
        """Every gene's standard deviation after scaling to one total per spot."""
        return depth_deviation(self.counts, self.config.target_sum, check=self.check)

    @cached_property
    def content_hash(self) -> str:
        """A SHA-256 of the counts, genes and coordinates that were used."""
        digest, counts = hashlib.sha256(), self.counts
        pointers = np.concatenate([[0], np.cumsum(genes_per_spot(counts))])
        # By one type for all, whatever the file's; chunks keep the copies small.
        _update(digest, pointers, np.int64)
        for _, rows in row_blocks(counts, self.check):
            _update(digest, rows.indices, np.int64)
        for _, rows in row_blocks(counts, self.check):
            _update(digest, rows.data, np.float64)
        _update(digest, self.coordinates.ravel(), np.float64)
        digest.update(storable_text("\n".join(self.genes.tolist())).encode())
        return digest.hexdigest()

    @property
    def smoothing_rounds(self) -> int:
        """How often components are averaged over neighbours.

        One round per 400 spots, at most three, unless set: small sections have
        domains of few spots, which more averaging would wash out. Of several sections
        the mean size counts.
        """
        if self.config.smoothing_rounds >= 0:
            return self.config.smoothing_rounds
        spots = self.n_spots / len(self.sections.names)
        return int(np.clip(round(spots / _SPOTS_PER_ROUND), 1, _MOST_ROUNDS))

    def components(self, seed: int) -> Components:
        """Return axes and components of the root and of the log of scaled counts.

        Centred, not divided by each gene's deviation: that would give the noise of
        every rare gene the weight of a marker. Several sections have the axes along
        which spots differ inside sections, and are shifted into one frame.
        """
        kept = self._kept.get(seed)
        return self._components(seed) if kept is None else kept

    def with_morphology(self, morphology: Morphology) -> Section:
        """Return the section with features of its image, and what it keeps."""
        described = replace(self, morphology=morphology)
        described._kept.update(self._kept)
        return described

    def keep_components(self, seed: int) -> Components:
        """Return the same, and hold them for whoever asks next."""
        self._kept[seed] = self.components(seed)
        return self._kept[seed]

    def _components(self, seed: int) -> Components:
        codes = self.sections.codes if len(self.sections.names) > 1 else None
        axes, root, logged = components.ExpressionAxes.of_section(
            self.counts, self.config.n_components, seed, codes, self.check
        )
        if codes is None:
            return Components(axes, root, logged)
        averaged = [
            components.smooth_over_neighbours(one, self.average, self.smoothing_rounds)
            for one in (root, logged)
        ]
        alignment = align_sections((root, logged), averaged, self.sections, seed)
        root, logged = (
            one + shift[codes]
            for one, shift in zip((root, logged), alignment.shifts, strict=True)
        )
        return Components(axes, root, logged, alignment)


def _update(digest: Any, values: NDArray[Any], kind: type) -> None:
    for start in range(0, len(values), _CHUNK_VALUES):
        chunk: NDArray[Any] = values[start : start + _CHUNK_VALUES].astype(kind)
        digest.update(chunk.tobytes())


def prepare_section(
    counts: CountRows,
    gene_names: NDArray[np.str_],
    coordinates: NDArray[np.floating[Any]],
    config: PrepareConfig,
    control: RunControl,
    sections: Sections | None = None,
    gene_ids: NDArray[np.str_] | None = None,
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
    sections
        Which spots are of which section; all of one where `None`.
    gene_ids
        Ensembl ids of all genes, where the tissue has them.

    Raises
    ------
    InputError
        If there are too few spots, or no gene is left.
    """
    n_spots = counts.shape[0]
    sections = sections or Sections.one(n_spots)
    check_sizes(sections)
    yield Progress("prepare", 0, 3, "Choosing genes")
    if sparse.issparse(counts):
        counts = normalise.canonical_csr(counts)
    seen, least = check_genes(counts, config)
    control.check()
    kept = some_genes(counts, seen)
    yield Progress("prepare", 1, 3, "Finding variable genes")
    several = sections.codes if len(sections.names) > 1 else None
    chosen = genes.variable_genes(kept, config.n_top_genes, several)
    control.check()
    yield Progress("prepare", 2, 3, "Finding spatial neighbours")
    spatial, found, average, near = spatial_neighbours(coordinates, config, sections)
    control.check()
    chosen_counts = some_genes(kept, chosen)
    notes = {
        "genes": len(chosen),
        "min_cells": least,
        "spatial_graph": found,
        "mean_spatial_neighbours": float(spatial.nnz / n_spots),
        "empty_spots": int((genes_per_spot(chosen_counts) == 0).sum()),
    }
    if several is not None:
        sizes = map(int, sections.sizes)
        notes["sections"] = dict(zip(sections.names, sizes, strict=True))
    return Section(
        gene_names[seen][chosen],
        chosen_counts,
        np.asarray(coordinates, dtype=np.float64),
        spatial,
        average,
        near,
        sections,
        config,
        notes,
        gene_ids=None if gene_ids is None else gene_ids[seen][chosen],
        check=control.check,
    )


def check_genes(
    counts: CountRows, config: PrepareConfig
) -> tuple[NDArray[np.intp], int]:
    """Return the genes seen in enough spots, and how many spots are enough.

    Parameters
    ----------
    counts
        Canonical where they are in memory, shape ``(n_spots, n_all_genes)``.

    Raises
    ------
    InputError
        If no gene is.
    """
    n_spots, n_all = counts.shape
    least = genes.least_spots(n_spots, n_all, config.min_cells, config.min_share)
    seen = genes.expressed_genes(counts, least)
    if not len(seen):
        raise InputError(
            f"Expected genes that are seen in at least {least} spots; found none among "
            f"{n_all}. Lower min_cells, or check that X holds counts."
        )
    return seen, least


def check_sizes(sections: Sections) -> None:
    """Raise `InputError` for sections of too few spots."""
    for name, size in zip(sections.names, sections.sizes, strict=True):
        if size < _LEAST_SPOTS:
            which = f" in {name!r}" if name else ""
            raise InputError(
                f"Expected a section of at least {_LEAST_SPOTS} spots; found "
                f"{size}{which}."
            )


def spatial_neighbours(
    coordinates: NDArray[np.floating[Any]], config: PrepareConfig, sections: Sections
) -> tuple[sparse.csr_matrix, str, sparse.csr_matrix, float]:
    """Return spatial neighbours and the averaging operator, both inside sections.

    Returns
    -------
    spatial, description, average, near
        As `Section` has them; in words how neighbours were found.
    """
    near: list[int] = []

    def averaging(spots: NDArray[np.int64]) -> tuple[sparse.csr_matrix, str]:
        places = coordinates[spots]
        near.append(config.smoothing_neighbours or graphs.n_touching(places))
        return components.neighbour_average(places, near[-1]), ""

    spatial, found = sections.inside(
        lambda spots: graphs.spatial_graph(coordinates[spots], config)
    )
    average, _ = sections.inside(averaging)
    return spatial, found, average, float(np.mean(near))
