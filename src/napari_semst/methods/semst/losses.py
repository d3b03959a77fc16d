"""What is minimised and what is learnt, whether a step reads all spots or some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from napari_semst.nn.zinb.decoder import elementwise_engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_semst.config import Config
    from napari_semst.methods.semst.network import Encoded, SemstNetwork
    from napari_semst.nn.losses import SpatialPairs
    from napari_semst.nn.zinb.decoder import Engine, ZinbTarget

# Beside the names of weights, none of which is a number.
_ADDED = "0"


def engine_for(config: Config, shape: tuple[int, int], device: torch.device) -> Engine:
    """Return what computes the ZINB over a whole training.

    Parameters
    ----------
    shape
        Spots of a step and genes, where all are reconstructed.
    """
    training = config.training
    spots = min(training.decoded_spots or shape[0], shape[0])
    entries = float(training.epochs) * spots * shape[1]
    return elementwise_engine(device, entries=entries)


def parameter_groups(network: SemstNetwork, config: Config) -> list[dict[str, Any]]:
    """Return what is learnt, in groups with settings of their own.

    A silent modulation has small gradients, and Adam's weight decay would pull it to
    one constant for all spots: it has its own penalty instead.
    """
    modulation = network.modulation
    if modulation is None or config.model.start == "expression":
        return [{"params": list(network.parameters())}]
    own = list(modulation.parameters())
    mine = {id(parameter) for parameter in own}
    others = [p for p in network.parameters() if id(p) not in mine]
    return [{"params": others}, {"params": own, "weight_decay": 0.0}]


def weighted_terms(
    network: SemstNetwork,
    encoded: Encoded,
    target: ZinbTarget,
    pairs: SpatialPairs,
    config: Config,
    decoded: Tensor | None,
    sections: Tensor | None,
) -> dict[str, Tensor]:
    """Return the weighted loss terms of encoded spots; their sum is minimised.

    Parameters
    ----------
    target
        What is to be reconstructed.
    pairs
        Spatial neighbours among the spots.
    decoded
        Which of the spots ``target`` holds; all where `None`.
    sections
        Section of each spot; `None` for one.
    """
    model = config.model
    prior = model.weight_dropout_prior
    found = network.losses(encoded, target, pairs, prior, decoded, sections)
    terms = {
        "zinb": found["zinb"],
        "spatial": model.weight_spatial * found["spatial"],
        "correlation": model.weight_correlation * found["correlation"],
    }
    if encoded.modulation is not None and model.weight_modulation:
        scale, shift = encoded.modulation
        size = scale.square().mean() + shift.square().mean()
        terms["modulation"] = model.weight_modulation * size
    return terms


def under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the part of a state whose names begin so, by the rest of the name."""
    length = len(prefix)
    return {k[length:]: v for k, v in state.items() if k.startswith(prefix)}


class AveragedWeights:
    """The mean of a network's weights over the last epochs."""

    def __init__(self) -> None:
        self._mean: dict[str, Tensor] = {}
        self._added = 0

    def add(self, network: SemstNetwork) -> None:
        """Count the weights as they are now."""
        self._added += 1
        for name, now in network.state_dict().items():
            if not now.is_floating_point():
                continue
            mean = self._mean.setdefault(name, torch.zeros_like(now))
            mean += (now - mean) / self._added

    def state(self) -> dict[str, Tensor]:
        """Return what was gathered, to go on with in another process."""
        if not self._added:
            return {}
        return {**self._mean, _ADDED: torch.tensor([self._added])}

    def restore(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Take over what `state` returned."""
        self._mean = {k: v.to(device) for k, v in state.items() if k != _ADDED}
        self._added = int(state[_ADDED]) if _ADDED in state else 0

    def finished(self, network: SemstNetwork) -> dict[str, Tensor]:
        """Return the mean, the weights after the last step among it.

        Where nothing was added, these are the weights as they are.
        """
        if not self._added:
            return dict(network.state_dict())
        self.add(network)
        return self._mean
