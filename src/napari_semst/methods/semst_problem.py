"""A section on its device, with the SemST network that is fitted to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_semst.errors import ConfigError
from napari_semst.methods.base import View
from napari_semst.methods.semst_network import Encoded, SemstNetwork
from napari_semst.methods.weights import read_weights
from napari_semst.nn.losses import SpatialPairs
from napari_semst.nn.sparse import SparseOperator
from napari_semst.nn.zinb import ZinbTarget
from napari_semst.prepare.components import smoothed
from napari_semst.prepare.genes import variable_genes
from napari_semst.prepare.graphs import feature_graph, nearest_graph, normalised

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import Config
    from napari_semst.prepare.section import Section

# Components the views propagate, and those that the latent starts from.
_PROPAGATED = 30


@dataclass
class Problem:
    """What the training loop trains.

    Parameters
    ----------
    network
        The network, on its device.
    features
        Expression as an operator, or the pair of propagated components.
    adjacencies
        Normalised spatial and feature graph.
    pairs
        Neighbours of the spatial loss.
    semantics
        Standardised semantic embedding, or `None`.
    base
        What the latent starts from, or `None`.
    expression
        Scaled expression of the genes that are reconstructed.
    config
        All settings.
    base_views
        Views that the consensus reads beside the latent.
    notes
        Facts for the provenance.
    """

    network: SemstNetwork
    features: SparseOperator | tuple[torch.Tensor, torch.Tensor]
    adjacencies: tuple[SparseOperator, SparseOperator]
    pairs: SpatialPairs
    semantics: torch.Tensor | None
    base: torch.Tensor | None
    expression: sparse.csr_matrix
    config: Config
    base_views: tuple[View, ...] = ()
    notes: dict[str, object] = field(default_factory=dict)
    _whole: ZinbTarget | None = None
    _sum: torch.Tensor | None = None
    _summed: int = 0

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what is learnt, in groups with settings of their own.

        A silent modulation has small gradients, and Adam's weight decay would pull it
        to one constant for all spots: it has its own penalty instead.
        """
        modulation = self.network.modulation
        if modulation is None or self.config.model.start == "expression":
            return [{"params": list(self.network.parameters())}]
        own = list(modulation.parameters())
        mine = {id(parameter) for parameter in own}
        others = [p for p in self.network.parameters() if id(p) not in mine]
        return [{"params": others}, {"params": own, "weight_decay": 0.0}]

    def encode(self) -> Encoded:
        """Return what the network makes of the section now."""
        encoded: Encoded = self.network(
            self.features, *self.adjacencies, self.semantics, self.base
        )
        return encoded

    def step_losses(self, epoch: int) -> dict[str, torch.Tensor]:
        """Return the weighted loss terms of one step."""
        model = self.config.model
        self.network.train()
        encoded = self.encode()
        self._remember(encoded.latent, epoch)
        target, rows = self._target(epoch)
        found = self.network.losses(
            encoded, target, self.pairs, model.weight_dropout_prior, rows
        )
        losses = {
            "zinb": found["zinb"],
            "spatial": model.weight_spatial * found["spatial"],
            "correlation": model.weight_correlation * found["correlation"],
        }
        if encoded.modulation is not None and model.weight_modulation:
            scale, shift = encoded.modulation
            size = scale.square().mean() + shift.square().mean()
            losses["modulation"] = model.weight_modulation * size
        return losses

    def finish(self) -> tuple[NDArray[np.float32], Encoded]:
        """Return the latent, averaged over the last epochs, and the last encoding."""
        self.network.eval()
        with torch.no_grad():
            encoded = self.encode()
        latent = encoded.latent
        if self._sum is not None:
            latent = (self._sum + latent) / (self._summed + 1)
        return latent.float().cpu().numpy(), encoded

    def _remember(self, latent: torch.Tensor, epoch: int) -> None:
        """Add up the late epochs' latents; the forward pass is done anyway."""
        training = self.config.training
        if epoch < training.epochs * (1 - training.average_last):
            return
        now = latent.detach()
        self._sum = now.clone() if self._sum is None else self._sum.add_(now)
        self._summed += 1

    def _target(self, epoch: int) -> tuple[ZinbTarget, torch.Tensor | None]:
        """Return what this step reconstructs: all spots, or some drawn anew."""
        training, n_spots = self.config.training, self.expression.shape[0]
        device = self.pairs.first.device
        if not training.decoded_spots or training.decoded_spots >= n_spots:
            if self._whole is None:
                self._whole = ZinbTarget(self.expression, device)
            return self._whole, None
        random = np.random.default_rng([training.seed, epoch])
        rows = random.choice(n_spots, training.decoded_spots, replace=False)
        rows.sort()
        target = ZinbTarget(self.expression[rows], device)
        return target, torch.as_tensor(rows, device=device)


