"""Cluster centres that are learnt together with a latent."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StudentClusters(nn.Module):
    """Deep embedded clustering: spots are drawn to the centres they are sure of.

    Source: Xie, Girshick and Farhadi 2016: ``q`` is a Student kernel of the distance to
    each centre, ``p`` its square over the centre's total, the loss KL(p || q). The
    target ``p`` is taken anew in every step and has no gradient. Centres begin as
    k-means of the first latent that is seen.

    Parameters
    ----------
    n_clusters, width
        Of the centres, ``(n_clusters, width)``.
    """

    begun: Tensor

    def __init__(self, n_clusters: int, width: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(n_clusters, width))
        self.register_buffer("begun", torch.zeros(1))

    def shares(self, latent: Tensor) -> Tensor:
        """Return the share of each cluster in a spot, ``(n_spots, n_clusters)``."""
        kernel = 1 / (1 + torch.cdist(latent, self.centres).square())
        shares: Tensor = kernel / kernel.sum(1, keepdim=True)
        return shares

    def loss(self, latent: Tensor, seed: int) -> Tensor:
        """Return KL(p || q) in the mean of spots; the first call places centres."""
        if not self.begun.item():
            self._begin(latent.detach(), seed)
        shares = self.shares(latent)
        target = (shares.square() / shares.sum(0)).detach()
        target = target / target.sum(1, keepdim=True)
        loss: Tensor = (target * (target.log() - shares.log())).sum(1).mean()
        return loss

    def _begin(self, latent: Tensor, seed: int) -> None:
        from sklearn.cluster import KMeans

        n_clusters = len(self.centres)
        values = latent.float().cpu().numpy()
        means = KMeans(min(n_clusters, len(values)), n_init=5, random_state=seed)
        found = torch.as_tensor(means.fit(values).cluster_centers_)
        with torch.no_grad():
            self.centres[: len(found)] = found.to(self.centres)
            self.begun.fill_(1)
