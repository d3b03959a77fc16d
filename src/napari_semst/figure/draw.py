"""The figure as a whole, and its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.core.column_colors import column_colors
from napari_semst.figure.colouring import Categories, domain_column
from napari_semst.figure.file import check_file_name, save_figure, text_as_written
from napari_semst.figure.grid import draw_grid
from napari_semst.figure.legend import EDGE, add_caption, add_legend, legend_width
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
    draw_image,
    new_figure,
    number_scale,
    rgba,
)
from napari_semst.figure.view import section_views
from napari_semst.io.split_sections import shown_section_key
from napari_semst.io.text_columns import as_texts
from napari_semst.palette import MISSING_COLOR

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_semst.figure.view import FigureView

    Floats = NDArray[np.float64]


def domain_figure(
    adata: AnnData,
    path: str | Path,
    *,
    run: str | None = None,
    library: str | None = None,
    coordinates: str | None = None,
    section_key: str | None = None,
    dpi: int = 200,
    overwrite: bool = False,
) -> Path:
    """Draw a section's image, domains and modulation, and write the figure.

    Of several sections the domains are drawn, a panel for each, at one scale where
    that can be known; of up to four the modulation too.

    Parameters
    ----------
    adata
        A tissue that holds domains.
    path
        File to write, ``.png``, ``.svg`` or ``.pdf``.
    run
        Name of the run to show; by default the latest.
    library
        The section to show; by default all that the section key tells apart, else
        the first that has an image.
    coordinates
        Where the spots are: an obsm key, or two obs columns as ``"x,y"``; by default
        the usual places are looked through.
    section_key
        The obs column that tells sections apart; by default the one that the run was
        told, else that of joined sections. Empty: one section.
    dpi
        Dots per inch, of the spots also in ``.svg`` and ``.pdf``.
    overwrite
        Whether a file that stands there may be replaced, once the new one is whole.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        If the tissue holds no such domains, section or coordinates.
    ConfigError
        If ``dpi`` is not positive.
    SaveError
        If the file cannot be written, or one stands there already.
    """
    file = check_file_name(path, dpi)
    figure = draw_domains(
        adata,
        run=run,
        library=library,
        coordinates=coordinates,
        section_key=section_key,
        dpi=dpi,
    )
    return save_figure(figure, file, dpi=dpi, overwrite=overwrite)


@text_as_written()
def draw_domains(
    adata: AnnData,
    *,
    run: str | None = None,
    library: str | None = None,
    coordinates: str | None = None,
    section_key: str | None = None,
    dpi: int = 200,
) -> Figure:
    """Return the figure of `domain_figure`, unwritten and unknown to pyplot."""
    column = domain_column(adata, run)
    if section_key is None:
        section_key = shown_section_key(adata, run or "")
    views = section_views(adata, library, coordinates, section_key)
    domains = _domains(adata, column)
    values = _modulation(adata, column)
    if len(views) > 1:
        return draw_grid(views, domains, values, run, dpi)
    return _draw_one(views[0], domains, values, run, dpi)


def _draw_one(
    view: FigureView,
    domains: Categories,
    values: Floats | None,
    run: str | None,
    dpi: int,
) -> Figure:
    names, colors = domains.names, domains.colors
    codes = domains.codes[view.mask]
    beside = legend_width(names, codes)
    figure, panels = _empty(view, beside, values is not None, dpi)
    if view.placement is not None:
        add_title(panels[0], "Tissue")
        draw_image(panels[0], view.placement)
        add_scale_bar(panels[0], view)
    panel = panels[int(view.placement is not None)]
    add_title(panel, "Domains")
    add_spots(panel, view, rgba([*colors, MISSING_COLOR])[codes])
    add_legend(figure, panel.get_position(), names, colors, codes)
    if view.placement is None:
        add_scale_bar(panel, view)
    if values is not None:
        scale, beyond = number_scale(values[view.mask])
        add_title(panels[-1], "Modulation by gene semantics")
        add_numbers(panels[-1], view, values[view.mask], scale)
        add_bar(figure, panels[-1].get_position(), scale, beyond)
    section = f"section {view.section}" if view.section else ""
    add_caption(figure, len(codes), len(names), section, run)
    return figure


def _empty(
    view: FigureView, beside: float, with_values: bool, dpi: int
) -> tuple[Figure, list[Axes]]:
    """Return a figure as large as its panels need, and the panels."""
    width, height = view.panel
    wide = [width] if view.placement is not None else []
    wide += [width + beside]
    wide += [width + BAR_WIDTH] if with_values else []
    total = 2 * EDGE + sum(wide) + GAP * (len(wide) - 1)
    figure = new_figure(total, height + HEAD + FOOT, dpi)
    lefts = EDGE + np.concatenate([[0], np.cumsum(np.array(wide) + GAP)[:-1]])
    return figure, [add_panel(figure, float(left), view) for left in lefts]


def _domains(adata: AnnData, column: str) -> Categories:
    labels = adata.obs[column].astype("category").cat
    names = [str(name) for name in labels.categories]
    colors = list(column_colors(adata, column).values())
    codes = labels.codes.to_numpy(dtype=np.int64)
    return Categories("Domains", codes, names, colors)


def _modulation(adata: AnnData, column: str) -> Floats | None:
    """Return the modulation if it is there and belongs to the domains shown."""
    if keys.MODULATION not in adata.obs or keys.DOMAIN not in adata.obs:
        return None
    # The modulation is kept for the latest run only.
    latest, shown = (as_texts(adata.obs[k]).to_numpy() for k in (keys.DOMAIN, column))
    if not (latest == shown).all():
        return None
    values = adata.obs[keys.MODULATION].to_numpy(dtype=np.float64)
    return values if np.isfinite(values).any() else None
