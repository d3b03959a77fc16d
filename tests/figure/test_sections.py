"""The figure of several sections: a panel for each, one legend, one scale."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import EllipseCollection
from PIL import Image

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.figure import domain_figure, draw_domains
from napari_semst.figure.grid import n_columns, short_name
from napari_semst.io.concat_sections import join_sections
from napari_semst.sample import simulated_cortex


def labelled(tissue, *, modulation=True):
    labels = tissue.obs["ground_truth"].astype("category")
    tissue.obs[keys.DOMAIN] = labels
    if modulation:
        values = np.linspace(0, 1, tissue.n_obs, dtype=np.float32)
        tissue.obs[keys.MODULATION] = values
    return tissue


@pytest.fixture(scope="module")
def sections():
    return {
        name: simulated_cortex(n_spots, 60, seed=seed)
        for name, n_spots, seed in (("first", 200, 0), ("second", 300, 1))
    }


@pytest.fixture
def pair(sections):
    return labelled(join_sections(sections))


def repeated(section, n):
    return labelled(
        join_sections({f"section {i}": section for i in range(n)}), modulation=False
    )


def spots_of(axes) -> EllipseCollection:
    (spots,) = (c for c in axes.collections if isinstance(c, EllipseCollection))
    return spots


def titles(figure) -> list[str]:
    found = (axes.get_title(loc="left") for axes in figure.axes)
    return [title for title in found if title]


def words(figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_every_section_has_a_panel_with_its_own_spots_and_image(pair, sections):
    figure = draw_domains(pair, dpi=50)
    assert titles(figure) == ["first", "second"]
    first, second, *modulation, _bar = figure.axes
    for axes, section in zip((first, second), sections.values(), strict=True):
        assert len(axes.images) == 1
        np.testing.assert_allclose(
            spots_of(axes).get_offsets(), section.obsm["spatial"], atol=1e-6
        )
    assert [len(spots_of(axes).get_offsets()) for axes in modulation] == [200, 300]
    assert any("500 spots" in text and "2 sections" in text for text in words(figure))


def test_a_domain_has_one_colour_in_all_sections_and_one_legend(pair):
    figure = draw_domains(pair, dpi=50)
    colours = {}
    labels = pair.obs[keys.DOMAIN].astype(str).to_numpy()
    places = np.split(labels, [200])
    for axes, names in zip(figure.axes[:2], places, strict=True):
        for name, colour in zip(names, spots_of(axes).get_facecolors(), strict=True):
            assert colours.setdefault(name, tuple(colour)) == tuple(colour)
    assert len(set(colours.values())) == 7
    shown = words(figure)
    assert all(shown.count(name) == 1 for name in colours)
    share = 100 * (labels == "L3").mean()
    assert f"{share:.0f} %" in shown


def test_sections_are_drawn_at_one_scale_with_a_bar_each(pair):
    figure = draw_domains(pair, dpi=50)
    bars = []
    for axes in figure.axes[:2]:
        (x0, x1), box = axes.get_xlim(), axes.get_position()
        bars.append(axes.lines[0].get_xdata()[1] * box.width)
        assert box.width * figure.get_size_inches()[0] > 2
        assert len(axes.texts) == 1
        width = x1 - x0
    assert bars[0] == pytest.approx(bars[1])
    assert figure.axes[0].get_xlim()[1] - figure.axes[0].get_xlim()[0] == (
        pytest.approx(width)
    )


def test_modulation_has_one_scale_and_a_row_of_its_own(pair):
    figure = draw_domains(pair, dpi=50)
    *panels, bar = figure.axes
    assert len(panels) == 4
    assert panels[2].get_position().y1 < panels[0].get_position().y0
    assert bar.get_ylim()[0] == pytest.approx(0.02, abs=0.01)
    assert bar.get_ylim()[1] == pytest.approx(0.98, abs=0.01)
    assert "Modulation by gene semantics" in words(figure)
    del pair.obs[keys.MODULATION]
    assert len(draw_domains(pair, dpi=50).axes) == 2


def test_units_that_cannot_be_compared_fill_their_panels(sections):
    cells = simulated_cortex(200, 60, platform="cells", image=False)
    cells.uns.pop("spatial", None)
    spots = sections["first"].copy()
    spots.uns.pop("spatial")
    tissue = labelled(join_sections({"spots": spots, "cells": cells}), modulation=False)
    one, other = draw_domains(tissue, dpi=50).axes
    for axes, section in ((one, spots), (other, cells)):
        (x0, x1), x = axes.get_xlim(), section.obsm["spatial"][:, 0]
        assert (x1 - x0) < 1.4 * np.ptp(x)


@pytest.mark.parametrize(
    ("n", "columns"), [(2, 2), (3, 3), (4, 4), (5, 3), (6, 3), (7, 4), (8, 4), (9, 3)]
)
def test_columns_are_at_most_four_and_few_places_stay_empty(n, columns):
    assert n_columns(n) == columns


def test_many_sections_make_rows_no_wider_than_a_page(sections, tmp_path):
    figure = draw_domains(repeated(sections["first"], 9), dpi=40)
    assert len(figure.axes) == 9
    tops = {round(axes.get_position().y0, 6) for axes in figure.axes}
    assert len(tops) == 3
    assert figure.get_size_inches()[0] < 14
    boxes = [axes.get_position() for axes in figure.axes]
    for i, one in enumerate(boxes):
        assert 0 <= one.x0 < one.x1 <= 1
        assert 0 <= one.y0 < one.y1 <= 1
        assert not any(one.overlaps(other) for other in boxes[:i])
    domain_figure(repeated(sections["first"], 5), tmp_path / "five.png", dpi=40)
    with Image.open(tmp_path / "five.png") as written:
        assert written.width < 14 * 40


def test_long_names_keep_their_ends():
    assert short_name("short", 10) == "short"
    name = short_name("patient 7, second visit, slide 3", 16)
    assert len(name) <= 16
    assert name.startswith("patient")
    assert name.endswith("slide 3")


def test_one_section_of_a_joined_tissue_is_drawn_alone(pair, sections):
    figure = draw_domains(pair, library="second", dpi=50)
    assert titles(figure) == ["Tissue", "Domains", "Modulation by gene semantics"]
    np.testing.assert_allclose(
        spots_of(figure.axes[1]).get_offsets(), sections["second"].obsm["spatial"]
    )
    assert any("section second" in text for text in words(figure))
    # Also one that has no image, where the other has.
    del pair.uns["spatial"]["second"]
    figure = draw_domains(pair, library="second", dpi=50)
    assert len(spots_of(figure.axes[0]).get_offsets()) == 300
    with pytest.raises(InputError, match="nowhere"):
        draw_domains(pair, library="nowhere", dpi=50)


def test_the_column_that_a_run_was_told_is_drawn_by(sections):
    tissue = labelled(sections["first"].copy())
    tissue.obs["slide"] = np.where(np.arange(200) < 80, "one", "two")
    assert "Domains" in titles(draw_domains(tissue, dpi=50))
    assert titles(draw_domains(tissue, section_key="slide", dpi=50)) == ["one", "two"]
    tissue.uns[keys.LATEST] = "default"
    tissue.uns[keys.RUNS] = {
        "default": {"config": {"prepare": {"section_key": "slide"}}}
    }
    figure = draw_domains(tissue, dpi=50)
    assert titles(figure) == ["one", "two"]
    # Both on the one image of their slide.
    assert [len(axes.images) for axes in figure.axes[:2]] == [1, 1]
    assert "Domains" in titles(draw_domains(tissue, section_key="", dpi=50))
