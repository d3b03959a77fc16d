"""The figure of several sections: a panel for each, one legend for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.figure.legend import EDGE, add_caption, add_legend, legend_width
from napari_semst.figure.panels import (
    BAR_WIDTH,
    FOOT,
    GAP,
    HEAD,
    INK,
    add_bar,
    add_numbers,
    add_panel,
    add_scale_bar,
    add_spots,
    add_title,
    new_figure,
    number_scale,
    rgba,
)
from napari_semst.figure.view import at_one_scale
from napari_semst.palette import MISSING_COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox
    from numpy.typing import NDArray

    from napari_semst.figure.colouring import Categories
    from napari_semst.figure.view import FigureView

    Floats = NDArray[np.float64]


MOST_COLUMNS = 4
# Inches that the panels of a row have, and that the name of a row and the caption take.
_WIDTH, _ROW_NAME, _CAPTION = 11.0, 0.26, 0.2


class Layout(NamedTuple):
    """Where the panels stand, in inches.

    Parameters
    ----------
    n_columns, n_rows
        Of the panels.
    size
        Share of the panels' usual size.
    width, height
        Of a panel's place.
    left
        Of the first column.
    head
        Above the panels of every row but the first, which has titles.
    """

    n_columns: int
    n_rows: int
    size: float
    width: float
    height: float
    left: float
    head: float

    def corner(self, row: int, column: int) -> tuple[float, float]:
        """Return left and top of a panel's place, the top from the lower edge."""
        pitch = self.height + FOOT + self.head
        top = _CAPTION + FOOT + self.height + (self.n_rows - 1 - row) * pitch
        return self.left + column * (self.width + GAP), top


def draw_grid(
    views: list[FigureView],
    domains: Categories,
    values: Floats | None,
    run: str | None,
    dpi: int,
) -> Figure:
    """Return the figure of several sections.

    Parameters
    ----------
    views
        Of the sections, two or more.
    values
        Modulation of all spots, drawn in a second row where the sections fill but one;
        None without.
    run
        Name of the run to print, None for none.
    """
    views = at_one_scale(views)
    with_values = values is not None and len(views) <= MOST_COLUMNS
    shown = np.concatenate([domains.codes[view.mask] for view in views])
    layout = _layout(views, with_values)
    beside = max(legend_width(domains.names, shown), BAR_WIDTH if with_values else 0.0)
    right, _ = layout.corner(0, layout.n_columns)
    _, top = layout.corner(0, 0)
    figure = new_figure(right - GAP + beside + EDGE, top + HEAD, dpi)
    _draw_domains(figure, layout, views, domains)
    rows = 1 if with_values else layout.n_rows
    box = _box(figure, layout, 0, rows - 1)
    add_legend(figure, box, domains.names, domains.colors, shown)
    if with_values and values is not None:
        _draw_modulation(figure, layout, views, values)
    sections = f"{len(views)} sections"
    add_caption(figure, len(shown), len(domains.names), sections, run)
    return figure


def _layout(views: list[FigureView], with_values: bool) -> Layout:
    columns = n_columns(len(views))
    rows = 2 if with_values else -(-len(views) // columns)
    width = max(view.panel[0] for view in views)
    height = max(view.panel[1] for view in views)
    room = _WIDTH - (columns - 1) * GAP
    size = min(1.0, room / (columns * width))
    left = EDGE + (_ROW_NAME if with_values else 0.0)
    head = GAP if with_values else HEAD
    return Layout(columns, rows, size, size * width, size * height, left, head)


def n_columns(n: int) -> int:
    """Return in how many columns to draw a number of sections, at most four."""
    if n <= MOST_COLUMNS:
        return n
    # Few empty places, then few rows.
    return min(range(3, MOST_COLUMNS + 1), key=lambda columns: (-n % columns, -columns))


def _panels(
    figure: Figure, layout: Layout, views: list[FigureView], first_row: int
) -> list[Axes]:
    """Return an empty panel for every section, from the top left on."""
    panels = []
    for index, view in enumerate(views):
        row, column = divmod(index, layout.n_columns)
        left, top = layout.corner(first_row + row, column)
        bottom = top - layout.size * view.panel[1]
        panels.append(add_panel(figure, left, view, bottom, layout.size))
    return panels


def _draw_domains(
    figure: Figure, layout: Layout, views: list[FigureView], domains: Categories
) -> None:
    table = rgba([*domains.colors, MISSING_COLOR])
    panels = _panels(figure, layout, views, 0)
    # About as many letters of the title's size as have room.
    longest = int(layout.width / 0.085)
    for axes, view in zip(panels, views, strict=True):
        add_title(axes, short_name(view.section, longest))
        add_spots(axes, view, table[domains.codes[view.mask]])
        add_scale_bar(axes, view)


def short_name(name: str, longest: int) -> str:
    """Return a name of no more letters; names of sections often differ at the end."""
    if len(name) <= longest:
        return name
    end = longest // 2
    start = name[: max(longest - 1 - end, 0)].rstrip()
    return f"{start}\N{HORIZONTAL ELLIPSIS}{name[len(name) - end :].lstrip()}"


def _draw_modulation(
    figure: Figure, layout: Layout, views: list[FigureView], values: Floats
) -> None:
    """Draw the modulation below the domains, with one scale for all sections."""
    scale, beyond = number_scale(np.concatenate([values[view.mask] for view in views]))
    for axes, view in zip(_panels(figure, layout, views, 1), views, strict=True):
        add_numbers(axes, view, values[view.mask], scale)
    add_bar(figure, _box(figure, layout, 1, 1), scale, beyond)
    for row, name in enumerate(("Domains", "Modulation by gene semantics")):
        box, width = _box(figure, layout, row, row), figure.get_size_inches()[0]
        figure.text(
            EDGE / width, (box.y0 + box.y1) / 2, name, rotation=90, fontsize=9.5,
            color=INK, va="center", ha="left",
        )  # fmt: skip


def _box(figure: Figure, layout: Layout, first: int, last: int) -> Bbox:
    """Return the box around some rows of panels, in shares of the figure."""
    from matplotlib.transforms import Bbox

    width, height = figure.get_size_inches()
    left, top = layout.corner(first, 0)
    right, bottom = layout.corner(last, layout.n_columns)
    return Bbox(
        [
            [left / width, (bottom - layout.height) / height],
            [(right - GAP) / width, top / height],
        ]
    )
