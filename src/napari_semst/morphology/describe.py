"""The step of a run that reads the histology around each spot."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.cache.features import FeatureCache
from napari_semst.core.progress import Progress, run_in_thread
from napari_semst.core.sections import naming_section
from napari_semst.errors import InputError
from napari_semst.io.places.landmark_facts import landmark_notes
from napari_semst.io.places.on_image import FEW_ON_IMAGE, about_few, share_in_words
from napari_semst.morphology.base import Morphology
from napari_semst.morphology.patches import patches
from napari_semst.morphology.read_patches import PatchReader, n_quality_measures
from napari_semst.morphology.sections import diameter_of, imaged_parts, slide_of
from napari_semst.wording import Worded

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.config.settings import MorphologyConfig
    from napari_semst.core.progress import RunControl
    from napari_semst.morphology.encoders import PatchEncoder
    from napari_semst.morphology.sections import ImagedSpots
    from napari_semst.morphology.slide import Slide
    from napari_semst.morphology.tissue_mask import TissueMask

STAGE = "morphology"
# Pixels across a spot from which on something is seen inside it.
FEWEST_PIXELS = 8
_READING = "Reading the image around spots"
_NOT_JUDGED = "not_judged"
# Patches from which stains are estimated, their side, and tissue in the spot at least.
_STAIN_PATCHES, _STAIN_SIDE, _MOSTLY = 200, 64, 0.5


def describe_morphology(
    tissue: AnnData,
    coordinates: NDArray[np.float64],
    config: Config,
    control: RunControl,
) -> Generator[Progress, None, Morphology | None]:
    """Read the image around each spot as settings want it, `None` for no encoder.

    Parameters
    ----------
    tissue
        Holds the image, or the features of ``obsm:KEY``.
    coordinates
        Of the spots, ``(n_spots, 2)``, in the section's units.
    config
        Its ``morphology`` and device are read.

    Yields
    ------
    progress
        Events of the stage morphology, with spots done.

    Raises
    ------
    ConfigError
        If there is no such encoder.
    InputError
        If there is no image, no such obsm key, or no spot lies on the image.
    SemanticsError
        If a network cannot be found or loaded.
    """
    from napari_semst.core.device import choose_device
    from napari_semst.morphology.encoders import image_encoder

    wanted = config.morphology
    kind, _, key = wanted.encoder.partition(":")
    if kind == "none":
        return None
    yield Progress(STAGE, 0, 0, "Finding the image")
    if kind == "obsm":
        return features_from_obsm(tissue, key)
    parts = imaged_parts(tissue, wanted)
    device = choose_device(config.training.device).name
    encoder = yield from run_in_thread(
        STAGE,
        "Finding the image encoder",
        lambda teller: image_encoder(wanted, device, teller.say),
        control,
    )
    gathered = FeatureCollector(len(coordinates))
    several = len(parts) > 1
    one_look = wanted.stain == "macenko" or (wanted.stain == "auto" and several)
    for part in parts:
        with naming_section(part.library) if several else nullcontext():
            places = coordinates[part.spots]
            reader, mask, notes = _reader(
                tissue, part, places, encoder, wanted, one_look, control
            )
            values = yield from _counted(
                reader.read(places, control), gathered.n_read, len(coordinates)
            )
            read = _judged(values, mask.share(places, reader.side), notes)
        read.warnings.extend([*reader.slide.remarks, *reader.cache.warnings])
        read.warnings.extend(coarse_image_warning(notes["pixels_per_spot"]))
        gathered.add(part.library, part.spots, read)
    return gathered.morphology(encoder, wanted)


def coarse_image_warning(across: float) -> list[str]:
    """Return a warning where too few pixels lie across a spot to describe it by."""
    if across >= FEWEST_PIXELS:
        return []
    return [
        f"The image is coarse: a spot is {across:.1f} pixels wide, fewer than "
        f"{FEWEST_PIXELS}. Its colours are seen, its nuclei and texture are not. Name "
        "the file of a finer image (morphology.image)."
    ]


def features_from_obsm(tissue: AnnData, key: str) -> Morphology:
    """Return features that the tissue already holds.

    Parameters
    ----------
    tissue
        Holds ``obsm[key]``, ``(n_spots, n_features)``; a row that is not finite
        stands for a spot without an image.

    Raises
    ------
    InputError
        If it is not there, or is no table of numbers.
    """
    if key not in tissue.obsm:
        offered = ", ".join(map(repr, tissue.obsm)) or "nothing"
        raise InputError(
            f"Expected image features in obsm[{key!r}]; found {offered}. Name one of "
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
    names = names or tuple(f"{key} {number + 1}" for number in range(features.shape[1]))
    usable = np.asarray(np.isfinite(features).all(axis=1))
    notes = {"encoder": f"obsm:{key}", "features": features.shape[1]}
    return Morphology(features, names, usable, {"outside": ~usable}, notes)


def _counted(
    steps: Generator[int, None, NDArray[np.float32]], before: int, n_spots: int
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Say of how many spots patches were read so far."""
    # Closed with this one: a garbage collector may come later.
    with closing(steps):
        while True:
            try:
                done = next(steps)
            except StopIteration as end:
                values: NDArray[np.float32] = end.value
                return values
            yield Progress(STAGE, before + done, n_spots, _READING)


