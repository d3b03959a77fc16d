"""Registered images that are drawn once, though they are asked for many times."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from napari_semst.registration.maps import map_of
from napari_semst.registration.warp import registered_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.registration.landmarks import Landmarks
    from napari_semst.registration.warp import RegisteredImage

# Drawn images and places that are kept: those of the sections that are looked at.
_MOST_DRAWN, _MOST_PLACES = 4, 64
_DRAWN: OrderedDict[tuple[Any, ...], NDArray[np.uint8]] = OrderedDict()
_PLACES: OrderedDict[tuple[Any, ...], RegisteredImage] = OrderedDict()
_LOCK = threading.Lock()


def registration_of(
    landmarks: Landmarks, source: NDArray[np.float64], shape: tuple[int, int]
) -> RegisteredImage:
    """Return where landmarks put an image.

    Parameters
    ----------
    landmarks
        The pairs.
    source
        The image's outer edges where its file puts it, (y, x) first and last.
    shape
        Its height and width in pixels.

    Raises
    ------
    InputError
        If they put it nowhere.
    """
    key = landmarks.token, source.tobytes(), shape
    with _LOCK:
        found = _PLACES.get(key)
    if found is None:
        found = registered_image(map_of(landmarks), source, shape)
        with _LOCK:
            _keep(_PLACES, key, found, _MOST_PLACES)
    return found


def drawn_once(
    image: NDArray[np.uint8],
    place: RegisteredImage,
    landmarks: Landmarks,
    held: Any = None,
) -> NDArray[np.uint8]:
    """Return a registered image, from before where it was drawn already.

    Parameters
    ----------
    image
        As its file has it.
    place, landmarks
        Where it is drawn, and why.
    held
        What the image was made of, as of 16 bits it is made anew each time it is asked
        for: what is drawn is kept no longer than anybody uses this.
    """
    # Lists and the like cannot be waited for.
    held = held if type(held).__weakrefoffset__ else image
    key = id(held), landmarks.token, place.source.tobytes()
    with _LOCK:
        found = _DRAWN.get(key)
        if found is not None:
            _DRAWN.move_to_end(key)
            return found
    drawn: NDArray[np.uint8] = place.drawn(image)
    with _LOCK:
        # Another image may come to have this one's id.
        if not any(known[0] == id(held) for known in _DRAWN):
            weakref.finalize(held, _forget, id(held))
        _keep(_DRAWN, key, drawn, _MOST_DRAWN)
    return drawn


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)


def _forget(image: int) -> None:
    # Called whenever memory is freed, perhaps by the thread that holds the lock.
    for key in [key for key in list(_DRAWN) if key[0] == image]:
        _DRAWN.pop(key, None)
