"""What the dock "Explore domains" does, done again by the code of its record."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_semst import keys, read, write
from napari_semst.session.actions import Action
from napari_semst.session.log import begin_session, session_actions
from napari_semst.session.script import session_text
from tests.widgets.docks import add, renamed
from tests.widgets.explore.test_refining import correct, refine
from tests.widgets.stand_in import small_tissue

BASE, EDITED = "semst_domain_default", "domain_default_edited"


@pytest.fixture
def tissue(tmp_path):
    """Two halves by the latent, and a domain of both with some of another."""
    made = small_tissue(600)
    right = made.obsm["spatial"][:, 0] > 600
    low = made.obsm["spatial"][:, 1] > 4000
    made.obs[BASE] = pd.Categorical(np.where(low, "low", "1"))
    made.obs[keys.DOMAIN] = made.obs[BASE]
    made.uns[keys.LATEST] = "default"
    made.uns[keys.RUNS] = {"default": {"seconds": {"train": 1.0}}}
    noise = np.random.default_rng(0).normal(0, 0.2, (600, 4))
    made.obsm[keys.LATENT] = (right[:, None] * 2 + noise).astype(np.float32)
    made.obs["right"] = pd.Categorical(right.astype(str))
    path = write(made, tmp_path / "section.h5ad")
    found = read(path)
    begin_session(found, Action("read", {"path": path}))
    return found


@pytest.fixture
def dock(dock, tissue):
    add(dock._viewer, tissue)
    dock.colour_by(keys.DOMAIN)
    return dock


@pytest.fixture
def press(qtbot, dock, monkeypatch):
    """Press a button of Save and share, answer its dialog, wait for the end."""

    def do(name, path):
        for ask in ("getSaveFileName", "getOpenFileName"):
            monkeypatch.setattr(QFileDialog, ask, lambda *a, **k: (str(path), ""))
        dock.card.show_status("ready", "", "")
        dock.share.buttons[name].click()
        ends = ("success", "error")
        qtbot.waitUntil(lambda: dock.card.kind in ends, timeout=60_000)
        assert dock.card.kind == "success", dock.card.text.text()

    return do


def again(tissue, folder, monkeypatch):
    """Run the code of a section's record in a folder; return what it comes to."""
    text, missing = session_text(tissue)
    assert missing == []
    folder.mkdir()
    monkeypatch.chdir(folder)
    done = {}
    exec(compile(text, "session.py", "exec"), done)
    return done["tissue"]


def test_labels_and_files_of_the_dock_come_back(
    qtbot, dock, press, tissue, tmp_path, monkeypatch
):
    correct(dock, tissue)
    refine(qtbot, dock).keep_button.click()
    made = f"{EDITED}_refined"
    dock.colour_by(EDITED)
    dock.editing.recolour("2", "#123456")
    dock.editing.edit(renamed("2", "it's two"))
    dock.editing.undo()
    dock.editing.redo()
    refine(qtbot, dock).discard_button.click()
    dock.colour_by(made)
    dock.neighbours.look()
    qtbot.waitUntil(lambda: not dock.neighbours.task.busy, timeout=60_000)
    dock.neighbours.distance_button.click()
    half = np.where(np.arange(600) < 300, "first", "")
    table = pd.DataFrame({"barcode": tissue.obs_names, "half": half})
    table.to_csv(tmp_path / "Half.csv", index=False)
    press("regions_in", tmp_path / "Half.csv")
    dock.colour_by(EDITED)
    for name, file in (("table", "t.csv"), ("regions_out", "r.geojson")):
        press(name, tmp_path / file)
    dock.colour_by(BASE)
    press("regions_out", tmp_path / "r.geojson")
    figure = tmp_path / "f.png"
    press("figure", figure)
    names = [x.name for x in session_actions(tissue)]
    assert "other" not in names
    assert names.count("refine") == 2
    back = again(tissue, tmp_path / "again", monkeypatch)
    assert set(back.obs) == set(tissue.obs)
    for column in tissue.obs:
        assert back.obs[column].array.equals(tissue.obs[column].array), column
        colors = f"{column}{keys.COLORS_SUFFIX}"
        assert list(back.uns.get(colors, ())) == list(tissue.uns.get(colors, ()))
    for file in ("t.csv", "r.geojson", "f.png"):
        here = (tmp_path / "again" / "repeated" / file).read_bytes()
        assert here == (tmp_path / file).read_bytes(), file
