"""A figure of any colourings: a panel for each, with legend or bar, and a scale bar."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.errors import ConfigError
from napari_semst.figure.colouring import Categories, Numbers, colouring_by_name
from napari_semst.figure.file import check_file_name, save_figure, text_as_written
from napari_semst.figure.grid import short_name
from napari_semst.figure.legend import EDGE, add_legend, legend_width
from napari_semst.figure.panels import (
    BAR_WIDTH,
    FOOT,
    GAP,
    HEAD,
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
from napari_semst.figure.view import at_one_scale, section_views
from napari_semst.palette import MISSING_COLOR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    from napari_semst.figure.view import FigureView


# Inches that panels and what explains them take beside each other: three of them.
_WIDTH = 16.0
# Inches of what a bar counts, beside its numbers.
_UNIT = 0.18
_MOST_PANELS = 60


class _Panel(NamedTuple):
    """A section in a colouring, and how wide it is with what explains it."""

    view: FigureView
    colouring: Categories | Numbers
    scale: tuple[ScalarMappable, str] | None
    width: float


def colour_figure(
    adata: AnnData,
    path: str | Path,
    colors: Sequence[str | Categories | Numbers],
    *,
    section: str | None = None,
    coordinates: str | None = None,
    section_key: str | None = None,
    microns: float | None = None,
    image: bool = True,
    dpi: int = 200,
    overwrite: bool = False,
) -> Path:
    """Draw the spots in any colourings, a panel for each, and write the figure.

    Parameters
    ----------
    adata
        The tissue.
    path
        File to write, ``.png``, ``.svg`` or ``.pdf``. Text stays text; above 20,000
        spots these are pixels within ``.svg`` and ``.pdf``.
    colors
        What to colour by: obs columns, genes, columns of obsm as ``"X_semst:1"``; or
        the values themselves.
    section
        The section to show; by default all.
    coordinates
        Where the spots are: an obsm key, or two obs columns as ``"x,y"``; by default
        the usual places are looked through.
    section_key
        The obs column that tells sections apart; by default the one that the run was
        told, else that of joined sections.
    microns
        Micrometres per unit of the coordinates; by default told from the section,
        and where that cannot be known the scale bar counts units.
    image
        Whether to draw the tissue's image beneath the spots.
    dpi
        Dots per inch.
    overwrite
        Whether a file that stands there may be replaced, once the new one is whole.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        If there is no such column, gene, section or coordinates.
    ConfigError
        If ``dpi`` or ``microns`` is out of range, or there is nothing to draw.
    SaveError
        If the file cannot be written, or one stands there already.
    """
    file = check_file_name(path, dpi)
    figure = draw_colours(
        adata,
        colors,
        section=section,
        coordinates=coordinates,
        section_key=section_key,
        microns=microns,
        image=image,
        dpi=dpi,
    )
    return save_figure(figure, file, dpi=dpi, overwrite=overwrite)


@text_as_written()
def draw_colours(
    adata: AnnData,
    colors: Sequence[str | Categories | Numbers],
    *,
    section: str | None = None,
    coordinates: str | None = None,
    section_key: str | None = None,
    microns: float | None = None,
    image: bool = True,
    dpi: int = 200,
) -> Figure:
    """Return the figure of `colour_figure`, unwritten and unknown to pyplot."""
    from napari_semst.io.split_sections import shown_section_key

    if microns is not None and not (np.isfinite(microns) and microns > 0):
        raise ConfigError(f"Expected microns to be positive; got {microns!r}.")
    key = shown_section_key(adata) if section_key is None else section_key
    views = at_one_scale(section_views(adata, section, coordinates, key))
    if microns is not None:
        views = [replace(view, microns=microns) for view in views]
    if not image:
        views = [replace(view, placement=None) for view in views]
    colourings = [
        colouring_by_name(adata, color) if isinstance(color, str) else color
        for color in colors
    ]
    if not 0 < len(colourings) * len(views) <= _MOST_PANELS:
        raise ConfigError(
            f"Expected 1 to {_MOST_PANELS} panels; got {len(colourings)} colourings of "
            f"{len(views)} sections. Draw fewer at a time."
        )
    return _draw_rows(
        [_panel(view, colouring) for colouring in colourings for view in views], dpi
    )


def _panel(view: FigureView, colouring: Categories | Numbers) -> _Panel:
    """Return a panel with what it needs beside it."""
    width = view.panel[0]
    if isinstance(colouring, Categories):
        beside = legend_width(colouring.names, colouring.codes[view.mask])
        return _Panel(view, colouring, None, width + beside)
    # One scale for all sections.
    scale = number_scale(colouring.values, colouring.colormap, colouring.limits)
    beside = BAR_WIDTH + (_UNIT if colouring.unit else 0.0)
    return _Panel(view, colouring, scale, width + beside)


def _draw_rows(panels: list[_Panel], dpi: int) -> Figure:
    """Return the figure of panels, as many in a row as have room."""
    rows: list[list[_Panel]] = [[]]
    for panel in panels:
        wide = sum(other.width + GAP for other in rows[-1])
        if rows[-1] and wide + panel.width > _WIDTH:
            rows.append([])
        rows[-1].append(panel)
    width = max(sum(panel.width + GAP for panel in row) for row in rows) - GAP
    heights = [max(panel.view.panel[1] for panel in row) for row in rows]
    height = sum(heights) + len(rows) * (HEAD + FOOT)
    figure = new_figure(width + 2 * EDGE, height, dpi)
    top = height
    for row, tall in zip(rows, heights, strict=True):
        left = EDGE
        for panel in row:
            _draw(figure, panel, left, top - HEAD - panel.view.panel[1])
            left += panel.width + GAP
        top -= tall + HEAD + FOOT
    return figure


def _draw(figure: Figure, panel: _Panel, left: float, bottom: float) -> None:
    """Draw a panel, its title, scale bar, and what explains its colours."""
    view, colouring = panel.view, panel.colouring
    axes = add_panel(figure, left, view, bottom)
    parts = [part for part in (view.section, colouring.title) if part]
    # About as many letters of the title's size as have room.
    add_title(axes, short_name(": ".join(parts), int(panel.width / 0.085)))
    add_scale_bar(axes, view)
    if isinstance(colouring, Categories):
        codes = colouring.codes[view.mask]
        shades = rgba([*colouring.colors, MISSING_COLOR])[codes]
        if colouring.hidden is not None:
            shades[colouring.hidden[view.mask], 3] = 0
            codes = codes[~colouring.hidden[view.mask]]
        add_spots(axes, view, shades)
        box = axes.get_position()
        add_legend(figure, box, colouring.names, colouring.colors, codes)
        return
    if panel.scale is not None:
        scale, beyond = panel.scale
        add_numbers(axes, view, colouring.values[view.mask], scale)
        add_bar(figure, axes.get_position(), scale, beyond, colouring.unit)
