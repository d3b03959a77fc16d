"""SemST: gene semantics modulates two graph views, trained by ZINB reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_semst.methods.base import Fit, View
from napari_semst.methods.modulation import modulation_map
from napari_semst.methods.semst_inputs import from_components, from_expression
from napari_semst.methods.semst_problem import Problem
from napari_semst.methods.semst_sampled import SampledProblem
from napari_semst.prepare.components import principal_components_dense, smoothed
from napari_semst.progress import Progress
from napari_semst.training.loop import train

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.config import Config, TrainingConfig
    from napari_semst.device import DeviceChoice
    from napari_semst.methods.semst_inputs import Inputs
    from napari_semst.prepare.section import Section
    from napari_semst.progress import RunControl

# Up to this many spots a step reads the whole section; above, a sample of them.
WHOLE_SPOTS = 20_000
BATCH_SPOTS = 4096


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
    epochs are averaged. Large sections are learnt from samples of their spots. See
    docs/method.md for what differs and why.

    Raises
    ------
    Cancelled, TrainingError, DeviceError
        See `napari_semst.training.loop.train`.
    """
    place = device.torch()
    yield Progress("train", 0, config.training.epochs, "Building the network")
    published = config.model.start == "expression"
    describe = from_expression if published else from_components
    inputs = describe(section, semantics, config)
    control.check()
    try:
        with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
            torch.manual_seed(config.training.seed)
            problem, note = _problem(inputs, place)
        record = yield from train(problem, config.training, control)
        latent, encoded = yield from problem.finish(control)
        own = View(latent, smooth=False)
        if not published:
            # One more round evens out what single spots were corrected by.
            ordered = principal_components_dense(latent)
            own = View(smoothed(ordered, section.average, 1), smooth=False)
        notes = {**inputs.notes, "step": note}
        return Fit(latent, (*inputs.views, own), modulation_map(encoded), record, notes)
    finally:
        if place.type == "cuda":
            torch.cuda.empty_cache()


def _problem(
    inputs: Inputs, device: torch.device
) -> tuple[Problem | SampledProblem, str]:
    """Return what is trained, and in words what a step reads."""
    batch = batch_spots(inputs.config.training, inputs.n_spots)
    if not batch:
        return Problem(inputs, device), "all spots"
    problem = SampledProblem(inputs, device, batch)
    return problem, f"{batch:,} spots drawn anew, with all their neighbours"


def batch_spots(config: TrainingConfig, n_spots: int) -> int:
    """Return how many spots a step reads, 0 for all.

    Parameters
    ----------
    config
        ``batch_spots`` is read: -1 chooses by the size of the section.
    n_spots
        Size of the section.
    """
    if config.batch_spots >= 0:
        return config.batch_spots if config.batch_spots < n_spots else 0
    return BATCH_SPOTS if n_spots > WHOLE_SPOTS else 0
