"""A figure for a paper or a talk: the tissue, its domains, their modulation."""

from __future__ import annotations

from napari_semst.figure.coloured import colour_figure, draw_colours
from napari_semst.figure.draw import domain_figure, draw_domains

__all__ = ["colour_figure", "domain_figure", "draw_colours", "draw_domains"]
