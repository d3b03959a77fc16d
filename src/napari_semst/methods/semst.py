"""SemST: gene semantics modulates two graph views, trained by ZINB reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_semst.methods.base import Fit, View
from napari_semst.methods.modulation import modulation_map
from napari_semst.methods.semst_problem import from_components, from_expression
from napari_semst.prepare.components import principal_components_dense, smoothed
from napari_semst.progress import Progress
from napari_semst.training.loop import train

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.device import DeviceChoice
    from napari_semst.prepare.section import Section
    from napari_semst.progress import RunControl


def fit(
    section: Section,
    semantics: NDArray[np.float32] | None,
    config: Config,
    device: DeviceChoice,
    control: RunControl,
) -> Generator[Progress, None, Fit]:
    """Train SemST on a section.

    Source: SemST (AAAI 2026). With ``model.start = "expression"`` as coded by its
    authors, the latent of the last epoch; with ``"components"`` the same network
    learns a correction to smoothed principal components, and the latents of the last
    epochs are averaged. See docs/method.md for what differs and why.

    Raises
    ------
    Cancelled, TrainingError, DeviceError
        See `napari_semst.training.loop.train`.
    """
    place = device.torch()
    yield Progress("train", 0, config.training.epochs, "Building the network")
    published = config.model.start == "expression"
    build = from_expression if published else from_components
    try:
        with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
            torch.manual_seed(config.training.seed)
            problem = build(section, semantics, config, place)
        record = yield from train(problem, config.training, control)
        control.check()
        latent, encoded = problem.finish()
        own = View(latent, smooth=False)
        if not published:
            # One more round evens out what single spots were corrected by.
            ordered = principal_components_dense(latent)
            own = View(smoothed(ordered, section.average, 1), smooth=False)
        views = (*problem.base_views, own)
        return Fit(latent, views, modulation_map(encoded), record, problem.notes)
    finally:
        if place.type == "cuda":
            torch.cuda.empty_cache()
