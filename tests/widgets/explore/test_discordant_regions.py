"""From the map to genes to saved regions in four clicks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_semst import keys
from napari_semst.explanation.region_list import TRUST
from napari_semst.widgets.explore.discordant import words
from tests.widgets.discordant_tissue import attach_discordance, attach_regions
from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def tissue():
    """A region in each of two corners; the first has more of a gene."""
    row, column = np.divmod(np.arange(120), 12)
    called = ((row > 0) & (row < 4) & (column < 4)) | ((row > 5) & (column > 8))
    tissue = attach_discordance(small_tissue(), called)
    attach_regions(tissue, "contradicts", "unexplained")
    counts = tissue.X.toarray()
    counts[(tissue.obs[keys.DISCORDANT_REGION] == "1").to_numpy(), 4] += 20
    tissue.X = type(tissue.X)(counts)
    return tissue


def unfold(qtbot, dock):
    dock.regions.part.expand()
    qtbot.waitUntil(lambda: not dock.regions.reader.busy, timeout=30_000)
    return dock.regions


def press(qtbot, part, row):
    part.table.clearSelection()
    part.table.topLevelItem(row).setSelected(True)
    qtbot.waitUntil(lambda: not part.looking.busy, timeout=30_000)


def test_four_clicks_lead_to_saved_regions(qtbot, dock, tissue, tmp_path, monkeypatch):
    add(dock._viewer, tissue)
    part = unfold(qtbot, dock)  # one
    assert dock.sections.look.colour_by == keys.DISCORDANT_REGION
    rows = [part.table.topLevelItem(row) for row in range(2)]
    first, second = (row.text(0).splitlines() for row in rows)
    assert first[0] == "1  contradicts its image"
    assert first[1].startswith("GENE4")
    assert second[0] == "2  unexplained by its image"
    n_first = int((tissue.obs[keys.DISCORDANT_REGION] == "1").sum())
    assert (rows[0].text(1), rows[0].text(3)) == (str(n_first), "0.002")
    press(qtbot, part, 0)  # two
    details = part.details
    assert not details.isHidden()
    assert not details.pictures.isHidden()
    inside, alike = ([v.spot for v in row if not v.isHidden()] for row in details.rows)
    names = tissue.obs[keys.DISCORDANT_REGION]
    assert inside
    assert (names.iloc[inside] == "1").all()
    assert alike
    assert not tissue.obs[keys.DISCORDANT].iloc[alike].any()
    details.genes.linkActivated.emit("GENE4")  # three
    assert dock.sections.look.colour_by == "gene:GENE4"
    path = tmp_path / "regions.geojson"
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), "")
    )
    part.save_button.click()  # four
    qtbot.waitUntil(lambda: path.exists(), timeout=30_000)
    qtbot.waitUntil(lambda: not dock.sharing.writing.busy, timeout=30_000)
    found = json.loads(path.read_text(encoding="utf-8"))["features"]
    one = next(
        feature["properties"]
        for feature in found
        if feature["properties"]["classification"]["name"] == "1"
    )
    assert one["name"] == "Region 1: contradicts its image"
    assert one["measurements"]["q"] == 0.002
    assert one["metadata"]["genes higher"].startswith("GENE4")


def test_a_section_without_regions_says_so_and_offers_nothing(qtbot, dock, tissue):
    tissue.obs[keys.DISCORDANT] = False
    attach_regions(tissue)
    add(dock._viewer, tissue)
    part = unfold(qtbot, dock)
    assert part.message.text() == words.NO_REGIONS
    assert part.table.isHidden()
    assert part.save_button.isHidden()


def test_what_is_no_discordance_is_told_as_what_it_is(qtbot, dock, tissue):
    tissue.obs[keys.DISCORDANT] = False
    attach_regions(tissue)
    trained = tissue.uns[keys.RUNS]["default"]["training"]
    trained["regions_set_aside"] = {"spots": [45], "kind": ["unexplained"]}
    add(dock._viewer, tissue)
    part = unfold(qtbot, dock)
    assert part.message.text().startswith(words.NO_REGIONS)
    assert "45 spots, whose image is like no other place" in part.message.text()
    trained["patterns_predicted"] = 0
    dock.state.tissue_changed.emit(tissue, None)
    assert part.message.text().startswith(words.NOT_COMPARED)
    trained["image_offset"] = {"x": 10.0, "y": 0.0, "pitches": 1.5, "gain": 1.4}
    dock.state.tissue_changed.emit(tissue, None)
    assert part.message.text().startswith(words.BESIDE_SPOTS)


def test_a_section_without_a_map_says_how_to_get_one(qtbot, dock):
    add(dock._viewer, small_tissue())
    assert unfold(qtbot, dock).message.text() == words.NO_MAP


def test_spots_of_the_region_are_selected(qtbot, dock, tissue):
    add(dock._viewer, tissue)
    part = unfold(qtbot, dock)
    assert not part.select_button.isEnabled()
    press(qtbot, part, 1)
    part.select_button.click()
    wanted = (tissue.obs[keys.DISCORDANT_REGION] == "2").to_numpy()
    np.testing.assert_array_equal(dock.state.selection(tissue), wanted)


def test_a_new_run_is_listed_anew(qtbot, dock, tissue):
    add(dock._viewer, tissue)
    part = unfold(qtbot, dock)
    assert part.table.topLevelItemCount() == 2
    tissue.obs.loc[tissue.obs[keys.DISCORDANT_REGION] == "2", keys.DISCORDANT] = False
    attach_regions(tissue, "unexplained")
    dock.state.tissue_changed.emit(tissue, None)
    qtbot.waitUntil(lambda: not part.reader.busy, timeout=30_000)
    assert part.table.topLevelItemCount() == 1
    assert part.table.topLevelItem(0).text(0).startswith("1  unexplained by its image")


def test_without_an_image_genes_are_told_all_the_same(qtbot, dock, tissue):
    del tissue.uns["spatial"]
    add(dock._viewer, tissue)
    part = unfold(qtbot, dock)
    press(qtbot, part, 0)
    assert "GENE4" in part.details.genes.text()
    assert part.details.pictures.isHidden()
    assert "image" in part.details.message.text()


def test_stopping_leaves_a_way_to_go_on(qtbot, dock, tissue, monkeypatch):
    monkeypatch.setattr(dock.regions.reader, "start", lambda *_: None)
    monkeypatch.setattr(type(dock.regions.reader), "busy", property(lambda _: True))
    add(dock._viewer, tissue)
    dock.regions.part.expand()
    assert not dock.regions.stop_button.isHidden()
    monkeypatch.undo()
    dock.regions.stop_button.click()
    assert dock.regions.message.text() == words.STOPPED
    assert not dock.regions.list_button.isHidden()
    dock.regions.list_button.click()
    qtbot.waitUntil(lambda: not dock.regions.reader.busy, timeout=30_000)
    assert dock.regions.table.topLevelItemCount() == 2


def test_what_was_stopped_is_not_begun_again_by_other_changes(
    qtbot, dock, tissue, monkeypatch
):
    started = []
    monkeypatch.setattr(dock.regions.reader, "start", lambda *_: started.append(1))
    add(dock._viewer, tissue)
    dock.regions.part.expand()
    dock.regions._on_stop()
    tissue.obs["mine"] = "a"
    dock.state.tissue_changed.emit(tissue, None)
    dock.regions.part.collapse()
    dock.regions.part.expand()
    assert len(started) == 1
    assert dock.regions.message.text() == words.STOPPED
    tissue.obs[keys.DISCORDANT] = False
    attach_regions(tissue)
    dock.state.tissue_changed.emit(tissue, None)
    assert dock.regions.message.text() == words.NO_REGIONS


def test_regions_too_small_to_be_told_of_are_said_to_be(qtbot, dock, tissue):
    part = dock.regions
    small = "2 of 2 discordant spots are in regions of fewer than 5 spots"
    add(dock._viewer, tissue)
    unfold(qtbot, dock)
    part._on_told((tissue, {"regions": {}, "notes": [small]}))
    assert part.message.text().endswith(small)
    part._on_told((tissue, {"regions": {}, "notes": [TRUST, small]}))
    assert TRUST not in part.message.text()
