"""Small stained images, for tests of what is read around spots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

PINK, PALE, PURPLE = (232, 170, 200), (236, 205, 222), (96, 60, 130)


def stained(
    shape: tuple[int, int], n_nuclei: int, seed: int = 0, radius: float = 3.0
) -> NDArray[np.uint8]:
    """Return an image of eosin with nuclei strewn over it."""
    random = np.random.default_rng(seed)
    image = np.full((*shape, 3), PINK, np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for down, right in random.uniform(0, shape, (n_nuclei, 2)):
        image[(y - down) ** 2 + (x - right) ** 2 < radius**2] = PURPLE
    image += random.normal(0, 3, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def with_image(tissue: AnnData, library: str = "slide") -> AnnData:
    """Give the tissue an image: more nuclei further down, glass beyond the tissue."""
    places = tissue.obsm["spatial"]
    scale = 0.2
    height, width = (np.ceil((places.max(axis=0) + 150) * scale).astype(int))[::-1]
    image = stained((int(height), int(width)), 60)
    dense = stained((int(height), int(width)), 500, seed=1)
    image[height // 2 :] = dense[height // 2 :]
    image[:, :8] = 244
    tissue.uns["spatial"] = {
        library: {
            "images": {"hires": image},
            "scalefactors": {"tissue_hires_scalef": scale, "spot_diameter_fullres": 60},
        }
    }
    return tissue
