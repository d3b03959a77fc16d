"""Asks before the window is closed over results that are in no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget

from napari_semst.viewer.adapter import UNSAVED
from napari_semst.viewer.spots import tissue_of
from napari_semst.widgets.shared.state import state_of
from napari_semst.widgets.shared.unsaved import keeper_of, mark_saved
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_semst.widgets.shared.files import SavedFile

SAVE_TITLE = "Save the results?"
UNSAVED_RESULTS = "{names}: the results are in no file yet."
UNSAVED_RESULTS_HELP = "If the window closes without saving they are lost."
SAVE_BUTTON, DISCARD_BUTTON = "Save...", "Discard"
NOT_SAVED_TITLE = "Not saved"


class CloseGuard(QObject):
    """Watches a window: closing it asks what becomes of unsaved results.

    A viewer that a script closes is emptied first, so that nobody is asked then.
    """

    def __init__(self, window: QMainWindow, viewer: Viewer) -> None:
        # Of the dock that saves; here, since that dock may be gone by now.
        from napari_semst.widgets.shared.files import FileDialogs

        super().__init__(window)
        self._window, self._viewer = window, viewer
        self._discarded = False
        self.files = FileDialogs(window)
        self.files.saved.connect(self._on_saved)
        self.files.failed.connect(self._on_failed)
        self._closing = QTimer(self)
        self._closing.setInterval(100)
        self._closing.timeout.connect(self._close_when_saved)
        window.installEventFilter(self)

    @property
    def unsaved(self) -> list[Layer]:
        """Layers with results in no file, one for each section."""
        layers: dict[int, Layer] = {}
        for layer in self._viewer.layers:
            if UNSAVED in layer.metadata:
                layers.setdefault(id(tissue_of(layer)), layer)
        return list(layers.values())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Hold a closing back while the user is asked or a file is written."""
        if event.type() != QEvent.Type.Close or watched is not self._window:
            return False
        if self._discarded or not self.unsaved:
            return False
        answer = self.ask()
        if answer == DISCARD_BUTTON:
            self._discarded = True
            for layer in self.unsaved:
                keeper_of(self._viewer).forget(tissue_of(layer))
            # Another closing, after this one was held back elsewhere, asks again.
            QTimer.singleShot(0, self._forget)
            return False
        event.ignore()
        if answer == SAVE_BUTTON:
            for layer in self.unsaved:
                self.files.ask_save(layer)
            self._closing.start()
        return True

    def ask(self) -> str:
        """Return `SAVE_BUTTON`, `DISCARD_BUTTON`, or nothing for staying."""
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle(SAVE_TITLE)
        names = ", ".join(layer.name for layer in self.unsaved)
        box.setText(UNSAVED_RESULTS.format(names=names))
        box.setInformativeText(UNSAVED_RESULTS_HELP)
        roles = QMessageBox.ButtonRole
        save = box.addButton(SAVE_BUTTON, roles.AcceptRole)
        discard = box.addButton(DISCARD_BUTTON, roles.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(save)
        box.exec()
        clicked = box.clickedButton()
        box.deleteLater()
        return (
            SAVE_BUTTON
            if clicked is save
            else DISCARD_BUTTON
            if clicked is discard
            else ""
        )

    def _on_saved(self, saved: SavedFile) -> None:
        mark_saved(self._viewer, saved)
        state_of(self._viewer).tissue_changed.emit(saved.tissue, self)

    def _on_failed(self, error: Exception, details: str) -> None:
        self._closing.stop()
        QMessageBox.warning(self._window, NOT_SAVED_TITLE, for_window(error))

    def _forget(self) -> None:
        self._discarded = False
        if self._window.isVisible():
            for layer in self.unsaved:
                keeper_of(self._viewer).note(tissue_of(layer))

    def _close_when_saved(self) -> None:
        """Close once all is written; a file that was not named keeps the window."""
        if self.files.saving:
            return
        self._closing.stop()
        if not self.unsaved:
            self._window.close()


def guard_closing(widget: QWidget, viewer: Viewer) -> CloseGuard | None:
    """Let the window that a dock is in ask before it closes over unsaved results.

    Returns
    -------
    CloseGuard or None
        The window's guard, the same for all its docks; `None` outside of a window.
    """
    window = main_window(widget)
    if window is None:
        return None
    existing = window.findChild(CloseGuard)
    if existing is not None:
        guard: CloseGuard = existing
        return guard
    return CloseGuard(window, viewer)


def main_window(widget: QWidget) -> QMainWindow | None:
    """Return the outermost main window that a widget is in, floating docks included."""
    outermost, ancestor = None, widget.parentWidget()
    while ancestor is not None:
        outermost = ancestor if isinstance(ancestor, QMainWindow) else outermost
        ancestor = ancestor.parentWidget()
    return outermost
