"""Maps between the places of an image and those of spots, made of landmarks.

A similarity is Umeyama's least-squares solution (1991), with a mirror image where that
fits better; an affine map is one of least squares in the section's coordinates. A
thin-plate spline (Bookstein 1989) passes through all landmarks and leads from spots to
image, the way pixels are looked up; its other way is solved by Newton's method. The
spline is scipy's, in double precision: scikit-image 0.26 solves its own in single
precision and misses landmarks (findings/skimage-spline-misses-its-points.sh).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.registration.landmarks import Landmarks

    Floats = NDArray[np.float64]

# Places that a spline leads to the other place at once.
_CHUNK = 50_000
_STEPS = 40
# Shares of the landmarks' spread: how near is found, and a step to feel slopes.
_FOUND = 1e-9
_FEEL = 1e-4


class PlaceMap(Protocol):
    """Leads places (x, y), ``(n, 2)``, from an image to spots and back.

    Where a place has no counterpart, the answer is not a number.
    """

    @property
    def matrix(self) -> Floats:
        """The map, or the affine one nearest to it, image to spots, ``(3, 3)``."""

    def to_spots(self, places: Floats) -> Floats:
        """Return where places of the image belong among the spots."""

    def to_image(self, places: Floats) -> Floats:
        """Return which places of the image belong at places among the spots."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearMap:
    """A map of straight lines to straight lines.

    Parameters
    ----------
    matrix
        Leads (x, y, 1) of the image to (x, y, 1) of the spots, shape ``(3, 3)``.
    """

    matrix: Floats

    def to_spots(self, places: Floats) -> Floats:
        """Return where places of the image belong among the spots."""
        return _moved(places, self.matrix)

    def to_image(self, places: Floats) -> Floats:
        """Return which places of the image belong at places among the spots."""
        return _moved(places, np.asarray(np.linalg.inv(self.matrix), np.float64))


class SplineMap:
    """A thin-plate spline through landmarks.

    Parameters
    ----------
    landmarks
        Not on one line; see `napari_semst.registration.landmarks.landmarks_from`.
    """

    def __init__(self, landmarks: Landmarks) -> None:
        from scipy.interpolate import RBFInterpolator

        self.matrix = _affine(landmarks.image, landmarks.spots)
        self._spread = float(np.ptp(landmarks.spots, axis=0).max())
        self._image_spread = float(np.ptp(landmarks.image, axis=0).max())
        self._spline: Any = RBFInterpolator(
            landmarks.spots, landmarks.image, kernel="thin_plate_spline", degree=1
        )

    def to_image(self, places: Floats) -> Floats:
        """Return which places of the image belong at places among the spots."""
        found = np.full(places.shape, np.nan)
        known = np.flatnonzero(np.isfinite(places).all(axis=1))
        for start in range(0, len(known), _CHUNK):
            part = known[start : start + _CHUNK]
            found[part] = self._spline(places[part])
        return found

    def to_spots(self, places: Floats) -> Floats:
        """Return where places of the image belong among the spots."""
        found = _moved(places, self.matrix)
        step = _FEEL * self._spread
        for _ in range(_STEPS):
            away = self.to_image(found) - places
            open_ = np.linalg.norm(away, axis=1) > _FOUND * self._image_spread
            if not open_.any():
                break
            slopes = self.slopes(found[open_], step)
            # A step of least squares, as slopes may vanish where the spline folds.
            turned = np.linalg.pinv(slopes) @ away[open_][:, :, None]
            found[open_] -= _held(turned[:, :, 0], self._spread)
        missed = np.linalg.norm(self.to_image(found) - places, axis=1)
        found[~(missed <= 1e-6 * self._image_spread)] = np.nan
        return found

    def slopes(self, places: Floats, step: float | None = None) -> Floats:
        """Return how the image's place changes with the spots' place, ``(n, 2, 2)``."""
        step = _FEEL * self._spread if step is None else step
        sides = [
            (self.to_image(places + shift) - self.to_image(places - shift)) / (2 * step)
            for shift in (np.array([step, 0.0]), np.array([0.0, step]))
        ]
        return np.stack(sides, axis=2)

    def folds(self, places: Floats) -> NDArray[np.bool_]:
        """Return at which places among the spots the image is folded over, ``(n,)``."""
        side = np.linalg.det(self.slopes(places)) * np.linalg.det(self.matrix[:2, :2])
        return np.asarray(side <= 0)


