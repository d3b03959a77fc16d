"""The loop over the pixels of a registered image, compiled by numba for the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.core.compiled import compiled_once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@compiled_once(
    "void(float32[:,:,::1], float64[:,:,::1], int64[::1], int64[::1],"
    " float32[:,:,::1], boolean[:,::1])",
    nogil=True,
)
def look_up_pixels(
    window: NDArray[np.float32],
    nodes: NDArray[np.float64],
    first: NDArray[np.int64],
    size: NDArray[np.int64],
    drawn: NDArray[np.float32],
    inside: NDArray[np.bool_],
) -> None:
    """Fill a block with what lies on an image where its pixels belong.

    Parameters
    ----------
    window
        A part of the image, ``(rows, columns, channels)``.
    nodes
        Pixels of the whole image, (y, x), that belong at evenly spaced pixels of the
        block, its first and its last among them; between these the way is straight.
    first, size
        Where the window begins, and the height and width of the whole image.
    drawn
        Written to, ``(height, width, channels)``, where the image has something.
    inside
        Written to: where that is.
    """
    height, width, channels = drawn.shape
    down = (nodes.shape[0] - 1) / max(height - 1, 1)
    across = (nodes.shape[1] - 1) / max(width - 1, 1)
    for row in range(height):
        r = min(int(row * down), nodes.shape[0] - 2)
        u = row * down - r
        for column in range(width):
            c = min(int(column * across), nodes.shape[1] - 2)
            v = column * across - c
            y = (1 - u) * ((1 - v) * nodes[r, c, 0] + v * nodes[r, c + 1, 0]) + u * (
                (1 - v) * nodes[r + 1, c, 0] + v * nodes[r + 1, c + 1, 0]
            )
            x = (1 - u) * ((1 - v) * nodes[r, c, 1] + v * nodes[r, c + 1, 1]) + u * (
                (1 - v) * nodes[r + 1, c, 1] + v * nodes[r + 1, c + 1, 1]
            )
            # From outer edge to outer edge; pixel i has its centre at i.
            if not (-0.5 <= y < size[0] - 0.5 and -0.5 <= x < size[1] - 0.5):
                inside[row, column] = False
                continue
            inside[row, column] = True
            y = min(max(y, 0.0), size[0] - 1.0)
            x = min(max(x, 0.0), size[1] - 1.0)
            top, left = int(y), int(x)
            p, q = y - top, x - left
            i, j = top - first[0], left - first[1]
            k = min(i + 1, window.shape[0] - 1)
            m = min(j + 1, window.shape[1] - 1)
            for channel in range(channels):
                upper = window[i, j, channel] * (1 - q) + window[i, m, channel] * q
                lower = window[k, j, channel] * (1 - q) + window[k, m, channel] * q
                drawn[row, column, channel] = upper * (1 - p) + lower * p
