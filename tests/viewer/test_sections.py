"""Several sections of one tissue on the canvas: side by side, alone, hovered over."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Layer, Points

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.notes import input_warnings
from napari_semst.io.places.on_image import share_on_image
from napari_semst.viewer import adapter, arrange, sections
from tests.widgets.stand_in import small_tissue


def with_image(factor, unit=1.0):
    """Return a section on an image reduced by a factor, in a unit of its own."""
    tissue = small_tissue()
    tissue.obsm["spatial"] *= unit
    entry = tissue.uns["spatial"]["one"]
    entry["scalefactors"] = {
        "tissue_hires_scalef": factor,
        "spot_diameter_fullres": 80.0 * unit,
    }
    side = np.ceil(np.array([1050, 1250]) * unit * factor).astype(int)
    entry["images"] = {"hires": np.zeros((*side, 3), np.uint8)}
    return tissue


def created(tissue, name="Section"):
    return [Layer.create(*data) for data in adapter.layers_of(tissue, name=name)]


def joined(*tissues):
    return join_sections(dict(zip("abcdefgh", tissues, strict=False)))


def boxes(spots, codes):
    return [arrange.bounds(spots.data[codes == code]) for code in np.unique(codes)]


def overlap(one, other):
    return bool((np.minimum(one[1], other[1]) > np.maximum(one[0], other[0])).all())


@pytest.mark.parametrize("unit", [1.0, 0.1])
def test_each_spot_lies_on_the_pixel_of_its_own_image(unit):
    """Marks painted under spots are where the spots are after the move."""
    factors = {"a": 0.1, "b": 0.04 / unit}
    tissue = joined(with_image(0.1), with_image(factors["b"], unit))
    own = tissue.obsm["spatial"].copy()
    for name, spot in (("a", 37), ("b", 194)):
        pixels = tissue.uns["spatial"][name]["images"]["hires"]
        x, y = (tissue.obsm["spatial"][spot] + 0.5) * factors[name]
        pixels[int(y), int(x)] = 255
    *images, spots = created(tissue)
    assert [image.name for image in images] == ["Section a image", "Section b image"]
    for image, first, spot in zip(images, (0, 120), (37, 194), strict=True):
        values = [
            image.get_value(spots.data_to_world(spots.data[one]), world=True)
            for one in range(first, first + 120)
        ]
        marked = [first + i for i, value in enumerate(values) if value.max() == 255]
        assert marked == [spot]
    # What users keep and save are their own coordinates.
    np.testing.assert_array_equal(tissue.obsm["spatial"], own)


def test_sections_stand_apart_and_the_first_where_it_was():
    tissue = joined(*(with_image(0.1) for _ in range(5)))
    *images, spots = created(tissue)
    first = tissue.obs[keys.SECTION] == "a"
    np.testing.assert_allclose(
        spots.data[first], tissue.obsm["spatial"][first][:, ::-1]
    )
    world = [image.extent.world for image in images]
    assert not any(overlap(world[i], world[j]) for i in range(5) for j in range(i))
    # Inside a section nothing but a shift.
    other = (tissue.obs[keys.SECTION] == "d").to_numpy()
    shifts = spots.data[other] - tissue.obsm["spatial"][other][:, ::-1]
    np.testing.assert_allclose(shifts, shifts[:1].repeat(len(shifts), axis=0))
    np.testing.assert_allclose(spots.size, 80.0)


def test_the_gap_is_a_few_per_cent_and_five_sections_fill_a_grid():
    moved = arrange.row_shifts(np.array([[[0, 0], [100.0, 100]]] * 5))
    np.testing.assert_allclose(moved[:3], [[0, 0], [0, 104], [0, 208]])
    np.testing.assert_allclose(moved[3:], [[104, 0], [104, 104]])
    two = arrange.row_shifts(np.array([[[50, 50], [90, 90]], [[0, 0], [20, 20.0]]]))
    # Smaller ones stand in the middle of their place.
    np.testing.assert_allclose(two, [[0, 0], [60, 91.6]])


def test_sections_in_other_units_come_out_as_large():
    factors = arrange.common_size(np.array([100, 110, 5.0]), np.array([1e3, 1e3, 50]))
    np.testing.assert_allclose(factors, [1, 1, 20])
    # Many small cells beside few spots: not ten times as long.
    factors = arrange.common_size(np.array([100, 10.0]), np.array([1e3, 1e3]))
    np.testing.assert_allclose(factors, [1, 3])
    tissue = joined(small_tissue(image=False), with_image(1.0, 0.01))
    *_, spots = created(tissue)
    codes = tissue.obs[keys.SECTION].cat.codes.to_numpy()
    one, other = (np.ptp(box, axis=0) for box in boxes(spots, codes))
    assert np.all(one / other < 1.3)
    assert np.all(other / one < 1.3)
    # Of the second the diameter is known, of the first spots touch.
    np.testing.assert_allclose(spots.size[codes == 0], 100)
    np.testing.assert_allclose(spots.size[codes == 1], 100, rtol=0.01)


def test_hovering_tells_the_section():
    tissue = joined(with_image(0.1), with_image(0.05))
    *_, spots = created(tissue)
    assert list(spots.features)[:2] == ["barcode", "section"]
    assert spots.features["section"][130] == "b"
    tissue.obs[keys.DOMAIN] = "1"
    adapter.refresh(spots)
    assert list(spots.features)[:3] == ["barcode", "section", "domain"]
    *_, single = created(small_tissue())
    assert "section" not in single.features


def test_one_section_is_shown_alone_with_its_image():
    tissue = joined(with_image(0.1), with_image(0.05), small_tissue(image=False))
    *images, spots = created(tissue)
    images[1].visible = False
    colours = spots.face_color.copy()
    sections.show_section(spots, "b", images)
    assert spots.shown.sum() == 120
    assert spots.shown[120:240].all()
    # The user had hidden it: it stays so.
    assert [image.visible for image in images] == [False, False]
    sections.show_section(spots, "a", images)
    assert [image.visible for image in images] == [True, False]
    box = sections.visible_box(ViewerModel(), spots, images)
    np.testing.assert_allclose(box, images[0].extent.world)
    sections.show_section(spots, "c", images)
    assert [image.visible for image in images] == [False, False]
    sections.show_section(spots, "", images)
    assert spots.shown.all()
    assert [image.visible for image in images] == [True, False]
    np.testing.assert_array_equal(spots.face_color, colours)


def test_another_column_takes_sections_apart_and_together():
    tissue = small_tissue(image=False)
    tissue.obs["slide"] = np.where(np.arange(120) % 2 == 0, "even", "odd")
    (spots,) = created(tissue)
    before = spots.data.copy()
    assert sections.sections_on(spots) == ()
    sections.move_spots(spots, "spatial", "slide")
    assert sections.sections_on(spots) == ("even", "odd")
    codes = np.arange(120) % 2
    assert not overlap(*boxes(spots, codes))
    assert list(spots.features["section"][:2]) == ["even", "odd"]
    # Every second spot of a row is 200 from the next one of its section.
    np.testing.assert_allclose(spots.size, 100)
    sections.show_section(spots, "odd")
    sections.move_spots(spots, "spatial", "")
    assert spots.shown.all()
    np.testing.assert_array_equal(spots.data, before)


def test_the_column_of_the_latest_run_is_opened_by():
    tissue = small_tissue(image=False)
    tissue.obs["slide"] = np.where(np.arange(120) < 60, "one", "two")
    tissue.uns[keys.LATEST] = "default"
    tissue.uns[keys.RUNS] = {
        "default": {"config": {"prepare": {"section_key": "slide"}}}
    }
    (spots,) = created(tissue)
    assert sections.sections_by(spots) == "slide"
    assert sections.sections_on(spots) == ("one", "two")


def test_pieces_on_one_image_stay_on_it():
    tissue = small_tissue()
    tissue.obs["piece"] = np.where(np.arange(120) < 60, "upper", "lower")
    image, spots = created(tissue)
    before = spots.data.copy()
    sections.move_spots(spots, "spatial", "piece", [image])
    np.testing.assert_array_equal(spots.data, before)
    assert share_on_image(tissue, "spatial", "piece") == 1.0
    sections.show_section(spots, "lower", [image])
    assert image.visible
    assert spots.shown.sum() == 60


def test_sections_move_to_other_coordinates_with_their_images():
    tissue = joined(with_image(0.1), with_image(0.05))
    tissue.obsm["aligned"] = tissue.obsm["spatial"] / 2 + 1000
    *images, spots = created(tissue)
    before, place = spots.data.copy(), images[1].translate.copy()
    sections.move_spots(spots, "aligned", None, images)
    np.testing.assert_allclose(spots.data[:120], tissue.obsm["aligned"][:120, ::-1])
    np.testing.assert_allclose(spots.size, 40.0)
    assert not np.allclose(images[1].translate, place)
    sections.move_spots(spots, "spatial", None, images)
    np.testing.assert_allclose(spots.data, before)
    np.testing.assert_allclose(images[1].translate, place)
    tissue.obsm["broken"] = np.full((240, 2), np.nan)
    with pytest.raises(InputError, match="broken"):
        sections.move_spots(spots, "broken", None, images)
    np.testing.assert_allclose(spots.data, before)


def test_the_worst_share_on_an_image_counts_section_by_section():
    tissue = joined(with_image(0.1), small_tissue(image=False))
    # Without an image it may lie anywhere.
    tissue.obsm["spatial"][120:] += 10_000
    assert share_on_image(tissue, "spatial", keys.SECTION) == 1.0
    tissue.obsm["spatial"][:30] -= 10_000
    assert share_on_image(tissue, "spatial", keys.SECTION) == 0.75


def test_spots_without_a_section_are_shown_as_one_with_a_warning():
    tissue = joined(small_tissue(image=False), small_tissue(image=False))
    labels = tissue.obs[keys.SECTION].astype(object)
    labels.iloc[3] = np.nan
    tissue.obs[keys.SECTION] = pd.Categorical(labels)
    (spots,) = created(tissue)
    assert sections.sections_on(spots) == ()
    assert "shown as one" in input_warnings(tissue)[-1]
    np.testing.assert_allclose(spots.data, tissue.obsm["spatial"][:, ::-1])


def test_an_image_of_none_of_the_sections_is_hidden_with_a_warning():
    tissue = joined(with_image(0.1), with_image(0.05))
    tissue.uns["spatial"]["x"] = tissue.uns["spatial"].pop("b")
    *images, spots = created(tissue)
    assert [image.visible for image in images] == [True, False]
    assert "'x' is hidden" in input_warnings(tissue)[-1]
    sections.show_section(spots, "", images)
    assert [image.visible for image in images] == [True, False]


def test_images_are_told_from_those_of_other_sections():
    layers = [*created(with_image(0.1)), *created(with_image(0.1))]
    assert sections.images_of(layers[1], layers) == [layers[0]]
    assert sections.images_of(layers[3], layers) == [layers[2]]
    assert sections.images_of(Points(np.zeros((2, 2))), layers) == []
    assert isinstance(layers[0], Image)
