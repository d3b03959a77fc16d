"""Genes by domain are drawn as dots and violins that belong to no window."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from napari_semst.explore.plots import GenesByDomain, draw_dots, draw_violins


@pytest.fixture
def table():
    counts = np.random.default_rng(0).poisson(2, (60, 3)).astype(np.float32)
    spots = anndata.AnnData(counts)
    spots.var_names = genes = ["Plp1", "Snap25", "Gad1"]
    spots.obs["domain"] = pd.Categorical(np.repeat(["white", "grey"], 30))
    colors = {"white": "#336699", "grey": "#993366"}
    return GenesByDomain(spots, tuple(genes), colors, "log counts per 10,000")


@pytest.mark.parametrize("draw", [draw_dots, draw_violins])
def test_nothing_is_asked_of_pyplot(table, draw, monkeypatch):
    def no_window(*_, **__):
        message = "a window was asked for"
        raise AssertionError(message)

    monkeypatch.setattr(plt, "figure", no_window)
    figure = draw(table)
    texts = {one.get_text() for axes in figure.axes for one in axes.get_yticklabels()}
    names = {one.get_text() for axes in figure.axes for one in axes.get_xticklabels()}
    assert {"white", "grey"} <= texts | names
    figure.canvas.draw()