def _reader(
    tissue: AnnData,
    part: ImagedSpots,
    places: NDArray[np.float64],
    encoder: PatchEncoder,
    wanted: MorphologyConfig,
    one_look: bool,
    control: RunControl,
) -> tuple[PatchReader, TissueMask, dict[str, Any]]:
    """Return the reader of one image's patches, and notes on the image."""
    from napari_semst.morphology.stain import estimate_stains
    from napari_semst.morphology.tissue_mask import tissue_mask

    slide = slide_of(tissue, part.library, wanted)
    few = _few_on_slide(slide, places)
    if few and wanted.image:  # of the section's own image the run says it anyhow
        slide = replace(slide, remarks=(*slide.remarks, few))
    diameter, told = diameter_of(tissue, part.library, places, wanted)
    side = diameter * wanted.context
    mask = tissue_mask(slide)
    # Of places on tissue where there are some; of all where there are none.
    on_tissue = places[mask.share(places, diameter) > _MOSTLY]
    sample = on_tissue if len(on_tissue) else places
    sample = sample[:: -(-len(sample) // _STAIN_PATCHES)]
    cut = [one for _, one, _ in patches(slide, sample, side, _STAIN_SIDE, control)]
    stains = estimate_stains(np.concatenate(cut), mask.glass)
    about = {
        "identity": encoder.identity,
        "slide": slide.identity,
        "diameter": diameter,
        "context": wanted.context,
        "stain": stains.notes(),
        "one_look": one_look,
        "measures": n_quality_measures(),
    }
    cache = FeatureCache(about, {"model": encoder.name}, keep=wanted.keep_features)
    notes = {
        "image": slide.source,
        "identity": slide.identity,
        "spots": len(places),
        "diameter": diameter,
        "diameter_is": told,
        "pixels_per_spot": round(diameter / max(slide.unit), 2),
        "stain": stains.notes(),
        "normalised": one_look,
    }
    if not wanted.image:
        notes |= landmark_notes(tissue, part.library)
    reader = PatchReader(
        slide, encoder, diameter, side, stains, one_look=one_look, cache=cache
    )
    return reader, mask, notes


def _few_on_slide(slide: Slide, places: NDArray[np.float64]) -> str:
    """Return a warning where few spots lie on a slide; refuse one on which none does.

    Raises
    ------
    InputError
        If no spot lies on it.
    """
    share = float(slide.holds(places).mean())
    if share >= FEW_ON_IMAGE:
        return ""
    if share:
        text = f"{share_in_words(share)} on the image that is read ({slide.source}). "
        return Worded(text, about_few())
    height, width = np.asarray(slide.unit) * slide.shape
    (top, left), (first, last) = slide.corner, (places.min(axis=0), places.max(axis=0))
    raise InputError(
        Worded(
            f"Expected spots on the image ({slide.source}); none of the "
            f"{len(places):,} lies on it: they are at x {first[0]:.6g} to "
            f"{last[0]:.6g} and y {first[1]:.6g} to {last[1]:.6g}, the image covers "
            f"x {left:.6g} to {left + width:.6g} and y {top:.6g} to "
            f"{top + height:.6g}. ",
            about_few(),
        )
    )


def _judged(
    values: NDArray[np.float32], tissue: NDArray[np.float32], notes: dict[str, Any]
) -> ImageFeatures:
    """Return features, and whose are not to be relied upon."""
    from napari_semst.morphology.quality import flag_spots

    features, measured = np.split(values, [-n_quality_measures()], axis=1)
    quality = flag_spots(measured[:, 1:], measured[:, 0], tissue)
    warnings = [str(quality.notes[_NOT_JUDGED])] if _NOT_JUDGED in quality.notes else []
    return ImageFeatures(
        features, dict(quality.flags), {**notes, **quality.notes}, warnings
    )


@dataclass
class ImageFeatures:
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


class FeatureCollector:
    """What was read of all images, each spot in its place."""

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

    def add(self, library: str, spots: NDArray[np.intp], read: ImageFeatures) -> None:
        """Take in what was read of one image."""
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
        """Return what was read of all images."""
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
