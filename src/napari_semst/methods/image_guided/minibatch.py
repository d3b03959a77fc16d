"""What the training loop trains of the image-guided method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from napari_semst.core.chunks import chunks
from napari_semst.core.progress import Progress, RunControl, run_to_end
from napari_semst.core.threads import keep_limits
from napari_semst.methods.image_guided.network import (
    ImageGuidedNetwork,
    Normal,
    divergence,
)
from napari_semst.nn.graph_attention import AttentionGraph
from napari_semst.nn.sparse import constant_matrix
from napari_semst.nn.zinb.decoder import ZinbTarget, elementwise_engine
from napari_semst.prepare.normalise import gene_deviation

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import ImageGuidedConfig
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.nn.sparse import SparseOperator

    Spots = NDArray[np.integer[Any]]

# Spots encoded at once when all are.
_CHUNK_SPOTS = 8192
# Of the clustering's loss, which is below 1, beside a likelihood of hundreds of nats.
_CLUSTERING_WEIGHT = 10.0
# Pairs that are told apart in a step of contrastive learning: not all by all.
PAIRS = 512
_PROJECTED = 64
_TEMPERATURE = 0.1


class Batch(NamedTuple):
    """Some spots and all that they attend to, on the device."""

    expression: SparseOperator | torch.Tensor
    image: torch.Tensor | None
    graph: AttentionGraph


class Distributions(NamedTuple):
    """Posterior and prior of all spots, each array ``(n_spots, latent)``."""

    posterior: tuple[NDArray[np.float32], NDArray[np.float32]]
    prior: tuple[NDArray[np.float32], NDArray[np.float32]]


class GuidedObjective:
    """The network and the section; a step reads all spots or a sample of them.

    Attention reaches one neighbour far, so that a sample with all its neighbours is
    encoded exactly as in the whole section.

    Parameters
    ----------
    inputs
        The section; it stays in the machine's memory.
    batch_spots
        Spots of a step, 0 for all.
    """

    n_parts = 1

    def __init__(
        self, inputs: GuidedInputs, device: torch.device, batch_spots: int
    ) -> None:
        self.inputs, self.device, self.batch_spots = inputs, device, batch_spots
        self.training = inputs.config.training
        self.settings: ImageGuidedConfig = inputs.config.image_guided
        width = 0 if inputs.image is None else inputs.image.shape[1]
        self.network = ImageGuidedNetwork(
            inputs.expression.shape[1],
            inputs.counts.shape[1],
            width,
            self.settings,
            inputs.n_sections,
        ).to(device)
        moments = count_moments(inputs.counts)
        self.network.decoder.start_at(*(self._on_device(one) for one in moments))
        decoded = self.training.decoded_spots or inputs.n_spots
        decoded = min(decoded, batch_spots or inputs.n_spots)
        entries = float(self.training.epochs) * decoded * inputs.counts.shape[1]
        self.engine = elementwise_engine(device, entries=entries)
        self._decoded = decoded
        self._whole: Batch | None = None
        settings = self.settings
        # First steps, in which encoders are aligned and nothing is reconstructed.
        self.n_aligned = settings.contrastive_epochs if width else 0
        self.alignment: Alignment | None = None
        if self.n_aligned:
            self.alignment = Alignment(settings.hidden_dim).to(device)
        self.clustering: Clustering | None = None
        self._after = settings.clustering_epochs
        if self._after:
            # Its centres are put among the spots when its first step comes.
            wanted = inputs.config.domains.n_domains
            none = np.zeros((wanted, settings.latent_dim), np.float32)
            self.clustering = Clustering(none).to(device)

    @property
    def n_epochs(self) -> int:
        """The number of steps, those of the optional stages among them."""
        return self.n_aligned + self.training.epochs + self._after

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what is learnt, as the groups of an optimizer."""
        return [{"params": list(stage.parameters())} for stage in self._stages()]

    def training_state(self) -> dict[str, Tensor]:
        """Return all that steps change: the weights of every stage."""
        return {
            f"{number}.{name}": value
            for number, stage in enumerate(self._stages())
            for name, value in stage.state_dict().items()
        }

    def restore_training(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `training_state` returned in another process."""
        for number, stage in enumerate(self._stages()):
            own = {k: state[f"{number}.{k}"] for k in stage.state_dict()}
            stage.load_state_dict(own)

    def _stages(self) -> list[nn.Module]:
        stages = (self.network, self.alignment, self.clustering)
        return [stage for stage in stages if stage is not None]

    def step_losses(self, epoch: int, part: int = 0) -> dict[str, torch.Tensor]:
        """Return the weighted terms of a step: those of the stage that it is in."""
        self.network.train()
        random = np.random.default_rng([self.training.seed, epoch])
        spots, batch = self._batch(random)
        if self.alignment is not None and epoch < self.n_aligned:
            return self._aligned(self.alignment, batch, random)
        terms, posterior = self._terms(epoch - self.n_aligned, spots, batch, random)
        if self.clustering is not None:
            late = epoch - self.n_aligned - self.training.epochs
            if late == 0:
                self._place_centres(self.clustering)
            # Before, its centres are in nobody's way and learn nothing.
            weight = _CLUSTERING_WEIGHT * (late >= 0)
            terms["clustering"] = weight * self.clustering(posterior.mean)
        return terms

    def _aligned(
        self, alignment: Alignment, batch: Batch, random: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Return the contrastive loss of some spots; nothing else is learnt yet."""
        prior = self.network.prior
        assert prior is not None, "an alignment was asked for without an image"
        n_sources = batch.graph.shape[1]
        drawn = random.choice(n_sources, min(PAIRS, n_sources), replace=False)
        chosen = torch.as_tensor(np.sort(drawn), device=self.device)
        gene = self.network.gene(batch.expression)[chosen]
        return {"contrastive": alignment(gene, prior.image(batch.image)[chosen])}

    @torch.no_grad()
    def _place_centres(self, clustering: Clustering) -> None:
        """Put the centres where k-means finds the posterior means."""
        from sklearn.cluster import MiniBatchKMeans

        keep_limits()
        mean = run_to_end(self.distributions(RunControl())).posterior[0]
        search = MiniBatchKMeans(
            len(clustering.centres),
            n_init=4,
            random_state=self.training.seed,
            batch_size=4096,
        )
        clustering.centres.copy_(self._on_device(search.fit(mean).cluster_centers_))
        self.network.train()

    def _terms(
        self, epoch: int, spots: Spots, batch: Batch, random: np.random.Generator
    ) -> tuple[dict[str, torch.Tensor], Normal]:
        """Return reconstruction and divergence by its weight now, and the posterior."""
        posterior, prior = self.network(*batch)
        latent = posterior.sample()
        kept = random.choice(len(spots), min(self._decoded, len(spots)), replace=False)
        kept.sort()
        chosen = spots[kept]
        target = ZinbTarget(self.inputs.counts[chosen], self.device, engine=self.engine)
        zinb = self.network.decoder.count_loss(
            latent[torch.as_tensor(kept, device=self.device)],
            target,
            self._on_device(self.inputs.log_library[chosen]),
            self._sections(chosen),
        )
        weight = annealed(epoch, self.settings)
        each = divergence(posterior, prior).mean(dim=0)
        held = each.clamp(min=self.settings.free_bits).sum()
        return {"zinb": zinb, "divergence": weight * held}, posterior

    def current_latent(self, *, averaged: bool = True) -> NDArray[np.float32]:
        """Return the posterior means as they are now, averaged over neighbours."""
        mean = run_to_end(self.distributions(RunControl())).posterior[0]
        if not averaged:
            return mean
        graph = self.inputs.graph
        around = np.asarray(graph.sum(axis=1))
        seen: NDArray[np.float32] = np.asarray((graph @ mean) / around, np.float32)
        return seen

    @torch.no_grad()
    def distributions(
        self, control: RunControl
    ) -> Generator[Progress, None, Distributions]:
        """Return posterior and prior of all spots, chunk by chunk."""
        self.network.eval()
        n_spots, latent = self.inputs.n_spots, self.settings.latent_dim
        found = np.empty((4, n_spots, latent), dtype=np.float32)
        for part in chunks(n_spots, _CHUNK_SPOTS):
            control.check()
            yield Progress("train", part.start, n_spots, "Encoding all spots")
            spots = np.arange(part.start, part.stop)
            for place, one in enumerate(self.network(*self.of_spots(spots))):
                found[2 * place, part] = one.mean.float().cpu().numpy()
                found[2 * place + 1, part] = one.log_variance.float().cpu().numpy()
        return Distributions((found[0], found[1]), (found[2], found[3]))

    def _batch(self, random: np.random.Generator) -> tuple[Spots, Batch]:
        n_spots = self.inputs.n_spots
        if not self.batch_spots:
            spots = np.arange(n_spots)
            if self._whole is None:
                self._whole = self.of_spots(spots)
            return spots, self._whole
        spots = random.choice(n_spots, self.batch_spots, replace=False)
        spots.sort()
        return spots, self.of_spots(spots)

    def of_spots(self, spots: Spots) -> Batch:
        """Return some spots, by ascending index, and all that they attend to."""
        sources, graph = self._around(spots)
        image = self.inputs.image
        return Batch(
            self._expression(sources),
            None if image is None else self._on_device(image[sources]),
            graph,
        )

    def _around(self, spots: Spots) -> tuple[Spots, AttentionGraph]:
        rows = self.inputs.graph[spots]
        sources, places = np.unique(rows.indices, return_inverse=True)
        shape = (len(spots), len(sources))
        local = type(rows)((rows.data, places.ravel(), rows.indptr), shape=shape)
        own = np.searchsorted(sources, spots)
        return sources, AttentionGraph(local, own, self.device)

    def _expression(self, spots: Spots) -> SparseOperator | torch.Tensor:
        chosen = self.inputs.expression[spots]
        if isinstance(chosen, np.ndarray):
            return self._on_device(chosen)
        return constant_matrix(chosen, self.device)

    def _sections(self, spots: Spots) -> torch.Tensor | None:
        sections = self.inputs.sections
        return None if sections is None else self._on_device(sections[spots])

    def _on_device(self, values: NDArray[Any]) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), device=self.device)


