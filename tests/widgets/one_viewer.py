"""A hidden viewer for all tests of a file, as new for each of them.

To make one takes longer than most tests of docks.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from napari_semst.widgets.shared.state import _STATES
from napari_semst.widgets.shared.unsaved import _KEEPERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari import Viewer

_CALLBACKS = (
    "mouse_move_callbacks",
    "mouse_drag_callbacks",
    "mouse_wheel_callbacks",
    "mouse_double_click_callbacks",
)


@pytest.fixture(scope="module")
def one_viewer(qapp) -> Iterator[Viewer]:
    """A hidden viewer without a console, whose status is not looked up."""
    from app_model import Application
    from napari import Viewer
    from napari._app_model._app import NapariApplication, _napari_names
    from napari._qt._qapp_model.qactions import init_qactions
    from napari._qt.qt_viewer import QtViewer
    from napari._qt.threads.status_checker import StatusChecker
    from napari.plugins import _initialize_plugins
    from qtpy.QtWidgets import QWidget

    with pytest.MonkeyPatch.context() as patch, ExitStack() as at_end:
        for once in (_initialize_plugins, init_qactions):
            once.cache_clear()
            at_end.callback(once.cache_clear)
        # Its own actions: those of other viewers come and go.
        app = NapariApplication("one_viewer")
        at_end.callback(Application.destroy, "one_viewer")
        app.injection_store.namespace = _napari_names
        patch.setattr(NapariApplication, "get_app_model", lambda *_: app)
        patch.setattr(StatusChecker, "start", lambda *_: None)
        console = QWidget()
        console._update_theme = lambda *_: None
        patch.setattr(QtViewer, "_get_console", lambda *_: console)
        made = Viewer(show=False)
        # napari's own fixture, where a test of the file asks for it, finds none left.
        QtViewer._instances.clear()
        yield made
        window = made.window._qt_window
        patch.setattr(window, "_save_current_window_settings", lambda: None)
        made.close()


@pytest.fixture
def emptied_viewer(one_viewer, qtbot) -> Iterator[Viewer]:
    """The viewer of the file, without layers and docks of tests before."""
    from napari.settings import get_settings
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    viewer = one_viewer
    get_settings().reset()
    before = {name: list(getattr(viewer, name)) for name in _CALLBACKS}
    keys = dict(viewer.keymap)
    yield viewer
    for dock in list(viewer.window._wrapped_dock_widgets.values()):
        widget = dock.widget()
        viewer.window.remove_dock_widget(dock)
        widget.deleteLater()
    viewer.layers.clear()
    _STATES.pop(viewer, None)
    _KEEPERS.pop(viewer, None)
    for name, callbacks in before.items():
        getattr(viewer, name)[:] = callbacks
    viewer.keymap.clear()
    viewer.keymap.update(keys)
    viewer.reset()
    get_settings().reset()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()
