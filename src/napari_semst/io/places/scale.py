"""How many micrometres a unit of the coordinates is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def microns_of(
    stated: Any, positions: NDArray[np.float64], diameter: float
) -> float | None:
    """Return micrometres per unit of the coordinates, None where nobody knows.

    Parameters
    ----------
    stated
        Scale factors of the section.
    positions, diameter
        Of its spots: those of Visium stand in a way that tells the scale.
    """
    microns = stated.get("microns_per_pixel")
    if microns is None and "spot_diameter_fullres" in stated:
        return _visium_microns(positions, diameter)
    return None if microns is None else float(microns)


def _visium_microns(positions: NDArray[np.float64], diameter: float) -> float | None:
    """Return microns per unit where the spots stand as Visium's do, else None.

    Visium: six neighbours 100 microns away, spots of 55 (stated as up to 65).
    """
    from scipy.spatial import cKDTree

    if len(positions) < 20:
        return None
    asked = positions[:: max(1, len(positions) // 5000)]
    distances = cKDTree(positions).query(asked, k=8)[0][:, 1:]
    pitch = float(np.median(distances[:, 0]))
    near = np.median((distances < 1.2 * pitch).sum(axis=1))
    visium = near == 6 and 0.5 < diameter / max(pitch, 1e-9) < 0.75
    return 100.0 / pitch if visium else None
