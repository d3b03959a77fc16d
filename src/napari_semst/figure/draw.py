"""The figure as a whole, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.errors import ConfigError, InputError, SaveError, one_of
from napari_semst.figure.legend import (
    EDGE,
    ROWS,
    add_caption,
    add_legend,
    legend_column,
)
from napari_semst.figure.panels import (
    FOOT,
    MISSING,
    add_image,
    add_panel,
    add_scale_bar,
    add_spots,
    add_title,
    modulation_panel,
    rgba,
)
from napari_semst.figure.view import view_of

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_semst.figure.view import View

    Floats = NDArray[np.float64]


FORMATS = (".png", ".svg", ".pdf")
# Inches.
GAP, HEAD, BAR = 0.16, 0.34, 0.66


def domain_figure(
    adata: AnnData,
    path: str | Path,
    *,
    run: str | None = None,
    library: str | None = None,
    coordinates: str | None = None,
    dpi: int = 200,
    overwrite: bool = False,
) -> Path:
    """Draw a section's image, domains and modulation, and write the figure.

    Parameters
    ----------
    adata
        A tissue that holds domains.
    path
        File to write, ``.png``, ``.svg`` or ``.pdf``.
    run
        Name of the run to show; by default the latest.
    library
        The section to show; by default the first that has an image.
    coordinates
        Where the spots are: an obsm key, or two obs columns as ``"x,y"``; by default
        the usual places are looked through.
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
    from matplotlib import rc_context

    from napari_semst.io.atomic import write_atomically

    place = Path(path)
    suffix = place.suffix.lower()
    if suffix not in FORMATS:
        raise SaveError(one_of("the figure's file ending", place.suffix, FORMATS))
    if dpi <= 0:
        raise ConfigError(f"Expected dpi to be positive; got {dpi!r}.")
    figure = draw_domains(
        adata, run=run, library=library, coordinates=coordinates, dpi=dpi
    )
    # No dates within, so that the same figure is the same file.
    dates: dict[str, dict[str, Any]] = {
        ".png": {"Software": "napari-semst"},
        ".svg": {"Date": None},
        ".pdf": {"CreationDate": None},
    }

    def write(temporary: Path) -> None:
        # Names within an .svg are drawn at random without a salt.
        with rc_context({"svg.hashsalt": "napari-semst"}):
            figure.savefig(
                temporary, format=suffix[1:], dpi=dpi, metadata=dates[suffix]
            )

    return write_atomically(
        place, write, _check_not_empty, overwrite=overwrite, suffix=place.suffix
    )


def draw_domains(
    adata: AnnData,
    *,
    run: str | None = None,
    library: str | None = None,
    coordinates: str | None = None,
    dpi: int = 200,
) -> Figure:
    """Return the figure of `domain_figure` without writing it.

    Parameters
    ----------
    adata, run, library, coordinates, dpi
        As for `domain_figure`.

    Returns
    -------
    matplotlib.figure.Figure
        On an Agg canvas, not known to pyplot.
    """
    column = keys.DOMAIN if run is None else keys.of_run(keys.DOMAIN, run)
    if column not in adata.obs:
        raise InputError(_no_domains(adata, column))
    view = view_of(adata, library, coordinates)
    names, codes, colors = _domains(adata, column)
    codes = codes[view.own]
    values = _modulation(adata, column)
    legend_rows = len(names) + bool((codes < 0).any())
    legend_width = 0.1 - (-legend_rows // ROWS) * legend_column(names)
    figure, panels = _empty(view, legend_width, values is not None, dpi)
    if view.placement is not None:
        add_title(panels[0], "Tissue")
        add_image(panels[0], view.placement)
        add_scale_bar(panels[0], view)
    domains = panels[int(view.placement is not None)]
    add_title(domains, "Domains")
    table = rgba([*colors, MISSING])
    add_spots(domains, view, table[codes])
    add_legend(figure, domains, names, colors, codes)
    if view.placement is None:
        add_scale_bar(domains, view)
    if values is not None:
        add_title(panels[-1], "Modulation by gene semantics")
        modulation_panel(figure, panels[-1], view, values[view.own])
    add_caption(figure, view, len(codes), len(names), run)
    return figure


def _empty(
    view: View, legend_width: float, with_values: bool, dpi: int
) -> tuple[Figure, list[Axes]]:
    """Return a figure as large as its panels need, and the panels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = view.panel
    wide = [width] if view.placement is not None else []
    wide += [width + legend_width]
    wide += [width + BAR] if with_values else []
    size = (2 * EDGE + sum(wide) + GAP * (len(wide) - 1), height + HEAD + FOOT)
    figure = Figure(figsize=size, dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    lefts = EDGE + np.concatenate([[0], np.cumsum(np.array(wide) + GAP)[:-1]])
    return figure, [add_panel(figure, float(left), view) for left in lefts]


def _domains(
    adata: AnnData, column: str
) -> tuple[list[str], NDArray[np.int64], list[str]]:
    """Return names, codes (-1: none) and colours of the domains."""
    from napari_semst.palette import domain_colors

    labels = adata.obs[column].astype("category").cat
    names = [str(name) for name in labels.categories]
    stored = adata.uns.get(column + keys.COLORS_SUFFIX)
    colors = domain_colors(len(names))
    if stored is not None and len(stored) >= len(names):
        colors = [str(color) for color in list(stored)[: len(names)]]
    return names, labels.codes.to_numpy(dtype=np.int64), colors


def _modulation(adata: AnnData, column: str) -> Floats | None:
    """Return the modulation if it is there and belongs to the domains shown."""
    if keys.MODULATION not in adata.obs or keys.DOMAIN not in adata.obs:
        return None
    # The modulation is kept for the latest run only.
    latest, shown = (adata.obs[k].astype(str).to_numpy() for k in (keys.DOMAIN, column))
    if not (latest == shown).all():
        return None
    values = adata.obs[keys.MODULATION].to_numpy(dtype=np.float64)
    return values if np.isfinite(values).any() else None


def _no_domains(adata: AnnData, column: str) -> str:
    there = [str(c) for c in adata.obs if str(c).startswith(keys.DOMAIN)]
    return (
        f"Expected domains in obs[{column!r}]; found "
        f"{', '.join(there) or 'no domains'}. Find domains first, or name another run."
    )


def _check_not_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise SaveError(f"Expected a figure in {path}; it is empty.")
