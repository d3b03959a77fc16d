"""Patches cut out of a window and resampled, compiled by numba.

Imported only where patches are cut: importing compiles, or loads what an earlier run
compiled.
"""

from __future__ import annotations

import numpy as np

from napari_semst.core.compiled import compiled_once

_f32 = np.float32


@compiled_once(nogil=True)
def _taps(start, step, size, first, places, weights):  # type: ignore[no-untyped-def]
    """Fill places and weights of a triangle as wide as two output pixels, or two own.

    Places beyond the level's edge are those at the edge.
    """
    reach = max(1.0, step)
    for i in range(places.shape[0]):
        centre = start + (i + 0.5) * step
        lowest = int(np.floor(centre - reach))
        total = 0.0
        for t in range(places.shape[1]):
            at = lowest + t
            weight = max(0.0, 1.0 - abs(at + 0.5 - centre) / reach)
            weights[i, t] = weight
            total += weight
            places[i, t] = min(max(at, 0), size - 1) - first
        for t in range(places.shape[1]):
            weights[i, t] /= total


@compiled_once(nogil=True)
def resample_patches(window, first, size, starts, step, patches):  # type: ignore[no-untyped-def]
    """Fill patches, antialiased, from a window that holds all they touch.

    Parameters
    ----------
    window
        uint8, ``(height, width, 3)``.
    first
        Where the window begins in its level, (y, x).
    size
        Height and width of the level.
    starts
        Outer corners of the patches in pixels of the level, (y, x), ``(m, 2)``.
    step
        Pixels of the level along one pixel of a patch, (y, x).
    patches
        uint8, ``(m, pixels, pixels, 3)``.
    """
    pixels = patches.shape[1]
    n_down = int(2 * np.ceil(max(1.0, step[0]))) + 2
    n_across = int(2 * np.ceil(max(1.0, step[1]))) + 2
    rows = np.empty((pixels, n_down), np.int64)
    columns = np.empty((pixels, n_across), np.int64)
    of_rows = np.empty((pixels, n_down), np.float32)
    of_columns = np.empty((pixels, n_across), np.float32)
    line = np.empty((window.shape[1], 3), np.float32)
    for m in range(len(patches)):
        _taps(starts[m, 0], step[0], size[0], first[0], rows, of_rows)
        _taps(starts[m, 1], step[1], size[1], first[1], columns, of_columns)
        left, right = columns.min(), columns.max() + 1
        for i in range(pixels):
            line[left:right] = _f32(0)
            for t in range(n_down):
                weight = of_rows[i, t]
                if weight > 0:
                    row = window[rows[i, t]]
                    for k in range(left, right):
                        for c in range(3):
                            line[k, c] += weight * _f32(row[k, c])
            for j in range(pixels):
                red = green = blue = _f32(0.5)
                for t in range(n_across):
                    weight = of_columns[j, t]
                    k = columns[j, t]
                    red += weight * line[k, 0]
                    green += weight * line[k, 1]
                    blue += weight * line[k, 2]
                patches[m, i, j, 0] = np.uint8(min(red, _f32(255)))
                patches[m, i, j, 1] = np.uint8(min(green, _f32(255)))
                patches[m, i, j, 2] = np.uint8(min(blue, _f32(255)))
