"""A section on its device, with the SemST network that is fitted to all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_semst.core.progress import Progress
from napari_semst.methods.semst.losses import (
    AveragedWeights,
    engine_for,
    parameter_groups,
    under,
    weighted_terms,
)
from napari_semst.nn.losses import SpatialPairs
from napari_semst.nn.sparse import SparseOperator, constant_matrix
from napari_semst.nn.zinb.decoder import ZinbTarget

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from napari_semst.config import Config, TrainingConfig
    from napari_semst.core.progress import RunControl
    from napari_semst.methods.semst.inputs import Inputs
    from napari_semst.methods.semst.network import Encoded, SemstNetwork

# Of the epochs, the share from which checkpoints are taken.
_LATE_SHARE = 0.3


class FullBatchObjective:
    """What the training loop trains where a step reads the whole section."""

    # One step's spots are not divided: the propagation couples all of them.
    n_parts = 1

    def __init__(self, inputs: Inputs, device: torch.device) -> None:
        self.config: Config = inputs.config
        self.device = device
        self.network: SemstNetwork = inputs.network().to(device)
        self.engine = engine_for(self.config, inputs.expression.shape, device)
        features = inputs.features
        self.features = (
            (_tensor(features[0], device), _tensor(features[1], device))
            if isinstance(features, tuple)
            else constant_matrix(features, device)
        )
        spatial, feature = inputs.graphs
        self._average = spatial
        self.adjacencies = (
            SparseOperator(spatial, device),
            SparseOperator(feature, device),
        )
        self.pairs = SpatialPairs.of_graph(inputs.neighbours, device)
        self.semantics = _tensor(
            None if inputs.semantics is None else inputs.semantics[:], device
        )
        self.base = _tensor(inputs.base, device)
        self.sections = _tensor(inputs.sections, device)
        self.expression = inputs.expression
        self._whole: ZinbTarget | None = None
        self._now: torch.Tensor | None = None
        self._sum: torch.Tensor | None = None
        self._summed = 0
        self._weights = AveragedWeights()
        self._marks = checkpoint_epochs(self.config.training)
        self.checkpoints: list[NDArray[np.float32]] = []
        self.averaged_weights: dict[str, torch.Tensor] = {}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what is learnt, as the groups of an optimizer."""
        return parameter_groups(self.network, self.config)

    def encode(self) -> Encoded:
        """Return what the network makes of the section now."""
        encoded: Encoded = self.network(
            self.features, *self.adjacencies, self.semantics, self.base
        )
        return encoded

    def step_losses(self, epoch: int, part: int = 0) -> dict[str, torch.Tensor]:
        """Return the weighted loss terms of one step."""
        self.network.train()
        encoded = self.encode()
        self._remember(encoded.latent, epoch)
        target, rows = self._target(epoch)
        return weighted_terms(
            self.network, encoded, target, self.pairs, self.config, rows, self.sections
        )

    def training_state(self) -> dict[str, torch.Tensor]:
        """Return all that steps change: weights, late latents and their sums."""
        late = {
            f"late.{n}": torch.from_numpy(x) for n, x in enumerate(self.checkpoints)
        }
        weights = {f"mean.{k}": v for k, v in self._weights.state().items()}
        state = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        if self._sum is not None:
            state |= {"sum": self._sum, "summed": torch.tensor([self._summed])}
        return {**state, **late, **weights}

    def restore_training(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over what `training_state` returned in another process."""
        self.network.load_state_dict(under("network.", state))
        self._weights.restore(under("mean.", state), self.device)
        late = under("late.", state)
        self.checkpoints = [late[str(n)].numpy() for n in range(len(late))]
        if "sum" in state:
            self._sum = state["sum"].to(self.device)
            self._summed = int(state["summed"])

    def current_latent(self, *, averaged: bool = True) -> NDArray[np.float32]:
        """Return the latent that the last step computed, averaged over neighbours."""
        assert self._now is not None, "no step was done"
        latent: NDArray[np.float32] = self._now.float().cpu().numpy()
        if not averaged:
            return latent.copy()
        seen: NDArray[np.float32] = self._average @ latent
        return seen

    def encode_all(
        self, control: RunControl
    ) -> Generator[Progress, None, tuple[NDArray[np.float32], Encoded]]:
        """Return the latent, averaged over the last epochs, and the last encoding.

        Then `averaged_weights` are known, averaged alike: they encode other sections.
        """
        control.check()
        yield Progress("train", 0, 1, "Encoding all spots")
        self.network.eval()
        with torch.no_grad():
            encoded = self.encode()
            self.averaged_weights = self._weights.finished(self.network)
        latent = encoded.latent
        if self._sum is not None:
            latent = (self._sum + latent) / (self._summed + 1)
        return latent.float().cpu().numpy(), encoded

    def _remember(self, latent: torch.Tensor, epoch: int) -> None:
        """Add up the late epochs' latents; the forward pass is done anyway."""
        training = self.config.training
        self._now = now = latent.detach()
        if epoch in self._marks:
            self.checkpoints.append(now.float().cpu().numpy().copy())
        if epoch < training.epochs * (1 - training.average_last):
            return
        self._sum = now.clone() if self._sum is None else self._sum.add_(now)
        self._summed += 1
        self._weights.add(self.network)

    def _target(self, epoch: int) -> tuple[ZinbTarget, torch.Tensor | None]:
        """Return what this step reconstructs: all spots, or some drawn anew."""
        training, n_spots = self.config.training, self.expression.shape[0]
        device = self.device
        if not training.decoded_spots or training.decoded_spots >= n_spots:
            if self._whole is None:
                self._whole = ZinbTarget(self.expression, device, engine=self.engine)
            return self._whole, None
        random = np.random.default_rng([training.seed, epoch])
        rows = random.choice(n_spots, training.decoded_spots, replace=False)
        rows.sort()
        target = ZinbTarget(self.expression[rows], device, engine=self.engine)
        return target, torch.as_tensor(rows, device=device)


def checkpoint_epochs(training: TrainingConfig) -> set[int]:
    """Return the epochs before which latents are kept: late ones, evenly apart.

    None where latents are averaged: the mean is made of the same ones.

    Parameters
    ----------
    training
        ``epochs``, ``checkpoints`` and ``average_last`` are read.
    """
    if training.average_last:
        return set()
    n = training.checkpoints
    step = training.epochs * _LATE_SHARE / n
    return {int(training.epochs - step * place) for place in range(1, n)}


def _tensor(values: NDArray[Any] | None, device: torch.device) -> Any:
    if values is None:
        return None
    return torch.as_tensor(np.ascontiguousarray(values), device=device)
