"""A figure of any colourings: what is drawn is what was asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from matplotlib.collections import EllipseCollection

from napari_semst import colour_figure, keys
from napari_semst.errors import ConfigError, InputError, SaveError
from napari_semst.figure import draw_colours, panels
from napari_semst.figure.colouring import Categories, Numbers, colouring_by_name


@pytest.fixture
def section(tissue):
    n = tissue.n_obs
    tissue.obs[keys.DOMAIN] = pd.Categorical(
        np.where(np.arange(n) % 5, "white matter", None), ["empty", "white matter"]
    )
    tissue.obs["score"] = np.linspace(-1, 1, n)
    tissue.obs["flag"] = np.arange(n) < 7
    tissue.obsm["X_semst"] = np.arange(2.0 * n).reshape(n, 2)
    tissue.uns["ground_truth_colors"] = ["lime", "no colour", "#0000ff"]
    return tissue


def spots(axes) -> EllipseCollection:
    (found,) = (c for c in axes.collections if isinstance(c, EllipseCollection))
    return found


def titles(figure) -> list[str]:
    found = [axes.get_title(loc="left") for axes in figure.axes]
    return [title for title in found if title]


def test_names_are_columns_then_genes_then_columns_of_obsm(section):
    section.obs["GENE3"] = 1.5
    assert (colouring_by_name(section, "GENE3").values == 1.5).all()
    gene = colouring_by_name(section, "gene:GENE3")
    counts = section.X.toarray()
    wanted = np.log1p(1e4 * counts[:, 3] / counts.sum(axis=1))
    np.testing.assert_allclose(gene.values, wanted, rtol=1e-6)
    assert gene.unit == "log(1 + counts per 10,000)"
    second = colouring_by_name(section, "X_semst:2")
    np.testing.assert_array_equal(second.values, section.obsm["X_semst"][:, 1])
    assert isinstance(colouring_by_name(section, "flag"), Categories)
    bands = colouring_by_name(section, "ground_truth")
    assert bands.colors[0] == "#00ff00"
    assert bands.colors[2] == "#0000ff"
    domains = colouring_by_name(section, keys.DOMAIN)
    assert (domains.title, domains.names) == ("Domains", ["white matter"])
    assert set(domains.codes) == {-1, 0}


def test_what_is_no_count_is_taken_as_it_is(section):
    section.X = section.X * 0.5
    gene = colouring_by_name(section, "GENE3")
    assert isinstance(gene, Numbers)
    assert gene.unit == "as in X"
    np.testing.assert_allclose(gene.values, section.X.toarray()[:, 3])


def test_a_panel_for_each_with_legend_bar_and_scale(section):
    figure = draw_colours(section, [keys.DOMAIN, "score"], dpi=40)
    assert titles(figure) == ["Domains", "score"]
    domains, score, bar = figure.axes
    np.testing.assert_allclose(
        spots(domains).get_offsets(), section.obsm["spatial"], atol=1e-6
    )
    assert len(np.unique(spots(score).get_facecolors(), axis=0)) > 50
    assert bar.get_ylim() == pytest.approx((-0.96, 0.96), abs=0.01)
    said = {text.get_text() for text in figure.texts}
    assert {"white matter", "none"} <= said
    assert all(len(axes.lines) == 1 for axes in (domains, score))


def test_the_scale_is_told_or_counted_in_units(section):
    def bar(**options):
        axes = draw_colours(section, ["score"], dpi=40, **options).axes[0]
        x0, x1 = axes.get_xlim()
        return axes.texts[0].get_text(), axes.lines[0].get_xdata()[1] * (x1 - x0)

    text, length = bar()
    assert text == f"{length:g} units"
    text, length = bar(microns=0.5)
    assert text == f"{0.5 * length:g} \N{MICRO SIGN}m"
    with pytest.raises(ConfigError, match="microns"):
        bar(microns=-1)


def test_sections_share_one_scale(section):
    section.obs[keys.SECTION] = np.where(np.arange(section.n_obs) < 98, "A", "B")
    figure = draw_colours(section, ["score", "GENE1"], dpi=40)
    assert titles(figure) == ["A: score", "B: score", "A: GENE1", "B: GENE1"]
    bars = [axes.get_ylim() for axes in figure.axes if not axes.get_title(loc="left")]
    assert bars[0] == bars[1] == pytest.approx((-0.96, 0.96), abs=0.01)
    assert bars[2] == bars[3]
    only = draw_colours(section, ["score"], section="B", dpi=40)
    assert len(spots(only.axes[0]).get_offsets()) == section.n_obs - 98


def test_many_panels_take_several_rows(section):
    figure = draw_colours(section, ["score"] * 8, dpi=40)
    rows = {round(axes.get_position().y1, 3) for axes in figure.axes[::2]}
    assert len(rows) == 3
    assert all(axes.get_position().y0 > 0 for axes in figure.axes)
    with pytest.raises(ConfigError, match="60 panels"):
        draw_colours(section, ["score"] * 61, dpi=40)
    with pytest.raises(ConfigError, match="60 panels"):
        draw_colours(section, [], dpi=40)


def test_text_stays_text_and_many_spots_are_pixels(section, tmp_path, monkeypatch):
    path = colour_figure(section, tmp_path / "a.svg", [keys.DOMAIN], dpi=40)
    text = path.read_text()
    assert ">white matter</text>" in text
    assert "<image" not in text
    with pytest.raises(SaveError, match="there is one"):
        colour_figure(section, path, [keys.DOMAIN], dpi=40)
    monkeypatch.setattr(panels, "MOST_DRAWN", 10)
    colour_figure(section, path, [keys.DOMAIN], dpi=40, overwrite=True)
    assert "<image" in path.read_text()
    colour_figure(section, tmp_path / "a.pdf", ["score"], dpi=40)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gene1", "Did you mean 'GENE1'"),
        ("X_semst:3", "from 1 to 2"),
        ("spatial:0", "from 1 to 2"),
        ("none", "found none"),
        ("many", "1 to 60 groups"),
    ],
)
def test_what_cannot_be_coloured_is_said(section, name, words):
    section.obs["none"] = np.nan
    section.obs["many"] = [str(i) for i in range(section.n_obs)]
    with pytest.raises(InputError, match=words):
        draw_colours(section, [name])


def test_a_gene_that_stands_twice(section):
    section = AnnData(section.X, obs=section.obs, obsm=dict(section.obsm))
    section.var_names = ["same"] * section.n_vars
    with pytest.raises(InputError, match="unique names"):
        colouring_by_name(section, "same")
