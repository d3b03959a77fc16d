"""The image-guided graph VAE: domains, and where image and expression disagree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_semst.core.progress import CancelOnly, Progress, run_in_thread
from napari_semst.errors import ConfigError, TrainingError
from napari_semst.methods.base import Fit, View
from napari_semst.methods.image_guided.discordance import measure_discordance
from napari_semst.methods.image_guided.discordance_result import (
    told_power,
    told_sections,
)
from napari_semst.methods.image_guided.inputs import guided_inputs
from napari_semst.methods.image_guided.minibatch import Distributions, GuidedObjective
from napari_semst.methods.image_guided.network import Normal, divergence
from napari_semst.methods.image_guided.reference import reference_sections
from napari_semst.methods.image_guided.regions import told_regions
from napari_semst.methods.image_guided.together import measure_together
from napari_semst.prepare.components import (
    dense_axes,
    rotate_to_axes,
    smooth_over_neighbours,
)
from napari_semst.training.batching import (
    BATCH_SPOTS,
    StepSize,
    batch_spots,
    train_within_memory,
)
from napari_semst.training.loop import train
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.core.device import DeviceChoice
    from napari_semst.core.progress import RunControl
    from napari_semst.methods.image_guided.discordance_result import Discordance
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.prepare.section import Section
    from napari_semst.training.record import TrainingRecord

# Variance of a dimension's posterior means above which it is active (Burda et al.
# 2016, importance weighted autoencoders, section 5.3).
_ACTIVE = 0.01
# Below, many features of the image fit a section's domains by chance.
_FEW_SPOTS = 1000


def fit(
    section: Section,
    semantics: NDArray[np.float32] | None,
    config: Config,
    device: DeviceChoice,
    control: RunControl,
) -> Generator[Progress, None, Fit]:
    """Train the image-guided graph VAE, and measure discordance.

    Source: image-guided graph VAE; docs/image-guided.md says what differs and why.
    Without features of an image it is a graph VAE of expression alone, whose prior is
    a standard normal, and there is no discordance.

    Raises
    ------
    ConfigError
        If settings cannot be trained with, or a reference section is not there.
    Cancelled, TrainingError, DeviceError
        See `napari_semst.training.loop.train`.
    """
    _check(config)
    if reference_sections(config, section.sections.names).any():
        _check_image(section)
    place = device.torch()
    yield Progress("train", 0, config.training.epochs, "Building the network")
    inputs = yield from run_in_thread(
        "train",
        "Components and neighbours",
        lambda _: guided_inputs(section, config),
        control,
    )
    try:
        problem, record, step = yield from _trained(inputs, place, control)
        distributions = yield from problem.distributions(control)
        disagreement = None
        if inputs.image is not None:
            several = len(section.sections.names) > 1
            measure = measure_together if several else measure_discordance
            disagreement = yield from measure(
                inputs, section, divergences(distributions), CancelOnly(control)
            )
    finally:
        if place.type == "cuda":
            torch.cuda.empty_cache()
    notes = {"step": step, "zinb": problem.engine.reason, **dimensions(distributions)}
    return Fit(
        distributions.posterior[0],
        _views(section, distributions, inputs),
        record=record,
        notes={**_notes(inputs, section, disagreement), **notes},
        discordance=disagreement,
    )


def _notes(
    inputs: GuidedInputs, section: Section, found: Discordance | None
) -> dict[str, object]:
    """Return what was learnt from, and what the image predicts, for the provenance."""
    notes: dict[str, object] = {
        **inputs.components.notes(),
        "attention": inputs.graph_text,
        "image_features": 0 if inputs.image is None else inputs.image.shape[1],
    }
    if found is not None:
        notes["predicted_by_image"] = [round(float(x), 3) for x in found.predicted]
        notes["patterns_predicted"] = len(found.predicted)
        notes["learnt_from"] = found.n_learnt
        notes["discordant_regions"] = told_regions(found.regions)
        notes["regions_set_aside"] = told_regions(found.aside)
        notes["stain_trend"] = round(found.stain_trend, 3)
        if found.sections:
            notes["sections_compared"] = told_sections(found.sections)
            names = np.array(section.sections.names)
            first = [int(one.spots[0]) for one in found.regions]
            where = names[section.sections.codes[first]].tolist() if first else []
            notes["discordant_regions"] = {
                **told_regions(found.regions), "section": where
            }  # fmt: skip
        else:
            notes["power"] = told_power(found.power)
        if found.offset is not None:
            there = found.offset._asdict().items()
            notes["image_offset"] = {k: float(f"{v:.4g}") for k, v in there}
    return notes


def _check_image(section: Section) -> None:
    """Raise `ConfigError` where a reference is named and no image is read."""
    if section.morphology is None:
        raise ConfigError(
            Worded(
                "Expected images of all sections where some are the reference; got "
                "the image encoder none: nothing would be compared. ",
                Way(
                    "Leave --reference or --image-encoder none out.",
                    "Leave image_guided.reference or morphology.encoder='none' out.",
                    "Choose an image encoder, or leave the reference out.",
                ),
            )
        )


def _check(config: Config) -> None:
    """Raise `ConfigError` for settings that cannot be trained with."""
    training = config.training
    if config.image_guided.clustering_epochs and config.domains.n_domains < 1:
        raise ConfigError(
            Worded(
                "Expected the number of domains to be given where the latent is drawn "
                "to domains (image_guided.clustering_epochs); got auto. ",
                Way("Give -k 7", "Give n_domains=7", "Untick Automatic"),
                ", or set the epochs to 0.",
            )
        )
    if training.epochs < 1:
        raise ConfigError(
            "Expected training.epochs of at least 1 for the method image-guided; got "
            "0. It has no weights to begin with: leave the setting out."
        )
    for name in ("batch_spots", "decoded_spots"):
        if getattr(training, name) == 1:
            raise ConfigError(
                f"Expected training.{name} of at least 2 for the method image-guided, "
                "which compares the spots of a step; got 1. Give 512, or 0 for all."
            )


def _views(
    section: Section, distributions: Distributions, inputs: GuidedInputs
) -> tuple[View, ...]:
    """Return what the consensus reads of the spots.

    With an image, what molecules and image say and what the image alone says; without,
    or in a section of few spots, what was learnt and the components it was learnt from.
    """
    mean, expected = distributions.posterior[0], distributions.prior[0]
    own = rotate_to_axes(mean, *dense_axes(mean))
    if inputs.image is not None and inputs.n_spots >= _FEW_SPOTS:
        # Without an image all spots would look alike, and be a domain for that.
        expected = np.where(inputs.usable[:, None], expected, mean)
        shown = rotate_to_axes(expected, *dense_axes(expected))
        return View(own, smooth=True), View(shown, smooth=True)
    return (
        View(inputs.components.root, smooth=True),
        View(inputs.components.logged, smooth=True),
        View(smooth_over_neighbours(own, section.average, 1), smooth=False),
    )


def _trained(
    inputs: GuidedInputs, device: torch.device, control: RunControl
) -> Generator[Progress, None, tuple[GuidedObjective, TrainingRecord, str]]:
    """Train, with smaller steps where the GPU's memory ends, and say so."""
    config = inputs.config.training
    wanted = batch_spots(config, inputs.n_spots)
    smaller = ((wanted or BATCH_SPOTS) // 2**n for n in range(1, 4))

    def build(size: StepSize) -> GuidedObjective:
        return GuidedObjective(inputs, device, min(size.n_spots, inputs.n_spots))

    def train_one(
        objective: GuidedObjective, size: StepSize
    ) -> Generator[Progress, None, TrainingRecord]:
        whole = replace(config, epochs=objective.n_epochs)
        name = f"network-{config.seed}-{size.n_spots}"
        record = yield from train(objective, whole, control, name)
        _check_learnt(objective, record)
        return record

    sizes = [StepSize(n_spots) for n_spots in (wanted, *smaller)]
    return (
        yield from train_within_memory(sizes, build, train_one, config.seed, device)
    )


def _check_learnt(problem: GuidedObjective, record: TrainingRecord) -> None:
    """Refuse to go on where training ended before expression was reconstructed."""
    if record.epochs <= problem.n_aligned:
        raise TrainingError(
            "Expected at least one step that reconstructs expression; training was "
            f"stopped early after {record.epochs} steps, of which "
            f"{min(problem.n_aligned, record.epochs)} aligned the encoders only. There "
            "is nothing to keep yet: stop later, or cancel."
        )


def divergences(found: Distributions) -> NDArray[np.float32]:
    """Return KL(posterior || prior) of each spot and dimension, in nats."""
    posterior, prior = (
        Normal(*map(torch.as_tensor, pair)) for pair in (found.posterior, found.prior)
    )
    each: NDArray[np.float32] = divergence(posterior, prior).numpy()
    return each


def dimensions(found: Distributions) -> dict[str, object]:
    """Return how much of the latent is used, for the provenance."""
    per_dimension = divergences(found).mean(axis=0)
    variance = found.posterior[0].var(axis=0)
    return {
        "active_dimensions": int((variance > _ACTIVE).sum()),
        "latent_dimensions": len(variance),
        "divergence_per_dimension": [round(float(x), 4) for x in per_dimension],
        "variance_per_dimension": [round(float(x), 4) for x in variance],
    }
