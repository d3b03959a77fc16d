"""What the tests of the docks share."""

from __future__ import annotations

import sys
import types

import pytest

from napari_semst.widgets.open import opening
from tests.widgets.one_viewer import emptied_viewer, one_viewer  # noqa: F401
from tests.widgets.stand_in import StandIn, small_tissue


@pytest.fixture(autouse=True)
def _threads_end(monkeypatch):
    """Layers are touched by the main thread only; no worker outlives its test."""
    monkeypatch.setenv("NAPARI_ENSURE_PLUGIN_MAIN_THREAD", "1")
    yield
    from superqt.utils import WorkerBase

    WorkerBase.await_workers(60_000)


@pytest.fixture(autouse=True)
def _settings_of_the_test(monkeypatch, tmp_path):
    """What docks remember is not the user's."""
    monkeypatch.setattr(
        opening, "recent_file", lambda: tmp_path / "set" / "recent.json"
    )


@pytest.fixture
def viewer(request):
    """A viewer; on the screen for a test that is marked so, else hidden.

    One that is shown is its test's own, and so is one that its test may close.
    """
    # Only a window that is shown has a canvas with pixels, that gets the mouse.
    shown = request.node.get_closest_marker("screen") is not None
    if shown or request.node.get_closest_marker("own_window") is not None:
        return request.getfixturevalue("make_napari_viewer")(show=shown)
    return request.getfixturevalue("emptied_viewer")


@pytest.fixture
def tissue():
    return small_tissue()


@pytest.fixture
def pipeline(monkeypatch):
    """Put the stand-in where the docks look for the pipeline."""
    stand_in = StandIn()
    module = types.ModuleType("napari_semst.pipeline.run")
    module.find_domains = stand_in.find_domains
    module.attach = stand_in.attach
    monkeypatch.setitem(sys.modules, "napari_semst.pipeline.run", module)
    return stand_in
