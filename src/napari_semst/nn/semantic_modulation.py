"""Fine-grained semantic modulation: semantics scale and shift spatial features."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class Modulation(NamedTuple):
    """What semantics does to every feature of every spot.

    Parameters
    ----------
    scale
        Alpha, shape ``(n_spots, width)``; 0 leaves the feature as it is.
    shift
        Beta, same shape; 0 leaves the feature as it is.
    """

    scale: Tensor
    shift: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Return ``(1 + alpha) * Z + beta`` (SemST, equation 8)."""
        return (1 + self.scale) * features + self.shift


class Fused(NamedTuple):
    """Features after semantics was fused into them.

    Parameters
    ----------
    features
        Shape ``(n_spots, width)``.
    modulation
        What was done; of fusions other than FSM, what was added to the features is
        the shift, and the scale is 0.
    """

    features: Tensor
    modulation: Modulation


class FSM(nn.Module):
    """Scale and shift the features of every spot by its semantic embedding.

    Source: SemST, equations 6 to 8: an MLP ``s -> s/2 -> h`` and another ``h ->
    ratio * h -> 2 d``, whose output is alpha and beta, ``Z' = (1 + alpha) Z + beta``.

    Parameters
    ----------
    latent_dim
        Width d of the features that are modulated.
    semantic_dim
        Width s of the semantic embedding.
    reduced
        Width h that the embedding is reduced to; ``latent_dim`` where `None`.
    ratio
        Width of the hidden layer over ``reduced``.
    silent
        Start with alpha = beta = 0, so that the first epoch is exactly the network
        without semantics.

    Shapes
    ------
    features ``(n_spots, latent_dim)``, semantics ``(n_spots, semantic_dim)``; output
    ``(n_spots, latent_dim)``.

    Examples
    --------
    >>> import torch
    >>> from napari_semst import FSM
    >>> fsm = FSM(latent_dim=4, semantic_dim=8)
    >>> latent, semantics = torch.randn(5, 4), torch.randn(5, 8)
    >>> torch.equal(fsm(latent, semantics), latent)
    True
    >>> alpha, beta = fsm.modulation(semantics)
    """

    def __init__(
        self,
        latent_dim: int,
        semantic_dim: int,
        *,
        reduced: int | None = None,
        ratio: float = 1.2,
        silent: bool = True,
    ) -> None:
        super().__init__()
        width = latent_dim if reduced is None else reduced
        middle = max(semantic_dim // 2, 1)
        hidden = max(int(ratio * width), 1)
        self.head = nn.Sequential(
            nn.Linear(semantic_dim, middle), nn.ReLU(), nn.Linear(middle, width)
        )
        self.factors = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent_dim)
        )
        if silent:
            last = self.factors[-1]
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def modulation(self, semantics: Tensor) -> Modulation:
        """Return alpha and beta of every spot, each ``(n_spots, latent_dim)``."""
        scale, shift = self.factors(self.head(semantics)).chunk(2, dim=1)
        return Modulation(scale, shift)

    def forward(self, features: Tensor, semantics: Tensor) -> Tensor:
        """Return the modulated features."""
        return self.modulation(semantics)(features)

    def fuse(self, features: Tensor, semantics: Tensor) -> Fused:
        """Return the modulated features, and alpha and beta."""
        made = self.modulation(semantics)
        return Fused(made(features), made)
