"""GAAEST: graph attention, reconstruction and four kinds of contrast.

Wang et al., "Graph attention automatic encoder based on contrastive learning for domain
recognition of spatial transcriptomics", Communications Biology 7:1351, 2024.
docs/hosts.md says what differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from napari_semst.methods.hosts.base import Host, HostEncoded, HostInputs, host_spec

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from napari_semst.config import Config
    from napari_semst.config.settings import Overrides
    from napari_semst.methods.hosts.base import HostData, HostStep
    from napari_semst.methods.hosts.network import HostNetwork
    from napari_semst.prepare.section import Section

_RECONSTRUCTION, _TEMPERATURE = 10.0, 0.5
# Spots that stand for all as negatives of a step, and contexts that spots cluster in.
_DRAWN, _CONTEXTS = 256, 10


class Gaaest(Host):
    """Graph attention g-256-64, MLP decoder; contrast at three levels."""

    name = "gaaest"
    label = "GAAEST (2024): attention and contrast"
    summary = "Graph attention with contrast of spots, neighbourhoods and clusters."
    settings: ClassVar[Overrides] = {
        "prepare": {
            "n_top_genes": 3000,
            "spatial_graph": "knn",
            "spatial_neighbours": 3,
        },
        "model": {"hidden": 256, "latent": 64},
        "training": {"epochs": 600, "learning_rate": 1e-3},
        "domains": {"majority": 35},
    }
    step_seconds = 7e-5

    def read(self, section: Section, config: Config) -> HostInputs:
        """Return logs over each gene's deviation, and the nearest spots."""
        from napari_semst.methods.hosts.inputs import scaled_log_expression

        return HostInputs(scaled_log_expression(section), {"spatial": section.spatial})

    def operators(self, inputs: HostInputs, device: torch.device) -> dict[str, Any]:
        """Return the graph of attention, and the mean over neighbourhoods."""
        from napari_semst.nn.graph_attention import AttentionGraph
        from napari_semst.nn.sparse import SparseOperator
        from napari_semst.prepare.graphs import normalised_adjacency, with_loops

        graph = inputs.graphs["spatial"]
        return {
            "spatial": AttentionGraph(with_loops(graph), device=device),
            "mean": SparseOperator(normalised_adjacency(graph, "row"), device),
        }

    def build(self, inputs: HostInputs, config: Config) -> dict[str, nn.Module]:
        """Return two layers of attention, decoder, discriminator and contexts."""
        from torch import nn

        from napari_semst.nn.contrast import ClusterContext
        from napari_semst.nn.mixed_attention import MixedAttention

        hidden, latent = config.model.hidden, config.model.latent
        judge = nn.Bilinear(latent, latent, 1)
        nn.init.xavier_uniform_(judge.weight)
        nn.init.zeros_(judge.bias)
        mix = nn.Linear(inputs.width, hidden, bias=False)
        nn.init.xavier_uniform_(mix.weight)
        return {
            "mix": mix,
            "first": MixedAttention(hidden),
            "second": nn.Linear(hidden, latent, bias=False),
            "last": MixedAttention(latent),
            "decoder": nn.Sequential(nn.Linear(latent, hidden), nn.ReLU()),
            "genes": nn.Linear(hidden, inputs.width),
            "discriminator": judge,
            "contexts": ClusterContext(_CONTEXTS, latent),
        }

    def encode(self, net: HostNetwork, data: HostData, step: HostStep) -> HostEncoded:
        """Return the second layer of attention."""
        mixed = data.features @ net["mix"].weight.T
        return HostEncoded(self._attended(net, mixed, data), {"mixed": mixed})

    def _attended(self, net: HostNetwork, mixed: Tensor, data: HostData) -> Tensor:
        from torch.nn.functional import elu

        graph = data.graphs["spatial"]
        hidden = elu(net["first"](mixed, graph))
        latent: Tensor = net["last"](net["second"](hidden), graph)
        return latent

    def losses(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData, step: HostStep
    ) -> dict[str, Tensor]:
        """Return squared error, infomax both ways, InfoNCE, and context of clusters."""
        import torch

        from napari_semst.nn.contrast import infomax_loss
        from napari_semst.nn.pairs import neighbour_contrast
        from napari_semst.nn.reconstruction import linear_squared_error

        latent, device = encoded.latent, encoded.latent.device
        genes, mean, judge = net["genes"], data.graphs["mean"], net["discriminator"]
        decoded = net["decoder"](latent)
        error = linear_squared_error(data.target, decoded, genes.weight.T, genes.bias)
        order = torch.randperm(data.n_spots, device=device)
        meaning = None if data.semantics is None else data.semantics[order]
        other = self._attended(net, encoded.kept["mixed"][order], data)
        others = torch.relu(net.fuse(other, meaning))
        spots = torch.relu(latent)
        drawn = torch.randperm(data.n_spots, device=device)[:_DRAWN]
        near = mean @ latent
        contrast = neighbour_contrast(
            latent, near, data.graphs["spatial"], drawn, _TEMPERATURE
        )
        return {
            "reconstruction": _RECONSTRUCTION * error,
            "infomax": infomax_loss(judge, mean, spots, others),
            "infomax_shuffled": infomax_loss(judge, mean, others, spots),
            "neighbours": contrast,
            "context": net["contexts"].loss(latent, others),
        }


HOST = Gaaest()
SPEC = host_spec(HOST)
