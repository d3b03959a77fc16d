"""What was read of several images, put together spot by spot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.morphology.base import Morphology

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.config.stages import MorphologyConfig
    from napari_semst.morphology.encoders import PatchEncoder


@dataclass
class Read:
    """What was read of the spots of one image.

    Parameters
    ----------
    features
        Shape ``(n, n_features)``.
    flags
        Why spots are not to be relied upon, by name, each ``(n,)``.
    notes
        Of the image, for the provenance.
    warnings
        Sentences for users.
    """

    features: NDArray[np.float32]
    flags: dict[str, NDArray[np.bool_]]
    notes: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


class Gathered:
    """What was read of all images, each spot in its place.

    Parameters
    ----------
    n_spots
        Of all sections.
    """

    def __init__(self, n_spots: int) -> None:
        self._n_spots = n_spots
        self._features: NDArray[np.float32] | None = None
        self._flags: dict[str, NDArray[np.bool_]] = {}
        self._seen = np.zeros(n_spots, bool)
        self._images: dict[str, dict[str, Any]] = {}
        self._warnings: list[str] = []

    @property
    def n_read(self) -> int:
        """How many spots were read so far."""
        return int(self._seen.sum())

    def add(self, library: str, spots: NDArray[np.intp], read: Read) -> None:
        """Take in what was read of one image.

        Parameters
        ----------
        library
            Name of the section; empty for the only one.
        spots
            Whose rows they are.
        read
            What was read.
        """
        if self._features is None:
            shape = (self._n_spots, read.features.shape[1])
            self._features = np.full(shape, np.nan, np.float32)
        self._features[spots] = read.features
        self._seen[spots] = True
        for name, flag in read.flags.items():
            self._flags.setdefault(name, np.zeros(self._n_spots, bool))[spots] = flag
        self._images[library or "image"] = read.notes
        self._warnings += read.warnings

    def morphology(self, encoder: PatchEncoder, config: MorphologyConfig) -> Morphology:
        """Return what was read of all images.

        Parameters
        ----------
        encoder
            What described the patches.
        config
            The settings that are told of.
        """
        assert self._features is not None
        flags = self._flags
        missing = self._n_spots - self.n_read
        if missing:
            flags["outside"] |= ~self._seen
            self._warnings.append(
                f"{missing:,} of {self._n_spots:,} spots are of sections without an "
                "image; nothing is known of their histology."
            )
        # What lies outside the image has no patch to speak of.
        self._features[flags["outside"]] = np.nan
        usable = np.asarray(np.isfinite(self._features).all(axis=1))
        for flag in flags.values():
            usable &= ~flag
        notes = {
            **encoder.notes,
            "features": self._features.shape[1],
            "context": config.context,
            "usable": int(usable.sum()),
            "flags": {name: int(flag.sum()) for name, flag in flags.items()},
            "images": self._images,
            "warnings": list(dict.fromkeys(self._warnings)),
        }
        names = encoder.names(self._features.shape[1])
        return Morphology(self._features, names, usable, flags, notes)
