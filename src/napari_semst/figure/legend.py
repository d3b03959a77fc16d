"""The text beside and below the panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.figure.panels import INK, SOFT
from napari_semst.palette import MISSING_COLOR

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


ROWS, LONGEST_NAME = 17, 22
# Inches at the left and right of the figure.
EDGE = 0.14


def legend_column(names: list[str]) -> float:
    """Return the width in inches that a column of the legend needs."""
    longest = max((min(len(name), LONGEST_NAME) for name in names), default=1)
    return 0.82 + 0.072 * max(longest, 2)


def add_legend(
    figure: Figure,
    box: Bbox,
    names: list[str],
    colors: list[str],
    codes: NDArray[np.int64],
) -> None:
    """List the domains right of a box: colour, name, share of the spots."""
    from matplotlib.lines import Line2D

    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    rows = list(zip(names, colors, counts, strict=True))
    if (codes < 0).any():
        rows.append(("none", MISSING_COLOR, int((codes < 0).sum())))
    total = figure.get_size_inches()
    step = min(0.235, box.height * total[1] / ROWS) / total[1]
    n_rows = min(len(rows), ROWS)
    wide = legend_column(names)
    top = (box.y0 + box.y1) / 2 + step * (n_rows - 1) / 2
    for index, (name, color, count) in enumerate(rows):
        column, row = divmod(index, ROWS)
        x = box.x1 + (0.16 + column * wide) / total[0]
        y = top - row * step
        share = 100 * count / max(len(codes), 1)
        short = name
        if len(name) > LONGEST_NAME:
            short = name[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"
        digits = 0 if share >= 9.5 or count == 0 else 1
        dot = Line2D([x], [y], marker="o", markersize=6.5, color=color, linewidth=0)
        figure.add_artist(dot)
        figure.text(
            x + 0.12 / total[0], y, short, color=INK, fontsize=8.5,
            va="center_baseline",
        )  # fmt: skip
        figure.text(
            x + (wide - 0.24) / total[0], y, f"{share:.{digits}f} %", color=SOFT,
            fontsize=7.5, va="center_baseline", ha="right",
        )  # fmt: skip


def legend_width(names: list[str], codes: NDArray[np.int64]) -> float:
    """Return the width in inches that the legend needs beside its panel."""
    rows = len(names) + bool((codes < 0).any())
    return 0.1 - (-rows // ROWS) * legend_column(names)


def add_caption(
    figure: Figure, n_spots: int, n_domains: int, section: str, run: str | None
) -> None:
    """Say below the panels, small, what is shown."""
    parts = [f"{n_spots:,} spots", f"{n_domains} domains"]
    parts += [section] if section else []
    parts += [f"run {run}"] if run is not None else []
    width, height = figure.get_size_inches()
    text = "  \N{MIDDLE DOT}  ".join(parts)
    figure.text(
        1 - EDGE / width, 0.11 / height, text, fontsize=7.5, color=SOFT,
        ha="right", va="center",
    )  # fmt: skip
