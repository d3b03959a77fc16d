"""Asks before a run that would download a language model or an image encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst.widgets.shared.question import agrees
from napari_semst.widgets.shared.resources import READING_SOURCES
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_semst.config import Config, SemanticsConfig
    from napari_semst.models.hub import DownloadNeed


DOWNLOAD_TITLE = "Download the model?"
DOWNLOAD_ASKED = "This run downloads {need} from huggingface.co."
DOWNLOAD_WHERE = "It is kept in {folder}, for later runs too."
DOWNLOAD = "Download"
NETWORK_ENCODERS = ("hf", "timm")
# Below, a download takes seconds and is told by the run itself.
_WORTH_ASKING = 0.3e9


class DownloadQuestion(QObject):
    """Find out whether a run would download a model, and ask."""

    agreed = Signal()
    declined = Signal()
    failed = Signal(object, str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.task = BackgroundTask(models_to_download)
        self.task.done.connect(self._on_found)
        self.task.failed.connect(self.failed)

    def check(self, config: Config) -> None:
        """Look, in a thread, whether a model must be downloaded; then ask."""
        self.task.start(config)

    def _on_found(self, found: list[tuple[DownloadNeed, str]]) -> None:
        if all(self._ask(*download) for download in found):
            self.agreed.emit()
        else:
            self.declined.emit()

    def _ask(self, need: DownloadNeed, folder: str) -> bool:
        asked = DOWNLOAD_ASKED.format(need=need)
        meaning = DOWNLOAD_WHERE.format(folder=folder)
        return agrees(self._window, DOWNLOAD_TITLE, asked, meaning, DOWNLOAD)


def may_download(config: Config) -> bool:
    """Return whether a run reads with a model that may not be here."""
    network = config.morphology.encoder.partition(":")[0] in NETWORK_ENCODERS
    return network or config.semantics.source in READING_SOURCES


def models_to_download(config: Config) -> list[tuple[DownloadNeed, str]]:
    """Return what a run would download and where it goes; asks no network."""
    from huggingface_hub.constants import HF_HUB_CACHE

    from napari_semst.morphology.encoders import encoder_download

    language = language_model_to_download(config.semantics)
    encoder = encoder_download(config.morphology)
    needs = [] if language is None else [language]
    return needs if encoder is None else [*needs, (encoder, str(HF_HUB_CACHE))]


def language_model_to_download(
    semantics: SemanticsConfig,
) -> tuple[DownloadNeed, str] | None:
    """Return what a run would download and where it goes; asks no network.

    Returns
    -------
    tuple or None
        `None` where nothing large is to be downloaded.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    from napari_semst.models.hub import needs_download

    need = needs_download(semantics)
    if need is None or (need.n_bytes is not None and need.n_bytes < _WORTH_ASKING):
        return None
    return need, str(HF_HUB_CACHE)
