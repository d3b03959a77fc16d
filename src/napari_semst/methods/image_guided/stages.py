"""Optional stages: encoders aligned before training, domains sharpened after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Pairs that are told apart in a step of contrastive learning: not all by all.
PAIRS = 512
_PROJECTED = 64
_TEMPERATURE = 0.1


class Alignment(nn.Module):
    """Contrastive learning: a spot's expression is to find its own image, and back.

    Source: noise-contrastive estimation with both directions averaged (Oord et al.
    2018, equation 4; Radford et al. 2021).

    Parameters
    ----------
    hidden
        Width of both encodings.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gene = nn.Linear(hidden, _PROJECTED)
        self.image = nn.Linear(hidden, _PROJECTED)

    def forward(self, gene: Tensor, image: Tensor) -> Tensor:
        """Return the loss of spots that are each other's wrong answers.

        Parameters
        ----------
        gene, image
            Encodings of the same spots, each ``(n_spots, hidden)``.
        """
        left = nn.functional.normalize(self.gene(gene), dim=1)
        right = nn.functional.normalize(self.image(image), dim=1)
        logits = left @ right.T / _TEMPERATURE
        own = torch.arange(len(logits), device=logits.device)
        there = nn.functional.cross_entropy(logits, own)
        back = nn.functional.cross_entropy(logits.T, own)
        return 0.5 * (there + back)


class Clustering(nn.Module):
    """Deep embedded clustering: spots are drawn to the centres that they are near.

    Source: Xie, Girshick and Farhadi 2016, equations 1 to 3.

    Parameters
    ----------
    centres
        Where the centres start, ``(n_domains, latent)``.
    """

    def __init__(self, centres: NDArray[np.float32]) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.as_tensor(centres))

    def forward(self, latent: Tensor) -> Tensor:
        """Return KL(target || assignment), averaged over spots, of ``(n, latent)``."""
        assigned = self.assignments(latent)
        wanted = target_of(assigned).detach()
        ratio = torch.log(wanted.clamp(min=1e-12)) - torch.log(assigned)
        return (wanted * ratio).sum(dim=1).mean()

    def assignments(self, latent: Tensor) -> Tensor:
        """Return each spot's share in each centre, ``(n_spots, n_domains)``."""
        # Squares without a third axis of spots by centres by dimensions.
        square = (
            latent.square().sum(dim=1, keepdim=True)
            - 2 * latent @ self.centres.T
            + self.centres.square().sum(dim=1)
        ).clamp(min=0)
        kernel = 1 / (1 + square)
        return kernel / kernel.sum(dim=1, keepdim=True)


def target_of(assigned: Tensor) -> Tensor:
    """Return sharper assignments, with large domains held back, of the same shape."""
    raised = assigned.square() / assigned.sum(dim=0)
    return raised / raised.sum(dim=1, keepdim=True)
