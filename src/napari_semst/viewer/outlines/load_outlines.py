"""Outlines of a layer's cells, read in the background when they are first looked at."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_semst.viewer.spot_image import LEVELS
from napari_semst.viewer.spots import raster_of, redraw

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Layer

    from napari_semst.viewer.outlines.draw_outlines import (
        CanvasOutlines,
        OutlinesToRead,
    )
    from napari_semst.viewer.spot_image import SpotRaster


def may_outline(layer: Layer) -> bool:
    """Return whether the outlines of a layer's cells are known, or in a file."""
    raster = raster_of(layer)
    return raster is not None and raster.may_outline


def shows_outlines(layer: Layer) -> bool:
    """Return whether a layer shows outlines where cells are large enough on screen."""
    raster = raster_of(layer)
    return raster is not None and raster.may_outline and raster.outlined


def show_outlines(layer: Layer, outlined: bool) -> None:
    """Show the outlines of a layer's cells where they are large enough, or discs."""
    raster = raster_of(layer)
    if raster is not None and raster.outlined != outlined:
        raster.show_outlines(outlined)
        redraw(layer, raster)


def read_outlines_when_wanted(layer: Layer) -> None:
    """Let a layer's outlines be read when they are first looked at, not before.

    Parameters
    ----------
    layer
        Any; nothing is done for one without outlines.
    """
    # A plugin's viewer hands out stand-ins of layers.
    layer = getattr(layer, "__wrapped__", layer)
    raster = raster_of(layer)
    if raster is None or raster.to_read is None or raster.when_wanted is not None:
        return
    # The image of the spots outlives a layer in none of its references.
    raster.when_wanted = partial(_start, weakref.ref(layer))
    raster.look_at(LEVELS - 1)


def _start(layer_of: Callable[[], Layer | None]) -> None:
    from superqt.utils import create_worker

    layer = layer_of()
    raster = None if layer is None else raster_of(layer)
    if raster is None or raster.to_read is None:
        return
    # Of later looks none reads them again.
    to_read, raster.to_read, raster.reading = raster.to_read, None, True
    worker = create_worker(_read, to_read)
    worker.returned.connect(partial(_on_read, layer_of, weakref.ref(raster)))
    worker.errored.connect(partial(_on_failed, weakref.ref(raster)))
    worker.start()


def _read(to_read: OutlinesToRead) -> tuple[CanvasOutlines | None, str]:
    """Return the outlines, or why they cannot be read."""
    from napari_semst.errors import SemstError
    from napari_semst.wording import for_window

    try:
        return to_read.read(), ""
    except SemstError as error:
        return None, for_window(error)


def _on_read(
    layer_of: Callable[[], Layer | None],
    raster_of_then: Callable[[], SpotRaster | None],
    answer: tuple[CanvasOutlines | None, str],
) -> None:
    """Show the outlines, in the window's thread."""
    from qtpy.QtCore import QTimer

    outlines, problem = answer
    raster = raster_of_then()
    if raster is None:
        return
    raster.reading = False
    if problem:
        _warn(f"Cells are shown as discs. {problem}")
        return
    raster.set_outlines(outlines)
    # In a turn of its own: numbering pixels and drawing them are too much for one.
    QTimer.singleShot(0, partial(_redraw, layer_of, raster_of_then))


def _on_failed(raster_of_then: Callable[[], SpotRaster | None], _: Exception) -> None:
    """Wait for no outlines after a fault of ours; the viewer shows what it was."""
    raster = raster_of_then()
    if raster is not None:
        raster.reading = False


def _redraw(
    layer_of: Callable[[], Layer | None],
    raster_of_then: Callable[[], SpotRaster | None],
) -> None:
    layer, raster = layer_of(), raster_of_then()
    if layer is not None and raster is not None and raster_of(layer) is raster:
        redraw(layer, raster)


def _warn(text: Any) -> None:
    from napari.utils.notifications import show_warning

    show_warning(text)
