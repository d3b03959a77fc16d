"""What a method is given and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from napari_semst.training.record import TrainingRecord

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.core.device import DeviceChoice
    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.methods.image_guided.discordance_result import Discordance
    from napari_semst.prepare.section import Section


@dataclass(frozen=True)
class ModulationMap:
    """What semantics did to every spot.

    Parameters
    ----------
    scale, shift
        Alpha and beta, each ``(n_spots, width)``.
    strength
        Root mean square of ``(alpha - mean alpha) * Z + (beta - mean beta)`` of a spot
        over that of all features Z of the section, shape ``(n_spots,)``; means are
        over spots.
    scale_strength
        Root mean square of a spot's ``alpha - mean alpha``.
    shift_strength
        Root mean square of a spot's ``beta - mean beta`` over that of all features.
    before
        Features Z that were modulated, ``(n_spots, width)``; `None` where they were not
        kept.
    """

    scale: NDArray[np.float32]
    shift: NDArray[np.float32]
    strength: NDArray[np.float32]
    scale_strength: NDArray[np.float32]
    shift_strength: NDArray[np.float32]
    before: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One description of the spots that the consensus reads.

    Parameters
    ----------
    values
        Shape ``(n_spots, width)``, columns by falling importance.
    smooth
        Whether it is still to be averaged over spatial neighbours.
    """

    values: NDArray[np.float32]
    smooth: bool


@dataclass(frozen=True)
class Fit:
    """What a method learnt.

    Parameters
    ----------
    latent
        What was learnt of each spot, shape ``(n_spots, width)``.
    views
        Descriptions of the spots that a consensus is to agree on.
    replicates
        Latents of further networks and checkpoints, each in a frame of its own: what
        is read of one latent is read of each, and averaged.
    modulation
        `None` where no semantics took part.
    record
        Loss curves.
    notes
        Facts for the provenance.
    parameters
        Named arrays by which the method's `Transfer` makes the same views of another
        section; `None` where there is none.
    discordance
        Of methods that compare expression with the image.
    """

    latent: NDArray[np.float32]
    views: tuple[View, ...]
    replicates: tuple[NDArray[np.float32], ...] = ()
    modulation: ModulationMap | None = None
    record: TrainingRecord = field(default_factory=TrainingRecord)
    notes: dict[str, object] = field(default_factory=dict)
    parameters: Mapping[str, NDArray[Any]] | None = None
    discordance: Discordance | None = None


class Method(Protocol):
    """A way from a prepared section to a latent."""

    def __call__(
        self,
        section: Section,
        semantics: NDArray[np.float32] | None,
        config: Config,
        device: DeviceChoice,
        control: RunControl,
    ) -> Generator[Progress, None, Fit]:
        """Learn the latent of a section.

        Parameters
        ----------
        section
            Counts and spatial neighbours.
        semantics
            Standardised semantic embedding, ``(n_spots, width)``, or `None`.
        config
            All settings.
        device
            Where to compute.
        control
            Cancel and early stop.
        """
        ...


class Transfer(Protocol):
    """A way from another section to the views that a method's consensus reads."""

    def __call__(
        self,
        section: Section,
        semantics: NDArray[np.float32] | None,
        parameters: Mapping[str, NDArray[Any]],
        config: Config,
        device: DeviceChoice,
        control: RunControl,
    ) -> Generator[Progress, None, Fit]:
        """Describe a section by what was learnt from another; nothing is trained.

        Parameters
        ----------
        section
            Counts of the genes that were learnt from, in their order.
        semantics
            Embedding, standardised as the one that was learnt from, or `None`.
        parameters
            What the fit to the other section returned.
        config, device, control
            As for a `Method`.
        """
        ...
