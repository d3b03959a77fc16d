"""What a host is: an encoder, loss terms and a latent, in one small file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from napari_semst.methods.spec import MethodSpec
from napari_semst.training.batching import batch_spots

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor, nn

    from napari_semst.config import Config
    from napari_semst.config.settings import Overrides
    from napari_semst.methods.hosts.counts import CountsTarget
    from napari_semst.methods.hosts.network import HostNetwork
    from napari_semst.nn.reconstruction import Reconstructed
    from napari_semst.prepare.section import Section

# What hosts have in common against the project's recipe: they stand alone, take one
# step size, and are read as published, off the latent of the last epoch.
_COMMON: Overrides = MappingProxyType(
    {
        "semantics": MappingProxyType({"source": "none"}),
        # Else a host whose latent is small beside its meaning is all meaning.
        "model": MappingProxyType({"weight_modulation": 10.0}),
        "training": MappingProxyType(
            {
                "schedule": "constant",
                "average_last": 0.0,
                "decoded_spots": 0,
                "decoded_genes": 0,
                "weight_decay": 0.0,
            }
        ),
        "domains": MappingProxyType({"readout": "gmm", "refine": 0}),
    }
)


@dataclass(frozen=True)
class HostInputs:
    """What a host reads of a section, or of a sample, in the machine's memory.

    Parameters
    ----------
    features
        What is encoded, ``(n_spots, width)``, sparse or dense.
    graphs
        Neighbours by name, each ``(n_spots, n_spots)``, symmetric and binary, no loops.
    counts
        What a ZINB reconstructs, ``(n_spots, n_genes)``, or `None`.
    arrays
        Anything else of spots by name, each with a row for every spot.
    constants
        Anything of the section as a whole, by name.
    notes
        Facts for the provenance.
    """

    features: sparse.csr_matrix | NDArray[np.float32]
    graphs: Mapping[str, sparse.csr_matrix]
    counts: sparse.csr_matrix | None = None
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def n_spots(self) -> int:
        """The number of spots."""
        return int(self.features.shape[0])

    @property
    def width(self) -> int:
        """Width of the features: genes, or components."""
        return int(self.features.shape[1])

    def sample(self, spots: NDArray[np.integer[Any]]) -> HostInputs:
        """Return some spots, with the neighbours that are among them."""
        return replace(
            self,
            features=self.features[spots],
            graphs={k: g[spots][:, spots] for k, g in self.graphs.items()},
            counts=None if self.counts is None else self.counts[spots],
            arrays={name: values[spots] for name, values in self.arrays.items()},
        )


class HostData(NamedTuple):
    """A section or a sample on the device.

    Parameters
    ----------
    features
        As products take it, ``(n_spots, width)``.
    target
        The features with their sums, for linear decoders.
    graphs
        What `Host.operators` made of the graphs.
    arrays, constants
        The host's own arrays as tensors.
    counts
        What a ZINB reconstructs, or `None`.
    semantics
        Semantic embedding, or `None`.
    n_spots
        The number of spots.
    """

    features: Any
    target: Reconstructed
    graphs: Mapping[str, Any]
    arrays: Mapping[str, Tensor]
    constants: Mapping[str, Tensor]
    counts: CountsTarget | None
    semantics: Tensor | None
    n_spots: int

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.target.columns.device


class HostEncoded(NamedTuple):
    """What an encoder makes of spots.

    Parameters
    ----------
    latent
        What is clustered, and where semantics is fused in, ``(n_spots, latent)``; in
        losses, after that.
    kept
        What the losses need besides; ``semantics`` among it takes the place of the
        section's, for spots whose own is not to be seen in a step.
    """

    latent: Tensor
    kept: Mapping[str, Any] = MappingProxyType({})


class HostStep(NamedTuple):
    """Where training stands.

    Parameters
    ----------
    epoch
        Steps done.
    config
        All settings.
    """

    epoch: int
    config: Config


class Host(ABC):
    """A published method: what it reads, its encoder, and what it minimises.

    Its file is read before torch is: torch is imported inside the functions.

    Attributes
    ----------
    name, label, summary
        As `MethodSpec` has them.
    settings
        In which the method differs from what hosts have in common.
    step_seconds
        CPU seconds of a spot in a step, on the machine of docs/benchmarks.md.
    step_bytes
        Bytes that a spot of a step takes.
    image
        Whether it reads the image of a section whose spots have features of one.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    summary: ClassVar[str]
    settings: ClassVar[Overrides] = MappingProxyType({})
    step_seconds: ClassVar[float] = 2e-5
    step_bytes: ClassVar[float] = 40_000.0
    image: ClassVar[bool] = False

    @abstractmethod
    def read(self, section: Section, config: Config) -> HostInputs:
        """Return what is learnt from of a section."""

    def sampled(self, inputs: HostInputs, config: Config) -> HostInputs:
        """Return a sample as it is learnt from; neighbours outside it are gone."""
        return inputs

    @abstractmethod
    def operators(self, inputs: HostInputs, device: torch.device) -> dict[str, Any]:
        """Return the graphs as the encoder and the losses take them."""

    @abstractmethod
    def build(self, inputs: HostInputs, config: Config) -> dict[str, nn.Module]:
        """Return the parts of the network, their weights drawn by torch."""

    @abstractmethod
    def encode(self, net: HostNetwork, data: HostData, step: HostStep) -> HostEncoded:
        """Return the latent before semantics; ``net.training`` tells a step."""

    @abstractmethod
    def losses(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData, step: HostStep
    ) -> dict[str, Tensor]:
        """Return the weighted loss terms of spots whose latent is fused."""

    def clustered(
        self, net: HostNetwork, encoded: HostEncoded, data: HostData
    ) -> Tensor:
        """Return what the method clusters: the latent, unless it says otherwise."""
        return encoded.latent

    def latent_width(self, config: Config) -> int:
        """Return the width of the latent."""
        return config.model.latent


def host_spec(host: Host) -> MethodSpec:
    """Return what the pipeline, the shell and the docks need to know of a host."""

    def seconds(config: Config, n_spots: int, n_genes: int) -> float:
        read = batch_spots(config.training, n_spots) or n_spots
        return config.training.epochs * read * host.step_seconds

    def n_bytes(config: Config, n_spots: int) -> float:
        read = batch_spots(config.training, n_spots) or n_spots
        # Of a whole pass without gradients about a quarter is held.
        return max(float(read), n_spots / 4) * host.step_bytes

    def reads_image(config: Config) -> bool:
        return host.image and config.morphology.encoder != "none"

    defaults = {stage: dict(values) for stage, values in _COMMON.items()}
    for stage, values in host.settings.items():
        defaults.setdefault(stage, {}).update(values)
    return MethodSpec(
        name=host.name,
        label=host.label,
        summary=host.summary,
        fit="napari_semst.methods.hosts.fit:fit",
        defaults=defaults,
        semantics=True,
        smooths_semantics=True,
        reads_image=reads_image,
        networks="one",
        averages_latents=False,
        hears_checkpoints=False,
        n_views=3,
        training_seconds=seconds,
        training_bytes=n_bytes,
    )
