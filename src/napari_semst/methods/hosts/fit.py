"""The one way in which every host is trained and read."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

import torch

from napari_semst.config.method_registry import METHODS
from napari_semst.core.progress import Progress, run_in_thread
from napari_semst.methods.base import Fit, View
from napari_semst.methods.hosts.inputs import ended_by, spatial_tiles
from napari_semst.methods.hosts.objective import HostFitted, HostObjective
from napari_semst.methods.modulation import modulation_map
from napari_semst.prepare.components import (
    averaged_once,
    dense_axes,
    rotate_to_axes,
)
from napari_semst.training.batching import (
    BATCH_SPOTS,
    StepSize,
    batch_spots,
    train_within_memory,
)
from napari_semst.training.loop import train

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.core.device import DeviceChoice
    from napari_semst.core.progress import RunControl, ThreadReporter
    from napari_semst.methods.hosts.base import Host, HostInputs
    from napari_semst.nn.semantic_modulation import Modulation
    from napari_semst.prepare.section import Components, Section
    from napari_semst.training.record import TrainingRecord

    Vectors: TypeAlias = NDArray[np.float32] | None


class _Moved(NamedTuple):
    """What `modulation_map` reads."""

    before: torch.Tensor
    modulation: Modulation | None


def host_of(name: str) -> Host:
    """Return the host of a method's name."""
    return cast("Host", import_module(METHODS[name]).HOST)


def fit(
    section: Section,
    semantics: Vectors,
    config: Config,
    device: DeviceChoice,
    control: RunControl,
) -> Generator[Progress, None, Fit]:
    """Train the host that ``model.method`` names, with or without semantics.

    The latent of the last epoch is the result. Sections of more spots than a step
    reads are learnt from tiles of neighbouring spots, drawn anew for every step.

    Raises
    ------
    Cancelled, TrainingError, DeviceError
        See `napari_semst.training.loop.train`.
    """
    host, place = host_of(config.model.method), device.torch()
    yield Progress("train", 0, config.training.epochs, "Building the network")

    def read(_: ThreadReporter) -> tuple[HostInputs, Components, Vectors]:
        # A thread that nobody waits for any more ends as well.
        with ended_by(control.check):
            found = host.read(section, config)
        control.check()
        smooth = _smoothed(semantics, section, config, control)
        return found, section.components(config.training.seed), smooth

    inputs, components, vectors = yield from run_in_thread(
        "train", "Components and neighbours", read, control
    )
    try:
        problem, record, step = yield from _trained(
            host, inputs, vectors, section, config, place, control
        )
        fitted = yield from problem.encode_all(control)
    finally:
        if place.type == "cuda":
            torch.cuda.empty_cache()
    notes = {"step": step, **inputs.notes, **components.notes()}
    return Fit(
        fitted.clustered,
        _views(fitted, components),
        modulation=modulation_map(_Moved(fitted.before, fitted.modulation)),
        record=record,
        notes=notes,
    )


def _smoothed(
    semantics: Vectors, section: Section, config: Config, control: RunControl
) -> Vectors:
    """Return semantic vectors averaged over neighbours.

    Behind FSM no host averages any more: a spot's own vector would bring back the
    differences between single cells that its encoder has averaged away.
    """
    rounds = config.semantics.smoothing_rounds
    rounds = section.smoothing_rounds if rounds < 0 else rounds
    if semantics is None:
        return None
    for done in range(rounds):
        # The first copy is ours: no third is made of many spots.
        semantics = averaged_once(semantics, section.average, in_place=done > 0)
        control.check()
    return semantics


def _views(fitted: HostFitted, components: Components) -> tuple[View, ...]:
    """Return what a consensus reads: components of expression, and the latent."""
    latent = rotate_to_axes(fitted.clustered, *dense_axes(fitted.clustered))
    return (
        View(components.root, smooth=True),
        View(components.logged, smooth=True),
        View(latent, smooth=False),
    )


def _trained(
    host: Host,
    inputs: HostInputs,
    semantics: Vectors,
    section: Section,
    config: Config,
    device: torch.device,
    control: RunControl,
) -> Generator[Progress, None, tuple[HostObjective, TrainingRecord, str]]:
    """Train, with smaller steps where the GPU's memory ends, and say so."""
    training = config.training
    wanted, parts = batch_spots(training, inputs.n_spots), training.batch_parts
    first = StepSize(wanted, parts) if wanted else StepSize(0, 1)
    smaller = [StepSize(BATCH_SPOTS // 2**n, parts) for n in range(3)]
    sizes = [first, *(size for size in smaller if size.n_spots < inputs.n_spots)]
    tiles = _tiles(section) if len(sizes) > 1 or wanted else ()

    def build(size: StepSize) -> HostObjective:
        return HostObjective(
            host, inputs, semantics, config, device, size, section.average, tiles
        )

    def train_one(
        objective: HostObjective, size: StepSize
    ) -> Generator[Progress, None, TrainingRecord]:
        name = f"{host.name}-{training.seed}-{size.n_spots}-{size.n_parts}"
        return (yield from train(objective, training, control, name))

    return (
        yield from train_within_memory(sizes, build, train_one, training.seed, device)
    )


def _tiles(section: Section) -> list[NDArray[np.int64]]:
    """Return tiles of neighbouring spots, none of two sections."""
    return [
        spots[tile]
        for spots in section.sections.spots()
        for tile in spatial_tiles(section.coordinates[spots])
    ]
