"""Colours of domains: clear on pink and purple tissue, on white and on black."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

# As `scripts/search_palette.py` prints them. They are written into results: a change
# here would give new sections other colours than old ones.
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#f0e442", "#d55e00", "#56b4e9", "#8f0020",
    "#8cffa8", "#7a52f4", "#ff5a7d", "#894e00", "#9debff", "#143bc4", "#8989ff",
    "#b13b62", "#4ed876", "#3bd8ff", "#6289c4", "#76149d", "#d8c400", "#76893b",
    "#9d6289", "#b1b1b1", "#4e4ed8", "#d8ebd8", "#892762", "#9d899d", "#ffb176",
    "#9d9d3b", "#b13bb1", "#eb89d8", "#b1d8b1", "#4e623b", "#b10089", "#d862d8",
    "#c47662", "#c41427", "#4e4e76", "#62ff76", "#007662", "#d89d89", "#9d62d8",
    "#3bc414", "#ffb1eb", "#4e763b", "#6276ff", "#b1b162", "#c49dff", "#ffc4d8",
    "#62629d", "#3bb1c4", "#9d76b1", "#d83b14", "#4e62c4", "#3b6276", "#00899d",
    "#9d9d9d", "#9dc49d", "#274eb1", "#897662",
)  # fmt: skip

# Of spots without a domain or a number.
MISSING_COLOR = "#9a9a9a"


def domain_colors(n: int) -> list[str]:
    """Return clear colours for n domains.

    Parameters
    ----------
    n
        Number of domains, 0 to 60. More domains get the 60 colours again from the
        start.

    Returns
    -------
    list of str
        ``n`` colours as ``#rrggbb``; the first colours are the same whatever ``n``.

    Raises
    ------
    ConfigError
        If ``n`` is negative.
    """
    if n < 0:
        raise ConfigError(f"Expected a number of domains of 0 or more; got {n!r}.")
    return [PALETTE[code % len(PALETTE)] for code in range(n)]


def hex_colors(colors: Sequence[object], spare: Sequence[str]) -> list[str]:
    """Return colours as ``#rrggbb``, a spare one for each that is none.

    Parameters
    ----------
    colors
        As a file holds them: ``#rrggbb``, names, or anything.
    spare
        As many colours as ``#rrggbb``.
    """
    from matplotlib.colors import is_color_like, to_hex

    return [
        to_hex(str(color)) if is_color_like(str(color)) else other
        for color, other in zip(colors, spare, strict=True)
    ]
