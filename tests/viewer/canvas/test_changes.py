"""What napari's own tools do to a section is seen, told, and can be undone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_semst.viewer import adapter, spots, spots_as_image
from napari_semst.viewer.canvas.changes import layer_changes, restore_layers
from napari_semst.viewer.canvas.units import layer_matrix
from tests.viewer.canvas.test_units import drawn_in_units
from tests.widgets.stand_in import small_tissue


class Section:
    """A section in a viewer without a window."""

    def __init__(self):
        self.viewer = ViewerModel()
        for data in adapter.layers_of(small_tissue()):
            self.viewer.add_layer(Layer.create(*data))
        self.image, self.layer = self.viewer.layers
        self.tissue = self.layer.metadata["adata"]

    def kinds(self):
        found = layer_changes(self.layer, [self.image], self.viewer.layers)
        return [change.kind for change in found]

    def restore(self):
        return restore_layers(self.layer, [self.image])


@pytest.fixture
def section():
    return Section()


def delete(section):
    section.layer.selected_data = {0, 5}
    section.layer.remove_selected()


def add(section):
    section.layer.add([[3.0, 4.0]])


def delete_and_add(section):
    """As many points as before, and every one after the first is another spot."""
    section.layer.selected_data = {0}
    section.layer.remove_selected()
    section.layer.add([[3.0, 4.0]])


def move(section):
    section.layer.data[7] += 500


def move_without_names(section):
    """Nothing tells then which point is which spot."""
    section.layer.features = pd.DataFrame({"theirs": np.arange(120)})
    section.layer.data[7] += 500


def recolour(section):
    section.layer.face_color = "red"


def recolour_some(section):
    section.layer.selected_data = {3}
    section.layer.current_face_color = "red"


def by_column(section):
    section.layer.face_color = "total_counts"


def scale_spots(section):
    section.layer.scale = (2, 2)


def shift_image(section):
    section.image.translate = np.array(section.image.translate) + 300


def turn_spots(section):
    section.layer.rotate = 30


def other_unit(section):
    section.layer.units = ("um", "um")
    section.image.units = ("mm", "mm")


def cut_features(section):
    section.layer.features = pd.DataFrame({"theirs": np.arange(120)})


def pad_features(section):
    section.layer.features = section.layer.features.iloc[:50]


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (delete, ["points"]),
        (add, ["points"]),
        (delete_and_add, ["points"]),
        (move, ["places"]),
        (move_without_names, ["points"]),
        (recolour, ["colours"]),
        (recolour_some, ["colours"]),
        (by_column, ["colours"]),
        (scale_spots, ["apart"]),
        (shift_image, ["apart"]),
        (turn_spots, ["apart"]),
        pytest.param(other_unit, ["apart"], marks=drawn_in_units),
        (cut_features, ["features"]),
        (pad_features, ["features"]),
    ],
)
def test_a_change_is_seen_and_undone(section, change, kinds):
    places, colours = section.layer.data.copy(), section.layer.face_color.copy()
    assert section.kinds() == []
    change(section)
    assert section.kinds() == kinds
    section.restore()
    assert section.kinds() == []
    np.testing.assert_array_equal(section.layer.data, places)
    np.testing.assert_array_equal(section.layer.face_color, colours)
    assert list(section.layer.features["barcode"]) == list(section.tissue.obs_names)
    assert section.layer.shown.all()
    np.testing.assert_array_equal(layer_matrix(section.layer), np.eye(3))


@pytest.mark.parametrize("change", [delete, delete_and_add])
def test_what_others_keep_of_the_spots_is_still_of_the_same_spots(section, change):
    """A column of theirs has no entry for a spot that was deleted, and no other's."""
    numbers = np.arange(120.0)
    section.layer.features = section.layer.features.assign(theirs=numbers)
    change(section)
    assert section.restore() == ()
    kept = section.layer.features["theirs"].to_numpy()
    gone = np.isnan(kept)
    # Of a point that was added the viewer says that it is the first spot.
    assert gone.sum() == (2 if change is delete else 0)
    np.testing.assert_array_equal(kept[~gone], numbers[~gone])


def test_columns_that_belong_to_no_spot_are_told(section):
    section.layer.features = pd.DataFrame({"theirs": np.arange(120)})
    section.layer.selected_data = {0}
    section.layer.remove_selected()
    assert section.restore() == ("theirs",)
    assert "theirs" not in section.layer.features


def test_nothing_is_painted_on_points_that_are_other_spots(section):
    delete_and_add(section)
    before = section.layer.face_color.copy()
    spots.paint_layer(section.layer, np.ones((120, 4), np.float32))
    np.testing.assert_array_equal(section.layer.face_color, before)


def test_a_section_moved_as_a_whole_is_no_fault(section):
    """Spots and image in micrometres, with a pixel size of their own."""
    for one in (section.layer, section.image):
        one.scale = np.array(one.scale) * 0.5
        one.translate = np.array(one.translate) * 0.5
        one.units = ("um", "um")
    assert section.kinds() == []


@drawn_in_units
def test_an_image_in_another_unit_at_its_place_is_no_fault(section):
    section.layer.units = ("um", "um")
    section.image.scale = np.array(section.image.scale) / 1000
    section.image.translate = np.array(section.image.translate) / 1000
    section.image.units = ("mm", "mm")
    assert section.kinds() == []


def test_renamed_reordered_and_duplicated_layers_are_as_they_were(section):
    section.layer.name = "another"
    section.viewer.layers.reverse()
    copy = Layer.create(*section.layer.as_layer_data_tuple())
    section.viewer.add_layer(copy)
    assert section.kinds() == []
    assert layer_changes(copy, [section.image], section.viewer.layers) == ()
    spots.paint_layer(section.layer, np.ones((120, 4), np.float32))
    # Of two layers of a section each is told apart.
    assert section.kinds() == []


def test_spots_that_are_an_image_are_looked_at_too(monkeypatch):
    monkeypatch.setattr(spots_as_image, "MOST_POINTS", 1)
    section = Section()
    assert section.kinds() == []
    section.layer.scale = np.array(section.layer.scale) * 2
    assert section.kinds() == ["apart"]
    section.restore()
    assert section.kinds() == []
    section.layer.visible = False
    assert section.kinds() == ["hidden"]
