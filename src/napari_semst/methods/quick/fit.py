"""Components of expression, averaged over neighbours, as the latent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_semst.core.progress import Progress
from napari_semst.methods.base import Fit, View
from napari_semst.prepare.components import ExpressionAxes, smooth_over_neighbours

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.core.device import DeviceChoice
    from napari_semst.core.progress import RunControl
    from napari_semst.prepare.section import Section

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
    components = section.components(config.training.seed)
    control.check()
    fit = _fit(section, components.root, components.logged, components.axes.arrays())
    return replace(fit, notes=components.notes())


def transfer(
    section: Section,
    semantics: NDArray[np.float32] | None,
    parameters: Mapping[str, NDArray[Any]],
    config: Config,
    device: DeviceChoice,
    control: RunControl,
) -> Generator[Progress, None, Fit]:
    """Return another section's components on the axes of the one learnt from."""
    yield Progress("train", 0, 1, "Principal components of the model")
    root, logged = ExpressionAxes.of_arrays(parameters).scores(section.counts)
    control.check()
    return _fit(section, root, logged)


def _fit(
    section: Section,
    root: NDArray[np.float32],
    logged: NDArray[np.float32],
    parameters: Mapping[str, NDArray[Any]] | None = None,
) -> Fit:
    latent = smooth_over_neighbours(
        root[:, :_LATENT], section.average, section.smoothing_rounds
    )
    views = (View(root, smooth=True), View(logged, smooth=True))
    return Fit(latent, views, parameters=parameters)
