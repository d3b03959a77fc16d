"""Levels kept, images moved, sections joined: done again by the code of the record."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst import keys, read, write
from napari_semst.io.manual_alignment import adjustment_of
from napari_semst.session.actions import Action
from napari_semst.session.log import begin_session, session_actions
from napari_semst.session.script import session_text
from napari_semst.viewer.spots import tissue_of
from napari_semst.widgets.open.widget import OpenData
from tests.widgets.docks import add
from tests.widgets.stand_in import section_with_levels


@pytest.fixture
def dock(real_dock):
    return real_dock


def opened(folder, name):
    path = write(section_with_levels(), folder / f"{name}.h5ad")
    tissue = read(path)
    begin_session(tissue, Action("read", {"path": path}))
    return tissue


def again(tissue):
    text, missing = session_text(tissue)
    assert missing == []
    done = {}
    exec(compile(text, "session.py", "exec"), done)
    return done["tissue"]


def test_a_level_kept_and_an_image_moved_reach_the_joined_section(
    qtbot, viewer, dock, tmp_path
):
    first = add(viewer, opened(tmp_path, "first"), "first")
    tissue = opened(tmp_path, "second")
    second = add(viewer, tissue, "second")
    dock.results.level_bar.slider.setValue(5)
    dock.results.level_bar.keep_button.click()
    there = OpenData(viewer)
    viewer.window.add_dock_widget(there, name="Open data")
    there.alignment.show_layer(second)
    there.alignment.buttons["flip_y"].click()
    there.alignment.shift_y.setValue(-12)
    dock.joiner.join([first, second])
    qtbot.waitUntil(lambda: not dock.joiner.busy, timeout=60_000)
    names = [x.name for x in session_actions(tissue)]
    assert names == ["read", "level", "align"]
    back = again(tissue)
    assert set(back.obs) == set(tissue.obs)
    assert back.obs["semst_domain_at_5"].equals(tissue.obs["semst_domain_at_5"])
    library = next(iter(tissue.uns["spatial"]))
    assert adjustment_of(back, library) == adjustment_of(tissue, library)
    assert adjustment_of(back, library).shift_y == -12
    joined = tissue_of(dock.section.layer)
    assert joined.n_obs == 2 * tissue.n_obs
    back = again(joined)
    assert list(back.obs_names) == list(joined.obs_names)
    assert set(back.obs) == set(joined.obs)
    np.testing.assert_array_equal(back.obsm[keys.SPATIAL], joined.obsm[keys.SPATIAL])
    for library in joined.uns["spatial"]:
        assert adjustment_of(back, library) == adjustment_of(joined, library)
