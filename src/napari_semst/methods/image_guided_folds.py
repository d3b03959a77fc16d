"""Priors that never saw the expression of the spots they speak of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_semst.methods.image_guided_network import (
    Normal,
    Prior,
    divergence,
)
from napari_semst.prepare.components import dense_axes, rotated
from napari_semst.training.loop import train

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_semst.methods.image_guided_inputs import GuidedInputs
    from napari_semst.methods.image_guided_problem import GuidedProblem
    from napari_semst.progress import Progress, RunControl

    Floats = NDArray[np.float32]

# Pieces of a section that make up a fold: large enough to hold whole regions.
_PIECES = 5
_EPOCHS, _LEARNING_RATE, _WEIGHT_DECAY = 150, 5e-3, 1e-4
# Narrower and more often dropped than the network's own prior: it is to generalise.
_WIDTH, _DROPOUT = 128, 0.5
# Spots of a step; all of a fold's up to as many.
_BATCH_SPOTS = 4096
# Axes of the image's features in which images are compared, and with how many.
_IMAGE_AXES, _NEAREST_IMAGES = 8, 5


def spatial_folds(
    inputs: GuidedInputs, places: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return the fold of every spot, ``(n_spots,)``: pieces of tissue dealt in turn.

    Pieces are made, and dealt, by the usable spots: no fold holds all of them.

    Parameters
    ----------
    inputs
        Number of folds and seed.
    places
        Coordinates, ``(n_spots, 2)``.
    """
    from sklearn.cluster import MiniBatchKMeans

    wanted, usable = inputs.config.image_guided.folds, inputs.usable
    pieces = min(wanted * _PIECES, int(usable.sum()) // 2)
    search = MiniBatchKMeans(
        pieces, n_init=3, random_state=inputs.config.training.seed, batch_size=4096
    )
    piece = np.asarray(search.fit(places[usable]).predict(places))
    # Largest first, each to the fold that has least.
    sizes = np.bincount(piece[usable], minlength=pieces)
    fold_of, filled = np.zeros(pieces, np.intp), np.zeros(wanted)
    for one in np.argsort(-sizes, kind="stable"):
        fold_of[one] = filled.argmin()
        filled[fold_of[one]] += sizes[one]
    found: NDArray[np.intp] = fold_of[piece]
    return found


def unfamiliar(inputs: GuidedInputs, folds: NDArray[np.intp]) -> Floats:
    """Return how far each image is from those that its fold's prior learns from.

    Parameters
    ----------
    inputs
        Features of the image, which are averaged over neighbours.
    folds
        Of every spot.

    Returns
    -------
    numpy.ndarray
        Mean distance to the nearest images of other folds, along the main axes,
        ``(n_spots,)``.
    """
    from scipy.spatial import KDTree

    assert inputs.image is not None, "images were asked for where there are none"
    around = np.asarray(inputs.graph.sum(axis=1), np.float32)
    mean = np.asarray(inputs.graph @ inputs.image) / around
    scores = rotated(mean, *dense_axes(mean))[:, :_IMAGE_AXES]
    found = np.zeros(len(folds), np.float32)
    for fold in range(int(folds.max()) + 1):
        own = folds == fold
        learnt = scores[~own & inputs.usable]
        if own.any() and len(learnt) >= _NEAREST_IMAGES:
            distances, _ = KDTree(learnt).query(scores[own], k=_NEAREST_IMAGES)
            found[own] = distances.mean(axis=1)
    return found


class PriorProblem:
    """What the training loop trains of a fold's prior: the posterior stays as it is.

    Parameters
    ----------
    problem
        The trained network and the section.
    posterior
        Means and logs of variances, each ``(n_spots, latent)``.
    learnt
        Spots that are learnt from.
    seed
        Of the weights, and of the spots of a step.
    """

    n_parts = 1

    def __init__(
        self,
        problem: GuidedProblem,
        posterior: tuple[Floats, Floats],
        learnt: NDArray[np.intp],
        seed: int,
    ) -> None:
        assert problem.inputs.image is not None
        self.problem, self.posterior, self.learnt = problem, posterior, learnt
        self.seed = seed
        settings = replace(problem.settings, hidden_dim=_WIDTH, dropout=_DROPOUT)
        self.prior = Prior(problem.inputs.image.shape[1], settings).to(problem.device)
        self._start()
        self._whole: Any = None

    @torch.no_grad()
    def _start(self) -> None:
        """Let the prior start as one normal distribution for all spots."""
        mean, log_variance = (values[self.learnt] for values in self.posterior)
        spread = mean.var(axis=0) + np.exp(log_variance).mean(axis=0)
        device, head = self.problem.device, self.prior.head
        width = torch.as_tensor(spread, device=device)
        head.mean.bias.copy_(torch.as_tensor(mean.mean(axis=0), device=device))
        head.mean.weight.mul_(width.sqrt()[:, None])
        head.log_variance.bias.copy_(width.log())
        head.log_variance.weight.mul_(0.1)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what is learnt, as the groups of an optimizer."""
        return [{"params": list(self.prior.parameters())}]

    def step_losses(self, epoch: int, part: int = 0) -> dict[str, torch.Tensor]:
        """Return the mean KL divergence of the spots of a step."""
        self.prior.train()
        (image, graph), posterior = self._batch(epoch)
        prior = self.prior(image, graph)
        return {"divergence": divergence(posterior, prior).sum(dim=1).mean()}

    def _batch(self, epoch: int) -> Any:
        if len(self.learnt) > _BATCH_SPOTS:
            random = np.random.default_rng([self.seed, epoch])
            spots = np.sort(random.choice(self.learnt, _BATCH_SPOTS, replace=False))
            return self._of(spots)
        if self._whole is None:
            self._whole = self._of(self.learnt)
        return self._whole

    def _of(self, spots: NDArray[np.intp]) -> Any:
        device = self.problem.device
        mean, log_variance = (
            torch.as_tensor(values[spots], device=device) for values in self.posterior
        )
        return self.problem.image_of(spots), Normal(mean, log_variance)

    def glimpse(self) -> Floats:
        """Return the posterior means: they stay as they are."""
        return self.posterior[0]


def cross_fitted(
    problem: GuidedProblem,
    posterior: tuple[Floats, Floats],
    folds: NDArray[np.intp],
    control: RunControl,
) -> Generator[Progress, None, list[Prior]]:
    """Return a prior for each fold, learnt from usable spots of the others.

    A network that has seen how a discordant region is expressed soon knows it by its
    image; one that has not says what such an image means elsewhere.

    Parameters
    ----------
    problem, posterior
        The trained network, and its posterior of all spots.
    folds
        Of every spot; with a single fold its prior is learnt from all spots.
    """
    from napari_semst.methods.semst_training import member_seed

    training, found = problem.training, []
    n_folds = int(folds.max()) + 1
    short = replace(
        training,
        epochs=_EPOCHS,
        learning_rate=_LEARNING_RATE,
        weight_decay=_WEIGHT_DECAY,
        schedule="cosine",
    )
    for fold in range(n_folds):
        others = problem.inputs.usable & ((folds != fold) | (n_folds == 1))
        seed = member_seed(training.seed, fold)
        with torch.random.fork_rng(devices=_devices(problem.device)):
            torch.manual_seed(seed)
            one = PriorProblem(problem, posterior, np.flatnonzero(others), seed)
        steps = train(one, replace(short, seed=seed), control)
        for event in steps:
            yield replace(
                event,
                stage="discordance",
                step=event.step + fold * _EPOCHS,
                steps=n_folds * _EPOCHS,
                message=f"What the image predicts, part {fold + 1} of {n_folds}",
                metrics={},
                latent=None,
            )
        one.prior.eval()
        found.append(one.prior)
    return found


def _devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
