"""One panel of the figure: a title, an image, spots, a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.palette import MISSING_COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox
    from numpy.typing import NDArray

    from napari_semst.figure.view import FigureView
    from napari_semst.io.alignment import Placement

    Floats = NDArray[np.float64]


MODULATION_COLORMAP = "inferno"
INK, SOFT = "#1c1c22", "#6b6b76"
# Inches: below panels, above them, between them.
FOOT, HEAD, GAP = 0.30, 0.34, 0.16
# Inches that a bar of colours takes beside its panel.
BAR_WIDTH = 0.66
# Above so many, spots within .svg and .pdf are pixels: viewers choke on more shapes.
MOST_DRAWN = 20_000


def new_figure(width: float, height: float, dpi: int) -> Figure:
    """Return an empty white figure, in inches, that pyplot does not know of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def add_panel(
    figure: Figure,
    left: float,
    view: FigureView,
    bottom: float = FOOT,
    size: float = 1.0,
) -> Axes:
    """Return an empty panel of the view, y downwards.

    Parameters
    ----------
    left, bottom
        Place in inches.
    size
        Share of the usual size of the view's panel.
    """
    width, height = size * view.panel[0], size * view.panel[1]
    total_width, total_height = figure.get_size_inches()
    box = (left / total_width, bottom / total_height)
    axes = figure.add_axes((*box, width / total_width, height / total_height))
    (y0, x0), (y1, x1) = view.low, view.high
    axes.set(xlim=(x0, x1), ylim=(y1, y0), aspect="equal", anchor="NW")
    axes.set_axis_off()
    return axes


def add_title(axes: Axes, text: str) -> None:
    """Write a title above the left edge of a panel."""
    axes.set_title(text, loc="left", fontsize=10.5, weight="bold", color=INK, pad=6)


def draw_image(
    axes: Axes, placement: Placement, opacity: float = 1.0, *, grey: bool = False
) -> None:
    """Draw the image; with less opacity it fades into its own background."""
    (y0, x0), (y1, x1) = placement.bounds()
    image = placement.image
    limits = axes.axis()
    if opacity < 1:
        shade = 0.0 if _is_dark(image) else 255.0
        faded = image[..., :3] if image.ndim == 3 else image
        faded = faded.mean(axis=2) if grey and image.ndim == 3 else faded
        image = (opacity * faded + (1 - opacity) * shade).astype(np.uint8)
    axes.imshow(
        image, extent=(x0, x1, y1, y0), cmap="gray", vmin=0, vmax=255,
        interpolation="antialiased", zorder=0,
    )  # fmt: skip
    axes.axis(limits)
    axes.set_anchor("NW")


def _is_dark(image: NDArray[np.uint8]) -> bool:
    """Return whether the image's background, its border, is dark."""
    rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    return float(np.median(rim[..., :3])) < 90


def add_spots(
    axes: Axes, view: FigureView, colors: Floats, *, grey: bool = False
) -> None:
    """Draw every spot at its true size over the faded image."""
    from matplotlib.collections import EllipseCollection

    if view.placement is not None:
        draw_image(axes, view.placement, 0.7 if grey else 0.5, grey=grey)
    size = np.full(len(view.positions), view.diameter)
    spots = EllipseCollection(
        size, size, np.zeros_like(size), units="xy", offsets=view.positions[:, ::-1],
        offset_transform=axes.transData, facecolors=colors, linewidths=0,
        rasterized=len(size) > MOST_DRAWN, zorder=1,
    )  # fmt: skip
    axes.add_collection(spots, autolim=False)


def number_scale(
    values: Floats,
    colormap: str = MODULATION_COLORMAP,
    limits: tuple[float, float] | None = None,
) -> tuple[ScalarMappable, str]:
    """Return the colours of numbers, and which ends of them have spots beyond.

    2 % of the spots lie beyond either end, none where most values are the same, unless
    limits are given.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [2, 98]) if len(known) else (0.0, 1.0)
    if limits is not None:
        low, high = limits
    elif high <= low and len(known):
        low, high = known.min(), known.max()
    high = high if high > low else low + max(abs(low), 1.0) * 1e-3
    scale = ScalarMappable(Normalize(low, high), colormaps[colormap])
    beyond = ("neither", "min", "max", "both")[
        int(known.min() < low) + 2 * int(known.max() > high) if len(known) else 0
    ]
    return scale, beyond


def add_numbers(
    axes: Axes, view: FigureView, values: Floats, scale: ScalarMappable
) -> None:
    """Draw every spot in the colour of its number."""
    colors = scale.to_rgba(np.nan_to_num(values))
    colors[~np.isfinite(values)] = rgba([MISSING_COLOR])
    # Beneath colours that mean a number, those of the stain would mislead.
    add_spots(axes, view, colors, grey=True)


def add_bar(
    figure: Figure, box: Bbox, scale: ScalarMappable, beyond: str, unit: str = ""
) -> None:
    """Explain the colours of numbers right of a box."""
    from matplotlib.ticker import MaxNLocator

    total = figure.get_size_inches()
    inner = (box.x1 + 0.10 / total[0], box.y0 + 0.2 * box.height)
    slot = figure.add_axes((*inner, 0.11 / total[0], 0.6 * box.height))
    bar = figure.colorbar(scale, cax=slot, extend=beyond, extendfrac=0.03)
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(4)
    bar.ax.tick_params(labelsize=8, length=0, pad=3, labelcolor=INK)
    if unit:
        bar.set_label(unit, fontsize=7.5, color=SOFT)


def add_scale_bar(axes: Axes, view: FigureView) -> None:
    """Draw a bar of a round length below the panel.

    It is as long as some micrometres where the scale is known, else as some units of
    the coordinates.
    """
    x0, x1 = view.low[1], view.high[1]
    per_unit = float(view.microns or 1.0)
    wanted = 0.22 * (x1 - x0) * per_unit
    power = 10.0 ** np.floor(np.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    if view.microns is None:
        text = f"{length:g} units"
    elif length >= 1000:
        text = f"{length / 1000:g} mm"
    else:
        text = f"{length:g} \N{MICRO SIGN}m"
    share = length / per_unit / (x1 - x0)
    place = axes.transAxes
    axes.plot(
        [0, share], [-0.025, -0.025], color=INK, lw=2, transform=place,
        clip_on=False, solid_capstyle="butt",
    )  # fmt: skip
    axes.text(
        share + 0.015, -0.025, text, transform=place, fontsize=8, color=INK,
        va="center",
    )  # fmt: skip


def rgba(colors: list[str]) -> Floats:
    """Return colours as ``(n, 4)`` in 0 to 1."""
    from matplotlib.colors import to_rgba_array

    table: Floats = to_rgba_array(colors)
    return table
