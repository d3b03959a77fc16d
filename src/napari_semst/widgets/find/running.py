"""From Run to a result: forecast, question, progress, domains while training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst.errors import SemstError
from napari_semst.methods.resolve import resolve
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.configuration import remember_request
from napari_semst.widgets.find.controller import FindController
from napari_semst.widgets.find.forecast import RunForecaster
from napari_semst.widgets.find.job import SECONDS_BETWEEN_LOOKS
from napari_semst.widgets.find.paint_results import MOST_LIVE_SPOTS, LiveDomains
from napari_semst.widgets.find.summary import counts_problem
from napari_semst.widgets.shared.downloads import DownloadQuestion, may_download
from napari_semst.widgets.shared.key_question import agrees_to_send_key
from napari_semst.widgets.shared.resources import READING_SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData
    from napari.layers import Points
    from qtpy.QtWidgets import QWidget

    from napari_semst.config import Request
    from napari_semst.widgets.find.forecast import RunForecast
    from napari_semst.widgets.find.job import Job, JobAnswer, JobUpdate
    from napari_semst.widgets.find.run_box import RunBox
    from napari_semst.widgets.find.section import SectionPicker
    from napari_semst.widgets.find.settings import SettingsForm


class RunManager(QObject):
    """Run the section chosen with the settings as they stand, and tell how it goes."""

    status_changed = Signal(str, str, str)  # kind, title and text for the card
    failed = Signal(object, str)
    changed = Signal()  # whether a run is on
    succeeded = Signal(object)  # Answer
    painted_over = Signal()  # the colours from before are to be shown again

    def __init__(
        self,
        section: SectionPicker,
        settings: SettingsForm,
        run_box: RunBox,
        layers_of: Callable[[AnnData], list[Points]],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._section, self._settings, self._box = section, settings, run_box
        self._layers_of = layers_of
        self._asked: tuple[AnnData, Request, str] | None = None
        # What the user chose; until then the size of the section decides.
        self.show_domains: bool | None = None
        self.controller = FindController()
        self.downloads = DownloadQuestion(parent)
        self.forecasting = RunForecaster(self._forecast_of, self)
        self.live = LiveDomains(self)
        self._connect()

    def _connect(self) -> None:
        box, controller = self._box, self.controller
        box.run_button.clicked.connect(self.run)
        box.stop_button.clicked.connect(self._on_stop)
        box.cancel_button.clicked.connect(self.cancel)
        box.show_domains_chosen.connect(self._on_show_domains)
        self.live.painted.connect(box.provisional.show)
        self.downloads.agreed.connect(self._start)
        self.downloads.declined.connect(self._on_declined)
        self.downloads.failed.connect(self._on_failed)
        controller.started.connect(self._on_started)
        controller.updated.connect(self._on_updated)
        controller.succeeded.connect(self._on_succeeded)
        controller.failed.connect(self._on_failed)
        controller.cancelled.connect(self._on_cancelled)
        self.forecasting.told.connect(self._on_outlook)
        self._settings.changed.connect(self.forecasting.refresh)
        self._section.counts_chosen.connect(self.forecasting.refresh)

    @property
    def busy(self) -> bool:
        """Whether a run is on, or the question before it."""
        return self.controller.job is not None or self._asked is not None

    def look_ahead(self) -> None:
        """Forecast the section chosen; show domains while training if it is small."""
        tissue = self._section.tissue
        if tissue is not None:
            wanted = self.show_domains is not False and tissue.n_obs <= MOST_LIVE_SPOTS
            self._box.show_domains.setChecked(wanted)
        self.forecasting.refresh()

    def _forecast_of(self) -> tuple[AnnData, Request, str] | None:
        tissue, counts = self._section.tissue, self._section.counts_layer
        # No run would come of it, and the card says so.
        if tissue is None or self.busy or counts_problem(tissue, counts):
            return None
        return tissue, self.request(), counts

    def _on_outlook(self, outlook: RunForecast) -> None:
        self._box.show_outlook(outlook)
        if outlook.device:
            self._settings.note_device(outlook.device)

    def request(self) -> Request:
        """Return what a run would be asked for, or raise `SemstError`."""
        section = self._section
        return self._settings.request(section.coordinates_key, section.counts_layer)

    # --- the run

    def run(self) -> None:
        """Start a run with the settings as they stand."""
        tissue = self._section.tissue
        if tissue is None or self._asked is not None:
            return
        try:
            request = self.request()
            config = resolve(request)
            self._settings.histology.check()
            semantics = config.semantics
            if semantics.source == "server" and not agrees_to_send_key(
                self._box, semantics.url
            ):
                self.status_changed.emit("ready", texts.KEY_KEPT, texts.KEY_KEPT_HELP)
                return
        except SemstError as error:
            self.failed.emit(error, "")
            return
        self._asked = (tissue, request, self._settings.run_name())
        if not may_download(config):
            self._start()
            return
        self.changed.emit()
        reads = config.semantics.source in READING_SOURCES
        model = config.semantics.model if reads else config.morphology.encoder
        self.status_changed.emit("running", texts.CHECKING_MODEL, model)
        self.downloads.check(config)

    def _start(self) -> None:
        if self._asked is None:
            return
        asked, self._asked = self._asked, None
        try:
            self.controller.start(*asked)
        except SemstError as error:
            self._on_failed(error, "")
            return
        remember_request(asked[1], show_domains=self.show_domains is not False)

    def cancel(self) -> None:
        """Discard the run, or the question before it."""
        if self._asked is not None:
            self._asked = None
            self._on_cancelled()
        self.controller.cancel()

    def leave(self) -> None:
        """Discard the run without a word, and what it painted; the dock goes away."""
        self._asked = None
        self.controller.shutdown()
        self._end_live()

    def _on_declined(self) -> None:
        if self._asked is not None:
            self._asked = None
            self.changed.emit()
            self.status_changed.emit(
                "ready", texts.NOT_DOWNLOADED, texts.NOT_DOWNLOADED_HELP
            )

    def _on_started(self, job: Job) -> None:
        self.live.begin(self._layers_of(job.tissue))
        self._snapshot_every()
        self.changed.emit()
        self.status_changed.emit("running", texts.RUNNING, texts.RUNNING_HELP)

    def _snapshot_every(self) -> None:
        wanted = self._box.show_domains.isChecked()
        self.controller.snapshot_every(SECONDS_BETWEEN_LOOKS if wanted else None)

    def _on_show_domains(self, wanted: bool) -> None:
        self.show_domains = wanted
        job = self.controller.job
        if job is None:
            return
        self._snapshot_every()
        if wanted:
            self.live.begin(self._layers_of(job.tissue))
        else:
            self._end_live()

    def _on_updated(self, update: JobUpdate) -> None:
        self._settings.add_cuda(update.cuda_devices)
        self._box.show_update(update)
        if update.domains is not None:
            self.live.show(update.domains)
            if not self.live.on:
                self._box.provisional.hide()
                self.controller.snapshot_every(None)

    def _on_stop(self) -> None:
        self.controller.stop_early()
        self._box.stop_button.setEnabled(False)
        self.status_changed.emit("running", texts.RUNNING, texts.STOPPING_HELP)

    # --- its end

    def _end_live(self) -> None:
        shown = self.live.shown and self.live.on
        self.live.end()
        self._box.provisional.hide()
        if shown:
            self.painted_over.emit()

    def _on_cancelled(self) -> None:
        self._end_live()
        self.changed.emit()
        self.status_changed.emit("ready", texts.CANCELLED, texts.CANCELLED_HELP)

    def _on_failed(self, error: Exception, details: str) -> None:
        self._asked = None
        self._end_live()
        self.failed.emit(error, details)

    def _on_succeeded(self, answer: JobAnswer) -> None:
        # The result is painted by whoever hears of it.
        self.live.end()
        self.succeeded.emit(answer)
