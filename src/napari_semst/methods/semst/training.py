"""Networks trained on one section's inputs: one, or an ensemble of several."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.core.process_group import current_group
from napari_semst.core.progress import passed_on
from napari_semst.core.threads import threads_limited
from napari_semst.errors import ShareDone
from napari_semst.methods.modulation import modulation_map
from napari_semst.methods.semst.full_batch import FullBatchObjective
from napari_semst.methods.semst.minibatch import MinibatchObjective
from napari_semst.training.batching import (
    BATCH_SPOTS,
    StepSize,
    batch_spots,
    train_within_memory,
)
from napari_semst.training.loop import train

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch
    from numpy.typing import NDArray

    from napari_semst.config import TrainingConfig
    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.methods.base import ModulationMap
    from napari_semst.methods.semst.inputs import Inputs
    from napari_semst.training.record import TrainingRecord


class Member(NamedTuple):
    """One trained network of an ensemble.

    Parameters
    ----------
    latent
        Shape ``(n_spots, width)``, averaged over the last epochs where asked for.
    checkpoints
        Latents at late epochs before the last.
    moved
        What semantics did, or `None` without semantics.
    record
        Loss curves.
    weights
        What encodes other sections.
    notes
        How it was computed.
    """

    latent: NDArray[np.float32]
    checkpoints: tuple[NDArray[np.float32], ...]
    moved: ModulationMap | None
    record: TrainingRecord
    weights: dict[str, torch.Tensor]
    notes: dict[str, object]


def train_members(
    inputs: Inputs, place: torch.device, control: RunControl
) -> Generator[Progress, None, list[Member]]:
    """Train ``training.ensemble`` networks on the same inputs, one after the other.

    Graphs and propagated features are shared. The first network has the run's own
    seed, so that an ensemble of one is a plain run. After an early stop no further
    network begins.

    Raises
    ------
    ShareDone
        On processes of a group other than the first, after their share.
    Cancelled, TrainingError, DeviceError
        See `napari_semst.training.loop.train`.
    """
    config = inputs.config
    members: list[Member | None] = []
    wanted = config.training.ensemble
    for number in range(wanted):
        if members and control.stopping:
            break
        seed = member_seed(config.training.seed, number)
        own = replace(config, training=replace(config.training, seed=seed))
        steps = _member(replace(inputs, config=own), place, control)
        members.append((yield from _counted(steps, number, wanted)))
    if current_group().rank:
        raise ShareDone("This process did its share of the training.")
    return [member for member in members if member is not None]


def member_seed(seed: int, number: int) -> int:
    """Return the seed of an ensemble's network: the run's own for the first."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _counted(
    steps: Generator[Progress, None, Member | None], number: int, wanted: int
) -> Generator[Progress, None, Member | None]:
    """Pass events on as those of one training that is as long as all together."""
    if wanted == 1:
        return steps
    return passed_on(
        steps,
        lambda event: replace(
            event,
            step=event.step + number * event.steps,
            steps=event.steps * wanted,
            message=event.message or f"Network {number + 1} of {wanted}",
        ),
    )


def _member(
    inputs: Inputs, place: torch.device, control: RunControl
) -> Generator[Progress, None, Member | None]:
    """Train one network; what it makes of all spots is for the first process alone."""
    problem, record, step = yield from _trained(inputs, place, control)
    if current_group().rank:
        return None
    latent, encoded = yield from problem.encode_all(control)
    return Member(
        latent,
        tuple(problem.checkpoints),
        modulation_map(encoded),
        record,
        problem.averaged_weights,
        {"step": step, "zinb": problem.engine.reason},
    )


def _trained(
    inputs: Inputs, device: torch.device, control: RunControl
) -> Generator[
    Progress, None, tuple[FullBatchObjective | MinibatchObjective, TrainingRecord, str]
]:
    """Train, with smaller steps where the GPU's memory ends, and say so."""
    config, group = inputs.config.training, current_group()
    group.check_same(inputs.fingerprint(), device)
    sizes = _step_sizes(config, inputs.n_spots, group.size)
    if group.size > 1:
        # Other processes would go on with the larger step, and wait for ever.
        sizes = sizes[:1]

    def build(size: StepSize) -> FullBatchObjective | MinibatchObjective:
        if not size.n_spots:
            return FullBatchObjective(inputs, device)
        return MinibatchObjective(inputs, device, size.n_spots, size.n_parts or 1)

    def train_one(
        objective: FullBatchObjective | MinibatchObjective, size: StepSize
    ) -> Generator[Progress, None, TrainingRecord]:
        # A sample's products are too short to be shared out among cores.
        with threads_limited(1 if size.n_spots else None):
            name = f"network-{config.seed}-{size.n_spots}-{size.n_parts}"
            return (yield from train(objective, config, control, name))

    return (
        yield from train_within_memory(sizes, build, train_one, config.seed, device)
    )


def _step_sizes(
    config: TrainingConfig, n_spots: int, n_processes: int
) -> list[StepSize]:
    """Return what a step reads, wanted first, then ever smaller ones.

    Parts are computed one after the other, so that twice as many need half the memory.
    """
    parts = max(config.batch_parts, n_processes)
    batch = batch_spots(config, n_spots)
    wanted = [] if batch else [StepSize(0, 1)]
    smaller = (StepSize(batch or BATCH_SPOTS, parts * 2**n) for n in range(4))
    return [*wanted, *smaller]
