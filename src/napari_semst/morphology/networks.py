"""Networks that read patches: those of Hugging Face's transformers and of timm.

Patches are cut at the side that the network was trained for, so nothing is resized
twice; only its own mean and deviation of colours are put on. Spot and context are read
one after the other, and their vectors stand side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import DeviceError, SemanticsError
from napari_semst.morphology.suggestions import licence_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from numpy.typing import NDArray

    from napari_semst.models.hub import LocatedModel
    from napari_semst.morphology.stain import Stains

CPU_PATCHES, GPU_PATCHES = 16, 256
# To be raised whenever patches would be read otherwise.
_FORMAT = 1


@dataclass(frozen=True)
class LoadedNetwork:
    """A network in memory.

    Parameters
    ----------
    run
        Returns one vector per image of ``(m, 3, side, side)``.
    output
        In words, what these vectors are.
    """

    run: Callable[[torch.Tensor], torch.Tensor]
    output: str


@dataclass(frozen=True)
class NetworkSource:
    """A network on the disk.

    Parameters
    ----------
    kind
        ``hf`` or ``timm``.
    side
        Of the images that it reads, in pixels.
    mean, deviation
        Of their red, green and blue, from 0 to 1.
    """

    kind: str
    located: LocatedModel
    side: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    load: Callable[[str], LoadedNetwork]


class PatchNetwork:
    """A network that reads patches; it is loaded when the first are read.

    Parameters
    ----------
    batch
        Patches read at once; 0: by the device.
    """

    def __init__(self, source: NetworkSource, device: str, batch: int = 0) -> None:
        self.spot_pixels = self.context_pixels = source.side
        self._source, self._device = source, device
        gpu = device.startswith("cuda")
        self._batch = batch or (GPU_PATCHES if gpu else CPU_PATCHES)
        self._loaded: LoadedNetwork | None = None

    @property
    def name(self) -> str:
        """What users call it."""
        return f"{self._source.kind}:{self._source.located.name}"

    @property
    def identity(self) -> str:
        """What distinguishes this network, and this way of reading, from others."""
        numbers = self._dtype().removeprefix("torch.")
        identity = self._source.located.identity
        return f"{self._source.kind} {identity} {numbers} {_FORMAT}"

    @property
    def notes(self) -> dict[str, Any]:
        """Facts for the provenance."""
        located = self._source.located
        notes = {
            "encoder": self.name,
            "revision": located.revision,
            "pixels": self._source.side,
            "licence": licence_of(located.name),
        }
        if self._loaded is not None:
            notes |= {"output": self._loaded.output, "patches_at_once": self._batch}
        return notes

    def names(self, width: int) -> tuple[str, ...]:
        """Return the names of that many features: half are of the spot."""
        return tuple(
            f"{where}, dimension {number + 1}"
            for where in ("spot", "context")
            for number in range(width // 2)
        )

    def encode(
        self,
        spot: NDArray[np.uint8],
        context: NDArray[np.uint8],
        stains: Stains,
        between: Callable[[], None],
    ) -> NDArray[np.float32]:
        """Return the features of spots; see `napari_semst.morphology.encoders`.

        Raises
        ------
        DeviceError
            If memory does not do even for one patch.
        SemanticsError
            If the network cannot be loaded, or gives numbers that are not finite.
        """
        if self._loaded is None:
            self._loaded = self._source.load(self._device)
        parts = [self._vectors(patches, between) for patches in (spot, context)]
        return np.concatenate(parts, axis=1)

    def _vectors(
        self, patches: NDArray[np.uint8], between: Callable[[], None]
    ) -> NDArray[np.float32]:
        found: list[NDArray[np.float32]] = []
        done = 0
        while done < len(patches):
            between()
            part = patches[done : done + self._batch]
            vectors = self._tried(part)
            if vectors is None:
                self._batch = max(len(part) // 2, 1)
                continue
            found.append(vectors)
            done += len(part)
        return np.concatenate(found)

    def _tried(self, patches: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return the vectors of a batch, or `None` where memory ran out."""
        import torch

        from napari_semst.semantics.language_model.encoder import is_out_of_memory

        try:
            return self._run(patches)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(patches) == 1:
                raise DeviceError(
                    f"Expected {self.name} to read one patch in the memory of "
                    f"{self._device}; it did not fit. Choose a smaller network, or "
                    "device 'cpu'."
                ) from error
        # Out here nothing holds the tensors of what failed.
        if self._device.startswith("cuda"):
            torch.cuda.empty_cache()
        return None

    def _dtype(self) -> str:
        """Return what GPUs compute products in; CPUs stay exact."""
        import torch

        if not self._device.startswith("cuda"):
            return "float32"
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"

    def _run(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        assert self._loaded is not None
        place, source = torch.device(self._device), self._source
        mean, deviation = (
            torch.tensor(values, device=place).view(1, 3, 1, 1) * 255
            for values in (source.mean, source.deviation)
        )
        dtype = getattr(torch, self._dtype())
        gpu = place.type == "cuda"
        with torch.inference_mode(), torch.autocast(place.type, dtype, enabled=gpu):
            images = torch.from_numpy(patches.copy()).to(place)
            images = (images.permute(0, 3, 1, 2).float() - mean) / deviation
            vectors: NDArray[np.float32] = (
                self._loaded.run(images).float().cpu().numpy()
            )
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise SemanticsError(
                f"Expected {self.name} to give one vector of finite numbers for a "
                f"patch; it gave an array of shape {vectors.shape}"
                f"{'' if np.isfinite(vectors).all() else ' with NaN or infinity'}. "
                "Choose another network, or device 'cpu'."
            )
        return vectors


def pool_tokens(tokens: torch.Tensor, n_first: int) -> torch.Tensor:
    """Return one vector per image from a network's tokens of its parts.

    Parameters
    ----------
    tokens
        ``(m, width)``, which stays; ``(m, n, width)``: the first token beside the mean
        of those of the image, or their mean where there are no others; or
        ``(m, width, height, width)``: the mean.
    n_first
        Tokens before those of the image.
    """
    import torch

    if tokens.ndim == 4:
        return tokens.mean(dim=(2, 3))
    if tokens.ndim == 3:
        mean = tokens[:, n_first:].mean(dim=1)
        return torch.cat([tokens[:, 0], mean], dim=1) if n_first else mean
    return tokens
