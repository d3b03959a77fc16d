"""Whether spots lie on their image, for whoever opens, inspects or runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.alignment import image_placement
from napari_semst.io.sections import libraries, sections_of, spots_of
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.core.sections import Sections
    from napari_semst.io.alignment import Placement

FEW_ON_IMAGE = 0.5
"""Share of spots on an image below which it is hardly theirs."""

_REASONS = (
    "It may be of another section or cut out, the coordinates in another unit or "
    "already scaled, or x and y exchanged. "
)
LOOK_AT_IMAGE = Way(
    "Domains do not depend on it, but for methods that read the image: name the right "
    "one with --image FILE.",
    "Domains do not depend on it, but for methods that read the image: name the right "
    "one as morphology.image.",
    "Domains do not depend on it, but for methods that read the image: move it in Open "
    "data, or choose the right one under Image.",
)
"""What to do with an image on which few spots lie."""


def placed_image(tissue: AnnData, library: str) -> tuple[Placement | None, str]:
    """Return a section's image, where it can be placed, or else why it cannot be."""
    try:
        return image_placement(tissue, library), ""
    except InputError as error:
        return None, str(error)


def share_on_image(tissue: AnnData, key: str | None, column: str = "") -> float | None:
    """Return the share of spots whose centre lies on the image, None without one.

    Of several sections in one tissue the worst counts; an image that cannot be placed
    is none.

    Parameters
    ----------
    tissue
        The tissue.
    key
        obsm key of the coordinates, `None` looks for them.
    column
        The obs column that tells sections apart; empty for a single section.

    Raises
    ------
    InputError
        If there is an image, and the coordinates cannot be used.
    """
    from napari_semst.io.coordinates import find_coordinates

    if not _placements(tissue):
        return None
    sections = sections_of(tissue, column) if column else None
    shares = shares_on_images(tissue, find_coordinates(tissue, key), sections)
    return min(shares.values(), default=None)


def shares_on_images(
    tissue: AnnData, places: NDArray[np.floating], sections: Sections | None = None
) -> dict[str, float]:
    """Return the share of each image's spots that lie on it, by the image's library.

    Parameters
    ----------
    tissue
        The tissue.
    places
        Of its spots, (x, y), shape ``(n_spots, 2)``.
    sections
        Which spots are of which section, where they are told apart.
    """
    images = _placements(tissue)
    own = {name: spots_of(tissue, name) for name in images}
    if sections is not None:
        named = {name: code for code, name in enumerate(sections.names)}
        own |= {n: sections.codes == named[n] for n in images if n in named}
    shares = {}
    for name, spots in own.items():
        if spots.any():
            yx = np.asarray(places, np.float64)[spots, ::-1]
            shares[name] = float(images[name].holds(yx).mean())
    return shares


def few_on_image(
    tissue: AnnData, places: NDArray[np.floating], sections: Sections | None = None
) -> str:
    """Return a warning where no spot or few lie on an image, else an empty text.

    Parameters
    ----------
    tissue, places, sections
        As for `shares_on_images`.
    """
    shares = shares_on_images(tissue, places, sections)
    if not shares:
        return ""
    worst = min(shares, key=lambda name: shares[name])
    share = shares[worst]
    if share >= FEW_ON_IMAGE:
        return ""
    several = f" of {worst!r}" if len(shares) > 1 else ""
    return Worded(f"{share_in_words(share)} on the image{several}. ", about_few())


def share_in_words(share: float) -> str:
    """Return how many spots lie on an image, as the beginning of a sentence."""
    if share == 0:
        return "No spot lies"
    # Rounded down, so that 100 % means every spot.
    whole = math.floor(100 * share)
    return f"Only {whole} % of the spots lie" if whole else "Hardly any spot lies"


def about_few() -> Worded:
    """Return why few spots may lie on an image, and what to do."""
    return Worded(_REASONS, LOOK_AT_IMAGE)


def _placements(tissue: AnnData) -> dict[str, Placement]:
    """Return the images that can be placed, by library."""
    found = {name: placed_image(tissue, name)[0] for name in libraries(tissue)}
    return {name: place for name, place in found.items() if place is not None}
