"""SemST: gene semantics modulates two graph views, trained by ZINB reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_semst.methods.base import Fit, ModulationMap, View
from napari_semst.methods.semst_network import Encoded, SemstNetwork
from napari_semst.nn.losses import SpatialPairs
from napari_semst.nn.sparse import SparseOperator
from napari_semst.nn.zinb import ZinbTarget
from napari_semst.prepare.graphs import feature_graph, normalised
from napari_semst.progress import Progress
from napari_semst.training.loop import train

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.device import DeviceChoice
    from napari_semst.prepare.section import Section
    from napari_semst.progress import RunControl


class _Problem:
    """A section on its device, with the network that is fitted to it."""

    def __init__(
        self,
        section: Section,
        semantics: NDArray[np.float32] | None,
        config: Config,
        device: torch.device,
    ) -> None:
        model, prepare = config.model, config.prepare
        expression = section.scaled_expression()
        feature, self.feature_note = feature_graph(
            expression, prepare.feature_neighbours, config.training.seed
        )
        graphs = (
            normalised(g, prepare.normalisation) for g in (section.spatial, feature)
        )
        self.adjacencies = [SparseOperator(graph, device) for graph in graphs]
        self.expression = SparseOperator(expression, device)
        self.target = ZinbTarget(expression, device)
        self.pairs = SpatialPairs(section.spatial, device)
        self.semantics = (
            None if semantics is None else torch.as_tensor(semantics, device=device)
        )
        self.model = model
        self.network = SemstNetwork(
            expression.shape[1],
            model.hidden,
            model.latent,
            0 if semantics is None else semantics.shape[1],
            model.modulation_ratio,
        ).to(device)

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        return self.network.parameters()

    def encode(self) -> Encoded:
        spatial, feature = self.adjacencies
        encoded: Encoded = self.network(
            self.expression, spatial, feature, self.semantics
        )
        return encoded

    def step_losses(self, epoch: int) -> dict[str, torch.Tensor]:
        self.network.train()
        losses = self.network.losses(
            self.encode(), self.target, self.pairs, self.model.weight_dropout_prior
        )
        return {
            "zinb": losses["zinb"],
            "spatial": self.model.weight_spatial * losses["spatial"],
            "correlation": self.model.weight_correlation * losses["correlation"],
        }


def fit(
    section: Section,
    semantics: NDArray[np.float32] | None,
    config: Config,
    device: DeviceChoice,
    control: RunControl,
) -> Generator[Progress, None, Fit]:
    """Train SemST on a section and return the latent of the last epoch.

    Source: SemST (AAAI 2026), as coded by its authors; see docs/method.md for where
    paper and code differ.

    Raises
    ------
    Cancelled, TrainingError, DeviceError
        See `napari_semst.training.loop.train`.
    """
    place = device.torch()
    yield Progress("train", 0, config.training.epochs, "Building the network")
    try:
        with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
            torch.manual_seed(config.training.seed)
            problem = _Problem(section, semantics, config, place)
        record = yield from train(problem, config.training, control)
        problem.network.eval()
        with torch.no_grad():
            encoded = problem.encode()
            latent = encoded.latent.float().cpu().numpy()
            modulation = modulation_map(encoded)
        views = (View(latent, smooth=False),)
        return Fit(
            latent, views, modulation, record, {"feature_graph": problem.feature_note}
        )
    finally:
        if place.type == "cuda":
            torch.cuda.empty_cache()


def modulation_map(encoded: Encoded) -> ModulationMap | None:
    """Return what semantics did to every spot, or `None` without semantics."""
    if encoded.modulation is None:
        return None
    scale, shift = encoded.modulation
    change = encoded.modulation(encoded.before) - encoded.before
    features = encoded.before.square().mean().sqrt().clamp_min(1e-12)

    def strength(values: torch.Tensor) -> NDArray[np.float32]:
        root: NDArray[np.float32] = values.square().mean(1).sqrt().float().cpu().numpy()
        return root

    return ModulationMap(
        scale.float().cpu().numpy(),
        shift.float().cpu().numpy(),
        strength(change / features),
        strength(scale),
        strength(shift / features),
    )