def count_moments(
    counts: sparse.csr_matrix,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and dispersion of every gene, each ``(n_genes,)``.

    The dispersion is that of a negative binomial by its variance, mean + mean^2 /
    dispersion, within bounds that a training can leave.
    """
    n_spots = counts.shape[0]
    mean = np.asarray(counts.sum(axis=0), np.float64).ravel() / n_spots
    mean = np.maximum(mean, 0.5 / n_spots)
    excess = np.maximum(gene_deviation(counts) ** 2 - mean, 1e-8)
    dispersion = np.clip(mean**2 / excess, 0.1, 20.0)
    return mean.astype(np.float32), dispersion.astype(np.float32)


def annealed(epoch: int, settings: ImageGuidedConfig) -> float:
    """Return the weight of the KL divergence at an epoch: it rises linearly."""
    start, end = settings.kl_annealing_start, settings.kl_annealing_end
    done = 1.0 if epoch >= end else max(epoch - start, 0) / max(end - start, 1)
    return settings.kl_weight_max * done


class Alignment(nn.Module):
    """Contrastive learning: a spot's expression is to find its own image, and back.

    Source: noise-contrastive estimation with both directions averaged (Oord et al.
    2018, equation 4; Radford et al. 2021).

    Parameters
    ----------
    hidden
        Width of both encodings.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gene = nn.Linear(hidden, _PROJECTED)
        self.image = nn.Linear(hidden, _PROJECTED)

    def forward(self, gene: Tensor, image: Tensor) -> Tensor:
        """Return the loss of spots that are each other's wrong answers."""
        left = nn.functional.normalize(self.gene(gene), dim=1)
        right = nn.functional.normalize(self.image(image), dim=1)
        logits = left @ right.T / _TEMPERATURE
        own = torch.arange(len(logits), device=logits.device)
        there = nn.functional.cross_entropy(logits, own)
        back = nn.functional.cross_entropy(logits.T, own)
        return 0.5 * (there + back)


class Clustering(nn.Module):
    """Deep embedded clustering: spots are drawn to the centres that they are near.

    Source: Xie, Girshick and Farhadi 2016, equations 1 to 3.

    Parameters
    ----------
    centres
        Where the centres start, ``(n_domains, latent)``.
    """

    def __init__(self, centres: NDArray[np.float32]) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.as_tensor(centres))

    def forward(self, latent: Tensor) -> Tensor:
        """Return KL(target || assignment), averaged over spots, of ``(n, latent)``."""
        assigned = self.assignments(latent)
        wanted = target_of(assigned).detach()
        ratio = torch.log(wanted.clamp(min=1e-12)) - torch.log(assigned)
        return (wanted * ratio).sum(dim=1).mean()

    def assignments(self, latent: Tensor) -> Tensor:
        """Return each spot's share in each centre, ``(n_spots, n_domains)``."""
        # Squares without a third axis of spots by centres by dimensions.
        square = (
            latent.square().sum(dim=1, keepdim=True)
            - 2 * latent @ self.centres.T
            + self.centres.square().sum(dim=1)
        ).clamp(min=0)
        kernel = 1 / (1 + square)
        return kernel / kernel.sum(dim=1, keepdim=True)


def target_of(assigned: Tensor) -> Tensor:
    """Return sharper assignments, with large domains held back, of the same shape."""
    raised = assigned.square() / assigned.sum(dim=0)
    return raised / raised.sum(dim=1, keepdim=True)
