"""STAIG: contrast of neighbours over two views of a graph that the image thins.

Yang et al., "STAIG: spatial transcriptomics analysis via image-aided graph contrastive
learning for domain exploration and alignment-free integration", Nature Communications
16:1067, 2025. docs/hosts.md says what differs.
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

# Shares of genes left out of the two views, and of edges that look as unlike as can be.
_GENES_LEFT_OUT, _MOST_EDGES_LEFT_OUT = (0.1, 0.2), (0.4, 0.6)
_TEMPERATURE, _DRAWN, _GROUPS = 0.5, 512, 20


class Staig(Host):
    """One graph convolution g-64 with PReLU and a projection; neighbours agree."""

    name = "staig"
    label = "STAIG (2025): image-aided contrast"
    summary = "Neighbours agree over two views of a graph that the image thins."
    settings: ClassVar[Overrides] = {
        "prepare": {"n_top_genes": 3000, "n_rings": 1, "spatial_neighbours": 6},
        "model": {"latent": 64},
        "training": {"epochs": 400, "learning_rate": 5e-4, "weight_decay": 1e-5},
        "domains": {"majority": 15},
    }
    image = True
    step_seconds = 5e-5

    def read(self, section: Section, config: Config) -> HostInputs:
        """Return scaled logs, neighbours, and what the image shows of each spot."""
        import numpy as np

        from napari_semst.methods.hosts.inputs import scaled_log_expression
        from napari_semst.methods.semst.image import components_of_image

        arrays = {"look": np.asarray(section.coordinates, dtype=np.float32)}
        note = "distance of spots; no image was read"
        if section.morphology is not None:
            from sklearn.cluster import KMeans

            keep_limits()
            shown = components_of_image(section, config.training.seed)
            note = "features of the image"
            k = min(_GROUPS, section.n_spots)
            groups = KMeans(k, n_init=3, random_state=config.training.seed)
            arrays["look"] = shown
            arrays["group"] = groups.fit_predict(shown).astype(np.int64)
        return HostInputs(
            scaled_log_expression(section),
            {"spatial": section.spatial},
            arrays=arrays,
            notes={"edges_left_out_by": note},
        )

    def operators(self, inputs: HostInputs, device: torch.device) -> dict[str, Any]:
        """Return the graph with loops: edges are left out in every step anew."""
        from napari_semst.nn.graph_attention import AttentionGraph
        from napari_semst.prepare.graphs import with_loops

        graph = with_loops(inputs.graphs["spatial"])
        return {"spatial": AttentionGraph(graph, device=device)}

    def build(self, inputs: HostInputs, config: Config) -> dict[str, nn.Module]:
        """Return the convolution and the projection."""
        from torch import nn

        width = config.model.latent
        return {
            "encoder": nn.Linear(inputs.width, width),
            "activation": nn.PReLU(),
            "projection": nn.Sequential(
                nn.Linear(width, width), nn.ELU(), nn.Linear(width, width)
            ),
        }

    def encode(self, net: HostNetwork, data: HostData, step: HostStep) -> HostEncoded:
        """Return the convolution over all edges, of all genes."""
        import torch

        edges = torch.ones(len(data.graphs["spatial"].sources), device=data.device)
        return HostEncoded(self._convolved(net, data, edges, None))

    def _convolved(
        self, net: HostNetwork, data: HostData, edges: Tensor, genes: Tensor | None
    ) -> Tensor:
        """Return the convolution over weighed edges, of genes that are not 0."""
        from napari_semst.nn.tied_attention import weighted_sum

        encoder, graph = net["encoder"], data.graphs["spatial"]
        weight = encoder.weight.T
        if genes is not None:
            weight = weight * genes[:, None]
        shares = edges / graph.sum_of_edges(edges)[graph.targets]
        mixed = weighted_sum(shares, data.features @ weight, graph) + encoder.bias
        latent: Tensor = net["activation"](mixed)
        return latent

    def losses(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData, step: HostStep
    ) -> dict[str, Tensor]:
        """Return the contrast of neighbours, both views in both places."""
        import torch

        from napari_semst.nn.pairs import neighbour_contrast

        graph, views = data.graphs["spatial"], []
        unlike = self._unlike(data)
        for left_out, most in zip(_GENES_LEFT_OUT, _MOST_EDGES_LEFT_OUT, strict=True):
            kept = (torch.rand_like(unlike) >= most * unlike).float()
            n_genes = net["encoder"].weight.shape[1]
            genes = (torch.rand(n_genes, device=data.device) >= left_out).float()
            latent = self._convolved(net, data, kept, genes)
            views.append(net["projection"](net.fuse(latent, data.semantics)))
        drawn = torch.randperm(data.n_spots, device=data.device)[:_DRAWN]
        groups, asked = data.arrays.get("group"), (graph, drawn, _TEMPERATURE)
        one = neighbour_contrast(views[0], views[1], *asked, groups)
        other = neighbour_contrast(views[1], views[0], *asked, groups)
        return {"contrast": (one + other) / 2}

    def _unlike(self, data: HostData) -> Tensor:
        """Return how unlike the ends of each edge look, 0 to 1; loops are alike."""
        graph, look = data.graphs["spatial"], data.arrays["look"]
        apart = (look[graph.targets] - look[graph.sources]).norm(dim=1)
        unlike: Tensor = apart / apart.max().clamp_min(1e-12)
        return unlike


HOST = Staig()
SPEC = host_spec(HOST)
