"""Spatial-MGCN: graph convolutions over space, expression and both, with attention.

Wang et al., "Spatial-MGCN: a novel multi-view graph convolutional network for
identifying spatial domains with attention mechanism", Briefings in Bioinformatics
24:bbad262, 2023. docs/hosts.md says what differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from napari_semst.methods.hosts.base import HostEncoded, host_spec
from napari_semst.methods.hosts.two_graphs import TWO_GRAPHS, TwoGraphHost

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_semst.config import Config
    from napari_semst.config.settings import Overrides
    from napari_semst.methods.hosts.base import HostData, HostInputs, HostStep
    from napari_semst.methods.hosts.network import HostNetwork

_ATTENTION = 16
_CONSISTENCY = 10.0


class SpatialMgcn(TwoGraphHost):
    """Three networks g-128-64, one of them shared by both graphs; attention; ZINB."""

    name = "spatial-mgcn"
    label = "Spatial-MGCN (2023): several graphs"
    summary = "Graph convolutions over space and expression, weighed by attention."
    settings: ClassVar[Overrides] = {
        "prepare": TWO_GRAPHS,
        "model": {"hidden": 128, "latent": 64, "weight_dropout_prior": 0.0},
        "training": {"epochs": 200, "learning_rate": 1e-3, "weight_decay": 5e-4},
        "domains": {"readout": "kmeans"},
    }
    step_seconds = 2e-4

    def build(self, inputs: HostInputs, config: Config) -> dict[str, nn.Module]:
        """Return three networks, the attention over views, output and decoder."""
        from torch import nn

        from napari_semst.nn.gcn import GraphConvolutionalNetwork
        from napari_semst.nn.zinb.decoder import ZinbDecoder

        hidden, latent = config.model.hidden, config.model.latent
        width = inputs.width
        asked = nn.Linear(latent, _ATTENTION)
        return {
            **{
                name: GraphConvolutionalNetwork(width, hidden, latent)
                for name in ("spatial", "feature", "shared")
            },
            "attention": nn.Sequential(
                asked, nn.Tanh(), nn.Linear(_ATTENTION, 1, bias=False)
            ),
            "output": nn.Linear(latent, latent),
            "decoder": ZinbDecoder(latent, hidden, width),
        }

    def encode(self, net: HostNetwork, data: HostData, step: HostStep) -> HostEncoded:
        """Return the output layer of the views, weighed spot by spot."""
        import torch

        features, graphs = data.features, data.graphs
        spatial = net["spatial"](features, graphs["spatial"])
        feature = net["feature"](features, graphs["feature"])
        mixed = features @ net["shared"].first.weight
        shared = [
            net["shared"].after_mixing(mixed, graphs[name])
            for name in ("spatial", "feature")
        ]
        views = torch.stack([spatial, (shared[0] + shared[1]) / 2, feature], dim=1)
        weights = torch.softmax(net["attention"](views), dim=1)
        latent = net["output"]((weights * views).sum(1))
        return HostEncoded(latent, {"shared": shared})

    def losses(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData, step: HostStep
    ) -> dict[str, Tensor]:
        """Return ZINB, spatial loss, and consistency of the two shared embeddings."""
        from napari_semst.methods.hosts.zinb import counts_loss
        from napari_semst.nn.losses import spatial_loss
        from napari_semst.nn.pairs import shared_structure_loss

        latent, pairs = encoded.latent, data.graphs["pairs"]
        weight = step.config.model.weight_spatial
        return {
            "zinb": counts_loss(net["decoder"], latent, data, step),
            "spatial": weight * spatial_loss(latent, pairs),
            "consistency": _CONSISTENCY
            * shared_structure_loss(*encoded.kept["shared"]),
        }


HOST = SpatialMgcn()
SPEC = host_spec(HOST)