def map_of(landmarks: Landmarks) -> PlaceMap:
    """Return the map that landmarks describe.

    Parameters
    ----------
    landmarks
        As `napari_semst.registration.landmarks.landmarks_from` returns them.

    Raises
    ------
    InputError
        If a spline of them folds the image over between its landmarks.
    """
    made = fitted_map(landmarks)
    folded = folded_share(made, landmarks)
    if folded:
        raise InputError(
            "Expected landmarks that bend the image smoothly; these fold it over "
            f"itself in {max(1, round(100 * folded))} % of the area between them. A "
            "pair is wrong, or two are exchanged: look at the pairs with the largest "
            "errors, or take an affine map."
        )
    return made


def folded_share(made: PlaceMap, landmarks: Landmarks) -> float:
    """Return the share of the area between landmarks where the image is folded."""
    if not isinstance(made, SplineMap):
        return 0.0
    first, last = landmarks.spots.min(axis=0), landmarks.spots.max(axis=0)
    x, y = (np.linspace(a, b, 48) for a, b in zip(first, last, strict=True))
    between = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)
    return float(made.folds(between).mean())


def fitted_map(landmarks: Landmarks, mirrored: bool | None = None) -> PlaceMap:
    """Return the map of landmarks, whether it folds or not.

    Parameters
    ----------
    landmarks
        Enough of them, but for a similarity two are enough where `mirrored` is given.
    mirrored
        Whether a similarity turns the image over; `None`: as fits better.
    """
    if landmarks.kind == "spline":
        return SplineMap(landmarks)
    if landmarks.kind == "affine":
        return LinearMap(_affine(landmarks.image, landmarks.spots))
    return LinearMap(_similarity(landmarks.image, landmarks.spots, mirrored))


def is_mirrored(matrix: Floats) -> bool:
    """Return whether a map turns the image over, as seen from its back."""
    return bool(np.linalg.det(matrix[:2, :2]) < 0)


def map_in_words(made: PlaceMap) -> str:
    """Return what a map does to an image, as a user says it: turned, scaled, mirrored.

    Of a map that bends or shears it is what it does on the whole.
    """
    linear = made.matrix[:2, :2]
    mirrored = is_mirrored(made.matrix)
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    # The rotation nearest to it.
    left, sizes, right = np.linalg.svd(linear)
    turn = left @ right
    # y runs down, so that a positive angle turns clockwise on the screen.
    angle = math.degrees(math.atan2(turn[1, 0], turn[0, 0]))
    words = ["flipped left-right"] if mirrored else []
    if abs(angle) >= 0.05:
        way = "clockwise" if angle > 0 else "anticlockwise"
        words.append(f"turned {abs(angle):.1f}° {way}")
    large, small = float(sizes[0]), float(sizes[1])
    if large / small < 1.001:
        words += [f"scaled by {large:.3g}"] if abs(large - 1) >= 0.005 else []
    else:
        words.append(f"scaled by {small:.3g} to {large:.3g}")
    return ", ".join(words) or "shifted"


def _moved(places: Floats, matrix: Floats) -> Floats:
    return np.asarray(places @ matrix[:2, :2].T + matrix[:2, 2])


def _held(steps: Floats, most: float) -> Floats:
    """Return steps cut to the length of all landmarks' spread."""
    lengths = np.linalg.norm(steps, axis=1, keepdims=True)
    return np.asarray(steps * np.minimum(1.0, most / np.maximum(lengths, 1e-300)))


def _centred(places: Floats) -> tuple[Floats, Floats]:
    middle = places.mean(axis=0)
    return places - middle, middle


def _affine(source: Floats, target: Floats) -> Floats:
    """Return the affine map of least squares from source to target, ``(3, 3)``."""
    (a, a_middle), (b, b_middle) = _centred(source), _centred(target)
    size = float(np.abs(a).max())
    found = np.linalg.lstsq(a / size, b, rcond=None)[0].T / size
    linear = np.asarray(found, np.float64)
    return _with_shift(linear, b_middle - linear @ a_middle)


def _similarity(source: Floats, target: Floats, mirrored: bool | None) -> Floats:
    """Return the similarity of least squares from source to target, ``(3, 3)``."""
    (a, a_middle), (b, b_middle) = _centred(source), _centred(target)
    left, strengths, right = np.linalg.svd(b.T @ a)
    own = bool(np.linalg.det(left @ right) < 0)
    mirrored = own if mirrored is None else mirrored
    signs = np.array([1.0, -1.0 if own != mirrored else 1.0])
    turn = left @ np.diag(signs) @ right
    scale = float((strengths * signs).sum() / (a**2).sum())
    linear: Floats = np.asarray(scale * turn, np.float64)
    return _with_shift(linear, b_middle - linear @ a_middle)


def _with_shift(linear: Floats, shift: Floats) -> Floats:
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, shift
    return matrix
