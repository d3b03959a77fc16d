"""What a window that was closed leaves in memory."""

from __future__ import annotations

import gc
from collections import Counter

import napari
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication
from superqt.utils import WorkerBase

from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue


def of_ours():
    """Return how many objects of each of our classes there are."""
    gc.collect()
    # A class may hide the name of its module behind a property.
    modules = ((type(x), str(type(x).__module__)) for x in gc.get_objects())
    return Counter(k.__qualname__ for k, m in modules if m.startswith("napari_semst"))


def open_and_close():
    viewer = napari.Viewer(show=False)
    for name in ("Find domains", "Explore domains", "Open data"):
        viewer.window.add_plugin_dock_widget("napari-semst", name)
    add(viewer, small_tissue(), "Slice")
    QApplication.processEvents()
    # What a thread still holds goes with it.
    WorkerBase.await_workers(60_000)
    QApplication.processEvents()
    viewer.close()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()


def test_no_object_of_the_docks_outlives_its_window(qapp):
    # The first fills what is kept once for all.
    open_and_close()
    before = of_ours()
    open_and_close()
    assert of_ours() - before == Counter()
