"""What SemST takes from the histology around each spot, where it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.chunks import chunks, fitted_spots
from napari_semst.errors import ConfigError
from napari_semst.methods.base import View
from napari_semst.methods.image_guided.features import average_of_usable
from napari_semst.morphology.standardise import standardise_morphology
from napari_semst.prepare.components import (
    dense_axes,
    rotate_to_axes,
    smooth_over_neighbours,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.morphology.base import Morphology
    from napari_semst.prepare.section import Section
    from napari_semst.semantics.spot_vectors import SpotSemantics

    Floats = NDArray[np.float32]

# Components of the image's features, as many as the latent has by default.
_WIDTH = 15
_CHUNK_SPOTS = 8192


def with_image(
    section: Section, semantics: SpotSemantics | None, config: Config
) -> SpotSemantics | None:
    """Return what modulates: semantics, and the image's features where asked for.

    Parameters
    ----------
    semantics
        Standardised semantic embedding, ``(n_spots, width)``, or `None`.
    config
        ``model.morphology`` is read.

    Raises
    ------
    ConfigError
        If features are asked for and the section has none.
    InputError
        If hardly any spot has an image to rely upon.
    """
    if config.model.morphology != "modulation":
        return semantics
    image = standardise_morphology(_morphology(section))
    return image if semantics is None else np.hstack([semantics[:], image])


def image_components(section: Section, config: Config) -> Floats | None:
    """Return principal components of the image's features, or `None` if not asked for.

    Spots whose image cannot be relied upon have the mean of their nearest spots.

    Parameters
    ----------
    config
        ``model.morphology`` and the seed are read.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spots, width)``, by falling variance.

    Raises
    ------
    ConfigError, InputError
        See `with_image`.
    """
    if config.model.morphology != "view":
        return None
    return components_of_image(section, config.training.seed)


def components_of_image(section: Section, seed: int) -> Floats:
    """Return principal components of the image's features, ``(n_spots, width)``.

    Raises
    ------
    ConfigError, InputError
        See `with_image`.
    """
    morphology = _morphology(section)
    features = standardise_morphology(morphology)
    usable = np.flatnonzero(morphology.usable)
    random = np.random.default_rng([seed, 13])
    mean, axes = dense_axes(features[usable[fitted_spots(len(usable), random)]])
    leading = axes[:, :_WIDTH]
    found = np.zeros((section.n_spots, leading.shape[1]), np.float32)
    for part in chunks(len(usable), _CHUNK_SPOTS):
        inside = usable[part]
        found[inside] = rotate_to_axes(features[inside], mean, leading)
    around = average_of_usable(found, section, morphology.usable, 1)
    return np.where(morphology.usable[:, None], found, around)


def image_view(components: Floats, section: Section) -> View:
    """Return the image as the consensus reads it, averaged over neighbours."""
    averaged = smooth_over_neighbours(
        components, section.average, section.smoothing_rounds
    )
    return View(averaged, smooth=False)


def _morphology(section: Section) -> Morphology:
    if section.morphology is None:
        raise ConfigError(
            "Expected features of an image for model.morphology; the section has none. "
            "Choose an encoder (morphology.encoder), or model.morphology 'none'."
        )
    return section.morphology
