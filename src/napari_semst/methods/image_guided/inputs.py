"""What the image-guided method learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.spatial import Delaunay, KDTree, QhullError

from napari_semst.errors import InputError
from napari_semst.morphology.standardise import standardise_morphology
from napari_semst.prepare import graphs
from napari_semst.prepare.components import log1p_transform, median_depth
from napari_semst.prepare.normalise import scale_by_deviation, scale_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.config import Config, ImageGuidedConfig
    from napari_semst.morphology.base import Morphology
    from napari_semst.prepare.section import Components, Section

# Without a radius, in median distances to the nearest spot.
_REACH = 1.5
# Edges of a triangulation longer than this many median edges cross holes.
_LONGEST = 3.0


@dataclass(frozen=True)
class GuidedInputs:
    """A section as the image-guided network reads it.

    Parameters
    ----------
    components
        Principal components of the section, found once.
    expression
        What the encoder reads: components, ``(n_spots, width)``; or, as published,
        logs of scaled counts over each gene's deviation, ``(n_spots, n_genes)``.
    counts
        Raw counts of the genes that are reconstructed, ``(n_spots, n_decoded)``.
    log_library
        Log of each spot's total over the mean total, ``(n_spots,)``.
    image
        Standardised features, ``(n_spots, n_features)``; `None` without an image.
    usable
        Spots whose image can be relied upon.
    graph
        Spatial neighbours and the spots themselves, binary, ``(n_spots, n_spots)``.
    graph_text
        How neighbours were found.
    sections
        Section of each spot; `None` for one section.
    config
        All settings.
    """

    components: Components
    expression: sparse.csr_matrix | NDArray[np.float32]
    counts: sparse.csr_matrix
    log_library: NDArray[np.float32]
    image: NDArray[np.float32] | None
    usable: NDArray[np.bool_]
    graph: sparse.csr_matrix
    graph_text: str
    sections: NDArray[np.int64] | None
    config: Config

    @property
    def depth(self) -> NDArray[np.float64]:
        """Return powers of library size, ``(n_spots, 3)``, whose part is left out."""
        size = self.log_library.astype(np.float64)
        return np.column_stack([np.ones_like(size), size, size**2])

    @property
    def n_spots(self) -> int:
        """The number of spots."""
        return int(self.expression.shape[0])

    @property
    def n_sections(self) -> int:
        """Sections that are told apart, 0 for one."""
        return 0 if self.sections is None else int(self.sections.max()) + 1


def _why_unusable(morphology: Morphology) -> str:
    """Return how many spots there are of each kind that cannot be used."""
    found = [f"{name} {flag.sum():,}" for name, flag in morphology.flags.items()]
    return ", ".join(found)


def guided_inputs(section: Section, config: Config) -> GuidedInputs:
    """Return what the network learns from.

    Raises
    ------
    InputError
        If no spot has a usable image, or spots cannot be triangulated.
    """
    counts, morphology = section.counts_in_memory, section.morphology
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    usable = np.ones(section.n_spots, dtype=bool)
    image = None
    if morphology is not None:
        usable = morphology.usable
        if not usable.any():
            raise InputError(
                "Expected patches of the image around spots; none of the "
                f"{section.n_spots:,} spots has one that can be used "
                f"({_why_unusable(morphology)}). Check that the image belongs to the "
                "section and how it is aligned."
            )
        image = standardise_morphology(morphology)
    wanted = config.training.decoded_genes
    decoded = counts if not wanted else counts[:, : min(wanted, counts.shape[1])]
    graph, text = attention_graph(section, config.image_guided)
    several = len(section.sections.names) > 1
    components = section.components(config.training.seed)
    return GuidedInputs(
        components,
        _expression(section, components, config),
        decoded,
        np.log(np.maximum(totals, 1) / max(totals.mean(), 1)).astype(np.float32),
        image,
        usable,
        graph,
        text,
        section.sections.codes.astype(np.int64) if several else None,
        config,
    )


def _expression(
    section: Section, components: Components, config: Config
) -> sparse.csr_matrix | NDArray[np.float32]:
    """Return what the encoder of expression reads."""
    if config.model.start == "components":
        root = components.root
        size = np.linalg.norm(root) / np.sqrt(root.size)
        return root / np.float32(max(size, 1e-12))
    scaled = scale_depth(
        section.counts_in_memory, median_depth(section.counts_in_memory)
    )
    return scale_by_deviation(log1p_transform(scaled), section.config.clip)


def attention_graph(
    section: Section, config: ImageGuidedConfig
) -> tuple[sparse.csr_matrix, str]:
    """Return the spatial neighbours that attention reads, with loops, and in words.

    Parameters
    ----------
    config
        ``graph_type``, ``k_neighbors`` and ``radius`` are read.
    """
    found, text = section.sections.inside(
        lambda spots: _neighbours(section.coordinates[spots], config)
    )
    loops = sparse.eye(section.n_spots, format="csr", dtype=np.float32)
    graph = sparse.csr_matrix(found + loops)
    graph.sort_indices()
    return graph, text


def _neighbours(
    places: NDArray[np.float64], config: ImageGuidedConfig
) -> tuple[sparse.csr_matrix, str]:
    if config.graph_type == "knn":
        k = config.k_neighbors
        return graphs.nearest_graph(places, k), f"{k} nearest spots"
    if config.graph_type == "radius":
        distances, _ = KDTree(places).query(places, k=2)
        reach = config.radius or _REACH * float(np.median(distances[:, 1]))
        return graphs.ring_graph(places, reach), f"spots within {reach:.4g}"
    return _triangulated(places), "Delaunay triangulation"


def _triangulated(places: NDArray[np.float64]) -> sparse.csr_matrix:
    """Return neighbours of a triangulation, without edges across holes."""
    try:
        corners = Delaunay(places).simplices
    except QhullError as error:
        raise InputError(
            "Expected spots that can be triangulated; all lie on one line. Choose the "
            "graph knn (image_guided.graph_type)."
        ) from error
    pairs = np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    lengths = np.linalg.norm(places[pairs[:, 0]] - places[pairs[:, 1]], axis=1)
    pairs = pairs[lengths <= _LONGEST * np.median(lengths)]
    return graphs.symmetric_graph(pairs[:, 0], pairs[:, 1], len(places))
