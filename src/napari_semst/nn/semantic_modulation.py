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


class SemanticModulation(nn.Module):
    """Learn alpha and beta of every spot from its semantic embedding.

    Source: SemST, equations 6 to 8.

    Parameters
    ----------
    semantic_width
        Width of the semantic embedding.
    latent
        Width that the head reduces it to.
    width
        Width of the features that are modulated.
    ratio
        Width of the hidden layer over ``latent``.
    silent
        Start with alpha = beta = 0, so that the first epoch is exactly the network
        without semantics.

    Shapes
    ------
    input ``(n_spots, semantic_width)``; output twice ``(n_spots, width)``.
    """

    def __init__(
        self,
        semantic_width: int,
        latent: int,
        width: int,
        ratio: float,
        *,
        silent: bool = False,
    ) -> None:
        super().__init__()
        middle = max(semantic_width // 2, 1)
        hidden = max(int(ratio * latent), 1)
        self.head = nn.Sequential(
            nn.Linear(semantic_width, middle), nn.ReLU(), nn.Linear(middle, latent)
        )
        self.factors = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, 2 * width)
        )
        if silent:
            last = self.factors[-1]
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, semantics: Tensor) -> Modulation:
        """Return the modulation of every spot."""
        scale, shift = self.factors(self.head(semantics)).chunk(2, dim=1)
        return Modulation(scale, shift)
