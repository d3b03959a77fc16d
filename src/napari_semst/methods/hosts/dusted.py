"""DUSTED: attention over genes and over neighbours, and a ZINB of raw counts.

Zhu et al., "DUSTED: dual-attention enhanced spatial transcriptomics denoiser",
Proceedings of the AAAI Conference on Artificial Intelligence 39:1219-1227, 2025.
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

# Width of the genes over that of the layer between their means and their attention.
_RATIO = 16
_DECODED = 128


class Dusted(Host):
    """Gene attention, graph attention g-512-30, tied decoder, ZINB with size factor."""

    name = "dusted"
    label = "DUSTED (2025): dual attention"
    summary = "Attention over genes and neighbours; raw counts are reconstructed."
    settings: ClassVar[Overrides] = {
        "prepare": {"n_top_genes": 3000, "n_rings": 1, "spatial_neighbours": 6},
        "model": {"hidden": 512, "latent": 30, "weight_dropout_prior": 0.0},
        "training": {"epochs": 500, "learning_rate": 1e-4, "decoded_spots": 512},
    }
    step_seconds = 9e-5

    def read(self, section: Section, config: Config) -> HostInputs:
        """Return logs of scaled counts, raw counts with depths, and neighbours."""
        import numpy as np

        from napari_semst.methods.hosts.inputs import log_expression
        from napari_semst.prepare.components import median_depth

        totals = np.asarray(
            section.counts_in_memory.sum(axis=1), dtype=np.float64
        ).ravel()
        depth = np.maximum(totals, 1) / median_depth(section.counts_in_memory)
        logged = log_expression(section)
        means = np.asarray(logged.mean(axis=0), dtype=np.float32).ravel()
        return HostInputs(
            logged,
            {"spatial": section.spatial},
            section.counts_in_memory,
            {"log_depth": np.log(depth).astype(np.float32)},
            constants={"means": means, "largest": logged.max(axis=0).toarray().ravel()},
        )

    def operators(self, inputs: HostInputs, device: torch.device) -> dict[str, Any]:
        """Return the graph of attention: neighbours, and the spot itself."""
        from napari_semst.nn.graph_attention import AttentionGraph
        from napari_semst.prepare.graphs import with_loops

        graph = with_loops(inputs.graphs["spatial"])
        return {"spatial": AttentionGraph(graph, device=device)}

    def build(self, inputs: HostInputs, config: Config) -> dict[str, nn.Module]:
        """Return both attentions, and the heads of the ZINB."""
        from torch import nn

        from napari_semst.nn.tied_attention import TiedAttention
        from napari_semst.nn.zinb.decoder import ZinbDecoder

        model, width = config.model, inputs.width
        narrow = max(width // _RATIO, 1)
        return {
            "genes": nn.Sequential(
                nn.Linear(width, narrow), nn.ReLU(), nn.Linear(narrow, width)
            ),
            "encoder": TiedAttention(width, model.hidden, model.latent),
            "decoder": ZinbDecoder(model.hidden, _DECODED, width),
        }

    def encode(self, net: HostNetwork, data: HostData, step: HostStep) -> HostEncoded:
        """Return the second layer of genes as they are attended to.

        The attention of a gene is one number for all spots: it scales the gene's row of
        the first weights instead of the gene's column of the expression.
        """
        import torch

        genes = net["genes"]
        seen = genes(data.constants["means"]) + genes(data.constants["largest"])
        scale = torch.sigmoid(seen)[:, None]
        made = net["encoder"].encode(data.features, data.graphs["spatial"], scale)
        return HostEncoded(made.latent, {"made": made})

    def losses(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData, step: HostStep
    ) -> dict[str, Tensor]:
        """Return the ZINB of raw counts, whose means follow each spot's depth."""
        from napari_semst.methods.hosts.zinb import counts_loss

        weights, graph = encoded.kept["made"].weights, data.graphs["spatial"]
        hidden = net["encoder"].decode(encoded.latent, weights, graph)
        depth = data.arrays["log_depth"]
        return {"zinb": counts_loss(net["decoder"], hidden, data, step, depth)}


HOST = Dusted()
SPEC = host_spec(HOST)
