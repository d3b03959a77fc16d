"""SemST: gene semantics modulates two graph views, trained by ZINB reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_semst.errors import ShareDone
from napari_semst.methods.base import Fit, View
from napari_semst.methods.modulation import modulation_map
from napari_semst.methods.semst_inputs import from_components, from_expression
from napari_semst.methods.semst_problem import Problem
from napari_semst.methods.semst_sampled import SampledProblem
from napari_semst.prepare.components import dense_axes, rotated, smoothed
from napari_semst.progress import Progress, working
from napari_semst.threads import threads_limited
from napari_semst.training.group import current_group
from napari_semst.training.loop import TrainingRecord, train

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from numpy.typing import NDArray

    from napari_semst.config import Config, TrainingConfig
    from napari_semst.device import DeviceChoice
    from napari_semst.methods.semst_inputs import Inputs
    from napari_semst.prepare.section import Section
    from napari_semst.progress import RunControl

# Up to this many spots a step reads the whole section; above, a sample of them.
WHOLE_SPOTS = 20_000
BATCH_SPOTS = 4096
# Among the arrays that are learnt, weights of the network begin so; those of the
# decoder are not kept, for nothing is reconstructed of other sections.
NETWORK = "network."
DECODER = "decoder."


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
    if section.n_spots <= WHOLE_SPOTS:
        inputs = describe(section, semantics, config)
    else:
        inputs = yield from working(
            "train",
            "Components, and neighbours by expression",
            lambda _: describe(section, semantics, config),
            control,
        )
    control.check()
    try:
        problem, record, note = yield from _trained(inputs, place, control)
        if current_group().rank:
            raise ShareDone("This process did its share of the training.")
        latent, encoded = yield from problem.finish(control)
    finally:
        if place.type == "cuda":
            torch.cuda.empty_cache()
    notes = {**inputs.notes, "step": note, "zinb": problem.engine.reason}
    moved = modulation_map(encoded)
    if published:
        views = (*inputs.views, View(latent, smooth=False))
        return Fit(latent, views, moved, record, notes)
    axes = dense_axes(latent)
    views = (*inputs.views, own_view(latent, axes, section))
    learnt = _learnt(inputs, axes, problem.lasting)
    return Fit(latent, views, moved, record, notes, learnt)


def own_view(
    latent: NDArray[np.float32],
    axes: tuple[NDArray[np.float64], NDArray[np.float64]],
    section: Section,
) -> View:
    """Return what was learnt of the spots as the consensus reads it.

    Parameters
    ----------
    latent
        Shape ``(n_spots, width)``.
    axes
        Mean and principal axes of the latent of the section that was learnt from.
    section
        Gives the operator that averages neighbours.
    """
    ordered = rotated(latent, *axes)
    # One more round evens out what single spots were corrected by.
    return View(smoothed(ordered, section.average, 1), smooth=False)


def _learnt(
    inputs: Inputs,
    axes: tuple[NDArray[np.float64], NDArray[np.float64]],
    weights: dict[str, torch.Tensor],
) -> dict[str, NDArray[Any]]:
    """Return what describes other sections, as arrays by name."""
    scale = inputs.scale
    assert scale is not None, "components come with their scale"
    encoder = {
        f"{NETWORK}{name}": weight.detach().float().cpu().numpy().copy()
        for name, weight in weights.items()
        if not name.startswith(DECODER)
    }
    return {
        **scale.axes.arrays(),
        "sizes": np.array([scale.propagated, scale.base]),
        "latent.mean": axes[0],
        "latent.axes": axes[1],
        **encoder,
    }


def _trained(
    inputs: Inputs, place: torch.device, control: RunControl
) -> Generator[Progress, None, tuple[Problem | SampledProblem, TrainingRecord, str]]:
    """Train, with smaller steps where the GPU's memory ends, and say so."""
    config, group = inputs.config.training, current_group()
    group.check_same(inputs.fingerprint(), place)
    sizes = _step_sizes(config, inputs.n_spots, group.size)
    for attempt, (batch, n_parts) in enumerate(sizes):
        problem: Problem | SampledProblem | None = None
        try:
            with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
                torch.manual_seed(config.seed)
                problem = _problem(inputs, place, batch, n_parts)
            # A sample's products are too short to be shared out among cores.
            with threads_limited(1 if batch else None):
                record = yield from train(problem, config, control)
            return problem, record, _in_words(batch, n_parts, smaller=attempt > 0)
        except torch.OutOfMemoryError:
            # Other processes would go on with the larger step, and wait for ever.
            if attempt == len(sizes) - 1 or group.size > 1:
                raise
        # Its memory is to be free before the next attempt.
        del problem
        torch.cuda.empty_cache()
    raise AssertionError("the last attempt returns or raises")


def _step_sizes(
    config: TrainingConfig, n_spots: int, n_processes: int
) -> list[tuple[int, int]]:
    """Return spots and parts of a step, wanted first, then ever smaller ones.

    Parts are computed one after the other, so that twice as many need half the memory.
    """
    parts = max(config.batch_parts, n_processes)
    batch = batch_spots(config, n_spots)
    wanted = [] if batch else [(0, 1)]
    return [*wanted, *((batch or BATCH_SPOTS, parts * 2**n) for n in range(4))]


def _problem(
    inputs: Inputs, device: torch.device, batch: int, n_parts: int
) -> Problem | SampledProblem:
    if not batch:
        return Problem(inputs, device)
    return SampledProblem(inputs, device, batch, n_parts)


def _in_words(batch: int, n_parts: int, *, smaller: bool) -> str:
    """Return what a step reads."""
    if not batch:
        return "all spots"
    text = f"{batch:,} spots drawn anew in {n_parts} parts, with all their neighbours"
    why = "; larger steps did not fit into the GPU's memory"
    return text + why if smaller else text


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
