"""Alignment by hand: an image turned and shifted below its spots.

It stands in ``uns["semst_alignment"][library]`` as ``swap_axes``, ``flip_x``,
``flip_y`` (true or false) and ``shift_x``, ``shift_y`` (in the unit of the
coordinates). The image is turned as a picture is: first its axes are exchanged, then it
is flipped from left to right (x) and upside down (y); its upper left corner stays where
it was. Then it is shifted. Coordinates are never changed.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_TURNS = ("swap_axes", "flip_x", "flip_y")
_SHIFTS = ("shift_x", "shift_y")


@dataclass(frozen=True, slots=True)
class Adjustment:
    """How an image is turned and shifted.

    Parameters
    ----------
    swap_axes
        Whether x and y are exchanged.
    flip_x, flip_y
        Whether it is then flipped from left to right, and upside down.
    shift_x, shift_y
        How far it is moved to the right and down, in the unit of the coordinates.
    """

    swap_axes: bool = False
    flip_x: bool = False
    flip_y: bool = False
    shift_x: float = 0.0
    shift_y: float = 0.0

    @property
    def is_none(self) -> bool:
        """Whether the image lies where its file says."""
        return self == Adjustment()

    def turned(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an image turned: a view, shape ``(height, width)`` or with channels.

        Parameters
        ----------
        image
            As its file has it.
        """
        if self.swap_axes:
            image = np.swapaxes(image, 0, 1)
        if self.flip_x:
            image = image[:, ::-1]
        return image[::-1] if self.flip_y else image

    def moved(
        self, yx: NDArray[np.float64], size: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return where places of an image come to lie as it is turned.

        Parameters
        ----------
        yx
            From the image's outer corner, shape ``(n, 2)``.
        size
            Height and width of the turned image, ``(2,)``, in the same unit.
        """
        places = yx[:, ::-1] if self.swap_axes else yx
        flips = np.array([self.flip_y, self.flip_x])
        return np.where(flips, size - places, places)

    def moved_back(
        self, yx: NDArray[np.float64], size: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return places as they were before `moved`, with the same size."""
        flips = np.array([self.flip_y, self.flip_x])
        places = np.where(flips, size - yx, yx)
        return places[:, ::-1] if self.swap_axes else places

    def flipped(self, axis: str) -> Adjustment:
        """Return this followed by a flip of the image as it is seen.

        Parameters
        ----------
        axis
            ``"x"``: from left to right; ``"y"``: upside down.
        """
        if axis == "x":
            return replace(self, flip_x=not self.flip_x)
        return replace(self, flip_y=not self.flip_y)

    def swapped(self) -> Adjustment:
        """Return this followed by an exchange of x and y."""
        return replace(
            self, swap_axes=not self.swap_axes, flip_x=self.flip_y, flip_y=self.flip_x
        )

    def rotated(self) -> Adjustment:
        """Return this followed by a turn of 90 degrees clockwise."""
        return self.swapped().flipped("x")

    def shifted_to(self, x: float, y: float) -> Adjustment:
        """Return this with another shift, in the unit of the coordinates."""
        return replace(self, shift_x=float(x), shift_y=float(y))


def adjustment_of(adata: AnnData, library: str) -> Adjustment:
    """Return how a library's image was aligned by hand.

    Parameters
    ----------
    adata
        The tissue.
    library
        Name in ``uns["spatial"]``.

    Raises
    ------
    InputError
        If what is kept is no alignment.
    """
    every: Any = adata.uns.get(keys.ALIGNMENT, {})
    kept = every.get(library) if hasattr(every, "get") else every
    if kept is None:
        return Adjustment()
    try:
        turns = [bool(kept[name]) for name in _TURNS]
        shifts = [float(kept[name]) for name in _SHIFTS]
    except (TypeError, ValueError, KeyError, IndexError):
        raise InputError(_unusable(library, kept)) from None
    if not all(map(math.isfinite, shifts)):
        raise InputError(_unusable(library, kept))
    return Adjustment(*turns, *shifts)


def adjust(adata: AnnData, library: str, adjustment: Adjustment) -> None:
    """Keep with a tissue how a library's image is aligned; none is kept for none.

    Parameters
    ----------
    adata
        The tissue; its ``uns["semst_alignment"]`` is replaced.
    library
        Name in ``uns["spatial"]``.
    adjustment
        How its image is turned and shifted.
    """
    every: Any = adata.uns.get(keys.ALIGNMENT, {})
    kept = dict(every) if hasattr(every, "items") else {}
    kept.pop(library, None)
    if not adjustment.is_none:
        kept[library] = asdict(adjustment)
    if kept:
        adata.uns[keys.ALIGNMENT] = kept
    else:
        adata.uns.pop(keys.ALIGNMENT, None)


def _unusable(library: str, kept: Any) -> str:
    needed = ", ".join((*_TURNS, *_SHIFTS))
    return (
        f"Expected uns[{keys.ALIGNMENT!r}][{library!r}] to hold {needed}; found "
        f"{str(kept)[:200]}. Remove it from the file to have the image where its scale "
        "factors put it."
    )
