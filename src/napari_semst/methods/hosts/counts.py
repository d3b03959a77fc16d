"""Counts that a host reconstructs, laid out for the loss when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.nn.zinb.decoder import ZinbTarget

if TYPE_CHECKING:
    import torch
    from scipy import sparse


class CountsTarget:
    """Counts of a section or sample, laid out for the loss when they are asked for.

    Parameters
    ----------
    counts
        Non-negative values, ``(n_spots, n_genes)``.
    """

    def __init__(self, counts: sparse.csr_matrix, device: torch.device) -> None:
        self.counts, self.device = counts, device
        self._whole: ZinbTarget | None = None

    def whole(self) -> ZinbTarget:
        """Return all spots; laid out once."""
        if self._whole is None:
            self._whole = ZinbTarget(self.counts, self.device)
        return self._whole

    def some(self, spots: torch.Tensor) -> ZinbTarget:
        """Return some spots."""
        return ZinbTarget(self.counts[spots.cpu().numpy()], self.device)
