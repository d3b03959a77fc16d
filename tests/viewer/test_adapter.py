from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Layer, Points

from napari_semst.errors import InputError
from napari_semst.io.notes import input_warnings
from napari_semst.io.places.on_image import share_on_image
from napari_semst.viewer import adapter, sections
from napari_semst.viewer.display_state import show_labels_on_hover
from napari_semst.viewer.spots import paint_layer, tissue_of
from tests.widgets.stand_in import small_tissue


def created(tissue, name="Section"):
    return [Layer.create(*data) for data in adapter.layers_of(tissue, name=name)]


def test_image_lies_below_the_spots():
    image, spots = created(small_tissue())
    assert isinstance(image, Image)
    assert isinstance(spots, Points)
    assert (image.name, spots.name) == ("Section image", "Section")


def test_spots_stand_where_the_tissue_says_with_y_down():
    tissue = small_tissue()
    _, spots = created(tissue)
    np.testing.assert_allclose(spots.data, tissue.obsm["spatial"][:, ::-1])
    np.testing.assert_allclose(spots.size, 80.0)


def test_spots_have_neither_border_nor_antialiasing():
    _, spots = created(small_tissue())
    assert np.all(spots.border_width == 0)
    assert np.all(spots.border_color[:, 3] == 0)
    assert spots.antialiasing == 0


def test_a_spot_lies_on_its_own_pixel_of_the_image():
    """A mark painted under a spot is where the spot is in the world."""
    tissue = small_tissue()
    image_data = tissue.uns["spatial"]["one"]["images"]["hires"]
    x, y = tissue.obsm["spatial"][37]
    image_data[:] = 0
    image_data[int(y * 0.1), int(x * 0.1)] = 255
    image, spots = created(tissue)
    value = image.get_value(spots.data_to_world(spots.data[37]), world=True)
    assert np.all(np.asarray(value) == 255)
    value = image.get_value(spots.data_to_world(spots.data[38]), world=True)
    assert np.all(np.asarray(value) == 0)


def test_without_a_diameter_spots_touch():
    (spots,) = created(small_tissue(image=False))
    np.testing.assert_allclose(spots.size, 100.0)


def test_metadata_and_features():
    tissue = small_tissue()
    tissue.obs["semst_domain"] = "1"
    tissue.obs["semst_modulation"] = 0.5
    _, spots = created(tissue, "Slice")
    assert tissue_of(spots) is tissue
    assert spots.metadata["adata"] is tissue
    assert spots.name == "Slice"
    columns = ["barcode", "domain", "modulation", "total_counts"]
    assert list(spots.features) == columns
    assert spots.features["barcode"][3] == "spot-3"


def test_foreign_layers_have_no_tissue():
    assert tissue_of(Points(np.zeros((2, 2)))) is None
    assert tissue_of(Points(np.zeros((2, 2)), metadata={"adata": 1})) is None
    # Another plugin's, with its table: taken over only where that is asked for.
    theirs = Points(np.zeros((120, 2)), metadata={"adata": small_tissue()})
    assert tissue_of(theirs) is None


def test_a_layer_with_a_point_deleted_keeps_its_colours():
    tissue = small_tissue()
    _, layer = created(tissue)
    layer.selected_data = {0}
    layer.remove_selected()
    before = layer.face_color.copy()
    paint_layer(layer, np.zeros((120, 4), np.float32))
    show_labels_on_hover(layer, np.array(["1"] * 120, dtype=object))
    adapter.refresh(layer)
    np.testing.assert_array_equal(layer.face_color, before)


def test_no_coordinates_is_said():
    tissue = small_tissue(image=False)
    del tissue.obsm["spatial"]
    tissue.obsm["X_pca"] = np.zeros((tissue.n_obs, 2))
    with pytest.raises(InputError, match="X_pca"):
        adapter.layers_of(tissue)


def test_several_images_are_told_apart():
    tissue = small_tissue()
    tissue.uns["spatial"]["two"] = tissue.uns["spatial"]["one"]
    names = [layer.name for layer in created(tissue)]
    assert names == ["Section one image", "Section two image", "Section"]


