"""A simulated section: its outline, depth and layers on a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.sample.cortex_model import HARD_CORTEX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.sample.cortex_model import CortexModel

    Floats = NDArray[np.float32]


MARGIN = 0.06


_GRID = 900


@dataclass(frozen=True)
class SimulatedSection:
    """A drawn section, to be asked at any point.

    Parameters
    ----------
    depth
        Relative depth on the grid: 0 at the pia, 1 at the white matter, above 1 in it.
    edge
        Distance to the tissue's edge on the grid, negative outside; unit: tissue width.
    radial_x, radial_y
        The unit vector that points from the pia to the white matter.
    model
        What the section was drawn after.
    """

    depth: Floats
    edge: Floats
    radial_x: Floats
    radial_y: Floats
    model: CortexModel = HARD_CORTEX

    @property
    def area(self) -> float:
        """Tissue area in squared tissue widths."""
        return float((self.edge > 0).mean() * (1 + 2 * MARGIN) ** 2)

    def at(self, name: str, points: NDArray[np.floating]) -> Floats:
        """Return one field, ``(n,)``, at points ``(n, 2)`` of the unit square."""
        from scipy.ndimage import map_coordinates

        places = (points.T[::-1] + MARGIN) * (_GRID / (1 + 2 * MARGIN)) - 0.5
        values: Floats = map_coordinates(
            getattr(self, name), places, order=1, mode="nearest", output=np.float32
        )
        return values

    def raster(self, name: str, size: int) -> Floats:
        """Return one field on the whole square as ``(size, size)`` pixels."""
        from PIL import Image

        picture = Image.fromarray(getattr(self, name))
        return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
