"""A whole session in the real window, from a file to a figure."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
from matplotlib.image import imread as image
from qtpy.QtWidgets import QFileDialog

from napari_semst import keys, simulated_cortex
from napari_semst.io.export.h5ad import write
from napari_semst.viewer import adapter
from napari_semst.viewer.spots import tissue_of
from tests.widgets.explore.test_select import stroke


@pytest.mark.screen
def test_from_a_file_to_a_figure(make_napari_viewer, qtbot, monkeypatch, tmp_path):
    original = write(simulated_cortex(300, 300, seed=1), tmp_path / "cortex.h5ad")
    before = original.read_bytes()
    viewer = make_napari_viewer(show=True)
    viewer.open(str(original), plugin="napari-semst")
    layer = viewer.layers[-1]
    tissue = tissue_of(layer)
    assert len(viewer.layers) == 2

    # Find domains.
    _, find = viewer.window.add_plugin_dock_widget("napari-semst", "Find domains")
    find.settings.n_domains.setValue(4)
    find.settings.recipe.setCurrentIndex(find.settings.recipe.findData("quick"))
    find.run_box.run_button.click()
    qtbot.waitUntil(lambda: find.controller.job is None, timeout=60_000)
    assert find.card.kind in {"success", "warning"}, find.card.text.text()
    assert tissue.obs[keys.DOMAIN].nunique() == 4

    # Rename one, look for its markers, and colour by the best.
    _, explore = viewer.window.add_plugin_dock_widget("napari-semst", "Explore domains")
    tree = explore.legend.tree
    assert tree.topLevelItemCount() == 4
    tree.topLevelItem(0).setText(0, "outer cortex")
    edited = explore.sections.colouring.column
    assert "outer cortex" in set(tissue.obs[edited])
    tree.topLevelItem(0).setSelected(True)
    explore.markers.find_button.click()
    qtbot.waitUntil(lambda: explore.markers.table is not None, timeout=60_000)
    best = explore.markers.table.gene[0]
    explore.markers.view.clicked.emit(explore.markers.sorted.index(0, 0))
    assert explore.sections.colouring.key == f"gene:{best}"

    # Draw around the spots of the left half, and name them.
    places = np.asarray(layer.data)
    low, high = places.min(axis=0) - 1, places.max(axis=0) + 1
    # Between two columns of spots.
    columns = np.unique(places[:, 1])
    middle = columns[len(columns) // 2 - 1 : len(columns) // 2 + 1].mean()
    explore.select.lasso.click()
    corners = [(low[0], low[1]), (low[0], middle), (high[0], middle), (high[0], low[1])]
    stroke(viewer, corners)
    explore.select.tool.stop()
    left = places[:, 1] < middle
    np.testing.assert_array_equal(explore.state.selection(tissue), left)
    explore.select.assign.column.setEditText("side")
    explore.select.assign.name.setEditText("left")
    explore.select.assign.assign_button.click()
    np.testing.assert_array_equal(tissue.obs["side"] == "left", left)
    explore.select.clear()
    assert len(viewer.layers) == 2

    # Save the section and a figure; the file that was opened is as it was.
    def press(name, path):
        monkeypatch.setattr(
            QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), "")
        )
        explore.card.show_status("ready", "", "")
        explore.share.buttons[name].click()
        ends = ("success", "error")
        qtbot.waitUntil(lambda: explore.card.kind in ends, timeout=60_000)
        assert explore.card.kind == "success", explore.card.text.text()

    press("save", tmp_path / "result.h5ad")
    press("figure", tmp_path / "result.png")
    back = anndata.read_h5ad(tmp_path / "result.h5ad")
    for column in (keys.DOMAIN, edited, "side"):
        assert back.obs[column].astype(str).equals(tissue.obs[column].astype(str))
    assert adapter.UNSAVED not in layer.metadata

    # The script of the session, run without a window, gives the same.
    press("session", tmp_path / "session.py")
    monkeypatch.chdir(tmp_path)
    code = compile((tmp_path / "session.py").read_text(), "session.py", "exec")
    again: dict = {}
    exec(code, again)
    for column in (keys.DOMAIN, edited, "side"):
        assert again["tissue"].obs[column].equals(tissue.obs[column]), column
    for name in ("result.png",):
        drawn, repeated = (image(tmp_path / way / name) for way in ("", "repeated"))
        np.testing.assert_array_equal(drawn, repeated)
    repeated = anndata.read_h5ad(tmp_path / "repeated" / "result.h5ad")
    assert repeated.obs.equals(back.obs)
    assert original.read_bytes() == before
    pixels = viewer.screenshot(canvas_only=False, flash=False)
    assert pixels.std() > 10
