"""The step of a run that reads the histology around each spot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.morphology.base import Morphology
from napari_semst.progress import Progress, working

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.config_stages import MorphologyConfig
    from napari_semst.morphology.encoders import PatchEncoder
    from napari_semst.morphology.sections import Imaged
    from napari_semst.prepare.section import Section
    from napari_semst.progress import RunControl

STAGE = "morphology"


def describe_morphology(
    tissue: AnnData, section: Section, config: Config, control: RunControl
) -> Generator[Progress, None, Morphology | None]:
    """Read the image around each spot, as the settings want it.

    Parameters
    ----------
    tissue
        Holds the image, or the features of ``obsm:KEY``.
    section
        Its coordinates are read.
    config
        Its ``morphology`` and device are read.
    control
        Asked for cancelling.

    Yields
    ------
    progress
        Events of the stage morphology, with spots done.

    Returns
    -------
    Morphology or None
        `None` where no encoder is asked for.

    Raises
    ------
    ConfigError
        If there is no such encoder.
    InputError
        If there is no image, no such obsm key, or no spot lies on the image.
    SemanticsError
        If a network cannot be found or loaded.
    """
    from napari_semst.device import choose_device
    from napari_semst.morphology.encoders import image_encoder
    from napari_semst.morphology.sections import imaged_parts

    wanted = config.morphology
    kind, _, key = wanted.encoder.partition(":")
    if kind == "none":
        return None
    yield Progress(STAGE, 0, 0, "Finding the image")
    if kind == "obsm":
        return held_features(tissue, key)
    parts = imaged_parts(tissue, wanted)
    device = choose_device(config.training.device).name
    encoder = yield from working(
        STAGE,
        "Finding the image encoder",
        lambda teller: image_encoder(wanted, device, teller.say),
        control,
    )
    gathered = _Gathered(section.n_spots)
    for part in parts:
        steps = _part(tissue, section, part, encoder, wanted, len(parts) > 1, control)
        yield from gathered.of_part(part.spots, steps)
    return gathered.morphology(encoder, wanted)


def held_features(tissue: AnnData, key: str) -> Morphology:
    """Return features that the tissue already holds.

    Parameters
    ----------
    tissue
        Holds ``obsm[key]``, ``(n_spots, n_features)``; a row that is not finite
        stands for a spot without an image.
    key
        Its name.

    Raises
    ------
    InputError
        If it is not there, or is no table of numbers.
    """
    if key not in tissue.obsm:
        found = ", ".join(map(repr, tissue.obsm)) or "nothing"
        raise InputError(
            f"Expected image features in obsm[{key!r}]; found {found}. Name one of "
            "these as obsm:KEY, or choose another image encoder."
        )
    given = tissue.obsm[key]
    names = tuple(map(str, getattr(given, "columns", ())))
    values = given.toarray() if hasattr(given, "toarray") else np.asarray(given)
    if values.ndim != 2 or not values.shape[1] or values.dtype.kind not in "fiub":
        raise InputError(
            f"Expected obsm[{key!r}] to be numbers of shape (n_spots, n_features); "
            f"found {values.dtype} of shape {values.shape}."
        )
    features = values.astype(np.float32)
    names = names or tuple(f"{key} {one + 1}" for one in range(features.shape[1]))
    usable = np.isfinite(features).all(axis=1)
    notes = {"encoder": f"obsm:{key}", "features": features.shape[1]}
    return Morphology(features, names, usable, {"outside": ~usable}, notes)


@dataclass
class _Read:
    """What was read of one part."""

    features: NDArray[np.float32]
    flags: dict[str, NDArray[np.bool_]]
    notes: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


class _Gathered:
    """What was read of all parts, each in its place."""

    def __init__(self, n_spots: int) -> None:
        self._n_spots = n_spots
        self._features: NDArray[np.float32] | None = None
        self._flags: dict[str, NDArray[np.bool_]] = {}
        self._seen = np.zeros(n_spots, bool)
        self._images: list[dict[str, Any]] = []
        self._warnings: list[str] = []

    def of_part(
        self, spots: NDArray[np.intp], steps: Generator[int | str, None, _Read]
    ) -> Generator[Progress, None, None]:
        """Read a part, and say of how many spots patches were read so far."""
        before = int(self._seen.sum())
        text = "Reading the image around spots"
        while True:
            try:
                said = next(steps)
            except StopIteration as end:
                self._add(spots, end.value)
                return
            if isinstance(said, str):
                text = said
                continue
            yield Progress(STAGE, before + said, self._n_spots, text)

    def _add(self, spots: NDArray[np.intp], read: _Read) -> None:
        if self._features is None:
            shape = (self._n_spots, read.features.shape[1])
            self._features = np.full(shape, np.nan, np.float32)
        self._features[spots] = read.features
        self._seen[spots] = True
        for name, flag in read.flags.items():
            self._flags.setdefault(name, np.zeros(self._n_spots, bool))[spots] = flag
        self._images.append(read.notes)
        self._warnings += read.warnings

    def morphology(self, encoder: PatchEncoder, config: MorphologyConfig) -> Morphology:
        """Return what was read of all parts."""
        assert self._features is not None
        flags = self._flags
        missing = int((~self._seen).sum())
        if missing:
            flags["outside"] = flags["outside"] | ~self._seen
            self._warnings.append(
                f"{missing:,} of {self._n_spots:,} spots are of sections without an "
                "image; nothing is known of their histology."
            )
        # What lies outside the image has no patch to speak of.
        self._features[flags["outside"]] = np.nan
        usable = np.isfinite(self._features).all(axis=1)
        for flag in flags.values():
            usable &= ~flag
        counts = {name: int(flag.sum()) for name, flag in flags.items()}
        notes = {
            **encoder.notes,
            "features": self._features.shape[1],
            "context": config.context,
            "stain": config.stain,
            "usable": int(usable.sum()),
            "flags": counts,
            "images": {str(one.pop("library")): one for one in self._images},
            "warnings": list(dict.fromkeys(self._warnings)),
        }
        names = encoder.names(self._features.shape[1])
        return Morphology(self._features, names, usable, flags, notes)
