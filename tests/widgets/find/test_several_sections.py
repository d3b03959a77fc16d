"""Several sections in the dock: opened at once, joined, shown side by side or alone."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import Qt

from napari_semst import keys
from napari_semst.config import Request
from napari_semst.errors import InputError
from napari_semst.io.concat_sections import join_sections
from napari_semst.viewer import sections
from napari_semst.widgets.find import texts
from napari_semst.widgets.find import texts_image as words
from napari_semst.widgets.find.fields import section_columns
from napari_semst.widgets.find.widget import FindDomains
from napari_semst.widgets.shared import files as files_module
from tests.widgets.docks import add, run_to_end
from tests.widgets.find.test_saving import answer, saved
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def dock(viewer, pipeline):
    # As the window makes it: a plugin gets the viewer and its layers as stand-ins.
    dock = FindDomains(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(dock, name="Find domains")
    return dock


def pair():
    return join_sections({"left": small_tissue(), "right": small_tissue()})


def items(combo):
    return [combo.itemText(i) for i in range(combo.count())]


def images(viewer, layer):
    return sections.images_of(layer, viewer.layers)


def test_a_joined_section_is_shown_side_by_side_or_alone(viewer, dock):
    layer = add(viewer, pair(), "Both")
    assert items(dock.section.shown) == [texts.SIDE_BY_SIDE, "left", "right"]
    assert not dock.section.shown.isHidden()
    assert "240 spots, 30 genes, 2 sections, 100 % on their images" in (
        dock.section.facts.text()
    )
    viewer.reset_view()
    camera = getattr(viewer, "scene", viewer).camera
    whole = camera.zoom
    dock.section.shown.setCurrentText("right")
    assert layer.shown.sum() == 120
    assert [image.visible for image in images(viewer, layer)] == [False, True]
    centre = images(viewer, layer)[1].extent.world.mean(axis=0)
    np.testing.assert_allclose(camera.center[-2:], centre)
    assert camera.zoom > whole
    dock.section.shown.setCurrentText(texts.SIDE_BY_SIDE)
    assert layer.shown.all()
    assert all(image.visible for image in images(viewer, layer))


def test_the_section_shown_alone_is_remembered_by_its_layer(viewer, dock):
    layer = add(viewer, pair(), "Both")
    dock.section.shown.setCurrentText("left")
    add(viewer, small_tissue(), "Single")
    # With one section there is nothing to choose.
    assert dock.section.shown.isHidden()
    dock.section.combo.setCurrentText("Both")
    assert dock.section.shown.currentText() == "left"
    assert layer.shown.sum() == 120


def test_domains_of_a_joined_section_are_painted_and_its_places_kept(
    qtbot, viewer, dock, pipeline, monkeypatch, tmp_path
):
    tissue = pair()
    own = tissue.obsm["spatial"].copy()
    layer = add(viewer, tissue, "Both")
    assert not np.allclose(layer.data, own[:, ::-1])
    dock.section.shown.setCurrentText("left")
    dock.settings.n_domains.setValue(3)
    run_to_end(qtbot, dock)
    # Joined sections are known without a setting.
    assert "prepare" not in pipeline.requests[0].overrides
    assert layer.shown.sum() == 120
    assert list(layer.features)[:3] == ["barcode", "section", "domain"]
    answer(monkeypatch, tmp_path / "out.h5ad")
    dock.results.save_button.click()
    saved(qtbot, dock)
    back = anndata.read_h5ad(tmp_path / "out.h5ad")
    np.testing.assert_array_equal(back.obsm["spatial"], own)


def test_a_column_takes_sections_apart_for_the_run_and_on_the_canvas(
    qtbot, viewer, dock, pipeline
):
    tissue = small_tissue(image=False)
    tissue.obs["slide"] = np.where(np.arange(120) < 60, "one", "two")
    layer = add(viewer, tissue)
    before = layer.data.copy()
    combo = dock.settings.sections
    assert items(combo) == [texts.ONE_SECTION, "ground_truth", "slide"]
    assert combo.currentText() == texts.ONE_SECTION
    combo.setCurrentText("slide")
    assert items(dock.section.shown)[1:] == ["one", "two"]
    assert not np.array_equal(layer.data, before)
    run_to_end(qtbot, dock)
    assert pipeline.requests[0].overrides["prepare"] == {"section_key": "slide"}
    assert combo.currentText() == "slide"
    add(viewer, small_tissue(), "Other")
    assert combo.currentText() == texts.ONE_SECTION
    dock.section.combo.setCurrentIndex(0)
    assert combo.currentText() == "slide"
    combo.setCurrentText(texts.ONE_SECTION)
    assert dock.section.shown.isHidden()
    np.testing.assert_array_equal(layer.data, before)


def test_spots_of_sections_follow_the_coordinates_chosen(viewer, dock):
    tissue = pair()
    tissue.obsm["aligned"] = tissue.obsm["spatial"] / 2
    layer = add(viewer, tissue)
    before = [image.translate.copy() for image in images(viewer, layer)]
    dock.section.coordinates.setCurrentText("aligned")
    np.testing.assert_allclose(layer.size, 40)
    dock.section.coordinates.setCurrentText("spatial")
    for image, place in zip(images(viewer, layer), before, strict=True):
        np.testing.assert_allclose(image.translate, place)
    assert dock.section.facts.text().endswith("100 % on their images")


def test_columns_offered_tell_two_to_fifty_sections():
    tissue = small_tissue()
    tissue.obs["number"] = np.arange(120) % 3
    tissue.obs["same"] = "one"
    tissue.obs["name"] = [f"name {i}" for i in range(120)]
    tissue.obs["gaps"] = ["a", "b", None] * 40
    tissue.obs["slide"] = ["a", "b", "c"] * 40
    tissue.obs[keys.DOMAIN] = ["1", "2"] * 60
    assert section_columns(tissue) == ["ground_truth", "slide"]


def test_joined_sections_are_chosen_without_being_asked(viewer, dock):
    add(viewer, pair())
    combo = dock.settings.sections
    assert combo.currentText() == texts.AS_JOINED
    assert texts.ONE_SECTION not in items(combo)
    assert "prepare" not in dock.settings.request("spatial").overrides


def test_an_ensemble_is_asked_for(viewer, dock):
    assert "ensemble" not in dock.settings.request("spatial").overrides["training"]
    dock.settings.ensemble.setValue(4)
    asked = dock.settings.request("spatial").overrides["training"]
    assert asked["ensemble"] == 4
    dock.settings.ensemble.setValue(500)
    assert dock.settings.ensemble.value() == 20


def written(tmp_path, *names):
    paths = [tmp_path / f"{name}.h5ad" for name in names]
    for path in paths:
        small_tissue().write_h5ad(path)
    return [str(path) for path in paths]


def picked(monkeypatch, paths):
    monkeypatch.setattr(
        files_module.QFileDialog, "getOpenFileNames", lambda *a: (paths, "")
    )


def test_several_files_open_each_as_its_own_section(
    qtbot, viewer, dock, monkeypatch, tmp_path
):
    assert dock.section.join_button.isHidden()
    picked(monkeypatch, written(tmp_path, "a", "b", "c"))
    dock.section.file_button.click()
    qtbot.waitUntil(
        lambda: dock.card.title.text() == "3 sections opened", timeout=60_000
    )
    assert items(dock.section.combo) == ["a", "b", "c"]
    assert dock.section.layer.name == "c"
    assert not dock.section.join_button.isHidden()


def test_a_file_that_cannot_be_opened_is_said_after_the_others(
    qtbot, viewer, dock, monkeypatch, tmp_path
):
    for name in ("bad", "worse"):
        (tmp_path / f"{name}.h5ad").write_text("not a table")
    good = written(tmp_path, "a", "b")
    bad = [str(tmp_path / f"{name}.h5ad") for name in ("bad", "worse")]
    picked(monkeypatch, [bad[0], good[0], bad[1], good[1]])
    dock.section.file_button.click()
    qtbot.waitUntil(lambda: dock.card.kind == "error", timeout=60_000)
    assert "bad.h5ad" in dock.card.text.text()
    assert "worse.h5ad" in dock.card.text.text()
    assert items(dock.section.combo) == ["a", "b"]


def asked(dock):
    dock.section.join_button.click()
    return dock.joiner.dialog


def test_ticked_sections_are_joined_into_one(qtbot, viewer, dock):
    layers = [add(viewer, small_tissue(), name) for name in ("a", "b", "c")]
    dialog = asked(dock)
    boxes = [dialog.list.item(i) for i in range(dialog.list.count())]
    assert [box.text() for box in boxes] == ["a", "b", "c"]
    boxes[1].setCheckState(Qt.CheckState.Unchecked)
    assert dialog.join_button.isEnabled()
    boxes[2].setCheckState(Qt.CheckState.Unchecked)
    assert not dialog.join_button.isEnabled()
    boxes[2].setCheckState(Qt.CheckState.Checked)
    dialog.join_button.click()
    qtbot.waitUntil(
        lambda: dock.card.title.text() == "2 sections joined", timeout=60_000
    )
    assert dock.section.layer.name == "a + c"
    assert items(dock.section.shown)[1:] == ["a", "c"]
    assert "30 genes" in dock.card.text.text()
    # What is joined is no longer drawn below; what is not stays.
    assert [layer.visible for layer in layers] == [False, True, False]
    assert not images(viewer, layers[0])[0].visible
    assert len(images(viewer, dock.section.layer)) == 2
    # Joined sections are not offered to be joined again.
    assert [x.text() for x in all_items(asked(dock).list)] == ["a", "b", "c"]


def all_items(widget):
    return [widget.item(i) for i in range(widget.count())]


def test_leaving_the_list_joins_nothing(qtbot, viewer, dock):
    for name in ("a", "b"):
        add(viewer, small_tissue(), name)
    dialog = asked(dock)
    dialog.reject()
    assert not dock.joiner.busy
    assert len(viewer.layers) == 4


def test_what_cannot_be_joined_is_said_on_the_card(qtbot, viewer, dock):
    add(viewer, small_tissue(), "a")
    other = small_tissue()
    other.var_names = [f"OTHER{i}" for i in range(30)]
    layer = add(viewer, other, "b")
    asked(dock).join_button.click()
    qtbot.waitUntil(lambda: dock.card.kind == "error", timeout=60_000)
    assert "most genes in common" in dock.card.text.text()
    assert layer.visible
    assert len(viewer.layers) == 4


def tick(reference, *names):
    for row in range(reference.list.count()):
        item = reference.list.item(row)
        on = item.text() in names
        item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)


def guided(dock):
    method = dock.settings.method
    method.setCurrentIndex(method.findData("image-guided"))
    return dock.settings.histology.reference


def guided_settings(dock):
    request = dock.settings.request("spatial")
    return request.overrides.get("image_guided", {})


def test_reference_sections_are_ticked_among_several(viewer, dock):
    add(viewer, pair(), "Both")
    assert dock.settings.histology.reference.isHidden()
    reference = guided(dock)
    assert not reference.isHidden()
    assert [reference.list.item(i).text() for i in range(2)] == ["left", "right"]
    assert reference.note.text() == words.REFERENCE_NONE
    assert "reference" not in guided_settings(dock)
    tick(reference, "right")
    assert guided_settings(dock) == {"reference": "right"}
    assert reference.note.text() == words.REFERENCE_ONE
    again = dock.settings.request("spatial")
    tick(reference)
    assert "reference" not in guided_settings(dock)
    dock.settings.show_request(again)
    assert reference.ticked == ["right"]
    assert guided_settings(dock) == {"reference": "right"}


def test_a_section_whose_name_has_a_comma_can_be_ticked(viewer, dock):
    part = {"left, again": small_tissue(), "right": small_tissue()}
    add(viewer, join_sections(part), "Both")
    reference = guided(dock)
    tick(reference, "left, again")
    assert guided_settings(dock) == {"reference": '"left, again"'}
    again = dock.settings.request("spatial")
    tick(reference)
    dock.settings.show_request(again)
    assert reference.ticked == ["left, again"]


def test_all_sections_as_reference_are_refused(viewer, dock):
    add(viewer, pair(), "Both")
    reference = guided(dock)
    tick(reference, "left", "right")
    assert reference.note.text() == words.REFERENCE_ALL
    with pytest.raises(InputError, match="all are ticked as reference"):
        dock.settings.histology.check()
    tick(reference, "left")
    dock.settings.histology.check()


def test_ticks_are_of_the_section_at_hand(viewer, dock):
    first = add(viewer, pair(), "Both")
    reference = guided(dock)
    tick(reference, "left")
    add(viewer, small_tissue(), "Single")
    dock.section.combo.setCurrentText("Single")
    assert reference.isHidden()
    assert "reference" not in guided_settings(dock)
    dock.section.combo.setCurrentText(first.name)
    assert not reference.isHidden()
    assert reference.ticked == []


def test_reference_sections_of_settings_that_are_not_here_are_not_lost(viewer, dock):
    add(viewer, pair(), "Both")
    reference = guided(dock)
    given = {"image_guided": {"reference": "left,normal7"}}
    dock.settings.show_request(Request("image-guided", given))
    assert reference.ticked == ["left"]
    assert "normal7" in reference.note.text()
    # The run says what it expected.
    assert guided_settings(dock) == {"reference": "left,normal7"}
    tick(reference, "right")
    assert guided_settings(dock) == {"reference": "right"}
