"""Landmarks: places on an image, each with the place among the spots it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError, one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEWEST_PAIRS = {"similarity": 3, "affine": 3, "spline": 6}
"""Kinds of maps, and how many pairs each needs at least."""

MOST_PAIRS = 500
# Of the spread along a line so much must be across it, or what is across is a guess.
_ACROSS = 0.03
# Two places nearer than this share of all places' spread are one.
_APART = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Pairs of places, and the kind of map that is made of them.

    Parameters
    ----------
    image
        Places on the image, (x, y), where its file puts them in the section's
        coordinates, shape ``(n, 2)``.
    spots
        Where each of them belongs, (x, y), in the same unit, shape ``(n, 2)``.
    kind
        ``"similarity"`` (turned by any angle, mirrored, scaled, shifted), ``"affine"``
        (also stretched and sheared) or ``"spline"`` (a thin-plate spline, which bends).
    """

    image: Floats
    spots: Floats
    kind: str = "similarity"

    def __len__(self) -> int:
        return len(self.image)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Landmarks) and (
            self.kind == other.kind
            and np.array_equal(self.image, other.image)
            and np.array_equal(self.spots, other.spots)
        )

    def __hash__(self) -> int:
        return hash(self.token)

    @property
    def token(self) -> bytes:
        """What tells these landmarks from others."""
        return self.kind.encode() + self.image.tobytes() + self.spots.tobytes()

    def without(self, pair: int) -> Landmarks:
        """Return all pairs but one, counted from 0."""
        kept = np.arange(len(self)) != pair
        return Landmarks(self.image[kept], self.spots[kept], self.kind)


def landmarks_from(image: Any, spots: Any, kind: str = "similarity") -> Landmarks:
    """Return landmarks of which a map can be made.

    Parameters
    ----------
    image, spots, kind
        As for `Landmarks`.

    Raises
    ------
    InputError
        If they are not pairs of finite numbers, too few, too many, the same twice, or
        nearly on one line; or the kind is not known.
    """
    if kind not in FEWEST_PAIRS:
        raise InputError(one_of("kind of map", kind, tuple(FEWEST_PAIRS)))
    places = [
        _places(values, where) for values, where in ((image, "image"), (spots, "spots"))
    ]
    if len(places[0]) != len(places[1]):
        raise InputError(
            "Expected a place among the spots for each place on the image; found "
            f"{len(places[0])} on the image and {len(places[1])} among the spots. "
            "Complete the pair, or remove it."
        )
    _check_number(len(places[0]), kind)
    for one, where in zip(places, ("on the image", "among the spots"), strict=True):
        _check_spread(one, where)
    return Landmarks(places[0], places[1], kind)


def _places(values: Any, where: str) -> Floats:
    try:
        places = np.array(values, dtype=np.float64).reshape(len(values), -1)
    except (TypeError, ValueError):
        places = np.empty((0, 0))
    if places.shape == (0, 0) and len(values) == 0:
        return np.empty((0, 2))
    if places.shape[1] != 2 or not np.isfinite(places).all():
        raise InputError(
            f"Expected the landmarks of the {where} as two finite numbers each, x and "
            f"y; found {str(values)[:200]}."
        )
    return places


def _check_number(n_pairs: int, kind: str) -> None:
    needed = FEWEST_PAIRS[kind]
    if n_pairs < needed:
        other = " Or take an affine map, which needs 3." if n_pairs >= 3 else ""
        raise InputError(
            f"Expected at least {needed} pairs of landmarks for this kind of map "
            f"({kind}); found {n_pairs}. Set more, far from one another.{other}"
        )
    if n_pairs > MOST_PAIRS:
        raise InputError(
            f"Expected at most {MOST_PAIRS} pairs of landmarks; found {n_pairs:,}. "
            "Some ten that are well spread are enough."
        )


def _check_spread(places: Floats, where: str) -> None:
    """Refuse places that are the same, or say nothing about one direction."""
    centred = places - places.mean(axis=0)
    along, across = np.linalg.svd(centred, compute_uv=False)
    if along == 0 or across < _ACROSS * along:
        raise InputError(
            f"Expected landmarks spread over an area; those {where} lie nearly on one "
            "line, so that nothing tells how the image lies across it, nor whether it "
            "is mirrored. Set one well to the side of the others."
        )
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    first, second = np.unravel_index(int(distances.argmin()), distances.shape)
    if distances[first, second] <= _APART * along:
        raise InputError(
            f"Expected every landmark {where} at a place of its own; pairs "
            f"{min(first, second) + 1} and {max(first, second) + 1} are at the same "
            "one. Remove one of them."
        )
