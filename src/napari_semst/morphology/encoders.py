"""What turns the patches of a spot into numbers: measures, or a network."""

from __future__ import annotations

from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_semst.errors import ConfigError
from napari_semst.morphology.networks import PatchNetwork
from napari_semst.morphology.suggestions import suggestion_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_semst.config.settings import MorphologyConfig
    from napari_semst.models.hub import DownloadNeed
    from napari_semst.morphology.stain import Stains

    Say = Callable[[str], None]

ENCODER_FORMS = ("none", "builtin", "timm:ID", "hf:ID", "obsm:KEY")
_NETWORKS = {
    "hf": "napari_semst.morphology.hf:hf_source",
    "timm": "napari_semst.morphology.timm_models:timm_source",
}
# To be raised whenever `builtin` measures otherwise.
_BUILTIN = "builtin-1"
_THREADS = 8


class PatchEncoder(Protocol):
    """A way from patches to features."""

    # Pixels of a patch's side, of the spot and of its context.
    spot_pixels: int
    context_pixels: int

    @property
    def name(self) -> str:
        """What users call it."""

    @property
    def identity(self) -> str:
        """What distinguishes it from all others, in a cache."""

    @property
    def notes(self) -> dict[str, Any]:
        """Facts for the provenance."""

    def names(self, width: int) -> tuple[str, ...]:
        """Return the names of that many features."""

    def encode(
        self,
        spot: NDArray[np.uint8],
        context: NDArray[np.uint8],
        stains: Stains,
        between: Callable[[], None],
    ) -> NDArray[np.float32]:
        """Return the features of spots, ``(m, width)``.

        Parameters
        ----------
        spot, context
            Patches, shapes ``(m, spot_pixels, spot_pixels, 3)`` and the same of the
            context.
        between
            Called between batches; may raise.
        """


class BuiltinEncoder:
    """The measures of `napari_semst.morphology.builtin`: no download.

    Parameters
    ----------
    batch
        Patches that a thread measures at once; 0: 64.
    """

    # At 55 microns a spot, a nucleus is about 8 pixels wide in the first, 4 in the
    # second.
    spot_pixels, context_pixels = 64, 96
    name, identity = "builtin", _BUILTIN

    def __init__(self, batch: int = 0) -> None:
        self._batch = batch or 64

    @property
    def notes(self) -> dict[str, Any]:
        """Facts for the provenance."""
        return {"encoder": self.name, "revision": self.identity}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        from napari_semst.morphology.builtin import describe_patches

        blank = np.zeros((1, 16, 16, 3), np.uint8)
        return describe_patches(blank, blank)[1]

    def names(self, width: int) -> tuple[str, ...]:
        """Return the names of the features; their number does not vary."""
        assert width in (0, len(self._names))
        return self._names

    def encode(
        self,
        spot: NDArray[np.uint8],
        context: NDArray[np.uint8],
        stains: Stains,
        between: Callable[[], None],
    ) -> NDArray[np.float32]:
        """Return the features of spots; see `PatchEncoder`."""
        from napari_semst.core.threads import side_by_side
        from napari_semst.morphology.builtin import describe_patches

        def measured(start: int) -> NDArray[np.float32]:
            between()
            part = slice(start, start + self._batch)
            return describe_patches(spot[part], context[part], stains)[0]

        starts = range(0, len(spot), self._batch)
        # Each thread holds a batch as floats, so there are not many.
        return np.concatenate(
            side_by_side([partial(measured, one) for one in starts], most=_THREADS)
        )


def image_encoder(
    config: MorphologyConfig, device: str, say: Say | None = None
) -> PatchEncoder:
    """Return the encoder that the settings name.

    Parameters
    ----------
    config
        Encoder, revision and size of batches are read.
    say
        Called with sentences for users, before a download for instance.

    Raises
    ------
    ConfigError
        If there is no such encoder.
    SemanticsError
        If a network cannot be found or loaded.
    """
    kind, _, name = config.encoder.partition(":")
    if config.encoder == "builtin":
        return BuiltinEncoder(config.batch_patches)
    if kind in _NETWORKS and name:
        known = suggestion_for(name)
        if known is not None and known.how:
            raise ConfigError(
                f"Expected an encoder of transformers or timm; got {name}. {known.how}"
            )
        module, _, function = _NETWORKS[kind].partition(":")
        find = getattr(import_module(module), function)
        source = find(name, config.revision, say)
        return PatchNetwork(source, device, config.batch_patches)
    kinds = ", ".join(ENCODER_FORMS)
    raise ConfigError(
        f"Expected morphology.encoder to be one of {kinds}; got {config.encoder!r}."
    )


def encoder_download(config: MorphologyConfig) -> DownloadNeed | None:
    """Return what an image encoder would download, if anything; asks no network."""
    from pathlib import Path

    from napari_semst.models.hub import DownloadNeed, local_folder
    from napari_semst.morphology.hf import IMAGE_ENCODER
    from napari_semst.morphology.timm_models import TIMM_KINDS as TIMM
    from napari_semst.morphology.timm_models import hub_name

    kind, _, name = config.encoder.partition(":")
    if kind not in _NETWORKS or not name or Path(name).expanduser().is_dir():
        return None
    hub, kinds = (name, (IMAGE_ENCODER,)) if kind == "hf" else (hub_name(name), TIMM)
    if any(local_folder(hub, config.revision, one) for one in kinds):
        return None
    return DownloadNeed(hub, None)
