"""SemST on sections of any size: a step reads some spots and their neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from napari_semst.core.chunks import spots_at_once
from napari_semst.core.progress import Progress, RunControl, run_to_end
from napari_semst.methods.semst.losses import (
    AveragedWeights,
    engine_for,
    parameter_groups,
    under,
    weighted_terms,
)
from napari_semst.methods.semst.network import Encoded
from napari_semst.nn.losses import SpatialPairs, edges
from napari_semst.nn.semantic_modulation import Modulation
from napari_semst.nn.sparse import SparseOperator
from napari_semst.nn.zinb.decoder import ZinbTarget
from napari_semst.prepare.rows import genes_per_spot
from napari_semst.prepare.scaled_rows import ScaledRows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.methods.semst.inputs import Inputs
    from napari_semst.methods.semst.network import SemstNetwork
    from napari_semst.nn.gcn import GraphConvolutionalNetwork
    from napari_semst.semantics.spot_vectors import SpotSemantics

# Spots encoded at once when all are: 16,384 of 256 semantic dimensions are 16 MB.
CHUNK_SPOTS = 16_384
_FEWEST_SPOTS = 256
# Of the counts that all steps reconstruct, and each of these: its value and its gene.
_MOST_BYTES_AHEAD, _COUNT_BYTES = 600e6, 8


class _Draw(NamedTuple):
    """Edges of a part of a step, the spots at their ends, and which are reconstructed.

    All of the spots are where `rows` is `None`.
    """

    first: NDArray[np.integer[Any]]
    second: NDArray[np.integer[Any]]
    spots: NDArray[np.integer[Any]]
    rows: NDArray[np.integer[Any]] | None


class MinibatchObjective:
    """What the training loop trains where a step reads a sample of the section.

    Spatial edges are drawn anew for every step; the spots at their ends, with all
    their neighbours in both graphs, are what the step sees. Neighbourhoods are whole,
    so that there are no tiles and no borders, and the cost of a step does not depend
    on the number of spots. The spots of a step are drawn in parts with a random
    generator each, so that processes can share them and still add up the same.

    Parameters
    ----------
    inputs
        The section; it stays in the machine's memory.
    device
        Where the drawn spots are computed.
    batch_spots
        Spots of a step, not counting their neighbours.
    n_parts
        Parts that they come in.
    """

    def __init__(
        self,
        inputs: Inputs,
        device: torch.device,
        batch_spots: int,
        n_parts: int,
    ) -> None:
        self.config: Config = inputs.config
        self.inputs = inputs
        self.device = device
        self.network: SemstNetwork = inputs.network().to(device)
        self.engine = engine_for(
            self.config, (batch_spots, inputs.expression.shape[1]), device
        )
        self.n_parts = n_parts
        self.part_edges = max(batch_spots // (2 * n_parts), 1)
        self._first, self._second = edges(inputs.neighbours)
        self._weights = AveragedWeights()
        self._expression: Any = None
        self.averaged_weights: dict[str, torch.Tensor] = {}
        # Each would cost a pass over the section.
        self.checkpoints: tuple[NDArray[np.float32], ...] = ()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what is learnt, as the groups of an optimizer."""
        return parameter_groups(self.network, self.config)

    def step_losses(self, epoch: int, part: int = 0) -> dict[str, torch.Tensor]:
        """Return the weighted loss terms of one part of a step's spots."""
        if part == 0:
            self._remember(epoch)
        self.network.train()
        first, second, spots, rows = self._draw(epoch, part)
        pairs = SpatialPairs(
            np.searchsorted(spots, first),
            np.searchsorted(spots, second),
            len(spots),
            self.inputs.n_spots,
            len(self._first),
            self.device,
        )
        target, decoded = self._target(spots, rows)
        sections = _rows(self.inputs.sections, spots, self.device)
        return weighted_terms(
            self.network,
            self._encode(spots),
            target,
            pairs,
            self.config,
            decoded,
            sections,
        )

    def _draw(self, epoch: int, part: int) -> _Draw:
        """Return what one part of a step reads; the same whenever it is asked for."""
        random = np.random.default_rng([self.config.training.seed, epoch, part])
        drawn = random.integers(len(self._first), size=self.part_edges)
        first, second = self._first[drawn], self._second[drawn]
        spots = np.unique(np.concatenate([first, second]))
        # Batch normalisation needs two.
        wanted = -(-self.config.training.decoded_spots // self.n_parts)
        wanted = max(wanted, 2) if wanted else 0
        if not wanted or wanted >= len(spots):
            return _Draw(first, second, spots, None)
        rows = np.sort(random.choice(len(spots), wanted, replace=False))
        return _Draw(first, second, spots, rows)

    def _target(
        self, spots: NDArray[np.integer[Any]], rows: NDArray[np.integer[Any]] | None
    ) -> tuple[ZinbTarget, torch.Tensor | None]:
        """Return what is reconstructed: all spots drawn, or some of them."""
        chosen = spots if rows is None else spots[rows]
        if self._expression is None:
            self._expression = self._read_ahead()
        target = ZinbTarget(self._expression[chosen], self.device, engine=self.engine)
        if rows is None:
            return target, None
        return target, torch.as_tensor(rows, device=self.device)

    def _read_ahead(self) -> Any:
        """Return the expression that steps take rows of, those on disk read in a pass.

        Taken step by step, a piece of the file would be unpacked for every spot.
        """
        expression, training = self.inputs.expression, self.config.training
        if not isinstance(expression, ScaledRows) or not expression.on_disk:
            return expression
        n_drawn = training.epochs * max(training.decoded_spots, self.n_parts)
        each = float(genes_per_spot(expression.counts).mean()) * _COUNT_BYTES
        n_bytes = min(n_drawn, self.inputs.n_spots) * each
        if not training.decoded_spots or n_bytes > _MOST_BYTES_AHEAD:
            return expression
        draws = (
            self._draw(epoch, part)
            for epoch in range(training.epochs)
            for part in range(self.n_parts)
        )
        wanted = [d.spots if d.rows is None else d.spots[d.rows] for d in draws]
        return expression.read_ahead(np.unique(np.concatenate(wanted)))

    def _encode(self, spots: NDArray[np.integer[Any]]) -> Encoded:
        """Return what the network makes of some spots, given all their neighbours."""
        operators, features = [], []
        for view, graph in enumerate(self.inputs.graphs):
            rows = graph[spots]
            around, places = np.unique(rows.indices, return_inverse=True)
            rows = type(rows)(
                (rows.data, places, rows.indptr), shape=(len(spots), len(around))
            )
            operators.append(SparseOperator(rows, self.device))
            features.append(self._features(view, around))
        inputs = self.inputs
        encoded: Encoded = self.network(
            tuple(features),
            *operators,
            _rows(inputs.semantics, spots, self.device),
            _rows(inputs.base, spots, self.device),
        )
        return encoded

    def _features(
        self, view: int, spots: NDArray[np.integer[Any]] | slice
    ) -> torch.Tensor | SparseOperator:
        """Return the propagated features of some spots in one of the views."""
        features = self.inputs.features
        if isinstance(features, tuple):
            return _tensor(features[view][spots], self.device)
        return SparseOperator(self.inputs.graphs[view][spots] @ features, self.device)

    def _remember(self, epoch: int) -> None:
        """Average the weights over the last epochs, before each of their steps.

        With all spots at hand the latents themselves are averaged; here that would
        cost a pass over the section for every epoch.
        """
        training = self.config.training
        if epoch >= training.epochs * (1 - training.average_last):
            self._weights.add(self.network)

    def training_state(self) -> dict[str, torch.Tensor]:
        """Return all that steps change: weights, and their mean so far."""
        mean = {f"mean.{k}": v for k, v in self._weights.state().items()}
        state = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        return {**state, **mean}

    def restore_training(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over what `training_state` returned in another process."""
        self.network.load_state_dict(under("network.", state))
        self._weights.restore(under("mean.", state), self.device)

    @torch.no_grad()
    def encode_all(
        self, control: RunControl
    ) -> Generator[Progress, None, tuple[NDArray[np.float32], Encoded]]:
        """Return the latent of all spots, and what led to it, chunk by chunk.

        Then `averaged_weights` are known: they encode other sections.
        """
        self.averaged_weights = self._weights.finished(self.network)
        self.network.load_state_dict(self.averaged_weights, strict=False)
        encoded = yield from self._encode_all(control)
        return encoded.latent.numpy(), encoded

    @torch.no_grad()
    def current_latent(self, *, averaged: bool = True) -> NDArray[np.float32]:
        """Return the latent of all spots, averaged over neighbours: a whole pass."""
        # The next step puts the network back into training.
        latent = run_to_end(self._encode_all(RunControl())).latent.numpy()
        if not averaged:
            return latent
        seen: NDArray[np.float32] = self.inputs.graphs[0] @ latent
        return seen

    def _encode_all(self, control: RunControl) -> Generator[Progress, None, Encoded]:
        """Return what the network makes of all spots now, chunk by chunk."""
        self.network.eval()
        mixed = []
        for view in range(2):
            parts = _Collected(self.inputs.n_spots)
            yield from self._every_spot(
                lambda spots, view=view: {"mixed": self._mixed(view, spots)},  # type: ignore[misc]
                parts,
                control,
            )
            mixed.append(parts.values["mixed"].numpy())
        parts = _Collected(self.inputs.n_spots)
        yield from self._every_spot(
            lambda spots: self._last_layer(mixed, spots), parts, control
        )
        return parts.encoded()

    def _every_spot(
        self,
        compute: Callable[[slice], dict[str, torch.Tensor]],
        parts: _Collected,
        control: RunControl,
    ) -> Generator[Progress, None, None]:
        """Collect what is computed of all spots, in chunks that fit the GPU."""
        n_spots, start, size = self.inputs.n_spots, 0, spots_at_once(CHUNK_SPOTS)
        while start < n_spots:
            control.check()
            yield Progress("train", start, n_spots, "Encoding all spots")
            spots = slice(start, min(start + size, n_spots))
            try:
                parts.add(spots, compute(spots))
            except torch.OutOfMemoryError:
                if size <= _FEWEST_SPOTS:
                    raise
                size //= 2
                torch.cuda.empty_cache()
                continue
            start = spots.stop

    def _views(self) -> tuple[GraphConvolutionalNetwork, GraphConvolutionalNetwork]:
        return self.network.spatial_view, self.network.feature_view

    def _mixed(self, view: int, spots: slice) -> torch.Tensor:
        """Return what the second layer propagates, of some spots."""
        network = self._views()[view]
        hidden = torch.relu(network.first(self._features(view, spots), None))
        mixed: torch.Tensor = hidden @ network.second.weight
        return mixed

    def _last_layer(
        self, mixed: list[NDArray[np.float32]], spots: slice
    ) -> dict[str, torch.Tensor]:
        """Return the encoding of some spots from what is to be propagated to them."""
        spatial, feature = (
            _tensor(graph[spots] @ values, self.device) + network.second.bias
            for graph, values, network in zip(
                self.inputs.graphs, mixed, self._views(), strict=True
            )
        )
        encoded = self.network.combine(
            spatial,
            feature,
            _rows(self.inputs.semantics, spots, self.device),
            _rows(self.inputs.base, spots, self.device),
        )
        parts = {"latent": encoded.latent, "before": encoded.before}
        if encoded.modulation is not None:
            parts["scale"], parts["shift"] = encoded.modulation
        return parts


class _Collected:
    """What was computed of chunks of spots, put together in the machine's memory."""

    def __init__(self, n_spots: int) -> None:
        self.n_spots = n_spots
        self.values: dict[str, torch.Tensor] = {}

    def add(self, spots: slice, found: dict[str, torch.Tensor]) -> None:
        for name, part in found.items():
            if name not in self.values:
                self.values[name] = torch.empty((self.n_spots, part.shape[1]))
            self.values[name][spots] = part.float().cpu()

    def encoded(self) -> Encoded:
        before, modulation = self.values["before"], None
        if "scale" in self.values:
            modulation = Modulation(self.values["scale"], self.values["shift"])
        spatial, feature = before.chunk(2, dim=1)
        return Encoded(self.values["latent"], spatial, feature, before, modulation)


def _rows(
    values: NDArray[Any] | SpotSemantics | None,
    spots: NDArray[np.integer[Any]] | slice,
    device: torch.device,
) -> torch.Tensor | None:
    return None if values is None else _tensor(values[spots], device)


def _tensor(values: NDArray[Any], device: torch.device) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(values), device=device)
