"""What a section is, in one line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_semst.errors import InputError
from napari_semst.io.places.on_image import share_on_image

if TYPE_CHECKING:
    from anndata import AnnData


def section_facts(
    tissue: AnnData, coordinates: str | None, column: str = "", n_sections: int = 0
) -> str:
    """Return one line on a section: its size, its image and how the two agree.

    Parameters
    ----------
    n_sections
        How many sections the tissue is shown in, where they are several.
    """
    size = f"{tissue.n_obs:,} spots, {tissue.n_vars:,} genes"
    if n_sections > 1:
        size = f"{size}, {n_sections} sections"
    try:
        share = share_on_image(tissue, coordinates, column)
    except InputError:
        return f"{size}, these coordinates cannot be used"
    if share is None:
        return f"{size}, no image"
    # Rounded down, so that 100 % means every spot.
    least = "at least " if n_sections > 1 and share < 1 else ""
    images = "their images" if n_sections > 1 else "the image"
    return f"{size}, {least}{math.floor(100 * share)} % on {images}"
