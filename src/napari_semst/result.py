"""What a run returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class DomainResult:
    """The spatial domains of a section and what led to them.

    Parameters
    ----------
    codes
        Domain of each spot, ``0 .. n_domains - 1``, largest first.
    names
        Names of the domains.
    latent
        What was clustered, shape ``(n_spots, width)``.
    modulation, modulation_scale, modulation_shift
        How strongly semantics moved each spot apart from all others: the root mean
        square of the change of its features, of its alpha, and of its beta (see
        `napari_semst.methods.base.ModulationMap`); `None` without semantics.
    scale, shift
        Alpha and beta themselves, each ``(n_spots, width)``, or `None`.
    confidence
        How sure the label of a spot is, 0 to 1, or `None` where a run cannot tell.
    coverage
        Share of each spot's listed genes that the semantic source knows, or `None`.
    provenance
        Plain values: settings, seed, versions, device and why, losses, input hash,
        seconds per stage, warnings.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]
    latent: NDArray[np.float32]
    modulation: NDArray[np.float32] | None = None
    modulation_scale: NDArray[np.float32] | None = None
    modulation_shift: NDArray[np.float32] | None = None
    scale: NDArray[np.float32] | None = None
    shift: NDArray[np.float32] | None = None
    confidence: NDArray[np.float32] | None = None
    coverage: NDArray[np.float32] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """Sentences that users should read."""
        return list(self.provenance.get("warnings", ()))
