"""stDCL: dual correlation reduction on a graph of space and expression.

Yu et al., "Accurate spatial heterogeneity dissection and gene regulation interpretation
for spatial transcriptomics using dual graph contrastive learning", Advanced Science
12:2410081, 2025. docs/hosts.md says what differs.
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

_RECONSTRUCTION, _ADJACENCY, _SPOTS, _FEATURES = 10.0, 0.5, 0.5, 0.8
# Weight of a neighbour by expression where one in space has 1.
_BY_EXPRESSION = 0.5
_NOISE = 0.1
# Share of the epochs in which expression and graph alone are reconstructed.
_ALONE = 1 / 3
_COMPONENTS = 20


class Stdcl(Host):
    """One graph convolution each way, g-64-g, on space and expression; two views."""

    name = "stdcl"
    label = "stDCL (2025): dual contrast"
    summary = "A graph autoencoder that makes two noisy views agree."
    settings: ClassVar[Overrides] = {
        "prepare": {
            "n_top_genes": 3000,
            "spatial_graph": "knn",
            "spatial_neighbours": 3,
            "feature_neighbours": 3,
        },
        "model": {"latent": 64},
        "training": {"epochs": 1500, "learning_rate": 1e-3},
        "domains": {"majority": 50},
    }
    step_seconds = 3e-5

    def read(self, section: Section, config: Config) -> HostInputs:
        """Return logs over each gene's deviation, and both kinds of neighbours."""
        from dataclasses import replace

        from napari_semst.methods.hosts.inputs import scaled_log_expression, two_graphs

        both = two_graphs(section, config)
        return replace(both, features=scaled_log_expression(section), counts=None)

    def sampled(self, inputs: HostInputs, config: Config) -> HostInputs:
        """Return a sample with neighbours by expression found in it."""
        from napari_semst.methods.hosts.inputs import with_feature_graph

        return with_feature_graph(inputs, config)

    def operators(self, inputs: HostInputs, device: torch.device) -> dict[str, Any]:
        """Return the propagation over both kinds, and the links."""
        from napari_semst.nn.graph_attention import AttentionGraph
        from napari_semst.nn.sparse import SparseOperator, constant_matrix
        from napari_semst.prepare.graphs import residual_adjacency, with_loops

        spatial, feature = inputs.graphs["spatial"], inputs.graphs["feature"]
        weighed = spatial.maximum(_BY_EXPRESSION * feature).tocsr()
        features: Any = inputs.features
        return {
            "squared": constant_matrix(features.multiply(features).tocsr(), device),
            "spread": SparseOperator(residual_adjacency(weighed), device),
            "links": AttentionGraph(with_loops(spatial), device=device),
        }

    def build(self, inputs: HostInputs, config: Config) -> dict[str, nn.Module]:
        """Return encoder and decoder."""
        from torch import nn

        width = config.model.latent
        parts: dict[str, nn.Module] = {
            "encoder": nn.Linear(inputs.width, width, bias=False),
            "decoder": nn.Linear(width, inputs.width, bias=False),
        }
        for part in parts.values():
            nn.init.xavier_uniform_(part.weight)  # type: ignore[arg-type]
        return parts

    def encode(self, net: HostNetwork, data: HostData, step: HostStep) -> HostEncoded:
        """Return ``A X W``."""
        return HostEncoded(
            data.graphs["spread"] @ (data.features @ net["encoder"].weight.T)
        )

    def losses(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData, step: HostStep
    ) -> dict[str, Tensor]:
        """Return both reconstructions; later, agreement with the noisy view, too."""
        from napari_semst.nn.losses import correlation_loss
        from napari_semst.nn.pairs import cross_view_loss, link_squared_error
        from napari_semst.nn.reconstruction import linear_squared_error, noisy_product

        latent, links = encoded.latent, data.graphs["links"]
        spread, weight = data.graphs["spread"], net["encoder"].weight.T
        error = linear_squared_error(
            data.target, spread @ latent, net["decoder"].weight.T
        )
        adjacency = link_squared_error(latent, links)
        terms = {
            "reconstruction": _RECONSTRUCTION * error,
            "adjacency": _RECONSTRUCTION * _ADJACENCY * adjacency,
            "spots": latent.new_zeros(()),
            "features": latent.new_zeros(()),
        }
        if step.epoch < _ALONE * step.config.training.epochs:
            return terms
        squared = data.graphs["squared"]
        noisy = noisy_product(data.features, squared, weight, _NOISE)
        other = net.fuse(spread @ noisy, data.semantics)
        terms["spots"] = _SPOTS * cross_view_loss(latent, other, links)
        terms["features"] = _FEATURES * correlation_loss(latent, other)
        return terms

    def clustered(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData
    ) -> Tensor:
        """Return the leading components of the latent."""
        from napari_semst.nn.reconstruction import leading_components

        return leading_components(encoded.latent, _COMPONENTS)


HOST = Stdcl()
SPEC = host_spec(HOST)
