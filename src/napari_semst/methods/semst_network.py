"""The SemST network, and the published weights' layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from napari_semst.errors import InputError
from napari_semst.nn.fsm import Modulation, SemanticModulation
from napari_semst.nn.gcn import GraphConvolutionalNetwork
from napari_semst.nn.losses import SpatialPairs, correlation_loss, spatial_loss
from napari_semst.nn.zinb import ZinbDecoder, ZinbTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_semst.nn.sparse import SparseOperator

# Prefixes of the authors' state dict, and ours.
_PUBLISHED_NAMES = (
    ("SGCN.gc1.", "spatial_view.first."),
    ("SGCN.gc2.", "spatial_view.second."),
    ("FGCN.gc1.", "feature_view.first."),
    ("FGCN.gc2.", "feature_view.second."),
    ("llm_head.mlp.", "modulation.head."),
    ("modulation_mlp.0.", "modulation.factors.0."),
    ("modulation_mlp.3.", "modulation.factors.2."),
    ("MLP.0.", "output.0."),
    ("MLP.3.", "output.2."),
    ("ZINB.decoder.", "decoder.body."),
    ("ZINB.pi.", "decoder.pi."),
    ("ZINB.disp.", "decoder.theta."),
    ("ZINB.mean.", "decoder.mu."),
)


class Encoded(NamedTuple):
    """What the network makes of a section.

    Parameters
    ----------
    latent
        Clustered, shape ``(n_spots, latent)``.
    spatial, feature
        The two views, each ``(n_spots, latent)``.
    before
        Both views side by side, before modulation, ``(n_spots, 2 * latent)``.
    modulation
        Alpha and beta, or `None` without semantics.
    """

    latent: Tensor
    spatial: Tensor
    feature: Tensor
    before: Tensor
    modulation: Modulation | None


class SemstNetwork(nn.Module):
    """Two graph views, modulated by semantics, decoded to a ZINB.

    Source: SemST (AAAI 2026), equations 3 to 11.

    Parameters
    ----------
    n_genes
        Genes in and out.
    hidden, latent
        Widths h1 and h2.
    semantic_width
        Width of the semantic embedding; 0 builds the network without semantics.
    ratio
        Width of the modulation's hidden layer over ``latent``.

    Shapes
    ------
    expression ``(n_spots, n_genes)``; adjacencies ``(n_spots, n_spots)``; semantics
    ``(n_spots, semantic_width)``; latent ``(n_spots, latent)``.
    """

    def __init__(
        self,
        n_genes: int,
        hidden: int,
        latent: int,
        semantic_width: int,
        ratio: float,
    ) -> None:
        super().__init__()
        self.spatial_view = GraphConvolutionalNetwork(n_genes, hidden, latent)
        self.feature_view = GraphConvolutionalNetwork(n_genes, hidden, latent)
        self.modulation: SemanticModulation | None = None
        if semantic_width:
            self.modulation = SemanticModulation(
                semantic_width, latent, 2 * latent, ratio
            )
        self.output = nn.Sequential(
            nn.Linear(2 * latent, hidden), nn.ReLU(), nn.Linear(hidden, latent)
        )
        self.decoder = ZinbDecoder(latent, hidden, n_genes)

    def forward(
        self,
        expression: Tensor | SparseOperator,
        spatial_adjacency: SparseOperator,
        feature_adjacency: SparseOperator,
        semantics: Tensor | None,
    ) -> Encoded:
        """Return the latent and what led to it."""
        spatial = self.spatial_view(expression, spatial_adjacency)
        feature = self.feature_view(expression, feature_adjacency)
        before = torch.cat([spatial, feature], dim=1)
        modulation = None
        after = before
        if self.modulation is not None and semantics is not None:
            modulation = self.modulation(semantics)
            after = modulation(before)
        return Encoded(self.output(after), spatial, feature, before, modulation)

    def losses(
        self,
        encoded: Encoded,
        target: ZinbTarget,
        pairs: SpatialPairs,
        dropout_prior: float,
    ) -> dict[str, Tensor]:
        """Return the three loss terms, unweighted (SemST, equations 11 to 13)."""
        return {
            "zinb": self.decoder.loss(encoded.latent, target, dropout_prior),
            "spatial": spatial_loss(encoded.latent, pairs),
            "correlation": correlation_loss(encoded.spatial, encoded.feature),
        }

    def load_published(self, state: Mapping[str, Any]) -> None:
        """Load weights in the authors' layout.

        Raises
        ------
        InputError
            If names or shapes do not fit this network.
        """
        renamed = {_our_name(name): torch.as_tensor(v) for name, v in state.items()}
        own = self.state_dict()
        wrong = sorted(
            {*own, *renamed} - {n for n in own if n in renamed}
            | {n for n in own if n in renamed and own[n].shape != renamed[n].shape}
        )
        if wrong:
            raise InputError(
                "Expected weights of a SemST network with these widths; these tensors "
                f"are missing, unknown or of another shape: {', '.join(wrong)}. Check "
                "hidden, latent, modulation_ratio and the number of genes."
            )
        self.load_state_dict(renamed)


def _our_name(published: str) -> str:
    for theirs, ours in _PUBLISHED_NAMES:
        if published.startswith(theirs):
            return ours + published[len(theirs) :]
    return published
