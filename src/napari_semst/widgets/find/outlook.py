"""What a run will need and use, looked up before it starts; no widget is known here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_semst.errors import DeviceError, SemstError
from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.worker import BackgroundTask
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from napari_semst.config import Config, Request


# Numbers that a language model of 4 billion weights gives for a spot.
_LANGUAGE_WIDTH = 2560
READERS = ("prompts", "genes")
_ROWS_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is told below Run before a run.

    Parameters
    ----------
    needs
        Time and memory, in a line or two.
    warning
        What to do where memory may not do, else empty.
    device
        What was found to compute on, and what of it is used.
    """

    needs: str
    warning: str
    device: str


def look_ahead(tissue: AnnData, request: Request, counts_layer: str = "") -> Outlook:
    """Return what a run will need; imports torch, so not for the window's thread.

    Parameters
    ----------
    tissue
        The section; it is read only.
    request
        The settings.
    counts_layer
        Where the raw counts are; empty: X.

    Raises
    ------
    ConfigError
        If a setting is not accepted.
    """
    from napari_semst.config.presets import resolve
    from napari_semst.pipeline.resources import forecast, memory_warning

    config = resolve(request)
    n_counts = counts_stored(tissue, counts_layer)
    found = forecast(tissue.n_obs, tissue.n_vars, n_counts, config)
    device, line = device_found(config.training.device)
    words = texts.FORECAST if device == "cpu" else texts.FORECAST_OF_CPU
    reads = config.semantics.source in READERS
    needs = [words.format(forecast=found)]
    if reads:
        # It mostly takes longest, and so comes first.
        rest = texts.FORECAST_OF_REST.format(forecast=found)
        needs = [*_reading(config, tissue, device), rest]
    width = {"semantic_width": _LANGUAGE_WIDTH} if reads else {}
    short = memory_warning(tissue.n_obs, n_counts, config, **width)
    warning = "" if short is None else texts.MAY_NOT_FIT.format(forecast=found)
    return Outlook("\n".join(needs), warning, line)


def _reading(config: Config, tissue: AnnData, device: str) -> list[str]:
    """Return what a language model has to read, and how long it may take."""
    from napari_semst.semantics.language_model.resources import forecast_language_model

    found = forecast_language_model(
        config.semantics, tissue.n_obs, tissue.n_vars, device
    )
    if found is None:
        return []
    amount, _, time = found.sentences
    amount = f"{amount[:1].lower()}{amount[1:]}"
    return [texts.READING.format(amount=amount, time=time)]


def counts_stored(tissue: AnnData, counts_layer: str = "") -> int:
    """Return about how many counts are not zero, without a copy of the table.

    Parameters
    ----------
    tissue, counts_layer
        As in `look_ahead`.
    """
    import numpy as np

    matrix: Any = tissue.X
    if counts_layer in tissue.layers:
        matrix = tissue.layers[counts_layer]
    elif counts_layer == "raw" and tissue.raw is not None:
        matrix = tissue.raw.X
    if matrix is None:
        return 0
    if hasattr(matrix, "nnz"):
        return int(matrix.nnz)
    if not isinstance(matrix, np.ndarray):
        return int(np.prod(matrix.shape))
    some = matrix[:: -(-max(len(matrix), 1) // _ROWS_LOOKED_AT)]
    return round(np.count_nonzero(some) / max(some.size, 1) * matrix.size)


def device_found(wanted: str) -> tuple[str, str]:
    """Return the device that a run would use, and a line on what was found.

    Parameters
    ----------
    wanted
        As in the settings: ``auto``, ``cpu``, ``cuda`` or ``cuda:<index>``.
    """
    from napari_semst.core.device import choose_device

    try:
        chosen = choose_device(wanted)
    except DeviceError as error:
        return "cpu", for_window(error)
    if chosen.name != "cpu":
        return chosen.name, texts.GPU_FOUND.format(
            reason=chosen.reason, name=chosen.name
        )
    words = texts.CPU_FOUND if wanted == "auto" else texts.CPU_ASKED
    return "cpu", words.format(cores=cores_in_words(cores()))


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cores_in_words(count: int) -> str:
    """Return a number of cores as people say it."""
    return "1 core" if count == 1 else f"{count} cores"


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
