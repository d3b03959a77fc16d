"""GraphST: reconstruction, and contrast of spots with shuffled ones.

Long et al., "Spatially informed clustering, integration, and deconvolution of spatial
transcriptomics with GraphST", Nature Communications 14:1155, 2023. docs/hosts.md says
what differs.
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

# Weights of the reconstruction and of each of the two contrasts.
_RECONSTRUCTION, _CONTRAST = 10.0, 1.0
# Components of the reconstruction that are clustered.
_COMPONENTS = 20


class GraphST(Host):
    """One graph convolution each way, g-64-g, and two terms of deep graph infomax."""

    name = "graphst"
    label = "GraphST (2023): graph contrast"
    summary = "A graph autoencoder that tells spots from shuffled ones."
    settings: ClassVar[Overrides] = {
        "prepare": {
            "n_top_genes": 3000,
            "spatial_graph": "knn",
            "spatial_neighbours": 3,
        },
        "model": {"latent": 64},
        "training": {"epochs": 600, "learning_rate": 1e-3},
        "domains": {"majority": 50},
    }

    step_seconds = 1.3e-5

    def read(self, section: Section, config: Config) -> HostInputs:
        """Return logs over each gene's deviation, and the three nearest spots."""
        from napari_semst.methods.hosts.inputs import scaled_log_expression

        return HostInputs(scaled_log_expression(section), {"spatial": section.spatial})

    def operators(self, inputs: HostInputs, device: torch.device) -> dict[str, Any]:
        """Return the propagation, and the mean over a spot and its neighbours."""
        from napari_semst.nn.sparse import SparseOperator
        from napari_semst.prepare.graphs import normalised_adjacency, residual_adjacency

        graph = inputs.graphs["spatial"]
        return {
            "spread": SparseOperator(residual_adjacency(graph), device),
            "mean": SparseOperator(normalised_adjacency(graph, "row"), device),
        }

    def build(self, inputs: HostInputs, config: Config) -> dict[str, nn.Module]:
        """Return encoder, decoder and discriminator."""
        from torch import nn

        width = config.model.latent
        parts: dict[str, nn.Module] = {
            "encoder": nn.Linear(inputs.width, width, bias=False),
            "decoder": nn.Linear(width, inputs.width, bias=False),
            "discriminator": nn.Bilinear(width, width, 1),
        }
        for part in parts.values():
            nn.init.xavier_uniform_(part.weight)  # type: ignore[arg-type]
        nn.init.zeros_(parts["discriminator"].bias)  # type: ignore[arg-type]
        return parts

    def encode(self, net: HostNetwork, data: HostData, step: HostStep) -> HostEncoded:
        """Return ``A X W``."""
        product = data.features @ net["encoder"].weight.T
        return HostEncoded(data.graphs["spread"] @ product, {"product": product})

    def losses(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData, step: HostStep
    ) -> dict[str, Tensor]:
        """Return the squared error, and the contrast with shuffled spots both ways."""
        import torch

        from napari_semst.nn.contrast import infomax_loss
        from napari_semst.nn.reconstruction import linear_squared_error

        graphs, latent = data.graphs, encoded.latent
        hidden = graphs["spread"] @ latent
        weight = net["decoder"].weight.T
        error = linear_squared_error(data.target, hidden, weight)
        # A spot's meaning is shuffled with its counts.
        order = torch.randperm(data.n_spots, device=latent.device)
        meaning = None if data.semantics is None else data.semantics[order]
        shuffled = graphs["spread"] @ encoded.kept["product"][order]
        other = net.fuse(shuffled, meaning)
        spots, others = torch.relu(latent), torch.relu(other)
        judge, mean = net["discriminator"], graphs["mean"]
        return {
            "reconstruction": _RECONSTRUCTION * error,
            "contrast": _CONTRAST * infomax_loss(judge, mean, spots, others),
            "contrast_shuffled": _CONTRAST * infomax_loss(judge, mean, others, spots),
        }

    def clustered(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData
    ) -> Tensor:
        """Return the leading components of the reconstruction, found in its width."""
        from napari_semst.nn.reconstruction import decoded_components

        hidden = data.graphs["spread"] @ encoded.latent
        return decoded_components(hidden, net["decoder"].weight.T, _COMPONENTS)


HOST = GraphST()
SPEC = host_spec(HOST)
