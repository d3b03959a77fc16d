"""The image-guided graph VAE: image and graph give the prior, expression the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from napari_semst.nn.graph_attention import GraphAttention
from napari_semst.nn.zinb.decoder import ZinbDecoder

if TYPE_CHECKING:
    from napari_semst.config import ImageGuidedConfig
    from napari_semst.nn.graph_attention import AttentionGraph
    from napari_semst.nn.sparse import SparseOperator
    from napari_semst.nn.zinb.decoder import ZinbTarget

# Variances between e^-8 and e^4: wider than any that is learnt, and finite.
LOG_VARIANCE = (-8.0, 4.0)
# Logit of dropout at the start, and the size of the decoder's weights.
_RARELY, _QUIET = -3.0, 0.1


class Normal(NamedTuple):
    """Independent normal distributions: means and logs of variances, one shape."""

    mean: Tensor
    log_variance: Tensor

    def sample(self) -> Tensor:
        """Return one draw through which gradients flow."""
        noise = torch.randn_like(self.mean)
        return self.mean + noise * torch.exp(0.5 * self.log_variance)


def divergence(posterior: Normal, prior: Normal) -> Tensor:
    """Return KL(posterior || prior) of each spot and dimension, in nats.

    Source: image-guided graph VAE, conditional KL divergence.

    Shapes
    ------
    all ``(n_spots, latent)``.
    """
    apart = (posterior.mean - prior.mean).square()
    ratio = (posterior.log_variance.exp() + apart) / prior.log_variance.exp()
    return 0.5 * (ratio + prior.log_variance - posterior.log_variance - 1)


def encoder(width_in: int, hidden: int, dropout: float) -> nn.Sequential:
    """Return two linear layers, each with batch normalisation and ReLU."""
    return nn.Sequential(nn.Linear(width_in, hidden), *_rest(hidden, dropout))


def _rest(hidden: int, dropout: float) -> tuple[nn.Module, ...]:
    return (
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
    )


class SparseEncoder(nn.Module):
    """The encoder of expression, whose first layer reads a sparse matrix.

    Parameters
    ----------
    width_in, hidden, dropout
        Genes, width, and share of hidden values dropped.
    """

    def __init__(self, width_in: int, hidden: int, dropout: float) -> None:
        super().__init__()
        first = nn.Linear(width_in, hidden)
        self.weight, self.bias = nn.Parameter(first.weight.T.detach()), first.bias
        self.rest = nn.Sequential(*_rest(hidden, dropout))

    def forward(self, expression: SparseOperator | Tensor) -> Tensor:
        """Return what is made of ``(n_spots, n_genes)``, ``(n_spots, hidden)``."""
        encoded: Tensor = self.rest(expression @ self.weight + self.bias)
        return encoded


class Head(nn.Module):
    """Attention over the graph, ELU, and the two heads of a normal distribution.

    Beside what its neighbours say each spot is heard on its own: attention alone can
    hardly tell a spot from those around it, and would blur the borders of regions.

    Parameters
    ----------
    width_in, hidden, latent, heads
        Widths, and heads of attention.
    """

    def __init__(self, width_in: int, hidden: int, latent: int, heads: int) -> None:
        super().__init__()
        self.attention = GraphAttention(width_in, hidden, heads)
        self.own = nn.Linear(width_in, hidden, bias=False)
        self.mean = nn.Linear(hidden, latent)
        self.log_variance = nn.Linear(hidden, latent)

    def forward(self, features: Tensor, graph: AttentionGraph) -> Normal:
        """Return the distribution of each target of the graph."""
        own = self.own(features.index_select(0, graph.own))
        hidden = nn.functional.elu(self.attention(features, graph) + own)
        return Normal(self.mean(hidden), self.log_variance(hidden).clamp(*LOG_VARIANCE))


class Prior(nn.Module):
    """p(z | image, graph): it never sees expression.

    Parameters
    ----------
    n_features
        Features of the image.
    config
        Widths.
    """

    def __init__(self, n_features: int, config: ImageGuidedConfig) -> None:
        super().__init__()
        hidden, dropout = config.hidden_dim, config.dropout
        self.image = encoder(n_features, hidden, dropout)
        self.head = Head(hidden, hidden, config.latent_dim, config.num_heads)

    def forward(self, image: Tensor, graph: AttentionGraph) -> Normal:
        """Return the prior of each target of the graph."""
        prior: Normal = self.head(self.image(image), graph)
        return prior


class ImageGuidedNetwork(nn.Module):
    """Prior, posterior and decoder.

    Parameters
    ----------
    width_in, n_genes, n_features
        Width of what is read of expression, genes that are reconstructed, features of
        the image; 0 features for expression alone, whose prior is a standard normal.
    config
        Widths, and whether prior and posterior share the image encoder.
    n_sections
        Sections that the reconstruction tells apart, or 0 for one.
    """

    def __init__(
        self,
        width_in: int,
        n_genes: int,
        n_features: int,
        config: ImageGuidedConfig,
        n_sections: int,
    ) -> None:
        super().__init__()
        hidden, dropout = config.hidden_dim, config.dropout
        self.gene = SparseEncoder(width_in, hidden, dropout)
        self.prior: Prior | None = None
        self.image: nn.Sequential | None = None
        width = hidden
        if n_features:
            self.prior = Prior(n_features, config)
            shared = config.shared_image_encoder
            if config.posterior_reads_image:
                self.image = (
                    self.prior.image if shared else encoder(n_features, hidden, dropout)
                )
                width = 2 * hidden
        self.posterior = Head(width, hidden, config.latent_dim, config.num_heads)
        self.decoder = CountDecoder(config.latent_dim, hidden, n_genes, n_sections)

    def forward(
        self,
        expression: SparseOperator | Tensor,
        image: Tensor | None,
        graph: AttentionGraph,
    ) -> tuple[Normal, Normal]:
        """Return posterior and prior of each target of the graph."""
        posterior = self.posterior_of(expression, image, graph)
        if self.prior is None or image is None:
            nothing = torch.zeros_like(posterior.mean)
            return posterior, Normal(nothing, nothing)
        return posterior, self.prior(image, graph)

    def posterior_of(
        self,
        expression: SparseOperator | Tensor,
        image: Tensor | None,
        graph: AttentionGraph,
    ) -> Normal:
        """Return the posterior of each target of the graph."""
        encoded = self.gene(expression)
        if self.image is not None:
            encoded = torch.cat([encoded, self.image(image)], dim=1)
        posterior: Normal = self.posterior(encoded, graph)
        return posterior


class CountDecoder(ZinbDecoder):
    """Decode the latent into the ZINB of raw counts.

    The body is a multilayer perceptron of two layers. A spot's library factor, its
    total over the mean total, multiplies the mean of each gene.
    """

    def __init__(self, latent: int, hidden: int, n_genes: int, n_sections: int) -> None:
        super().__init__(latent, hidden, n_genes, n_sections)
        self.second = nn.Sequential(
            nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.ReLU()
        )

    @torch.no_grad()
    def start_at(self, mean: Tensor, dispersion: Tensor) -> None:
        """Let every gene start at its own mean and dispersion, rarely dropped.

        Adam moves a bias by a step a time: from 0 it would spend the whole training
        on the way to the mean of a rare gene, and the latent would learn nothing.
        """
        self.mu.bias.copy_(mean.log())
        self.theta.bias.copy_(dispersion.expm1().log())
        self.pi.bias.fill_(_RARELY)
        for head in (self.mu, self.theta, self.pi):
            head.weight.mul_(_QUIET)

    def _hidden(self, latent: Tensor, sections: Tensor | None) -> Tensor:
        hidden: Tensor = self.second(super()._hidden(latent, sections))
        return hidden

    def count_loss(
        self,
        latent: Tensor,
        target: ZinbTarget,
        library: Tensor,
        sections: Tensor | None = None,
    ) -> Tensor:
        """Return the negative log-likelihood, summed over genes, averaged over spots.

        Parameters
        ----------
        latent
            Shape ``(n_spots, latent)``.
        target
            Raw counts.
        library
            Logs of the library factors, ``(n_spots,)``.
        sections
            Of the spots, where there are several.
        """
        per_entry = self.loss(latent, target, 0.0, sections, library)
        return per_entry * target.shape[1]
