"""The SemST network, and the published weights' layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from napari_semst.errors import InputError
from napari_semst.nn.fusion import Fusion, make_fusion
from napari_semst.nn.gcn import GraphConvolutionalNetwork
from napari_semst.nn.losses import SpatialPairs, correlation_loss, spatial_loss
from napari_semst.nn.zinb.decoder import ZinbDecoder, ZinbTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_semst.nn.semantic_modulation import Modulation
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
    width_in
        Width of the features that are propagated: the genes, or components.
    n_genes
        Genes that are reconstructed.
    hidden, latent
        Widths h1 and h2.
    semantic_width
        Width of the semantic embedding; 0 builds the network without semantics.
    ratio
        Width of the modulation's hidden layer over ``latent``.
    base_width
        Width of a base description that the latent starts from, or 0 for none, as
        published. With a base the network starts as exactly the base: the output's
        last layer and the modulation are zero, and what they learn is a correction.
    n_sections
        Sections that the reconstruction tells apart, or 0 for one.
    fusion
        How semantics comes in, as `make_fusion` names it.

    Shapes
    ------
    features ``(n_spots, width_in)``; adjacencies ``(n_spots, n_spots)``; semantics
    ``(n_spots, semantic_width)``; latent ``(n_spots, latent)``.
    """

    def __init__(
        self,
        width_in: int,
        n_genes: int,
        hidden: int,
        latent: int,
        semantic_width: int,
        ratio: float,
        base_width: int = 0,
        n_sections: int = 0,
        fusion: str = "fsm",
    ) -> None:
        super().__init__()
        self.spatial_view = GraphConvolutionalNetwork(width_in, hidden, latent)
        self.feature_view = GraphConvolutionalNetwork(width_in, hidden, latent)
        self.modulation: Fusion | None = None
        if semantic_width:
            self.modulation = make_fusion(
                fusion,
                2 * latent,
                semantic_width,
                reduced=latent,
                ratio=ratio,
                silent=base_width > 0,
            )
        self.output = nn.Sequential(
            nn.Linear(2 * latent, hidden), nn.ReLU(), nn.Linear(hidden, latent)
        )
        self.base: nn.Linear | None = None
        if base_width:
            self.base = _identity(base_width, latent)
            nn.init.zeros_(self.output[-1].weight)  # type: ignore[arg-type]
            nn.init.zeros_(self.output[-1].bias)  # type: ignore[arg-type]
        self.decoder = ZinbDecoder(latent, hidden, n_genes, n_sections)

    def forward(
        self,
        features: Tensor | SparseOperator | tuple[Any, Any],
        spatial_adjacency: SparseOperator,
        feature_adjacency: SparseOperator,
        semantics: Tensor | None,
        base: Tensor | None = None,
    ) -> Encoded:
        """Return the latent and what led to it.

        Parameters
        ----------
        features
            Shared by both views, or a pair: already propagated over each graph.
        spatial_adjacency, feature_adjacency
            Normalised graphs of the two views, from the spots that have features to
            those that are encoded.
        semantics
            Standardised semantic embedding, or `None`.
        base
            The base description, for networks built with one.
        """
        propagated = isinstance(features, tuple)
        of_views = features if isinstance(features, tuple) else (features, features)
        spatial = self.spatial_view(
            of_views[0], spatial_adjacency, propagated=propagated
        )
        feature = self.feature_view(
            of_views[1], feature_adjacency, propagated=propagated
        )
        return self.combine(spatial, feature, semantics, base)

    def combine(
        self,
        spatial: Tensor,
        feature: Tensor,
        semantics: Tensor | None,
        base: Tensor | None = None,
    ) -> Encoded:
        """Return the latent of spots whose two views are known."""
        before = torch.cat([spatial, feature], dim=1)
        modulation = None
        after = before
        if self.modulation is not None and semantics is not None:
            after, modulation = self.modulation.fuse(before, semantics)
        latent = self.output(after)
        if self.base is not None:
            latent = latent + self.base(base)
        return Encoded(latent, spatial, feature, before, modulation)

    def losses(
        self,
        encoded: Encoded,
        target: ZinbTarget,
        pairs: SpatialPairs,
        dropout_prior: float,
        decoded: Tensor | None = None,
        sections: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the three loss terms, unweighted (SemST, equations 11 to 13).

        Parameters
        ----------
        dropout_prior
            Weight of the penalty on the dropout probability.
        decoded
            Indices of the spots that ``target`` holds; all where `None`.
        sections
            Section of each spot, for networks built with several.
        """
        latent = encoded.latent
        if decoded is not None:
            latent = latent[decoded]
            sections = None if sections is None else sections[decoded]
        return {
            "zinb": self.decoder.loss(latent, target, dropout_prior, sections),
            "spatial": spatial_loss(encoded.latent, pairs),
            "correlation": correlation_loss(encoded.spatial, encoded.feature),
        }

    def load_published(self, state: Mapping[str, Any]) -> None:
        """Load weights in the authors' layout, or raise `InputError`."""
        renamed = {_our_name(name): torch.as_tensor(v) for name, v in state.items()}
        ours = self.state_dict()
        wrong = sorted(
            {*ours, *renamed} - {n for n in ours if n in renamed}
            | {n for n in ours if n in renamed and ours[n].shape != renamed[n].shape}
        )
        if wrong:
            raise InputError(
                "Expected weights of a SemST network with these widths; these tensors "
                f"are missing, unknown or of another shape: {', '.join(wrong)}. Check "
                "hidden, latent, modulation_ratio and the number of genes."
            )
        self.load_state_dict(renamed)


def _identity(width_in: int, width_out: int) -> nn.Linear:
    """Return a linear layer that starts by passing its input on."""
    layer = nn.Linear(width_in, width_out)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(width_out, width_in))
        layer.bias.zero_()
    return layer


def _our_name(published: str) -> str:
    for theirs, ours in _PUBLISHED_NAMES:
        if published.startswith(theirs):
            return ours + published[len(theirs) :]
    return published