def from_expression(
    section: Section,
    semantics: NDArray[np.float32] | None,
    config: Config,
    device: torch.device,
) -> Problem:
    """Return the published problem: scaled expression over both graphs."""
    expression = section.scaled_expression()
    feature, note = feature_graph(
        expression, config.prepare.feature_neighbours, config.training.seed
    )
    kind = config.prepare.normalisation
    graphs = [normalised(graph, kind) for graph in (section.spatial, feature)]
    spatial_operator, feature_operator = (SparseOperator(g, device) for g in graphs)
    network = _network(config, expression.shape[1], expression.shape[1], semantics)
    if config.model.weights:
        network.load_published(read_weights(config.model.weights))
    return Problem(
        network.to(device),
        SparseOperator(expression, device),
        (spatial_operator, feature_operator),
        SpatialPairs(section.spatial, device),
        _tensor(semantics, device),
        None,
        expression,
        config,
        notes={"feature_graph": note},
    )


def from_components(
    section: Section,
    semantics: NDArray[np.float32] | None,
    config: Config,
    device: torch.device,
) -> Problem:
    """Return the problem that starts from smoothed principal components.

    Both views propagate 30 components, over the spatial graph and over the nearest
    spots by these components; the latent starts as the leading components averaged
    over neighbours.
    """
    if config.model.weights:
        raise ConfigError(
            "Expected model.start 'expression' with published weights; got "
            "'components'. Choose one of the paper's presets, for instance dlpfc."
        )
    root, logged = section.components(config.training.seed)
    propagated = _of_unit_scale(root[:, :_PROPAGATED])
    base = _of_unit_scale(
        smoothed(
            root[:, : config.model.latent], section.average, section.smoothing_rounds
        )
    )
    feature, note = feature_graph(
        propagated, config.prepare.feature_neighbours, config.training.seed
    )
    kind = config.prepare.normalisation
    graphs = [normalised(graph, kind) for graph in (section.spatial, feature)]
    spatial_operator, feature_operator = (SparseOperator(g, device) for g in graphs)
    features = tuple(_tensor(graph @ propagated, device) for graph in graphs)
    expression = section.scaled_expression()
    if config.training.decoded_genes:
        chosen = variable_genes(section.counts, config.training.decoded_genes)
        expression = expression[:, chosen]
    touching = nearest_graph(section.coordinates, section.near)
    network = _network(
        config, propagated.shape[1], expression.shape[1], semantics, base.shape[1]
    )
    return Problem(
        network.to(device),
        features,
        (spatial_operator, feature_operator),
        SpatialPairs(touching, device),
        _tensor(semantics, device),
        _tensor(base, device),
        expression,
        config,
        (View(root, smooth=True), View(logged, smooth=True)),
        {"feature_graph": note},
    )


def _network(
    config: Config,
    width_in: int,
    n_genes: int,
    semantics: NDArray[np.float32] | None,
    base_width: int = 0,
) -> SemstNetwork:
    model = config.model
    return SemstNetwork(
        width_in,
        n_genes,
        model.hidden,
        model.latent,
        0 if semantics is None else semantics.shape[1],
        model.modulation_ratio,
        base_width,
    )


def _of_unit_scale(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values over the deviation of the first, largest component."""
    size = float(values[:, 0].std())
    return values / np.float32(size) if size > 0 else values


def _tensor(values: Any, device: torch.device) -> Any:
    if values is None:
        return None
    return torch.as_tensor(np.ascontiguousarray(values), device=device)
