"""MAFN: graph convolutions over space, expression and a learnt mixture, fused.

Zhu et al., "Multi-view adaptive fusion network for spatially resolved transcriptomics
data clustering", IEEE Transactions on Knowledge and Data Engineering, 2024.
docs/hosts.md says what differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from napari_semst.methods.hosts.base import HostEncoded, host_spec
from napari_semst.methods.hosts.two_graphs import TWO_GRAPHS, TwoGraphHost

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_semst.config import Config
    from napari_semst.config.settings import Overrides
    from napari_semst.methods.hosts.base import HostData, HostInputs, HostStep
    from napari_semst.methods.hosts.network import HostNetwork

_VIEWS = ("spatial", "feature", "mixture")


class Mafn(TwoGraphHost):
    """Three views g-128-64, a weight for each element of each, 192 to 64; ZINB."""

    name = "mafn"
    label = "MAFN (2024): adaptive fusion"
    summary = "Graph convolutions over space, expression and a learnt mixture of both."
    settings: ClassVar[Overrides] = {
        "prepare": TWO_GRAPHS,
        "model": {"hidden": 128, "latent": 64},
        "training": {"epochs": 200, "learning_rate": 1e-3, "weight_decay": 5e-4},
        "domains": {"readout": "kmeans"},
    }
    step_seconds = 2e-4

    def build(self, inputs: HostInputs, config: Config) -> dict[str, nn.Module]:
        """Return three networks, the mixture's share, the fusion and the decoder."""
        from torch import nn

        from napari_semst.nn.gcn import GraphConvolutionalNetwork
        from napari_semst.nn.zinb.decoder import ZinbDecoder

        hidden, latent = config.model.hidden, config.model.latent
        width = inputs.width
        share = nn.Embedding(1, 2)
        nn.init.zeros_(share.weight)
        networks = {
            name: GraphConvolutionalNetwork(width, hidden, latent) for name in _VIEWS
        }
        return {
            **networks,
            "share": share,
            "weights": nn.Linear(latent, latent),
            "output": nn.Linear(len(_VIEWS) * latent, latent),
            "decoder": ZinbDecoder(latent, hidden, width),
        }

    def encode(self, net: HostNetwork, data: HostData, step: HostStep) -> HostEncoded:
        """Return the views, weighed element by element, side by side, as 64."""
        import torch

        features, graphs = data.features, data.graphs
        share = torch.softmax(net["share"].weight[0], dim=0)
        mixture = _Mixture(graphs["spatial"], graphs["feature"], share)
        views = [
            net["spatial"](features, graphs["spatial"]),
            net["feature"](features, graphs["feature"]),
            net["mixture"](features, mixture),
        ]
        stacked = torch.stack(views, dim=1)
        weights = torch.softmax(net["weights"](stacked), dim=1)
        latent = net["output"]((weights * stacked).flatten(1))
        return HostEncoded(latent, {"views": views})

    def losses(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData, step: HostStep
    ) -> dict[str, Tensor]:
        """Return ZINB, spatial loss, and correlation of the two plain views."""
        from napari_semst.methods.hosts.zinb import counts_loss
        from napari_semst.nn.losses import correlation_loss, spatial_loss

        latent, views, model = encoded.latent, encoded.kept["views"], step.config.model
        return {
            "zinb": counts_loss(net["decoder"], latent, data, step),
            "spatial": model.weight_spatial
            * spatial_loss(latent, data.graphs["pairs"]),
            "correlation": model.weight_correlation
            * correlation_loss(views[0], views[1]),
        }


class _Mixture:
    """A learnt mixture of two graphs: never formed, each is applied."""

    def __init__(self, first: Any, second: Any, share: Tensor) -> None:
        self.graphs, self.share = (first, second), share

    def __matmul__(self, dense: Tensor) -> Tensor:
        one, two = (graph @ dense for graph in self.graphs)
        mixed: Tensor = self.share[0] * one + self.share[1] * two
        return mixed


HOST = Mafn()
SPEC = host_spec(HOST)
