"""A host on its device, with what the training loop asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from napari_semst.core.process_group import launched_processes
from napari_semst.core.progress import Progress
from napari_semst.errors import ConfigError
from napari_semst.methods.hosts.base import HostData, HostEncoded, HostStep
from napari_semst.methods.hosts.counts import CountsTarget
from napari_semst.methods.hosts.network import HostNetwork
from napari_semst.nn.fusion import make_fusion
from napari_semst.nn.reconstruction import reconstructed
from napari_semst.nn.sparse import constant_matrix

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import Config
    from napari_semst.core.progress import RunControl
    from napari_semst.methods.hosts.base import Host, HostInputs
    from napari_semst.nn.semantic_modulation import Modulation
    from napari_semst.training.batching import StepSize

_NETWORK = "network."


class HostFitted(NamedTuple):
    """What a trained host makes of all spots.

    Parameters
    ----------
    clustered
        What the method clusters, ``(n_spots, width)``.
    before
        The latent before semantics.
    modulation
        What semantics did, or `None` without.
    """

    clustered: NDArray[np.float32]
    before: torch.Tensor
    modulation: Modulation | None


class HostObjective:
    """What the training loop trains of a host.

    Parameters
    ----------
    host
        The method.
    inputs, semantics
        The whole section; semantics may be `None`.
    config
        All settings.
    device
        Where to compute.
    size
        What a step reads: all spots, or tiles of neighbours drawn anew, in parts.
    average
        Operator that averages neighbours, for the look while training.
    tiles
        Spots in tiles, needed where a step reads a sample.
    """

    def __init__(
        self,
        host: Host,
        inputs: HostInputs,
        semantics: NDArray[np.float32] | None,
        config: Config,
        device: torch.device,
        size: StepSize,
        average: sparse.csr_matrix,
        tiles: Sequence[NDArray[np.int64]] = (),
    ) -> None:
        self.host, self.inputs, self.semantics = host, inputs, semantics
        self.config, self.device = config, device
        self.n_parts = (size.n_parts or 1) if size.n_spots else 1
        self._part_spots = size.n_spots // self.n_parts
        self._average, self._tiles = average, tiles
        parts = host.build(inputs, config)
        # Drawn after the host's own weights, which are then those of the host alone.
        fusion = None
        if semantics is not None:
            fusion = make_fusion(
                config.model.fusion,
                host.latent_width(config),
                semantics.shape[1],
                ratio=config.model.modulation_ratio,
            )
        self.network = HostNetwork(parts, fusion).to(device)
        refuse_own_state(host.name, self.network, self.n_parts)
        self._whole: HostData | None = None
        self._now: torch.Tensor | None = None

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what is learnt; the fusion is not decayed, so that it stays silent."""
        groups: list[dict[str, Any]] = [{"params": _learnt(self.network.parts)}]
        if self.network.fusion is not None and _learnt(self.network.fusion):
            own = _learnt(self.network.fusion)
            groups.append({"params": own, "weight_decay": 0.0})
        return groups

    def step_losses(self, epoch: int, part: int = 0) -> dict[str, torch.Tensor]:
        """Return the weighted loss terms of all spots, or of one part of a sample."""
        self.network.train()
        step = HostStep(epoch, self.config)
        data = self._data() if not self._part_spots else self._drawn(epoch, part)
        encoded, _, modulation = self._encoded(data, step)
        if not self._part_spots:
            self._now = encoded.latent.detach()
        terms = self.host.losses(self.network, encoded, data, step)
        weight = self.config.model.weight_modulation
        if modulation is not None and weight:
            scale, shift = modulation
            size = scale.square().mean() + shift.square().mean()
            terms["modulation"] = weight * size
        return terms

    def training_state(self) -> dict[str, torch.Tensor]:
        """Return all that steps change: weights and buffers."""
        return {f"{_NETWORK}{k}": v for k, v in self.network.state_dict().items()}

    def restore_training(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over what `training_state` returned in another process."""
        self.network.load_state_dict(
            {name.removeprefix(_NETWORK): value for name, value in state.items()}
        )

    def current_latent(self, *, averaged: bool = True) -> NDArray[np.float32]:
        """Return the latent as it is now, averaged over neighbours.

        Of a section that steps read samples of, it costs a pass over all spots; so does
        one that is not averaged, of which nothing is masked as in a step.
        """
        latent = self._now if averaged else None
        if latent is None:
            self.network.eval()
            with torch.no_grad():
                step = HostStep(0, self.config)
                latent = self._encoded(self._data(), step)[0].latent
        own: NDArray[np.float32] = latent.float().cpu().numpy()
        if not averaged:
            return own
        seen: NDArray[np.float32] = self._average @ own
        return seen

    def encode_all(self, control: RunControl) -> Generator[Progress, None, HostFitted]:
        """Return what the network makes of all spots, in one pass."""
        control.check()
        yield Progress("train", 0, 1, "Encoding all spots")
        self.network.eval()
        with torch.no_grad():
            data, step = self._data(), HostStep(0, self.config)
            encoded, before, modulation = self._encoded(data, step)
            clustered = self.host.clustered(self.network, encoded, data)
        return HostFitted(clustered.float().cpu().numpy(), before, modulation)

    def _encoded(
        self, data: HostData, step: HostStep
    ) -> tuple[HostEncoded, torch.Tensor, Modulation | None]:
        """Return spots encoded and fused, their latent before, and what was done."""
        encoded = self.host.encode(self.network, data, step)
        before = encoded.latent
        semantics = encoded.kept.get("semantics", data.semantics)
        latent, modulation = self.network.fused(before, semantics)
        return encoded._replace(latent=latent), before, modulation

    def _data(self) -> HostData:
        """Return the whole section on the device, laid out once."""
        if self._whole is None:
            self._whole = self._placed(self.inputs, self.semantics)
        return self._whole

    def _drawn(self, epoch: int, part: int) -> HostData:
        """Return tiles drawn anew for one part of a step."""
        random = np.random.default_rng([self.config.training.seed, epoch, part])
        chosen, count = [], 0
        for tile in random.permutation(len(self._tiles)):
            chosen.append(self._tiles[tile])
            count += len(chosen[-1])
            if count >= self._part_spots:
                break
        spots = np.concatenate(chosen)
        semantics = None if self.semantics is None else self.semantics[spots]
        sample = self.host.sampled(self.inputs.sample(spots), self.config)
        return self._placed(sample, semantics)

    def _placed(
        self, inputs: HostInputs, semantics: NDArray[np.float32] | None
    ) -> HostData:
        device, features = self.device, inputs.features
        dense = isinstance(features, np.ndarray)
        placed = (
            _tensor(features, device) if dense else constant_matrix(features, device)
        )
        counts = inputs.counts
        return HostData(
            placed,
            reconstructed(placed, features, device),
            self.host.operators(inputs, device),
            {name: _tensor(values, device) for name, values in inputs.arrays.items()},
            {name: _tensor(one, device) for name, one in inputs.constants.items()},
            None if counts is None else CountsTarget(counts, device),
            None if semantics is None else _tensor(semantics, device),
            inputs.n_spots,
        )


def _learnt(module: nn.Module) -> list[nn.Parameter]:
    return [one for one in module.parameters() if one.requires_grad]


def _tensor(values: NDArray[Any], device: torch.device) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(values), device=device)


def refuse_own_state(method: str, network: torch.nn.Module, n_parts: int) -> None:
    """Refuse to share out steps that change more than what gradients change.

    Means of batches and centres of clusters would be others in each process, and the
    result would depend on how many there are.

    Parameters
    ----------
    method
        Name of the host.
    network
        Its network; buffers are such numbers.
    n_parts
        Parts of a step, which processes share.

    Raises
    ------
    ConfigError
        If several processes would share the parts of a network with such numbers.
    """
    processes = launched_processes()
    if processes > 1 and n_parts > 1 and any(True for _ in network.buffers()):
        raise ConfigError(
            f"Expected one process for the method {method} on a section of this size; "
            f"there are {processes}. Its steps keep numbers that processes do not "
            "share: run it without torchrun, or choose another method."
        )
