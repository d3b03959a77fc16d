"""What SemST learns from a section, before anything is on a device."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.errors import ConfigError
from napari_semst.methods.base import View
from napari_semst.methods.semst.image import image_components, image_view
from napari_semst.methods.semst.network import SemstNetwork
from napari_semst.methods.semst.published_weights import read_weights
from napari_semst.prepare.components import ExpressionAxes, smooth_over_neighbours
from napari_semst.prepare.genes import variable_genes
from napari_semst.prepare.graphs import (
    feature_graph,
    normalised_adjacency,
    touching_graph,
)
from napari_semst.prepare.scaled_rows import ScaledRows
from napari_semst.prepare.section import Components
from napari_semst.training.batching import batch_spots

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import Config, TrainingConfig
    from napari_semst.prepare.align_sections import SectionAlignment
    from napari_semst.prepare.section import Section
    from napari_semst.semantics.spot_vectors import SpotSemantics

# Components the views propagate, and those that the latent starts from.
PROPAGATED = 30
# Spots whose semantic vectors are compared between processes.
_COMPARED_SPOTS = 512


class Scale(NamedTuple):
    """By what the components of a section become inputs, for it and others like it.

    Parameters
    ----------
    axes
        Of the expression.
    propagated, base
        Sizes that the propagated components and the base are divided by.
    """

    axes: ExpressionAxes
    propagated: float
    base: float


@dataclass(frozen=True)
class Inputs:
    """Everything of a section that training reads, in the machine's memory.

    Parameters
    ----------
    features
        Scaled expression, ``(n_spots, n_genes)``, still to be propagated; or the pair
        of propagated components, each ``(n_spots, width)``.
    graphs
        Normalised spatial and feature graph, ``(n_spots, n_spots)``.
    neighbours
        Neighbours of the spatial loss, symmetric and binary.
    semantics
        Standardised semantic embedding, held or made when asked for, or `None`.
    base
        What the latent starts from, ``(n_spots, width)``, or `None`.
    expression
        Scaled expression of the genes that are reconstructed; made when it is asked
        for where a step reads a sample of the spots.
    sections
        Section of each spot, a covariate of the reconstruction; `None` for one.
    config
        All settings.
    views
        Views that the consensus reads beside the latent.
    notes
        Facts for the provenance.
    scale
        By what the features were made, where they are components.
    """

    features: sparse.csr_matrix | tuple[NDArray[np.float32], NDArray[np.float32]]
    graphs: tuple[sparse.csr_matrix, sparse.csr_matrix]
    neighbours: sparse.csr_matrix
    semantics: SpotSemantics | None
    base: NDArray[np.float32] | None
    expression: sparse.csr_matrix | ScaledRows
    sections: NDArray[np.int32] | None
    config: Config
    views: tuple[View, ...] = ()
    notes: dict[str, object] = field(default_factory=dict)
    scale: Scale | None = None

    @property
    def n_spots(self) -> int:
        """The number of spots."""
        return int(self.expression.shape[0])

    def fingerprint(self) -> float:
        """Return a number that hardly any other section, setting or graph gives."""
        features = self.features if isinstance(self.features, tuple) else ()
        expression = self.expression
        if isinstance(expression, ScaledRows):
            values, counts = expression.divisor, expression.counts
        else:
            values, counts = expression.data, expression
        vectors = None
        if self.semantics is not None:
            # Of some spots: those that are made on a machine of less memory are the
            # same bits as those that are held on another.
            some = np.linspace(0, self.n_spots - 1, _COMPARED_SPOTS).astype(np.intp)
            vectors = self.semantics[np.unique(some)]
        arrays: list[NDArray[Any] | None] = [*features, vectors, self.base, values]
        arrays += [
            part for graph in self.graphs for part in (graph.data, graph.indices)
        ]
        sums = [float(a.sum(dtype=np.float64)) for a in arrays if a is not None]
        return float(np.dot(sums, np.arange(1, len(sums) + 1)) + counts.nnz)

    def network(self) -> SemstNetwork:
        """Return the network that fits, with published weights where asked for."""
        model = self.config.model
        features = self.features
        one = features[0] if isinstance(features, tuple) else features
        network = SemstNetwork(
            one.shape[1],
            self.expression.shape[1],
            model.hidden,
            model.latent,
            0 if self.semantics is None else self.semantics.shape[1],
            model.modulation_ratio,
            0 if self.base is None else self.base.shape[1],
            0 if self.sections is None else int(self.sections.max()) + 1,
            model.fusion,
        )
        if model.weights:
            network.load_published(read_weights(model.weights))
        return network


def from_expression(
    section: Section,
    semantics: SpotSemantics | None,
    config: Config,
    check: Callable[[], None] = lambda: None,
) -> Inputs:
    """Return the published inputs: scaled expression and both graphs.

    Parameters
    ----------
    check
        Called between pieces of the work; ends it by raising.
    """
    expression = section.scaled_expression()
    alignment, notes = None, {}
    if len(section.sections.names) > 1:
        components = section.components(config.training.seed)
        alignment, notes = components.alignment, components.notes()
    feature, note = _feature_graph(expression, section, config, alignment, check)
    kind = config.prepare.normalisation
    return Inputs(
        expression,
        (
            normalised_adjacency(section.spatial, kind),
            normalised_adjacency(feature, kind),
        ),
        section.spatial,
        semantics,
        None,
        expression,
        _covariate(section),
        config,
        notes={"feature_graph": note, **notes},
    )


def from_components(
    section: Section,
    semantics: SpotSemantics | None,
    config: Config,
    check: Callable[[], None] = lambda: None,
) -> Inputs:
    """Return inputs that start from smoothed principal components.

    Both views propagate 30 components, over the spatial graph and over the nearest
    spots by these components; the latent starts as the leading components averaged
    over neighbours.

    Parameters
    ----------
    check
        Called between pieces of the work; ends it by raising.
    """
    if config.model.weights:
        raise ConfigError(
            "Expected model.start 'expression' with published weights; got "
            "'components'. Choose one of the paper's presets, for instance dlpfc."
        )
    components = section.components(config.training.seed)
    size = _size(_averaged(components.root, section, config))
    scale = Scale(components.axes, _size(components.root), size)
    decoded = _decoded(section, config.training)
    return _inputs(section, semantics, config, scale, components, decoded, check)


def from_scale(
    section: Section,
    semantics: SpotSemantics | None,
    config: Config,
    scale: Scale,
    check: Callable[[], None] = lambda: None,
) -> Inputs:
    """Return inputs made as those of the section that a scale comes from.

    They are to be encoded and not learnt from: nothing is to be reconstructed.

    Parameters
    ----------
    check
        Called between pieces of the work; ends it by raising.
    """
    from scipy import sparse

    scores = Components(scale.axes, *scale.axes.scores(section.counts))
    nothing = sparse.csr_matrix((section.n_spots, 1), dtype=np.float32)
    return _inputs(section, semantics, config, scale, scores, nothing, check)


def _averaged(
    root: NDArray[np.float32], section: Section, config: Config
) -> NDArray[np.float32]:
    """Return the leading components averaged over neighbours."""
    leading = root[:, : config.model.latent]
    return smooth_over_neighbours(leading, section.average, section.smoothing_rounds)


def _inputs(
    section: Section,
    semantics: SpotSemantics | None,
    config: Config,
    scale: Scale,
    scores: Components,
    decoded: sparse.csr_matrix | ScaledRows,
    check: Callable[[], None],
) -> Inputs:
    root, logged = scores.root, scores.logged
    propagated = root[:, :PROPAGATED] / np.float32(scale.propagated)
    base = _averaged(root, section, config) / np.float32(scale.base)
    feature, note = _feature_graph(propagated, section, config, scores.alignment, check)
    kind = config.prepare.normalisation
    spatial_graph = normalised_adjacency(section.spatial, kind)
    expression_graph = normalised_adjacency(feature, kind)
    views = [View(root, smooth=True), View(logged, smooth=True)]
    image = image_components(section, config)
    if image is not None:
        views.append(image_view(image, section))
        propagated = np.hstack([propagated, image / np.float32(_size(image))])
    # A X is constant: the first propagation is done once, not once a step.
    features = (
        np.asarray(spatial_graph @ propagated, dtype=np.float32),
        np.asarray(expression_graph @ propagated, dtype=np.float32),
    )
    return Inputs(
        features,
        (spatial_graph, expression_graph),
        touching_graph(section.average),
        semantics,
        base,
        decoded,
        _covariate(section),
        config,
        tuple(views),
        {"feature_graph": note, **scores.notes()},
        scale,
    )


def _feature_graph(
    expression: sparse.csr_matrix | NDArray[np.float32],
    section: Section,
    config: Config,
    alignment: SectionAlignment | None,
    check: Callable[[], None],
) -> tuple[sparse.csr_matrix, str]:
    """Return neighbours by expression: inside sections, and mutual ones across."""
    k, seed = config.prepare.feature_neighbours, config.training.seed
    graph, note = section.sections.inside(
        lambda spots: feature_graph(expression[spots], k, seed, check)
    )
    if alignment is None:
        return graph, note
    across = f"; {alignment.pairs.nnz // 2:,} mutual nearest pairs across sections"
    return (graph + alignment.pairs).tocsr(), note + across


def _covariate(section: Section) -> NDArray[np.int32] | None:
    several = len(section.sections.names) > 1
    return section.sections.codes if several else None


def _decoded(
    section: Section, training: TrainingConfig
) -> sparse.csr_matrix | ScaledRows:
    """Return scaled expression of the most variable genes; of all where 0 is given."""
    n_genes, chosen = training.decoded_genes, None
    if n_genes and n_genes < len(section.genes):
        chosen = variable_genes(section.counts, n_genes, _covariate(section))
    rows = section.scaled_rows(chosen)
    # Steps that read a sample leave most spots unread.
    return rows if batch_spots(training, section.n_spots) else rows.whole()


def _size(values: NDArray[np.float32]) -> float:
    """Return the deviation of the first, largest component; 1 where all are alike."""
    return float(values[:, 0].std()) or 1.0