@pytest.mark.parametrize("broken", ["no scale factor", "odd shape"])
def test_an_image_that_cannot_be_placed_is_left_out_with_a_warning(broken):
    tissue = small_tissue()
    library = tissue.uns["spatial"]["one"]
    if broken == "no scale factor":
        del library["scalefactors"]["tissue_hires_scalef"]
    else:
        library["images"]["hires"] = np.zeros((4, 4, 7), np.uint8)
    layers = created(tissue)
    assert [type(layer) for layer in layers] == [Points]
    (warning,) = input_warnings(tissue)
    assert "image of 'one' is left out" in warning
    assert share_on_image(tissue, "spatial") is None


def test_unusable_coordinates_give_way_to_others():
    tissue = small_tissue(image=False)
    tissue.obsm["aligned"] = tissue.obsm["spatial"] + 7
    tissue.obsm["spatial"] = np.full((tissue.n_obs, 2), np.nan)
    (spots,) = created(tissue)
    np.testing.assert_allclose(spots.data, tissue.obsm["aligned"][:, ::-1])
    assert spots.metadata[adapter.COORDINATES] == "aligned"


def test_spots_move_to_other_coordinates_and_back():
    tissue = small_tissue()
    tissue.obsm["aligned"] = tissue.obsm["spatial"][:, ::-1] / 2 + 1000
    _, spots = created(tissue)
    before, colours = spots.data.copy(), spots.face_color.copy()
    sections.move_spots(spots, "aligned")
    np.testing.assert_allclose(spots.data, tissue.obsm["aligned"][:, ::-1])
    # The stated diameter is in pixels; these coordinates are of two pixels each.
    np.testing.assert_allclose(spots.size, 40.0)
    np.testing.assert_array_equal(spots.face_color, colours)
    sections.move_spots(spots, "spatial")
    np.testing.assert_array_equal(spots.data, before)
    np.testing.assert_allclose(spots.size, 80.0)


def test_a_section_without_a_main_table_is_shown():
    tissue = small_tissue()
    tissue.layers["counts"] = tissue.X
    tissue.X = None
    *_, spots = created(tissue)
    assert list(spots.features) == ["barcode"]


def test_share_of_spots_on_the_image():
    tissue = small_tissue()
    assert share_on_image(tissue, "spatial") == 1.0
    tissue.obsm["spatial"][:30] += 10_000
    assert share_on_image(tissue, "spatial") == 0.75
    assert share_on_image(small_tissue(image=False), "spatial") is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("data/slice.h5ad", "slice"),
        ("data/slice.v2.h5ad", "slice.v2"),
        ("data/sample/outs", "sample"),
        ("data/sample", "sample"),
        ("data/chip.tissue.gef", "chip.tissue"),
        ("data/chip.gem.gz", "chip"),
        ("data/counts.csv.gz", "counts"),
        ("data/section.zarr", "section"),
        ("/data/Region_1/experiment.xenium", "Region_1"),
    ],
)
def test_section_names(path, name):
    assert adapter.section_name(path) == name


def test_snapshot_keeps_raw():
    tissue = small_tissue()
    tissue.raw = tissue.copy()
    tissue.X = None
    copy = adapter.snapshot(tissue)
    assert copy.X is None
    assert list(copy.raw.var_names) == list(tissue.raw.var_names)
    assert (copy.raw.X != tissue.raw.X).nnz == 0


def test_snapshot_is_deaf_to_later_results():
    tissue = small_tissue()
    copy = adapter.snapshot(tissue)
    tissue.obs["semst_domain"] = "1"
    tissue.uns["semst"] = {}
    tissue.obsm["X_semst"] = np.zeros((tissue.n_obs, 2))
    assert "semst_domain" not in copy.obs
    assert "semst" not in copy.uns
    assert "X_semst" not in copy.obsm
    assert copy.X is tissue.X
