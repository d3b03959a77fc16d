"""What a run will need and use, looked up before it starts; no widget is known here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_semst.errors import SemstError
from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.resources import (
    READING_SOURCES,
    count_stored_values,
    describe_device,
)
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from napari_semst.config import Config, Request

# Numbers that a language model of 4 billion weights gives for a spot.
_LANGUAGE_WIDTH = 2560
# Typing a number changes it with every digit.
_PAUSE_MS = 400


@dataclass(frozen=True, slots=True)
class RunForecast:
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


def forecast_run(
    tissue: AnnData, request: Request, counts_layer: str = ""
) -> RunForecast:
    """Return what a run will need; imports torch, so not for the window's thread.

    Parameters
    ----------
    counts_layer
        Where the raw counts are; empty: X.

    Raises
    ------
    ConfigError
        If a setting is not accepted.
    """
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline.forecast import forecast, memory_warning

    config = resolve(request)
    n_counts = count_stored_values(tissue, counts_layer)
    estimate = forecast(tissue.n_obs, tissue.n_vars, n_counts, config)
    device, line = describe_device(config.training.device)
    words = texts.FORECAST if device == "cpu" else texts.FORECAST_OF_CPU
    reads = config.semantics.source in READING_SOURCES
    needs = [words.format(forecast=estimate)]
    if reads:
        # It mostly takes longest, and so comes first.
        rest = texts.FORECAST_OF_REST.format(forecast=estimate)
        needs = [*_reading(config, tissue, device), rest]
    width = {"semantic_width": _LANGUAGE_WIDTH} if reads else {}
    short = memory_warning(tissue.n_obs, n_counts, config, on_disk=False, **width)
    warning = "" if short is None else texts.MAY_NOT_FIT.format(forecast=estimate)
    return RunForecast("\n".join(needs), warning, line)


def _reading(config: Config, tissue: AnnData, device: str) -> list[str]:
    """Return what a language model has to read, and how long it may take."""
    from napari_semst.semantics.language_model.resources import forecast_language_model

    estimate = forecast_language_model(
        config.semantics, tissue.n_obs, tissue.n_vars, device
    )
    if estimate is None:
        return []
    amount, _, time = estimate.sentences
    amount = f"{amount[:1].lower()}{amount[1:]}"
    return [texts.READING.format(amount=amount, time=time)]


class RunForecaster(QObject):
    """Look ahead a moment after the last change, in a thread.

    Parameters
    ----------
    asked
        Returns section, request and counts layer as they stand, or None where there
        is nothing to forecast; it may raise a `SemstError`.
    """

    told = Signal(object)  # Outlook; nothing to say where it is empty

    def __init__(
        self,
        asked: Callable[[], tuple[AnnData, Request, str] | None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._asked = asked
        self.task = BackgroundTask(forecast_run)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._look)
        self.task.done.connect(self.told)
        self.task.failed.connect(self._on_failed)

    def refresh(self) -> None:
        """Look again when nothing has changed for a moment."""
        self._pause.start()

    @property
    def waiting(self) -> bool:
        """Whether a forecast is on its way."""
        return self._pause.isActive() or self.task.busy

    def _look(self) -> None:
        try:
            asked = self._asked()
        except SemstError:
            # Run says what is missing; a forecast of half a choice would mislead.
            asked = None
        if asked is None:
            self._tell_nothing()
            return
        self.task.start(*asked)

    def _on_failed(self, error: Exception, details: str) -> None:
        self._tell_nothing()

    def _tell_nothing(self) -> None:
        self.told.emit(RunForecast("", "", ""))
