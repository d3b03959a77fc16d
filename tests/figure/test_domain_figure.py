from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import EllipseCollection
from PIL import Image

from napari_semst import keys
from napari_semst.errors import ConfigError, InputError, SaveError
from napari_semst.figure import domain_figure, draw_domains
from napari_semst.sample import simulated_cortex


@pytest.fixture(scope="module")
def section():
    tissue = simulated_cortex(300, 60, seed=0)
    codes = tissue.obs["ground_truth"].cat.codes.to_numpy()
    labels = pd.Categorical.from_codes(codes, [str(i + 1) for i in range(7)])
    tissue.obs[keys.DOMAIN] = labels
    tissue.obs[f"{keys.DOMAIN}_first"] = labels
    tissue.obs[keys.MODULATION] = np.linspace(0, 1, 300, dtype=np.float32)
    return tissue


@pytest.fixture
def tissue(section):
    return section.copy()


def spots_of(axes) -> EllipseCollection:
    (spots,) = (c for c in axes.collections if isinstance(c, EllipseCollection))
    return spots


def texts(figure) -> list[str]:
    found = [t.get_text() for t in figure.texts]
    for axes in figure.axes:
        found += [axes.get_title(loc="left"), *(t.get_text() for t in axes.texts)]
    return found


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_every_format_is_written(tissue, tmp_path, suffix) -> None:
    place = tmp_path / f"domains{suffix}"
    assert domain_figure(tissue, place, dpi=50) == place
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    first = place.read_bytes()
    assert first.startswith(starts[suffix])
    with pytest.raises(SaveError, match="there is one"):
        domain_figure(tissue, place, dpi=100)
    assert place.read_bytes() == first
    domain_figure(tissue, place, dpi=50, overwrite=True)
    assert place.read_bytes() == first
    assert list(tmp_path.iterdir()) == [place]


def test_the_three_panels_hold_image_domains_and_modulation(tissue) -> None:
    figure = draw_domains(tissue, dpi=50)
    image, domains, modulation, bar = figure.axes
    assert len(image.images) == 1
    assert not image.collections
    assert image.get_title(loc="left") == "Tissue"
    np.testing.assert_allclose(
        spots_of(domains).get_offsets(), tissue.obsm["spatial"], atol=1e-6
    )
    assert domains.get_ylim()[0] > domains.get_ylim()[1]
    assert domains.get_xlim() == image.get_xlim() == modulation.get_xlim()
    assert bar.get_ylim()[0] == pytest.approx(0.02, abs=0.01)
    assert bar.get_ylim()[1] == pytest.approx(0.98, abs=0.01)


def test_the_image_lies_where_its_scale_factor_says(tissue) -> None:
    from napari_semst.io.alignment import image_placement

    (drawn,) = draw_domains(tissue, dpi=50).axes[0].images
    (y0, x0), (y1, x1) = image_placement(tissue).bounds()
    assert drawn.get_extent() == pytest.approx([x0, x1, y1, y0])


def test_spots_have_their_colour_and_true_size(tissue) -> None:
    colors = [f"#0000{i:02x}" for i in range(100, 107)]
    tissue.uns[keys.DOMAIN + keys.COLORS_SUFFIX] = colors
    figure = draw_domains(tissue, dpi=100)
    spots = spots_of(figure.axes[1])
    codes = tissue.obs[keys.DOMAIN].cat.codes.to_numpy()
    np.testing.assert_allclose(
        spots.get_facecolors()[:, 2] * 255, codes + 100, atol=1e-6
    )
    # 55 microns, in pixels of the page.
    figure.canvas.draw()
    axes = figure.axes[1]
    x0, x1 = axes.get_xlim()
    per_unit = axes.get_window_extent().width / (x1 - x0)
    shape = spots.get_paths()[0].get_extents()
    page = spots.get_transform().get_matrix()
    across = spots.get_transforms()[0][0, 0] * shape.width * page[0, 0]
    assert across == pytest.approx(110 * per_unit, rel=0.02)


def test_the_legend_names_each_domain_with_its_share(tissue) -> None:
    labels = tissue.obs[keys.DOMAIN].cat.rename_categories({"7": "white matter"})
    tissue.obs[keys.DOMAIN] = labels.where(labels != "1")
    found = texts(draw_domains(tissue, dpi=50))
    assert {"1", "2", "white matter", "none"} <= set(found)
    share = 100 * (labels == "1").mean()
    assert f"{share:.{0 if share >= 9.5 else 1}f} %" in found
    assert any("300 spots" in text and "7 domains" in text for text in found)


def test_the_scale_bar_is_as_long_as_it_says(tissue) -> None:
    axes = draw_domains(tissue, dpi=50).axes[0]
    (text,), (line,) = axes.texts, axes.lines
    number, unit = text.get_text().split()
    microns = float(number) * (1000 if unit == "mm" else 1)
    x0, x1 = axes.get_xlim()
    assert line.get_xdata()[1] * (x1 - x0) * 0.5 == pytest.approx(microns)


