"""The parts of a host, with the fusion of semantics at its latent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from napari_semst.nn.semantic_modulation import Fused


class HostNetwork(nn.Module):
    """The parts of a host, and the fusion of semantics at its latent.

    Parameters
    ----------
    parts
        By name; what the host built.
    fusion
        From `make_fusion`, or `None` without semantics.
    """

    def __init__(self, parts: Mapping[str, nn.Module], fusion: Any) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.fusion = fusion

    def __getitem__(self, name: str) -> Any:
        return self.parts[name]

    def fuse(
        self, latent: torch.Tensor, semantics: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the latent with semantics fused in; as it is where there is none."""
        return self.fused(latent, semantics)[0]

    def fused(
        self, latent: torch.Tensor, semantics: torch.Tensor | None
    ) -> Fused | tuple[torch.Tensor, None]:
        """Return the fused latent, and what was done to it."""
        if self.fusion is None or semantics is None:
            return latent, None
        made: Fused = self.fusion.fuse(latent, semantics)
        return made
