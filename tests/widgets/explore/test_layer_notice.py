"""The docks say what napari's tools did to a section, and tell of no other colours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from qtpy.QtWidgets import QApplication

from napari_semst.widgets.find.widget import FindDomains
from tests.widgets.docks import docked


def settle(qtbot, dock):
    """Wait until the dock has looked at what was done."""
    qtbot.waitUntil(lambda: not dock.notice._later.isActive())
    QApplication.processEvents()


def delete(layer):
    layer.selected_data = {0}
    layer.remove_selected()


def exchange(layer):
    delete(layer)
    layer.add([[10.0, 10.0]])


def recolour(layer):
    layer.face_color = "red"


def explained(dock):
    """Whether a legend or a colour bar is there."""
    return not (dock.legend.isHidden() and dock.limits.isHidden())


@pytest.mark.parametrize("change", [delete, exchange, recolour])
def test_no_legend_tells_of_colours_that_are_not_there(qtbot, dock, layer, change):
    dock.colour_by("ground_truth")
    assert explained(dock)
    change(layer)
    settle(qtbot, dock)
    assert not explained(dock)
    assert not dock.notice.isHidden()
    dock.notice.restore_button.click()
    assert explained(dock)
    assert dock.notice.isHidden()
    assert dock.card.kind == "success"
    before = layer.face_color.copy()
    dock.colour_by("gene:GENE0")
    assert not np.array_equal(before, layer.face_color)


@pytest.mark.parametrize("change", [delete, exchange])
def test_a_colouring_that_the_points_cannot_take_is_refused_at_once(
    dock, layer, change
):
    """Before any event of the viewer was heard."""
    dock.colour_by("ground_truth")
    change(layer)
    before = layer.face_color.copy()
    dock.colour_by("gene:GENE0")
    np.testing.assert_array_equal(layer.face_color, before)
    assert dock.card.kind == "warning"
    assert not explained(dock)
    # What was on show before is what the dock still calls it.
    assert dock.sections.look.colour_by == "ground_truth"
    assert "ndo" not in dock.card.text.text()


def test_colours_by_napari_give_way_to_ours(qtbot, dock, layer):
    recolour(layer)
    settle(qtbot, dock)
    dock.colour_by("ground_truth")
    settle(qtbot, dock)
    assert explained(dock)
    assert dock.notice.isHidden()


def test_a_table_of_features_that_was_cut_is_mended_and_that_is_told(
    qtbot, dock, layer
):
    layer.features = pd.DataFrame({"theirs": np.arange(120)})
    settle(qtbot, dock)
    assert list(layer.features["theirs"]) == list(range(120))
    assert layer.features["barcode"][7] == "spot-7"
    assert not dock.notice.isHidden()
    assert dock.notice.restore_button.isHidden()
    assert explained(dock)


def test_a_hidden_section_is_told_and_shown_again(qtbot, dock, layer):
    layer.visible = False
    settle(qtbot, dock)
    assert dock.notice.restore_button.isHidden()
    dock.notice.show_button.click()
    settle(qtbot, dock)
    assert layer.visible
    assert dock.notice.isHidden()


def test_spots_moved_apart_from_their_image_are_put_back(qtbot, viewer, dock, layer):
    layer.scale = (3, 3)
    viewer.layers[0].units = ("um", "um")
    settle(qtbot, dock)
    assert not dock.notice.isHidden()
    dock.notice.restore_button.click()
    settle(qtbot, dock)
    assert dock.notice.isHidden()
    np.testing.assert_array_equal(layer.scale, 1)


def test_the_sliders_follow_the_opacity_of_the_layer(viewer, dock, layer):
    find = docked(FindDomains, viewer)
    layer.opacity = 0.3
    assert dock.opacity.value() == find.results.opacity.value() == 30


def test_another_section_is_looked_at_by_itself(qtbot, viewer, dock, layer, tissue):
    from tests.widgets.docks import add
    from tests.widgets.stand_in import small_tissue

    delete(layer)
    settle(qtbot, dock)
    other = add(viewer, small_tissue(), "other")
    assert dock.layer is other
    assert dock.notice.isHidden()
    dock.sections.setCurrentIndex(0)
    assert not dock.notice.isHidden()
    # What is no longer chosen is no longer listened to.
    recolour(other)
    assert not dock.notice._later.isActive()


@pytest.mark.parametrize("change", [delete, recolour])
def test_find_domains_says_the_same(qtbot, viewer, tissue, change):
    from tests.widgets.docks import add

    dock = docked(FindDomains, viewer)
    layer = add(viewer, tissue)
    results = dock.results

    def shown():
        return not (results.legend.isHidden() and results.colorbar.isHidden())

    assert shown()
    change(layer)
    settle(qtbot, dock)
    assert not shown()
    dock.notice.restore_button.click()
    assert shown()
    assert len(layer.data) == 120


def test_two_layers_of_a_section_are_painted_together(qtbot, viewer, dock, layer):
    """A duplicate shows the same; what is done to it is done to it alone."""
    viewer.layers.selection.active = layer
    viewer.layers.duplicate() if hasattr(viewer.layers, "duplicate") else None
    from napari.layers import Layer

    data, state, kind = layer.as_layer_data_tuple()
    copy = viewer.add_layer(Layer.create(np.array(data), {**state, "name": "b"}, kind))
    delete(copy)
    dock.sections.setCurrentIndex(0)
    assert dock.layer is layer
    dock.colour_by("gene:GENE0")
    assert dock.card.kind != "error"
    dock.sections.setCurrentIndex(dock.sections.count() - 1)
    assert not explained(dock)
    dock.notice.restore_button.click()
    np.testing.assert_array_equal(copy.face_color, layer.face_color)
