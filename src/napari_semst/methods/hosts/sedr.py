"""SEDR: a masked autoencoder and a variational graph autoencoder side by side.

Xu et al., "Unsupervised spatially embedded deep representation of spatial
transcriptomics", Genome Medicine 16:12, 2024. docs/hosts.md says what differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from napari_semst.core.threads import keep_limits
from napari_semst.methods.hosts.base import Host, HostEncoded, HostInputs, host_spec

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from napari_semst.config import Config
    from napari_semst.config.settings import Overrides
    from napari_semst.methods.hosts.base import HostData, HostStep
    from napari_semst.methods.hosts.network import HostNetwork
    from napari_semst.prepare.section import Section

_COMPONENTS, _INNER, _HALF = 200, 64, 16
_DROPOUT, _MASKED, _SHARPNESS = 0.2, 0.8, 3
_RECONSTRUCTION, _GRAPH = 10.0, 0.1
# Clusters of the last stage, as in the original whatever the number of domains.
_CLUSTERS, _CLUSTERED_SHARE = 10, 0.5


class Sedr(Host):
    """Masked MLP 200-64-16 and variational graph convolution 16-64-16, joined."""

    name = "sedr"
    label = "SEDR (2024): masked autoencoder"
    summary = "A masked autoencoder of components beside a variational graph one."
    settings: ClassVar[Overrides] = {
        "prepare": {
            "n_top_genes": 2000,
            "spatial_graph": "knn",
            "spatial_neighbours": 12,
        },
        "model": {"latent": 2 * _HALF},
        "training": {"epochs": 400, "learning_rate": 1e-2, "weight_decay": 1e-2},
    }
    step_seconds = 2e-5
    step_bytes = 12_000.0

    def read(self, section: Section, config: Config) -> HostInputs:
        """Return 200 components of scaled logs, and the twelve nearest spots."""
        from napari_semst.methods.hosts.inputs import scaled_log_expression
        from napari_semst.prepare.components import principal_axes

        scaled = scaled_log_expression(section)
        axes = principal_axes(scaled, _COMPONENTS, config.training.seed)
        return HostInputs(axes.scores(scaled), {"spatial": section.spatial})

    def operators(self, inputs: HostInputs, device: torch.device) -> dict[str, Any]:
        """Return the propagation, and the links that are to be told from others."""
        from napari_semst.nn.graph_attention import AttentionGraph
        from napari_semst.nn.sparse import SparseOperator
        from napari_semst.prepare.graphs import normalised_adjacency, with_loops

        graph = inputs.graphs["spatial"]
        spread = normalised_adjacency(graph, "symmetric")
        return {
            "spread": SparseOperator(spread, device),
            "links": AttentionGraph(with_loops(graph), device=device),
        }

    def build(self, inputs: HostInputs, config: Config) -> dict[str, nn.Module]:
        """Return the two encoders, the decoder, the mask and the clusters."""
        import sklearn.cluster  # noqa: F401 - clusters begin by its k-means
        from torch import nn

        from napari_semst.nn.clusters import StudentClusters

        keep_limits()

        def block(width_in: int, width_out: int) -> list[nn.Module]:
            norm = nn.BatchNorm1d(width_out, eps=1e-3, momentum=0.01)
            layer = nn.Linear(width_in, width_out)
            return [layer, norm, nn.ELU(), nn.Dropout(_DROPOUT)]

        width = inputs.width
        mask = nn.Embedding(1, width)
        nn.init.zeros_(mask.weight)
        blocks = [*block(width, _INNER), *block(_INNER, _HALF)]
        return {
            "encoder": nn.Sequential(*blocks),
            "graph": nn.Linear(_HALF, _INNER, bias=False),
            "mean": nn.Linear(_INNER, _HALF, bias=False),
            "spread": nn.Linear(_INNER, _HALF, bias=False),
            "decoder": nn.Linear(2 * _HALF, width, bias=False),
            "mask": mask,
            "clusters": StudentClusters(_CLUSTERS, 2 * _HALF),
        }

    def encode(self, net: HostNetwork, data: HostData, step: HostStep) -> HostEncoded:
        """Return both latents side by side; most spots are masked while training."""
        import torch

        features, masked = data.features, None
        if net.training:
            masked = torch.rand(data.n_spots, device=features.device) < _MASKED
            features = torch.where(masked[:, None], net["mask"].weight, features)
        own, around = net["encoder"](features), data.graphs["spread"]
        hidden = torch.relu(around @ net["graph"](own))
        mean, log_deviation = (
            around @ net["mean"](hidden),
            around @ net["spread"](hidden),
        )
        drawn = mean
        if net.training:
            drawn = mean + torch.randn_like(mean) * log_deviation.exp()
        kept = {"masked": masked, "mean": mean, "log_deviation": log_deviation}
        if masked is not None and data.semantics is not None:
            # It comes from the counts that are masked, and would give them away.
            kept["semantics"] = data.semantics * ~masked[:, None]
        return HostEncoded(torch.cat([own, drawn], dim=1), kept)

    def losses(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData, step: HostStep
    ) -> dict[str, Tensor]:
        """Return reconstruction, masked reconstruction, graph, and clusters at last."""
        from torch.nn.functional import cosine_similarity, mse_loss

        from napari_semst.nn.pairs import link_cross_entropy

        latent, kept, features = encoded.latent, encoded.kept, data.features
        back = data.graphs["spread"] @ net["decoder"](latent)
        mean, log_deviation = kept["mean"], kept["log_deviation"]
        inside = 1 + 2 * log_deviation - mean.square() - (2 * log_deviation).exp()
        divergence = -0.5 * inside.sum(1).mean() / data.n_spots
        apart = 1 - cosine_similarity(back, features, dim=1)
        masked = kept["masked"].float()
        scaled = (apart**_SHARPNESS * masked).sum() / masked.sum().clamp_min(1)
        graph = link_cross_entropy(latent, data.graphs["links"]) + divergence
        terms = {
            "reconstruction": _RECONSTRUCTION * mse_loss(back, features),
            "masked": scaled,
            "graph": _GRAPH * graph,
            "clusters": latent.new_zeros(()),
        }
        if step.epoch >= _CLUSTERED_SHARE * step.config.training.epochs:
            seed = step.config.training.seed
            terms["clusters"] = net["clusters"].loss(latent, seed)
        return terms


HOST = Sedr()
SPEC = host_spec(HOST)
