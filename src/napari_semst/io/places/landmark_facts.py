"""What is told of an image that is registered by landmarks: how, and how well."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_semst.io.alignment import spot_positions, spot_size
from napari_semst.io.places.landmarks import landmarks_of
from napari_semst.io.places.scale import microns_of
from napari_semst.io.sections import part, spots_of
from napari_semst.registration.accuracy import landmark_errors
from napari_semst.registration.maps import fitted_map, map_in_words

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.registration.landmarks import Landmarks

MICROMETRES = "\u00b5m"


def microns_per_unit(
    adata: AnnData, library: str, key: str | None = "spatial"
) -> float | None:
    """Return micrometres in a unit of a section's coordinates, None where unknown.

    Parameters
    ----------
    adata
        The tissue.
    library
        Name in ``uns["spatial"]``.
    key
        obsm key of the coordinates.
    """
    places = spot_positions(adata, key)[spots_of(adata, library)]
    stated = part(adata, library, "scalefactors")
    return microns_of(stated, places, spot_size(adata, library, key).diameter)


def error_in_words(error: float, microns: float | None) -> str:
    """Return an error with its unit, as a user reads it.

    Parameters
    ----------
    error
        In the unit of the coordinates; not a number where it is not known.
    microns
        Micrometres in that unit, None where unknown.
    """
    if not math.isfinite(error):
        return "not known"
    value = error * (microns or 1.0)
    unit = f" {MICROMETRES}" if microns else " units"
    if value < 0.005:
        return f"0{unit}"
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}{unit}"


def landmark_notes(adata: AnnData, library: str) -> dict[str, Any]:
    """Return what a run keeps of how a library's image was registered; empty if not.

    Parameters
    ----------
    adata
        The tissue.
    library
        Name in ``uns["spatial"]``.
    """
    known = landmarks_of(adata, library) if library else None
    if known is None:
        return {}
    errors = landmark_errors(known)
    notes = {
        "kind": known.kind,
        "pairs": len(known),
        "error": errors.fitted_mean,
        "error_left_out": errors.left_out_mean,
    }
    return {"landmarks": notes}


def landmarks_in_words(landmarks: Landmarks, microns: float | None) -> str:
    """Return one sentence on how landmarks put an image, and how well they agree.

    Parameters
    ----------
    landmarks
        The pairs.
    microns
        Micrometres in a unit of the coordinates, None where unknown.
    """
    errors = landmark_errors(landmarks)
    done = map_in_words(fitted_map(landmarks))
    told = f"{landmarks.kind} map of {len(landmarks)} pairs of landmarks: {done}. "
    if math.isfinite(errors.left_out_mean):
        away = error_in_words(errors.left_out_mean, microns)
        return f"{told}A pair that is left out is {away} off (root mean square)."
    return f"{told}With so few pairs nobody knows how far off it is."
