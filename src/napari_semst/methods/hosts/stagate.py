"""STAGATE: a graph attention autoencoder with tied weights and attention.

Dong and Zhang, "Deciphering spatial domains from spatially resolved transcriptomics
with an adaptive graph attention auto-encoder", Nature Communications 13:1739, 2022.
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


class Stagate(Host):
    """Encoder g-512-30 over the nearest ring; squared error of log counts."""

    name = "stagate"
    label = "STAGATE (2022): graph attention"
    summary = "A graph attention autoencoder; neighbours weigh by learnt attention."
    settings: ClassVar[Overrides] = {
        "prepare": {"n_top_genes": 3000, "n_rings": 1, "spatial_neighbours": 6},
        "model": {"hidden": 512, "latent": 30, "input_components": 50},
        "training": {
            "epochs": 1000,
            "learning_rate": 1e-3,
            "weight_decay": 1e-4,
            "largest_gradient": 5.0,
        },
    }

    step_seconds = 9e-6

    def read(self, section: Section, config: Config) -> HostInputs:
        """Return logs of scaled counts, or their leading axes, and neighbours."""
        from napari_semst.methods.hosts.inputs import leading_scores, log_expression

        logged, width = log_expression(section), config.model.input_components
        graphs = {"spatial": section.spatial}
        if not width:
            return HostInputs(logged, graphs)
        if width >= min(logged.shape):
            return HostInputs(logged.toarray(), graphs)
        return HostInputs(leading_scores(logged, width, config.training.seed), graphs)

    def operators(self, inputs: HostInputs, device: torch.device) -> dict[str, Any]:
        """Return the graph of attention: neighbours, and the spot itself."""
        from napari_semst.nn.graph_attention import AttentionGraph
        from napari_semst.prepare.graphs import with_loops

        graph = with_loops(inputs.graphs["spatial"])
        return {"spatial": AttentionGraph(graph, device=device)}

    def build(self, inputs: HostInputs, config: Config) -> dict[str, nn.Module]:
        """Return the encoder, whose weights the decoder shares."""
        from napari_semst.nn.tied_attention import TiedAttention

        model = config.model
        return {"encoder": TiedAttention(inputs.width, model.hidden, model.latent)}

    def encode(self, net: HostNetwork, data: HostData, step: HostStep) -> HostEncoded:
        """Return the second layer."""
        made = net["encoder"].encode(data.features, data.graphs["spatial"])
        return HostEncoded(made.latent, {"made": made})

    def losses(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData, step: HostStep
    ) -> dict[str, Tensor]:
        """Return the mean squared error of the reconstruction."""
        from napari_semst.nn.reconstruction import linear_squared_error

        encoder, made = net["encoder"], encoded.kept["made"]
        graph = data.graphs["spatial"]
        back = encoder.decode(encoded.latent, made.weights, graph)
        weight, product = encoder.first.T, made.product
        error = linear_squared_error(data.target, back, weight, product=product)
        return {"reconstruction": error}


HOST = Stagate()
SPEC = host_spec(HOST)
