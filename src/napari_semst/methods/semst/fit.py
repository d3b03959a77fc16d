"""SemST: gene semantics modulates two graph views, trained by ZINB reconstruction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_semst.core.progress import Progress, run_in_thread
from napari_semst.methods.base import Fit, View
from napari_semst.methods.modulation import mean_map
from napari_semst.methods.semst.image import with_image
from napari_semst.methods.semst.inputs import from_components, from_expression
from napari_semst.methods.semst.training import train_members
from napari_semst.prepare.components import (
    dense_axes,
    rotate_to_axes,
    smooth_over_neighbours,
)
from napari_semst.training.batching import WHOLE_SPOTS

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.core.device import DeviceChoice
    from napari_semst.core.progress import RunControl
    from napari_semst.methods.semst.inputs import Inputs
    from napari_semst.methods.semst.training import Member
    from napari_semst.prepare.section import Section
    from napari_semst.semantics.spot_vectors import SpotSemantics
    from napari_semst.training.record import TrainingRecord

# The decoder's weights are not kept: nothing is reconstructed of other sections.
DECODER = "decoder."


def fit(
    section: Section,
    semantics: SpotSemantics | None,
    config: Config,
    device: DeviceChoice,
    control: RunControl,
) -> Generator[Progress, None, Fit]:
    """Train SemST on a section.

    Source: SemST (AAAI 2026). With ``model.start = "expression"`` as coded by its
    authors, the latent of the last epoch; with ``"components"`` the same network
    learns a correction to smoothed principal components, and the latents of the last
    epochs, and of all networks of an ensemble, are averaged. Large sections are learnt
    from samples of their spots. See docs/method.md for what differs and why.

    Raises
    ------
    Cancelled, TrainingError, DeviceError
        See `napari_semst.training.loop.train`.
    """
    place = device.torch()
    yield Progress("train", 0, config.training.epochs, "Building the network")
    semantics = with_image(section, semantics, config)
    published = config.model.start == "expression"
    describe = from_expression if published else from_components
    if section.n_spots <= WHOLE_SPOTS:
        inputs = describe(section, semantics, config, control.check)
    else:
        inputs = yield from run_in_thread(
            "train",
            "Components, and neighbours by expression",
            lambda _: describe(section, semantics, config, control.check),
            control,
        )
    control.check()
    try:
        members = yield from train_members(inputs, place, control)
    finally:
        if place.type == "cuda":
            torch.cuda.empty_cache()
    latent, record = members[0].latent, _record(members)
    notes = {**inputs.notes, **members[0].notes, **_ensemble_notes(members)}
    moved = mean_map([member.moved for member in members])
    if published:
        latents = [m for one in members for m in (one.latent, *one.checkpoints)]
        views = (*inputs.views, *(View(one, smooth=False) for one in latents))
        return Fit(latent, views, tuple(latents[1:]), moved, record, notes)
    # All begin as the base and correct it: their latents share its frame.
    latent = mean_latent([member.latent for member in members])
    axes = dense_axes(latent)
    views = (*inputs.views, own_view(latent, axes, section))
    if config.model.morphology != "none":
        # Features are on the scale of this section's own image.
        return Fit(latent, views, (), moved, record, notes)
    parameters = _parameters(inputs, axes, [member.weights for member in members])
    return Fit(latent, views, (), moved, record, notes, parameters)


def _record(members: list[Member]) -> TrainingRecord:
    """Return the loss curves of the first network, and how all of them went."""
    records = [member.record for member in members]
    return replace(
        records[0],
        stopped_early=any(record.stopped_early for record in records),
        resumed_after=sum(record.resumed_after for record in records),
    )


def _ensemble_notes(members: list[Member]) -> dict[str, object]:
    """Return how many networks there are, and the last loss of each."""
    losses = [member.record.losses.get("loss", [0.0])[-1] for member in members]
    return {"networks": len(members), "last_losses": [round(x, 6) for x in losses]}


def mean_latent(latents: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the mean of latents that share a frame; one alone is passed on."""
    if len(latents) == 1:
        return latents[0]
    mean: NDArray[np.float32] = np.mean(latents, axis=0, dtype=np.float32)
    return mean


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
    """
    ordered = rotate_to_axes(latent, *axes)
    # One more round evens out what single spots were corrected by.
    return View(smooth_over_neighbours(ordered, section.average, 1), smooth=False)


def network_prefix(number: int) -> str:
    """Return what the names of a network's arrays begin with among those learnt."""
    return f"network{number or ''}."


def _parameters(
    inputs: Inputs,
    axes: tuple[NDArray[np.float64], NDArray[np.float64]],
    networks: list[dict[str, torch.Tensor]],
) -> dict[str, NDArray[Any]]:
    """Return what describes other sections, as arrays by name."""
    scale = inputs.scale
    assert scale is not None, "components come with their scale"
    encoder = {
        f"{network_prefix(number)}{name}": weight.detach().float().cpu().numpy().copy()
        for number, weights in enumerate(networks)
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
