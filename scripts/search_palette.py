"""Search the colours of domains, and print them as `napari_semst.palette` holds them.

The first colours are chosen by hand around Okabe and Ito's set, kept away from the
hues of haematoxylin and eosin where possible; the others are picked one by one as the
colour that lies farthest, as people and as colour-blind people see it, from all
colours before it.

    python scripts/search_palette.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

N_COLORS = 60
_FIRST = (
    "#0072b2", "#e69f00", "#009e73", "#f0e442", "#d55e00", "#56b4e9",
    "#8f0020", "#8cffa8", "#7a52f4", "#ff5a7d",
)  # fmt: skip
# Colours that tissue and backgrounds have already: eosin, haematoxylin, black, white.
_TAKEN = ("#e8b4cf", "#c98fb8", "#6f4a94", "#000000", "#ffffff")
# Linear RGB as seen without one kind of cone (Machado, Oliveira and Fernandes 2009).
_DEFICIENT = np.array(
    [
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]],
    ]
)  # fmt: skip
_RGB_TO_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929],
     [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
_LMS_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468],
     [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip


def search_palette() -> tuple[str, ...]:
    """Return the whole palette: the colours by hand, then the farthest ones."""
    steps = np.linspace(0, 255, 14).round().astype(np.int64)
    rgb = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    candidates = rgb / 255.0
    views = _views(candidates)
    lightness = views[0, :, 0]
    chroma = np.hypot(views[0, :, 1], views[0, :, 2])
    # Not too dark on black, not too light on white, none that glares.
    usable = (lightness > 0.43) & (lightness < 0.93) & (chroma < 0.23)
    candidates, views = candidates[usable], views[:, usable]
    names = list(_FIRST)
    nearest = _distance(views, _views(_rgb(names))).min(axis=1)
    taken = _distance(views, _views(_rgb(_TAKEN))).min(axis=1)
    nearest = np.minimum(nearest, 1.1 * taken)
    while len(names) < N_COLORS:
        # The list's own neighbours count more: a few domains use its start.
        recent = _distance(views, _views(_rgb(names[-3:]))).min(axis=1)
        chosen = int(np.argmax(np.minimum(nearest, 0.5 * recent)))
        values = (candidates[chosen] * 255).round().astype(int)
        names.append("#" + "".join(f"{v:02x}" for v in values))
        new = _distance(views, views[:, chosen : chosen + 1])[:, 0]
        nearest = np.minimum(nearest, new)
    return tuple(names)


def color_distances(colors: Sequence[str]) -> Floats:
    """Return how far colours look apart to people of any colour vision.

    Parameters
    ----------
    colors
        ``n`` colours as ``#rrggbb``.

    Returns
    -------
    numpy.ndarray
        ``(n, n)`` distances in OKLab times 100, the smallest over normal vision,
        protanopia and deuteranopia, the latter two counted 1.6 times: a small
        difference is all that two of three cones can give.

    Notes
    -----
    OKLab: B. Ottosson, "A perceptual color space for image processing" (2020).
    """
    views = _views(_rgb(colors))
    return _distance(views, views)


def _rgb(colors: Sequence[str]) -> Floats:
    """Return ``#rrggbb`` colours as ``(n, 3)`` in 0 to 1."""
    digits = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors]
    return np.array(digits, dtype=np.float64).reshape(-1, 3) / 255


def _views(rgb: Floats) -> Floats:
    """Return OKLab, ``(3, n, 3)``: normal vision, protanopia, deuteranopia."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = [linear, *(np.clip(linear @ m.T, 0, 1) for m in _DEFICIENT)]
    return np.stack([np.cbrt(view @ _RGB_TO_LMS.T) @ _LMS_TO_LAB.T for view in seen])


def _distance(one: Floats, other: Floats) -> Floats:
    """Return the distance ``(n, m)`` over the three views of two sets of colours."""
    weight = (100.0, 160.0, 160.0)
    per_view = [
        w * np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
        for w, a, b in zip(weight, one, other, strict=True)
    ]
    smallest: Floats = np.min(per_view, axis=0)
    return smallest


if __name__ == "__main__":
    print(*search_palette(), sep="\n")
