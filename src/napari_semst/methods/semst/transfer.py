"""SemST on a section it was not trained on: the network is inductive."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_semst.core.progress import Progress, run_in_thread
from napari_semst.errors import InputError
from napari_semst.methods.base import Fit
from napari_semst.methods.modulation import mean_map, modulation_map
from napari_semst.methods.semst.fit import (
    DECODER,
    mean_latent,
    network_prefix,
    own_view,
)
from napari_semst.methods.semst.full_batch import FullBatchObjective
from napari_semst.methods.semst.inputs import Scale, from_scale
from napari_semst.methods.semst.minibatch import MinibatchObjective
from napari_semst.prepare.components import ExpressionAxes
from napari_semst.training.batching import BATCH_SPOTS, WHOLE_SPOTS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.core.device import DeviceChoice
    from napari_semst.core.progress import RunControl
    from napari_semst.methods.semst.network import SemstNetwork
    from napari_semst.prepare.section import Section


def transfer(
    section: Section,
    semantics: NDArray[np.float32] | None,
    parameters: Mapping[str, NDArray[Any]],
    config: Config,
    device: DeviceChoice,
    control: RunControl,
) -> Generator[Progress, None, Fit]:
    """Encode a section by a network that was trained on another.

    Components are those of the other section's axes and sizes; neighbours, in space
    and by expression, are this section's own. The weights are the mean over the last
    epochs of the training.

    Raises
    ------
    InputError
        If the weights do not fit the settings.
    Cancelled, DeviceError
        As for a run.
    """
    sizes = parameters["sizes"]
    scale = Scale(
        ExpressionAxes.of_arrays(parameters), float(sizes[0]), float(sizes[1])
    )
    inputs = yield from run_in_thread(
        "train",
        "Components, and neighbours by expression",
        lambda _: from_scale(section, semantics, config, scale, control.check),
        control,
    )
    place = device.torch()
    try:
        # The first weights are drawn, then replaced: the caller's numbers stay as is.
        with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
            problem: FullBatchObjective | MinibatchObjective = (
                FullBatchObjective(inputs, place)
                if section.n_spots <= WHOLE_SPOTS
                else MinibatchObjective(inputs, place, BATCH_SPOTS, 1)
            )
        latents, maps = [], []
        for number in _networks(parameters):
            _load(problem.network, parameters, network_prefix(number))
            latent, encoded = yield from problem.encode_all(control)
            latents.append(latent)
            maps.append(modulation_map(encoded))
    finally:
        if place.type == "cuda":
            torch.cuda.empty_cache()
    latent = mean_latent(latents)
    axes = parameters["latent.mean"], parameters["latent.axes"]
    views = (*inputs.views, own_view(latent, axes, section))
    return Fit(latent, views, modulation=mean_map(maps), notes=inputs.notes)


def _networks(parameters: Mapping[str, NDArray[Any]]) -> Iterator[int]:
    """Yield the numbers of the networks whose weights are there; one at least."""
    yield 0
    for number in count(1):
        if not any(name.startswith(network_prefix(number)) for name in parameters):
            return
        yield number


def _load(
    network: SemstNetwork, parameters: Mapping[str, NDArray[Any]], prefix: str
) -> None:
    """Give the network one of the learnt ones' weights, all but the decoder's."""
    state = {
        name.removeprefix(prefix): torch.as_tensor(np.ascontiguousarray(values))
        for name, values in parameters.items()
        if name.startswith(prefix)
    }
    ours = {n: w for n, w in network.state_dict().items() if not n.startswith(DECODER)}
    wrong = sorted(
        {*ours, *state}
        - {n for n in ours if n in state and ours[n].shape == state[n].shape}
    )
    if wrong:
        raise InputError(
            "Expected the weights that the model's settings and this section's "
            f"semantics ask for; missing, unknown or of another shape: "
            f"{', '.join(wrong)}. Save the model again with this version."
        )
    network.load_state_dict(state, strict=False)
