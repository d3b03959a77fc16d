"""Saving and sharing from the dock "Explore domains"."""

from __future__ import annotations

import json
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_semst import keys
from napari_semst.io.concat_sections import join_sections
from napari_semst.viewer import adapter
from napari_semst.viewer.sections import sections_by, show_section
from napari_semst.widgets.explore import share, texts
from napari_semst.widgets.explore.share import plot_values
from tests.widgets.docks import add, renamed
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def tissue():
    found = small_tissue()
    found.obs["semst_domain_default"] = pd.Categorical(
        np.where(found.obsm["spatial"][:, 0] < 500, "1", "2")
    )
    found.obs[keys.DOMAIN] = found.obs["semst_domain_default"]
    found.uns[keys.LATEST] = "default"
    return found


@pytest.fixture
def dock(dock, tissue):
    add(dock._viewer, tissue, "My section")
    return dock


@pytest.fixture
def press(qtbot, dock, monkeypatch):
    """Press a button, answer its dialog with a path, wait for the end."""

    def do(name, path):
        answer = (str(path), "")
        for ask in ("getSaveFileName", "getOpenFileName"):
            monkeypatch.setattr(QFileDialog, ask, lambda *a, **k: answer)
        dock.card.show_status("ready", "", "")
        dock.share.buttons[name].click()
        ends = ("success", "error")
        qtbot.waitUntil(lambda: dock.card.kind in ends, timeout=60_000)
        return dock.card.kind

    return do


def test_edits_are_marked_until_the_section_is_saved(dock, press, tissue, tmp_path):
    assert "*" not in dock.share.buttons["save"].text()
    dock.editing.edit(renamed("1", "cortex"))
    assert "*" in dock.share.buttons["save"].text()
    assert press("save", tmp_path / "mine") == "success"
    assert "*" not in dock.share.buttons["save"].text()
    back = anndata.read_h5ad(tmp_path / "mine.h5ad")
    edited, kept = (t.obs["domain_default_edited"] for t in (back, tissue))
    assert list(edited) == list(kept)
    assert list(edited.cat.categories) == list(kept.cat.categories)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_figure_of_what_is_on_show(dock, press, tmp_path, ending):
    dock.colour_by("gene:GENE3")
    assert press("figure", tmp_path / f"gene.{ending}") == "success"
    assert (tmp_path / f"gene.{ending}").stat().st_size > 1000
    if ending == "svg":
        assert "GENE3" in (tmp_path / "gene.svg").read_text()


def test_a_figure_has_the_limits_and_the_names_of_the_canvas(dock, tissue):
    dock.colour_by("gene:GENE3")
    dock.limits.high.setValue(1.5)
    dock.limits.colormap.setCurrentText("magma")
    drawn = plot_values(tissue, dock.sections.colouring, dock.sections.choices)
    assert (drawn.limits[1], drawn.colormap) == (1.5, "magma")
    dock.colour_by("ground_truth")
    dock.legend.tree.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)
    drawn = plot_values(tissue, dock.sections.colouring, dock.sections.choices)
    np.testing.assert_array_equal(drawn.hidden, tissue.obs["ground_truth"] == "lower")


def test_regions_go_to_qupath_and_come_back(dock, press, tissue, tmp_path):
    dock.colour_by("ground_truth")
    assert press("regions_out", tmp_path / "truth.geojson") == "success"
    held = json.loads((tmp_path / "truth.geojson").read_text())
    names = {f["properties"]["classification"]["name"] for f in held["features"]}
    assert names == {"upper", "lower"}
    assert press("regions_in", tmp_path / "truth.geojson") == "success"
    assert (tissue.obs["truth"].astype(str) == tissue.obs["ground_truth"]).all()
    assert dock.sections.colouring.key == "truth"
    # Read in, it may be edited where it is, and taken back.
    dock.editing.edit(renamed("upper", "top"))
    assert "truth_edited" not in tissue.obs
    dock.editing.undo()
    dock.editing.undo()
    assert "truth" not in tissue.obs


