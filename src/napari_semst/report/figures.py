"""The pictures of a report, as data within the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.figure import Figure

    from napari_semst.report.facts import ReportFacts


# Above this width over its height, a picture's writing is lost on half a page.
_WIDE = 1.7


@dataclass(frozen=True)
class ReportPicture:
    """A picture and what it shows.

    Parameters
    ----------
    caption
        One sentence for people.
    data
        As a ``data:`` address.
    wide
        Whether it takes the whole width of the page: half of it would be too small to
        read.
    """

    caption: str
    data: str
    wide: bool = False

    @classmethod
    def of(cls, caption: str, figure: Figure, dpi: int) -> ReportPicture:
        """Return a figure as a picture, wide where it is much wider than high."""
        width, height = figure.get_size_inches()
        return cls(caption, picture_data(figure, dpi), bool(width > _WIDE * height))


_CAPTIONS = {
    keys.CONFIDENCE: "Confidence: how sure each spot's domain is within this section.",
    keys.MODULATION: "Modulation: how strongly the meaning of its genes moved each "
    "spot. Look at the numbers of the bar first.",
}


def draw_pictures(
    adata: AnnData,
    facts: ReportFacts,
    annotation: str | None,
    colors: Sequence[str],
    coordinates: str | None,
    dpi: int,
) -> list[ReportPicture]:
    """Return the pictures of a report.

    Parameters
    ----------
    annotation
        obs column to show beside the domains.
    colors
        More to colour by, as for `napari_semst.colour_figure`.
    coordinates
        Where the spots are, likewise.
    """
    from napari_semst.figure import draw_colours

    wanted = {facts.column: f"Domains of the run {facts.run}." if facts.run else ""}
    if annotation is not None:
        wanted[annotation] = f"Annotation: the column {annotation}."
    latest = facts.run in ("", str(adata.uns.get(keys.LATEST, facts.run)))
    for key, caption in _CAPTIONS.items():
        known = key in adata.obs and np.isfinite(
            adata.obs[key].to_numpy(dtype=np.float64)
        )
        if latest and np.any(known):
            wanted[key] = caption
    wanted |= {name: f"Coloured by {name}." for name in colors if name not in wanted}
    drawn = []
    for name, caption in wanted.items():
        figure = draw_colours(adata, [name], coordinates=coordinates, dpi=dpi)
        drawn.append(ReportPicture.of(caption or "Domains.", figure, dpi))
    if len(facts.losses) > 1:
        caption = "Training: the loss of every epoch."
        drawn.append(ReportPicture.of(caption, _curve(facts.losses, dpi), dpi))
    return drawn


def _curve(losses: tuple[float, ...], dpi: int) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 2.8), dpi=dpi, layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(1, len(losses) + 1), losses, color="#0072b2", linewidth=1.4)
    axes.set_xlabel("Epoch", fontsize=8)
    axes.set_ylabel("Loss", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def picture_data(figure: Figure, dpi: int) -> str:
    """Return a figure as a ``data:`` address."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": "napari-semst"})
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
