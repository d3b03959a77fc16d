"""Small pictures of tissue, and the places of spots on them."""

import numpy as np
from scipy.ndimage import gaussian_filter

GLASS = (238, 236, 240)
MARGIN, SIDE, STEP = 40, 400, 20


def stained(side=SIDE, margin=MARGIN, seed=0):
    """A square of pink tissue with dark nuclei, on glass."""
    random = np.random.default_rng(seed)
    noise = gaussian_filter(random.random((side, side)), 1.2)
    nuclei = noise > np.quantile(noise, 0.85)
    image = np.where(nuclei[..., None], (90, 65, 140), (222, 160, 205))
    image = image + random.integers(-3, 4, image.shape)
    edge = np.ones((side, side), bool)
    edge[margin:-margin, margin:-margin] = False
    image[edge] = GLASS
    return image.astype(np.uint8)


def places(side=SIDE, margin=MARGIN):
    """Centres (x, y) of spots on the tissue, 20 pixels apart."""
    axis = np.arange(margin + STEP, side - margin - STEP + 1, STEP, dtype=float)
    x, y = np.meshgrid(axis, axis)
    return np.column_stack([x.ravel(), y.ravel()])
