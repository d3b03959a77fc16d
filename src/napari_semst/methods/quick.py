"""The quick look: smoothed principal components, no training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.methods.base import Fit, View
from napari_semst.prepare.components import smoothed
from napari_semst.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.device import DeviceChoice
    from napari_semst.prepare.section import Section
    from napari_semst.progress import RunControl

_LATENT = 15


def fit(
    section: Section,
    semantics: NDArray[np.float32] | None,
    config: Config,
    device: DeviceChoice,
    control: RunControl,
) -> Generator[Progress, None, Fit]:
    """Return principal components averaged over spatial neighbours as the latent.

    Semantics is not used: what is clustered is expression and space alone.
    """
    yield Progress("train", 0, 1, "Principal components")
    root, logged = section.components(config.training.seed)
    control.check()
    latent = smoothed(root[:, :_LATENT], section.average, section.smoothing_rounds)
    return Fit(latent, (View(root, smooth=True), View(logged, smooth=True)))
