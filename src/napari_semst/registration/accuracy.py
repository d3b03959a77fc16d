"""How well landmarks agree: the error of each pair, and of each when it is left out.

A map that is made of a pair comes nearer to it than to the tissue around it: three
pairs fit any affine map without error, and a spline passes through all of its own. The
error of a pair under the map of all others is the one to believe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.registration.landmarks import FEWEST_PAIRS
from napari_semst.registration.maps import (
    fitted_map,
    folded_share,
    is_mirrored,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.registration.landmarks import Landmarks

    Floats = NDArray[np.float64]

# A pair is told to be off if its error, left out, is so many times that of the others
# without it; measured in benchmarks/landmarks.py.
_FAR_OFF = 6.0
# The pairs looked at: those with the largest errors.
_SUSPECTS = 3
# Below this share of the landmarks' spread nothing is far off.
_EXACT = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkErrors:
    """Errors of landmarks in the unit of the spots' coordinates.

    Parameters
    ----------
    fitted
        How far each pair's place on the image comes to lie from its place among the
        spots under the map of all pairs, ``(n,)``.
    left_out
        The same under the map of all other pairs, ``(n,)``; not a number where the
        others are too few or nearly on one line.
    far_off
        The pair, from 0, that contradicts the others, which agree without it; none
        where there is no such pair, or too few to tell.
    folded
        Share of the area between landmarks in which a spline folds the image over;
        `napari_semst.registration.maps.map_of` refuses it.
    """

    fitted: Floats
    left_out: Floats
    far_off: tuple[int, ...]
    folded: float = 0.0

    @property
    def fitted_mean(self) -> float:
        """Root mean square of the errors of all pairs."""
        return _rms(self.fitted)

    @property
    def left_out_mean(self) -> float:
        """Root mean square of the errors of pairs left out; not a number for none."""
        known = self.left_out[np.isfinite(self.left_out)]
        return _rms(known) if len(known) else float("nan")


def landmark_errors(landmarks: Landmarks) -> LandmarkErrors:
    """Return how well landmarks agree.

    Parameters
    ----------
    landmarks
        As `napari_semst.registration.landmarks.landmarks_from` returns them.
    """
    made = fitted_map(landmarks)
    fitted = _apart(made.to_spots(landmarks.image), landmarks.spots)
    mirrored = is_mirrored(made.matrix)
    left_out = errors_left_out(landmarks, mirrored)
    far_off = _far_off(landmarks, left_out)
    return LandmarkErrors(fitted, left_out, far_off, folded_share(made, landmarks))


def errors_left_out(landmarks: Landmarks, mirrored: bool | None = None) -> Floats:
    """Return the error of every pair under the map of all others, ``(n,)``.

    Parameters
    ----------
    landmarks
        The pairs.
    mirrored
        Whether a similarity turns the image over, which two pairs cannot tell.
    """
    errors = np.full(len(landmarks), np.nan)
    # Two pairs make a similarity, five a spline; of fewer nothing is left to judge by.
    enough = FEWEST_PAIRS[landmarks.kind] - (landmarks.kind != "affine")
    if len(landmarks) - 1 < enough:
        return errors
    for pair in range(len(landmarks)):
        others = landmarks.without(pair)
        if landmarks.kind != "similarity" and _on_a_line(others):
            continue
        made = fitted_map(others, mirrored)
        place = made.to_spots(landmarks.image[pair : pair + 1])
        errors[pair] = _apart(place, landmarks.spots[pair : pair + 1])[0]
    return errors


def _far_off(landmarks: Landmarks, left_out: Floats) -> tuple[int, ...]:
    """Return the pair that contradicts the others, if there is one."""
    if not np.isfinite(left_out).all():
        return ()
    least = _EXACT * float(np.ptp(landmarks.spots, axis=0).max())
    found: list[tuple[float, int]] = []
    for pair in np.argsort(-left_out)[:_SUSPECTS].tolist():
        without = landmarks.without(pair)
        if _on_a_line(without):
            continue
        # Which way the image is turned over may be the fault of this very pair.
        mirrored = is_mirrored(fitted_map(without).matrix)
        others = errors_left_out(without, mirrored)
        if np.isfinite(others).all() and left_out[pair] > least:
            found.append((float(left_out[pair]) / max(_rms(others), least), pair))
    worst = max(found, default=(0.0, -1))
    return (worst[1],) if worst[0] > _FAR_OFF else ()


def _on_a_line(landmarks: Landmarks) -> bool:
    for places in (landmarks.image, landmarks.spots):
        sizes = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
        if sizes[-1] < 0.03 * sizes[0]:
            return True
    return False


def _apart(places: Floats, others: Floats) -> Floats:
    return np.asarray(np.linalg.norm(places - others, axis=1))


def _rms(errors: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))
