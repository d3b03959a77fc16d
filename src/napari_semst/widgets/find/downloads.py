"""Asks before a run that would download a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.errand import Errand

if TYPE_CHECKING:
    from napari_semst.config import SemanticsConfig
    from napari_semst.semantics.model_files import DownloadNeed

READERS = ("prompts", "genes")
# Below, a download takes seconds and is told by the run itself.
_WORTH_ASKING = 0.3e9


class Downloads(QObject):
    """Find out whether a run would download a model, and ask.

    Parameters
    ----------
    window
        The dock.
    """

    agreed = Signal()
    declined = Signal()
    failed = Signal(object, str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.errand = Errand(download_needed)
        self.errand.done.connect(self._on_found)
        self.errand.failed.connect(self.failed)

    def check(self, semantics: SemanticsConfig) -> None:
        """Look, in a thread, whether a model must be downloaded; then ask."""
        self.errand.start(semantics)

    def _on_found(self, found: tuple[DownloadNeed, str] | None) -> None:
        if found is None or self._ask(*found):
            self.agreed.emit()
        else:
            self.declined.emit()

    def _ask(self, need: DownloadNeed, folder: str) -> bool:
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(texts.DOWNLOAD_TITLE)
        box.setText(texts.DOWNLOAD_ASKED.format(need=need))
        box.setInformativeText(texts.DOWNLOAD_WHERE.format(folder=folder))
        yes = box.addButton(texts.DOWNLOAD, QMessageBox.ButtonRole.AcceptRole)
        no = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(no)
        box.exec()
        answer = box.clickedButton() is yes
        box.deleteLater()
        return answer


def download_needed(semantics: SemanticsConfig) -> tuple[DownloadNeed, str] | None:
    """Return what a run would download and where it goes; asks no network.

    Parameters
    ----------
    semantics
        The settings, complete.

    Returns
    -------
    tuple or None
        `None` where nothing large is to be downloaded.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    from napari_semst.semantics.model_files import needs_download

    need = needs_download(semantics)
    if need is None or (need.n_bytes is not None and need.n_bytes < _WORTH_ASKING):
        return None
    return need, str(HF_HUB_CACHE)
