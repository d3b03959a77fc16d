"""One face for spots that are points and for spots that are an image."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Layer, Points

from napari_semst import keys
from napari_semst.io.concat_sections import join_sections
from napari_semst.viewer import (
    adapter,
    display_state,
    hover,
    sections,
    spots,
    spots_as_image,
)
from napari_semst.viewer.spots import TISSUE, paint_layer, tissue_of
from tests.widgets.stand_in import small_tissue


@pytest.fixture(params=["points", "image"])
def kind(request, monkeypatch):
    if request.param == "image":
        monkeypatch.setattr(spots_as_image, "MOST_POINTS", 119)
    return request.param


def created(tissue):
    return [Layer.create(*data) for data in adapter.layers_of(tissue, "Section")]


def spots_of(tissue):
    layer = created(tissue)[-1]
    hover.receive_layer(layer)
    return layer


def seen(layer):
    """Return the colours of an image's pixels at its spots' centres."""
    raster = spots.raster_of(layer)
    level = len(raster.levels) - 1
    at = np.floor((raster.positions - raster.origin) / raster.pitch(level)).astype(int)
    return np.asarray(layer.data[-1])[at[:, 0], at[:, 1]] / 255


def test_more_spots_than_the_limit_are_an_image(monkeypatch):
    tissue = small_tissue()
    monkeypatch.setattr(spots_as_image, "MOST_POINTS", 120)
    assert isinstance(spots_of(tissue), Points)
    monkeypatch.setattr(spots_as_image, "MOST_POINTS", 119)
    layer = spots_of(tissue)
    assert isinstance(layer, Image)
    assert layer.opacity == adapter.SPOT_OPACITY
    assert layer.name == "Section"


def test_both_know_their_tissue_places_and_sizes(kind):
    tissue = small_tissue()
    layer = spots_of(tissue)
    assert tissue_of(layer) is tissue
    assert spots.n_spots_of(layer) == 120
    places = tissue.obsm["spatial"][:, ::-1]
    np.testing.assert_allclose(spots.positions(layer), places)
    np.testing.assert_allclose(spots.diameters(layer), 80)
    assert spots.shown_spots(layer).all()
    # The layer's edges are those of its spots, of an image to a coarse pixel.
    edges = np.stack([places.min(axis=0) - 40, places.max(axis=0) + 40])
    off = 40 if kind == "points" else 1200 / 512
    np.testing.assert_allclose(layer.extent.world, edges, atol=off)


def test_a_layer_that_was_duplicated_is_painted_as_well(kind):
    layer = spots_of(small_tissue())
    data, options, how = layer.as_layer_data_tuple()
    twin = Layer.create(copy.deepcopy(data), options, how)
    rgba = np.tile(np.float32([1, 0, 0, 1]), (120, 1))
    for one in (layer, twin):
        paint_layer(one, rgba)
    if kind == "points":
        np.testing.assert_array_equal(twin.face_color, rgba)
    else:
        np.testing.assert_array_equal(twin.data[-1], layer.data[-1])


def test_a_foreign_image_has_no_tissue():
    tissue = small_tissue()
    layer = Image(np.zeros((9, 9)), metadata={TISSUE: tissue})
    assert tissue_of(layer) is None


def test_colours_are_put_on_both(kind):
    layer = spots_of(small_tissue())
    rgba = np.random.default_rng(0).integers(0, 256, (120, 4)).astype(np.float32) / 255
    paint_layer(layer, rgba)
    on_it = layer.face_color if kind == "points" else seen(layer)
    np.testing.assert_allclose(on_it, rgba, atol=1e-6)
    with pytest.raises(ValueError, match="120"):
        paint_layer(layer, rgba[:7])


def test_a_spot_is_found_where_it_is_seen(kind):
    layer = spots_of(small_tissue())
    place = spots.positions(layer)[37]
    assert spots.spot_at(layer, place) == 37
    assert spots.spot_at(layer, place + np.array([0, 39.9])) == 37
    assert spots.spot_at(layer, place + np.array([0, 40.1])) is None
    assert spots.spot_at(layer, [0, *place]) == 37
    assert spots.spot_at(layer, [np.nan, 0]) is None
    # A layer that a user has turned and moved by hand.
    layer.affine = np.array([[0, 2, 500], [-2, 0, 9], [0, 0, 1.0]])
    y, x = place
    assert spots.spot_at(layer, [2 * x + 500, -2 * y + 9]) == 37
    assert spots.spot_at(layer, place) != 37


def test_of_spots_on_each_other_the_upper_one_is_found(kind):
    tissue = small_tissue(image=False)
    tissue.obsm["spatial"][90] = tissue.obsm["spatial"][37]
    layer = spots_of(tissue)
    place = spots.positions(layer)[37]
    assert spots.spot_at(layer, place) == 90
    spots.show_spots(layer, np.arange(120) != 90)
    assert spots.spot_at(layer, place) == 37


def status(layer, spot):
    place = spots.positions(layer)[spot]
    return layer.get_status(place, world=True, dims_displayed=[0, 1])


def test_hovering_tells_the_same_of_both(kind):
    tissue = small_tissue()
    tissue.obs[keys.DOMAIN] = "4"
    tissue.obs[keys.MODULATION] = np.float32(0.5)
    tissue.obs[keys.CONFIDENCE] = np.where(np.arange(120) == 5, np.nan, 0.25)
    total = int(tissue.X[37].sum())
    layer = spots_of(tissue)
    told = status(layer, 37)["value"]
    for fact in ("barcode: spot-37", "domain: 4", "modulation: 0.5"):
        assert fact in told
    assert told.startswith("37; ")
    assert f"total_counts: {total}" in told
    assert "confidence: 0.25" in told
    assert told in status(layer, 37)["coordinates"]
    assert "confidence" not in status(layer, 5)["value"]
    beside = spots.positions(layer)[37] + 45
    assert "barcode" not in layer.get_status(beside, world=True)["coordinates"]
    if kind == "image":
        assert "barcode" not in layer.get_status()["coordinates"]


def test_hovering_follows_the_tissue_and_the_level_on_show(kind):
    tissue = small_tissue()
    layer = spots_of(tissue)
    assert "domain" not in status(layer, 3)["value"]
    tissue.obs[keys.DOMAIN] = "7"
    adapter.refresh(layer)
    assert "domain: 7" in status(layer, 3)["value"]
    display_state.show_labels_on_hover(
        layer, np.array([f"of {i}" for i in range(120)], dtype=object)
    )
    told = hover.features_at(layer, 3)
    assert list(told)[:3] == ["barcode", "domain shown", "domain"]
    assert told["domain shown"] == "of 3"
    display_state.show_labels_on_hover(layer, None)
    assert "domain shown" not in hover.features_at(layer, 3)


def test_a_position_in_data_is_understood_too(monkeypatch):
    monkeypatch.setattr(spots_as_image, "MOST_POINTS", 1)
    layer = spots_of(small_tissue())
    pixel = layer.world_to_data(spots.positions(layer)[37])
    assert "spot-37" in layer.get_status(pixel)["value"]


def test_spots_move_with_their_colours(kind):
    tissue = small_tissue()
    tissue.obsm["aligned"] = tissue.obsm["spatial"][:, ::-1] / 2 + 1000
    layer = spots_of(tissue)
    rgba = np.tile([[1, 0, 0, 1]], (120, 1)).astype(np.float32)
    rgba[37] = [0, 0, 1, 1]
    paint_layer(layer, rgba)
    before = layer.extent.world.copy()
    sections.move_spots(layer, "aligned")
    place = tissue.obsm["aligned"][37, ::-1]
    assert spots.spot_at(layer, place) == 37
    np.testing.assert_allclose(spots.diameters(layer), 40)
    on_it = layer.face_color if kind == "points" else seen(layer)
    np.testing.assert_allclose(on_it, rgba)
    sections.move_spots(layer, "spatial")
    np.testing.assert_allclose(layer.extent.world, before)


def test_sections_stand_side_by_side_and_alone(kind):
    tissue = join_sections({"a": small_tissue(), "b": small_tissue()})
    *images, layer = created(tissue)
    hover.receive_layer(layer)
    assert "section: b" in status(layer, 130)["value"]
    place = spots.positions(layer)[130]
    assert spots.spot_at(layer, place) == 130
    sections.show_section(layer, "a", images)
    assert [image.visible for image in images] == [True, False]
    np.testing.assert_array_equal(spots.shown_spots(layer), np.arange(240) < 120)
    assert spots.spot_at(layer, place) is None
    if kind == "image":
        np.testing.assert_array_equal(seen(layer)[:, 3] > 0, np.arange(240) < 120)
    np.testing.assert_allclose(
        sections.visible_box(ViewerModel(), layer, images), images[0].extent.world
    )
    sections.show_section(layer, "", images)
    assert spots.spot_at(layer, place) == 130
    # Into one section, by another column, and its image with it.
    sections.move_spots(layer, None, "", images)
    assert "section" not in hover.features_at(layer, 130)


def bins(n=144):
    tissue = small_tissue(n, image=False)
    tissue.obsm["spatial"] = np.stack(np.divmod(np.arange(n), 12), axis=1) * 8.0 + 3
    return tissue


def test_bins_are_squares_and_fill_the_plane(monkeypatch):
    monkeypatch.setattr(spots_as_image, "MOST_POINTS", 1)
    layer = spots_of(bins())
    assert spots.raster_of(layer).square
    assert np.all(layer.data[-1][..., 3] == 255)
    corner = spots.positions(layer)[0] + 3.9
    assert spots.spot_at(layer, corner) == 0


def square(tissue):
    from napari_semst.viewer.arrange import arrange

    return spots_as_image.are_bins(tissue, arrange(tissue, "spatial"))


def test_other_spots_are_discs():
    assert square(bins())
    # Their diameter is stated: 80 at a distance of 100.
    assert not square(small_tissue())
    apart = small_tissue()
    factors = apart.uns["spatial"]["one"]["scalefactors"]
    factors["spot_diameter_fullres"] = 50.0
    assert not square(apart)
    factors["bin_size_um"] = 8.0
    assert square(apart)
    scattered = bins()
    scattered.obsm["spatial"] += np.random.default_rng(0).normal(size=(144, 2))
    assert not square(scattered)
