"""Which image shows which spots."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.sections import (
    added_libraries,
    libraries,
    own_libraries,
    part,
    spots_of,
    the_library,
)
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config.settings import MorphologyConfig
    from napari_semst.morphology.slide import Slide

_NAME_IT = Way(
    "Name the image file: --image FILE; or run without images: --image-encoder none.",
    "Name the image file: morphology.image; or run without images: morphology.encoder "
    "'none'.",
    "Choose the image file under Image; or run without the image.",
)


class ImagedSpots(NamedTuple):
    """Spots that one image shows.

    Parameters
    ----------
    library
        Name of the section in ``uns["spatial"]``; empty where it has no entry.
    spots
        Their indices, shape ``(n,)``.
    """

    library: str
    spots: NDArray[np.intp]


def imaged_parts(tissue: AnnData, config: MorphologyConfig) -> list[ImagedSpots]:
    """Return the parts of a tissue that have an image each.

    Parameters
    ----------
    config
        Its ``image`` stands for the section's own.

    Raises
    ------
    InputError
        If there is no image, or one file is given for several sections.
    """
    parts = _parts(tissue, config.image)
    if config.image:
        if len(parts) > 1:
            raise InputError(
                f"Expected one section for the image {config.image}; found "
                f"{len(parts)}: {abbreviate([one.library for one in parts])}. Run each "
                "with its own image, or let every section bring its image."
            )
        return parts
    with_image = [one for one in parts if len(part(tissue, one.library, "images"))]
    if not with_image:
        names = list(libraries(tissue))
        found = f"sections {abbreviate(names)} without one" if names else "none"
        raise InputError(
            Worded(
                f"Expected an image of the section in uns['spatial']; found {found}. ",
                _NAME_IT,
            )
        )
    return with_image


def _parts(tissue: AnnData, image: str) -> list[ImagedSpots]:
    """Return the sections of a tissue, whether they have an image or not."""
    everything = np.arange(tissue.n_obs)
    names = own_libraries(tissue)
    own = [spots_of(tissue, name) for name in names]
    if len(names) > 1 and not all(spots.all() for spots in own):
        pairs = zip(names, own, strict=True)
        return [ImagedSpots(name, np.flatnonzero(spots)) for name, spots in pairs]
    if len(names) == 1 and not added_libraries(tissue):
        # A file is of all; the section's own image is of its own spots alone.
        return [ImagedSpots(names[0], everything if image else np.flatnonzero(own[0]))]
    # Nothing tells sections apart: a file is of all, else only one may have an image.
    return [ImagedSpots("" if image else the_library(tissue, None) or "", everything)]


def slide_of(tissue: AnnData, library: str, config: MorphologyConfig) -> Slide:
    """Return the image of a part, or the file that the settings name instead."""
    from napari_semst.morphology.slide import Slide

    if config.image:
        return Slide.of_file(config.image, config.image_scale or 1.0)
    slide = Slide.of_tissue(tissue, library or None)
    assert slide is not None  # `imaged_parts` returns none without an image
    return slide


def diameter_of(
    tissue: AnnData,
    library: str,
    places: NDArray[np.float64],
    config: MorphologyConfig,
) -> tuple[float, str]:
    """Return the diameter of a part's spots, and in words where it is from.

    Parameters
    ----------
    tissue
        May state it, for each section its own.
    places
        Coordinates of its spots, shape ``(n, 2)``.
    config
        Its ``spot_diameter`` goes before all else.
    """
    from napari_semst.io.alignment import stated_size
    from napari_semst.morphology.patches import diameter_and_source

    own = stated_size(tissue, library) if library else None
    if own is not None and not config.spot_diameter:
        return own, "The spot diameter is the one that the file states."
    return diameter_and_source(tissue, places, config)