def test_the_scale_of_visium_is_known_without_being_told(tissue) -> None:
    told = draw_domains(tissue, dpi=50).axes[0].lines[0].get_xdata()
    del tissue.uns["spatial"]["simulated_cortex"]["scalefactors"]["microns_per_pixel"]
    found = draw_domains(tissue, dpi=50).axes[0].lines[0].get_xdata()
    np.testing.assert_allclose(found, told, rtol=1e-3)
    # Scattered spots: nobody knows, and the bar says so.
    tissue.obsm["spatial"] += np.random.default_rng(0).normal(0, 60, (300, 2))
    axes = draw_domains(tissue, dpi=50).axes[0]
    number, unit = axes.texts[0].get_text().split()
    assert unit == "units"
    x0, x1 = axes.get_xlim()
    assert axes.lines[0].get_xdata()[1] * (x1 - x0) == pytest.approx(float(number))


def test_without_an_image_the_domains_stand_alone(tissue) -> None:
    plain = anndata.AnnData(
        obs=tissue.obs[[keys.DOMAIN]], obsm={"spatial": tissue.obsm["spatial"]}
    )
    figure = draw_domains(plain, dpi=50)
    (axes,) = figure.axes
    assert not axes.images
    assert len(spots_of(axes).get_offsets()) == 300


def test_a_dark_image_fades_into_black(tissue) -> None:
    images = tissue.uns["spatial"]["simulated_cortex"]["images"]
    light = draw_domains(tissue, dpi=50).axes[1].images[0].get_array()
    assert light[0, 0].min() > 235
    tissue.uns["spatial"]["simulated_cortex"]["images"] = {
        name: 255 - image for name, image in images.items()
    }
    dark = draw_domains(tissue, dpi=50).axes[1].images[0].get_array()
    assert dark[0, 0].max() < 20


def test_modulation_of_another_run_is_not_shown(tissue) -> None:
    assert len(draw_domains(tissue, run="first", dpi=50).axes) == 4
    first = tissue.obs[f"{keys.DOMAIN}_first"]
    tissue.obs[f"{keys.DOMAIN}_first"] = first.cat.codes[::-1].astype(str).to_numpy()
    tissue.obs[f"{keys.DOMAIN}_first"] = tissue.obs[f"{keys.DOMAIN}_first"].astype(
        "category"
    )
    figure = draw_domains(tissue, run="first", dpi=50)
    assert len(figure.axes) == 2
    assert any("run first" in text for text in texts(figure))


def test_constant_and_missing_modulation_can_be_drawn(tissue) -> None:
    tissue.obs[keys.MODULATION] = np.full(300, 0.25, dtype=np.float32)
    assert len(draw_domains(tissue, dpi=50).axes) == 4
    values = np.full(300, 0.5, dtype=np.float32)
    values[0] = np.nan
    tissue.obs[keys.MODULATION] = values
    colors = spots_of(draw_domains(tissue, dpi=50).axes[2]).get_facecolors()
    np.testing.assert_allclose(colors[0][:3], 0x9A / 255)
    tissue.obs[keys.MODULATION] = np.full(300, np.nan, dtype=np.float32)
    assert len(draw_domains(tissue, dpi=50).axes) == 2


def test_sixty_domains_fit(tissue, tmp_path) -> None:
    tissue.obs[keys.DOMAIN] = pd.Categorical([f"{i % 60 + 1}" for i in range(300)])
    del tissue.obs[keys.MODULATION]
    domain_figure(tissue, tmp_path / "many.png", dpi=40)
    figure = draw_domains(tissue, dpi=40)
    width = figure.get_size_inches()[0] * 40
    ends = [t.get_window_extent().x1 for t in figure.texts]
    assert len(ends) == 121
    assert max(ends) <= width
    with Image.open(tmp_path / "many.png") as written:
        assert written.width == int(width)


def test_one_section_of_several_is_shown(tissue) -> None:
    tissue.uns["spatial"]["other"] = tissue.uns["spatial"]["simulated_cortex"]
    tissue.obs["library_id"] = np.where(
        np.arange(300) < 200, "simulated_cortex", "other"
    )
    figure = draw_domains(tissue, library="other", dpi=50)
    assert len(spots_of(figure.axes[1]).get_offsets()) == 100
    assert any("section other" in text for text in texts(figure))
    with pytest.raises(InputError, match="nowhere"):
        draw_domains(tissue, library="nowhere", dpi=50)


def test_spots_are_drawn_where_the_coordinates_asked_for_say(tissue, tmp_path) -> None:
    tissue.uns.pop("spatial", None)
    tissue.obs["my x"], tissue.obs["my y"] = 5 * tissue.obsm["spatial"].T
    for key, factor in (("my x,my y", 5), (None, 1)):
        figure = draw_domains(tissue, coordinates=key, dpi=50)
        places = spots_of(figure.axes[0]).get_offsets()
        np.testing.assert_allclose(places, factor * tissue.obsm["spatial"])
    with pytest.raises(InputError, match="nowhere"):
        domain_figure(tissue, tmp_path / "a.png", coordinates="nowhere")


def test_what_cannot_be_drawn_is_said(tissue, tmp_path) -> None:
    with pytest.raises(SaveError, match=r"'\.png', '\.svg', '\.pdf'; got '\.gif'"):
        domain_figure(tissue, tmp_path / "a.gif")
    with pytest.raises(ConfigError, match="dpi"):
        domain_figure(tissue, tmp_path / "a.png", dpi=0)
    with pytest.raises(InputError, match="semst_domain_nobody"):
        domain_figure(tissue, tmp_path / "a.png", run="nobody")
    with pytest.raises(SaveError, match="folder"):
        domain_figure(tissue, tmp_path / "none" / "a.png")
    assert not list(tmp_path.iterdir())
