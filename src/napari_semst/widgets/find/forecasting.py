"""Keeps the forecast below Run true while section and settings change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_semst.errors import SemstError
from napari_semst.widgets.find.outlook import Outlook, look_ahead
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from napari_semst.config import Request

# Typing a number changes it with every digit.
_PAUSE_MS = 400


class Forecasting(QObject):
    """Look ahead a moment after the last change, in a thread.

    Parameters
    ----------
    asked
        Returns section, request and counts layer as they stand, or None where there
        is nothing to forecast; it may raise a `SemstError`.
    parent
        The dock; what is here ends with it.
    """

    told = Signal(object)  # Outlook; nothing to say where it is empty

    def __init__(
        self,
        asked: Callable[[], tuple[AnnData, Request, str] | None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._asked = asked
        self.errand = BackgroundTask(look_ahead)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._look)
        self.errand.done.connect(self.told)
        self.errand.failed.connect(self._on_failed)

    def refresh(self) -> None:
        """Look again when nothing has changed for a moment."""
        self._pause.start()

    @property
    def waiting(self) -> bool:
        """Whether a forecast is on its way."""
        return self._pause.isActive() or self.errand.busy

    def _look(self) -> None:
        try:
            asked = self._asked()
        except SemstError:
            # Run says what is missing; a forecast of half a choice would mislead.
            asked = None
        if asked is None:
            self._tell_nothing()
            return
        self.errand.start(*asked)

    def _on_failed(self, error: Exception, details: str) -> None:
        self._tell_nothing()

    def _tell_nothing(self) -> None:
        self.told.emit(Outlook("", "", ""))
