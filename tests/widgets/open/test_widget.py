"""The dock "Open data" in a real viewer, its real widgets driven."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent

from napari_semst import _sample_data, keys, read, write
from napari_semst.errors import InputError
from napari_semst.io.manual_alignment import Adjustment, adjustment_of
from napari_semst.viewer import adapter
from napari_semst.viewer.adapter import PLACEMENT, UNSAVED
from napari_semst.viewer.sections import images_of, move_spots
from napari_semst.widgets.find.widget import FindDomains
from napari_semst.widgets.open import opening, texts
from napari_semst.widgets.open import widget as module
from napari_semst.widgets.open.alignment import adjustment_in_words
from napari_semst.widgets.open.opening import recent_paths, remember_path
from napari_semst.widgets.open.widget import OpenData
from tests.viewer.test_foreign_layers import EXPECTED, circles, table
from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def file(tmp_path):
    return write(small_tissue(), tmp_path / "slice.h5ad")


def looked(qtbot, dock, *paths):
    dock.look(paths)
    qtbot.waitUntil(lambda: len(dock.inside.looks) == len(paths), timeout=60_000)


def opened(qtbot, dock):
    qtbot.waitUntil(lambda: dock.opener.busy, timeout=60_000)
    qtbot.waitUntil(lambda: not dock.opener.busy, timeout=60_000)


def value(dock, name):
    return dock.inside.values[name].text()


# --- looking inside


def test_an_empty_viewer_says_how_to_begin(dock):
    assert dock.card.title.text() == texts.START
    assert dock.inside.isHidden()
    assert dock.open_button.isHidden()
    assert dock._alignment_part.isHidden()


def test_what_is_inside_is_told_before_anything_is_opened(qtbot, viewer, dock, file):
    looked(qtbot, dock, file)
    assert value(dock, "Spots") == "120"
    assert value(dock, "Genes") == "30"
    assert value(dock, "Raw counts") == "X"
    assert value(dock, "Coordinates") == "obsm['spatial']"
    assert value(dock, "Image") == "125 x 105 pixels"
    assert value(dock, "Annotations") == "ground_truth"
    assert len(viewer.layers) == 0
    assert dock.card.title.text() == texts.SEEN
    assert dock.open_button.isEnabled()


def test_a_file_dropped_is_looked_into(qtbot, dock, file):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file)), QUrl("https://example.org/a.h5ad")])
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    dock.drop.dropEvent(event)
    qtbot.waitUntil(lambda: bool(dock.inside.looks), timeout=60_000)
    # What is on the network is not fetched.
    assert [look.path for look in dock.inside.looks] == [file]


def test_what_is_missing_is_told(qtbot, dock, tmp_path):
    tissue = small_tissue(image=False)
    tissue.X = tissue.X * 0.37
    del tissue.obsm["spatial"]
    looked(qtbot, dock, write(tissue, tmp_path / "bare.h5ad"))
    assert dock.card.kind == "warning"
    assert "raw counts and coordinates" in dock.card.text.text()
    assert value(dock, "Raw counts") == texts.NOT_INSIDE
    assert value(dock, "Image") == texts.NOTHING_INSIDE


def test_what_is_no_section_is_refused_in_words(qtbot, dock, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(b"nothing")
    looked(qtbot, dock, path)
    assert dock.card.kind == "error"
    assert "Expected a tissue section" in dock.card.text.text()
    # Said once.
    assert dock.inside.isHidden()
    assert dock.open_button.isHidden()


def test_the_dialogs_ask_and_look(qtbot, dock, file, monkeypatch):
    dialog = module.QFileDialog
    monkeypatch.setattr(dialog, "getOpenFileNames", lambda *_: ([str(file)], ""))
    dock.drop.file_button.click()
    qtbot.waitUntil(lambda: bool(dock.inside.looks), timeout=60_000)
    monkeypatch.setattr(dialog, "getExistingDirectory", lambda *_: str(file.parent))
    dock.drop.folder_button.click()
    shown = lambda: [look.path for look in dock.inside.looks]  # noqa: E731
    qtbot.waitUntil(lambda: shown() == [file.parent], timeout=60_000)


# --- opening


def test_open_shows_image_and_spots_at_their_true_size(qtbot, viewer, dock, file):
    looked(qtbot, dock, file)
    dock.open_button.click()
    opened(qtbot, dock)
    image, spots = viewer.layers
    assert (image.name, spots.name) == ("slice image", "slice")
    assert np.allclose(spots.size, 80)
    assert len(np.unique(spots.face_color, axis=0)) > 5
    assert dock.card.kind == "success"
    assert "120 spots, 30 genes, 100 % on the image" in dock.card.text.text()
    assert dock.inside.isHidden()
    assert dock.alignment.line.kind == "success"


def test_several_files_are_previewed_and_opened(qtbot, viewer, dock, file, tmp_path):
    other = write(small_tissue(60), tmp_path / "other.h5ad")
    bad = tmp_path / "bad.h5ad"
    bad.write_bytes(b"nothing")
    looked(qtbot, dock, file, other, bad)
    told = dock.inside.remarks.text()
    assert "slice.h5ad: 120 spots, 30 genes" in told
    assert "other.h5ad: 60 spots" in told
    assert "bad.h5ad: Expected" in told
    dock.open_button.click()
    opened(qtbot, dock)
    assert [layer.name for layer in dock.sections._layers] == ["slice", "other"]
    assert dock.card.title.text() == "2 sections opened"


def test_options_are_handed_to_the_reader(qtbot, dock, tmp_path):
    tissue = small_tissue()
    tissue.layers["counts"] = tissue.X.copy()
    tissue.X = tissue.X * 0.5
    tissue.obsm["aligned"] = tissue.obsm["spatial"] + 1000
    looked(qtbot, dock, write(tissue, tmp_path / "a.h5ad"))
    inside = dock.inside
    assert dock.card.kind == "warning"
    inside.counts.setCurrentIndex(inside.counts.findData("counts"))
    inside.counts.activated.emit(inside.counts.currentIndex())
    assert dock.card.title.text() == texts.SEEN
    assert value(dock, "Raw counts") == "counts"
    inside.coordinates.setCurrentIndex(inside.coordinates.findData("aligned"))
    inside.coordinates.activated.emit(inside.coordinates.currentIndex())
    qtbot.waitUntil(lambda: "aligned" in value(dock, "Coordinates"), timeout=60_000)
    assert inside.counts.currentData() == "counts"
    assert dock.card.title.text() == texts.SEEN
    dock.open()
    opened(qtbot, dock)
    found = dock.sections.tissue
    assert np.array_equal(found.X.toarray(), tissue.layers["counts"].toarray())
    assert np.array_equal(found.obsm["spatial"], tissue.obsm["aligned"])


def test_a_file_that_goes_while_it_is_looked_at_is_told(qtbot, viewer, dock, file):
    looked(qtbot, dock, file)
    file.unlink()
    dock.open_button.click()
    opened(qtbot, dock)
    assert dock.card.kind == "error"
    assert len(viewer.layers) == 0
    assert dock.open_button.isEnabled()


def test_cancel_drops_what_is_being_read(qtbot, viewer, dock, file, monkeypatch):
    go = threading.Event()
    layers = opening._layers

    def slow(path, options):
        go.wait(10)
        return layers(path, options)

    monkeypatch.setattr(opening, "_layers", slow)
    looked(qtbot, dock, file)
    dock.open_button.click()
    assert dock.card.kind == "running"
    assert not dock.bar.isHidden()
    dock.cancel_button.click()
    go.set()
    assert dock.card.title.text() == texts.CANCELLED
    assert dock.bar.isHidden()
    # Opened again it is there once.
    dock.open_button.click()
    opened(qtbot, dock)
    assert len(viewer.layers) == 2


def test_a_simulated_section_opens_from_the_dock(qtbot, viewer, dock, monkeypatch):
    made = adapter.layers_of(small_tissue(), "Simulated")
    monkeypatch.setattr(_sample_data, "simulated_cortex", lambda: made)
    dock.drop.sample_menu.actions()[0].trigger()
    opened(qtbot, dock)
    assert viewer.layers[-1].name == "Simulated"
    assert recent_paths() == []


def test_a_sample_that_cannot_be_downloaded_says_so_in_one_line(
    qtbot, dock, monkeypatch
):
    def offline():
        raise InputError("Expected to download; no connection.")

    monkeypatch.setattr(_sample_data, "mouse_brain", offline)
    dock.drop.sample_menu.actions()[4].trigger()
    opened(qtbot, dock)
    assert dock.card.kind == "error"
    assert dock.card.text.text() == "Expected to download; no connection."


def test_closing_the_dock_during_opening_adds_nothing(qtbot, viewer, dock, file):
    looked(qtbot, dock, file)
    dock.open_button.click()
    viewer.window.remove_dock_widget(dock)
    assert not dock.opener.busy
    assert len(viewer.layers) == 0


# --- what was opened before


def test_what_was_opened_is_remembered(qtbot, viewer, dock, file):
    looked(qtbot, dock, file)
    dock.open_button.click()
    opened(qtbot, dock)
    assert recent_paths() == [file]
    later = OpenData(viewer)
    assert not later._recent_part.isHidden()
    item = later.recent.item(0)
    assert item.text().startswith("slice.h5ad")
    later.recent.itemActivated.emit(item)
    opened(qtbot, later)
    assert len(viewer.layers) == 4
    later.forget.click()
    assert recent_paths() == []
    later.deleteLater()


def test_the_list_keeps_a_few_and_the_newest_first(tmp_path):
    for number in range(12):
        remember_path(tmp_path / str(number))
    remember_path(tmp_path / "9")
    names = [path.name for path in recent_paths()]
    assert names == ["9", "11", "10", "8", "7", "6", "5", "4"]


@pytest.mark.parametrize("text", ["{", "[]", '{"paths": 3}', '{"paths": [1, ""]}'])
def test_a_damaged_list_is_begun_anew(text, tmp_path):
    place = opening.recent_file()
    place.parent.mkdir()
    place.write_text(text)
    assert recent_paths() == []
    assert remember_path(tmp_path / "a") == [tmp_path / "a"]


def test_what_is_gone_cannot_be_chosen(dock, tmp_path):
    dock._show_recent([tmp_path / "gone.h5ad"])
    assert not dock.recent.item(0).flags() & Qt.ItemFlag.ItemIsEnabled


# --- image and spots


def test_buttons_and_shifts_move_the_image_alone(qtbot, viewer, dock):
    tissue = small_tissue()
    pixels = tissue.uns["spatial"]["one"]["images"]["hires"]
    pixels[:10, :20] = (255, 0, 0)
    original = pixels.copy()
    spots = add(viewer, tissue)
    image = viewer.layers[0]
    places, xy = spots.data.copy(), tissue.obsm["spatial"].copy()
    corner = image.extent.world[0]
    panel = dock.alignment
    panel.buttons["rotate"].click()
    assert np.array_equal(image.data, np.rot90(original, -1))
    assert np.allclose(image.extent.world[0], corner)
    panel.shift_x.setValue(30)
    panel.arrows["down"].click()
    step = panel.step.value()
    assert step == 20
    assert np.allclose(image.extent.world[0], np.add(corner, (step, 30)))
    assert adjustment_of(tissue, "one") == Adjustment().rotated().shifted_to(30, step)
    assert "rotated clockwise, shifted by 30, 20" in panel.line.text()
    assert np.array_equal(spots.data, places)
    assert np.array_equal(tissue.obsm["spatial"], xy)
    assert np.array_equal(pixels, original)
    assert UNSAVED in spots.metadata
    panel.reset.click()
    assert keys.ALIGNMENT not in tissue.uns
    assert np.array_equal(image.data, original)
    assert np.allclose(image.extent.world[0], corner)
    assert not panel.reset.isEnabled()


def test_the_line_counts_the_spots_on_the_image(dock, viewer):
    add(viewer, small_tissue())
    assert dock.alignment.line.text() == "All 120 spots lie on the image."
    assert not dock.alignment.by_hand.isExpanded()
    dock.alignment.shift_x.setValue(640)
    assert dock.alignment.line.kind == "warning"
    assert dock.alignment.line.text().startswith("50 % of 120 spots")


def test_an_alignment_comes_back_with_the_file(qtbot, viewer, dock, tmp_path):
    add(viewer, small_tissue())
    dock.alignment.buttons["flip_y"].click()
    dock.alignment.shift_y.setValue(-12)
    before = viewer.layers[0]
    path = write(dock.sections.tissue, tmp_path / "aligned.h5ad")
    again = add(viewer, read(path), "again")
    image = images_of(again, viewer.layers)[0]
    assert np.array_equal(image.data, before.data)
    assert np.allclose(image.translate, before.translate)
    assert dock.alignment.shift_y.value() == -12
    assert dock.alignment.by_hand.isExpanded()


def test_sections_side_by_side_are_aligned_one_by_one(viewer, dock):
    from napari_semst.io.concat_sections import join_sections

    joined = join_sections({"A": small_tissue(), "B": small_tissue()})
    spots = add(viewer, joined)
    first, second = images_of(spots, viewer.layers)
    places = spots.data.copy()
    where = first.translate.copy(), second.translate.copy()
    panel = dock.alignment
    assert [panel.image.itemText(i) for i in range(2)] == ["A", "B"]
    panel.image.setCurrentIndex(1)
    panel.image.activated.emit(1)
    panel.shift_x.setValue(25)
    assert np.allclose(first.translate, where[0])
    assert np.allclose(second.translate, where[1] + (0, 25))
    assert np.array_equal(spots.data, places)
    # Arranged anew, the image still lies where it was put below its spots.
    move_spots(spots, "spatial", images=[first, second])
    own = spots.data[joined.obs[keys.SECTION] == "B"].min(axis=0)
    assert np.allclose(second.translate - own, where[1] + (0, 25) - places[120:].min(0))
    assert second.metadata[PLACEMENT].library == "B"


def test_a_section_without_image_has_nothing_to_align(viewer, dock):
    add(viewer, small_tissue(image=False))
    assert dock.alignment.line.text() == texts.NO_IMAGE
    assert dock.alignment.by_hand.isHidden()


def test_the_other_docks_learn_that_there_is_something_to_save(qtbot, viewer, dock):
    other = FindDomains(viewer)
    viewer.window.add_dock_widget(other, name="Find domains")
    add(viewer, small_tissue())
    with qtbot.waitSignal(dock.state.tissue_changed, timeout=5_000):
        dock.alignment.buttons["swap"].click()


@pytest.mark.parametrize(
    ("adjustment", "words"),
    [
        (Adjustment().rotated().rotated().rotated(), "rotated anticlockwise"),
        (Adjustment().flipped("x").flipped("y"), "rotated by 180 degrees"),
        (Adjustment().swapped(), "axes swapped"),
        (Adjustment().flipped("y").shifted_to(1.5, 0), "flipped up-down, shifted by"),
    ],
)
def test_what_was_done_in_words(adjustment, words):
    assert adjustment_in_words(adjustment).startswith(words)


# --- layers of other plugins


def test_a_layer_of_another_plugin_is_used_as_a_section(qtbot, viewer, dock):
    assert dock.others.isHidden()
    adata = table()
    foreign = circles(adata)
    viewer.add_layer(foreign)
    assert not dock.others.isHidden()
    dock.others.button.click()
    opened(qtbot, dock)
    spots = viewer.layers[-1]
    assert np.allclose(spots.data[:, ::-1], EXPECTED)
    assert np.allclose(spots.size, 8)
    assert foreign in viewer.layers
    assert "spatial" not in adata.obsm
    assert dock.sections.tissue is not adata
    viewer.layers.remove(foreign)
    assert dock.others.isHidden()
