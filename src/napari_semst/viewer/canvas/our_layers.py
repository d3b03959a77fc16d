"""Our layers in the hands of napari: its box for resolution, its writers, its figures.

napari draws a resolution that is chosen by hand as a whole, saves the smallest one,
and exports a figure with a pixel of the screen for each of the finest. For spots that
are an image of 131,072 pixels none of this can be done. Layers are made of data by
napari itself, so they are given these classes when they come into a viewer.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Points

from napari_semst.viewer.canvas.drawn import DRAWN
from napari_semst.viewer.spots import raster_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

MOST_WHOLE = 8192
"""Pixels of the longer side of the finest level that is drawn whole: a texture that
graphics cards hold, 256 MiB of a square."""

MOST_EXPORTED = 4096
"""Pixels of the longer side of a figure that napari exports, and of a picture saved."""

_COARSER = (
    "This resolution of {wanted:,} pixels cannot be drawn as a whole: {name!r} is "
    "shown at {given:,} pixels, the finest that can. With Auto every resolution is "
    "shown where you look closely enough."
)


class PictureOfLevels(Sequence[Any]):
    """Levels of an image; where one array is asked for, one that fits a file."""

    def __init__(self, levels: Sequence[Any]) -> None:
        self._levels = list(levels)
        fits = (one for one in levels if max(one.shape) <= MOST_EXPORTED)
        self._picture = next(fits, levels[-1])

    def __getitem__(self, key: Any) -> Any:
        return self._levels[key]

    def __len__(self) -> int:
        return len(self._levels)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self._picture, dtype=dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        """Return a plain list: a layer that is duplicated is no file."""
        return list(self)

    @property
    def dtype(self) -> Any:
        """Of the array."""
        return self._picture.dtype

    @property
    def ndim(self) -> int:
        """Of the array."""
        return int(self._picture.ndim)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return tuple(self._picture.shape)


class _Exported:
    """A layer whose pixels are no finer, for a figure, than a figure can be."""

    @property
    def extent(self) -> Any:
        """Where the layer lies, and how large its pixels are taken to be."""
        found = _extent_of(self)
        length = float(np.ptp(found.world, axis=0)[-2:].max())
        least = length / MOST_EXPORTED
        return found._replace(step=np.maximum(found.step, least))


def _extent_of(layer: Any) -> Any:
    """Return the extent as napari's class has it, which keeps it on the layer."""
    kind = next(one for one in type(layer).__mro__ if one in (Image, Points))
    kept = inspect.getattr_static(kind, "extent")
    return kept.func(layer) if isinstance(kept, cached_property) else kept.fget(layer)


class _SpotsImage(_Exported, Image):  # type: ignore[misc]
    """Spots that are an image."""

    if hasattr(Image, "locked_data_level"):

        @property
        def locked_data_level(self) -> int | None:
            """The resolution chosen by hand, None where napari chooses."""
            chosen: int | None = Image.locked_data_level.fget(self)
            return chosen

        @locked_data_level.setter
        def locked_data_level(self, level: int | None) -> None:
            shapes = np.asarray(self.level_shapes)[:, :2].max(axis=1)
            finest = int(np.argmax(shapes <= MOST_WHOLE))
            if level is not None and 0 <= level < finest:
                from napari.utils.notifications import show_info

                wanted, given = int(shapes[level]), int(shapes[finest])
                show_info(_COARSER.format(wanted=wanted, given=given, name=self.name))
                level = finest
            Image.locked_data_level.fset(self, level)

    def as_layer_data_tuple(self) -> Any:
        """Return what writers are given: levels, of which one fits a file."""
        levels, state, kind = super().as_layer_data_tuple()
        return PictureOfLevels(levels), state, kind


@cache
def _exported(kind: type) -> type:
    # Of the same name: napari calls a layer's kind by its class's.
    return type(kind.__name__, (_Exported, kind), {})


_SpotsImage.__name__ = Image.__name__


def take_in_hand(layer: Layer) -> None:
    """Let napari handle one of our layers as it can be handled; others stay.

    Parameters
    ----------
    layer
        Any layer.
    """
    # A plugin's viewer hands out stand-ins of layers.
    layer = getattr(layer, "__wrapped__", layer)
    if DRAWN not in layer.metadata or type(layer) not in (Image, Points):
        return
    many = raster_of(layer) is not None
    kind: type = type(layer)
    layer.__class__ = _SpotsImage if many else _exported(kind)
    # What napari keeps of its extent is given up.
    layer.__dict__.pop("extent", None)
    if hasattr(layer.events, "extent"):
        layer.events.extent()