def test_a_table_of_loupe_comes_in_as_a_column(dock, press, tissue, tmp_path):
    lines = [f"{name},{i % 2}" for i, name in enumerate(tissue.obs_names)]
    (tmp_path / "graph.csv").write_text("Barcode,Cluster\n" + "\n".join(lines) + "\n")
    assert press("regions_in", tmp_path / "graph.csv") == "success"
    assert tissue.obs["graph"].astype(str).tolist() == [str(i % 2) for i in range(120)]


def test_a_file_that_is_no_regions_is_told_and_changes_nothing(
    dock, press, tissue, tmp_path
):
    before = tissue.obs.copy()
    (tmp_path / "bad.geojson").write_text("{}")
    assert press("regions_in", tmp_path / "bad.geojson") == "error"
    pd.testing.assert_frame_equal(tissue.obs, before)


def test_one_section_of_several_is_shared_as_it_is_shown(tmp_path):
    joined = join_sections({"a": small_tissue(), "b": small_tissue()})
    layer = Layer.create(*adapter.layers_of(joined)[-1])
    said = []
    sharing = SimpleNamespace(
        status_changed=SimpleNamespace(emit=lambda *words: said.append(words))
    )
    assert share.ShareActions._all_sections(sharing, layer)
    assert said[0][1] == texts.ALL_SECTIONS
    show_section(layer, "b")
    assert not share.ShareActions._all_sections(sharing, layer)
    where = share._where(layer)
    given = {**where, "column": "ground_truth"}
    path, _ = share._write("regions_out", joined, tmp_path / "b.geojson", given)
    brought = share._read(joined, joined.copy(), path, where)
    named = brought.labels.codes >= 0
    np.testing.assert_array_equal(named, joined.obs[sections_by(layer)] == "b")


@pytest.fixture
def store(tissue, tmp_path):
    """A SpatialData store of circles with the names of the section's spots."""
    spatialdata = pytest.importorskip("spatialdata")
    from spatialdata.models import ShapesModel

    names = np.asarray(tissue.obs_names, dtype=object)
    circles = ShapesModel.parse(
        tissue.obsm["spatial"], geometry=0, radius=40, index=names
    )
    path = tmp_path / "section.zarr"
    spatialdata.SpatialData(shapes={"spots": circles}).write(path)
    return path


@pytest.mark.filterwarnings("ignore")
def test_results_go_into_a_spatialdata_store(dock, qtbot, store, monkeypatch):
    import spatialdata

    asked = []
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(store))
    monkeypatch.setattr(share, "agrees", lambda *words: bool(asked.append(words)) or 1)

    def write():
        dock.card.show_status("ready", "", "")
        dock.share.buttons["store"].click()
        qtbot.waitUntil(lambda: dock.card.kind in ("success", "error"), timeout=60_000)
        assert dock.card.kind == "success", dock.card.text.text()
        return spatialdata.read_zarr(store).tables["semst"]

    first = write()
    assert not asked
    assert set(first.obs[keys.DOMAIN]) == {"1", "2"}
    dock.editing.annotator.recolour(keys.DOMAIN, "1", "#123456")
    again = write()
    assert len(asked) == 1
    assert list(again.obs[keys.DOMAIN]) == list(first.obs[keys.DOMAIN])


@pytest.mark.filterwarnings("ignore")
def test_a_store_of_other_spots_and_no_store_are_refused(
    dock, press, store, monkeypatch, tmp_path
):
    import shutil

    for folder in (tmp_path / "empty", store):
        folder.mkdir(exist_ok=True)
        shutil.rmtree(store / "shapes", ignore_errors=True)
        answer = str(folder)
        monkeypatch.setattr(
            QFileDialog, "getExistingDirectory", lambda *a, answer=answer, **k: answer
        )
        assert press("store", folder) == "error"
        assert "Expected" in dock.card.text.text() + dock.card.title.text()


def test_a_table_is_replaced_only_when_that_is_wanted(dock, monkeypatch, tmp_path):
    (tmp_path / "tables" / "semst").mkdir(parents=True)
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *a, **k: str(tmp_path)
    )
    monkeypatch.setattr(share, "agrees", lambda *words: False)
    dock.card.show_status("ready", "", "")
    dock.share.buttons["store"].click()
    assert dock.card.kind == "ready"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: "")
    dock.share.buttons["store"].click()
    assert dock.card.kind == "ready"
