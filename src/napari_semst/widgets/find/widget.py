"""The dock "Find domains": joins its parts to the viewer, and does little itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QSignalBlocker, QTimer
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_semst.keys import DOMAIN
from napari_semst.viewer import adapter, sections
from napari_semst.viewer.display_state import DisplayState
from napari_semst.viewer.hover import receive_layer
from napari_semst.viewer.spots import tissue_of
from napari_semst.viewer.spots_as_image import draws_as_image
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.configuration import ConfigurationFiles, recall_request
from napari_semst.widgets.find.controller import free_run_name
from napari_semst.widgets.find.image import layer_images
from napari_semst.widgets.find.job import cuda_devices
from napari_semst.widgets.find.join import SectionJoiner, can_be_joined
from napari_semst.widgets.find.paint_results import ResultPainter
from napari_semst.widgets.find.results import ResultsPanel, discordant_spots
from napari_semst.widgets.find.run_box import RunBox
from napari_semst.widgets.find.running import RunManager
from napari_semst.widgets.find.saving import ResultSaver
from napari_semst.widgets.find.section import SectionPicker
from napari_semst.widgets.find.settings import SettingsForm
from napari_semst.widgets.find.summary import (
    device_line,
    joined_status,
    run_status,
    section_status,
)
from napari_semst.widgets.shared.errors import describe_error, error_report
from napari_semst.widgets.shared.files import FileDialogs
from napari_semst.widgets.shared.forms import heading, scroll_area
from napari_semst.widgets.shared.layer_notice import LayerNotice
from napari_semst.widgets.shared.recovery_offer import RecoveryOffer
from napari_semst.widgets.shared.state import state_of
from napari_semst.widgets.shared.status import StatusCard
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer
    from napari.types import LayerData
    from napari.viewer import Viewer

    from napari_semst.config import Request
    from napari_semst.widgets.find.job import JobAnswer


class FindDomains(QWidget):
    """Choose a section and settings, run, look at the result, save it."""

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self.state = state_of(napari_viewer)
        self._docked = False
        self._shown: Layer | None = None
        self.files = FileDialogs(self)
        self.joiner = SectionJoiner(self)
        self.devices = BackgroundTask(cuda_devices)
        self.moving = BackgroundTask(sections.plan_move)
        self.recovery = RecoveryOffer(napari_viewer)
        self.section = SectionPicker()
        self.notice = LayerNotice(napari_viewer, self.section)
        self.settings = SettingsForm()
        self.run_box = RunBox()
        self.card = StatusCard()
        self.results = ResultsPanel()
        self.canvas = ResultPainter(self.results, self._shown_layers, self.state, self)
        self.running = RunManager(
            self.section, self.settings, self.run_box, self._layers_of, self
        )
        self.controller = self.running.controller
        self.configuration = ConfigurationFiles(
            self.settings.configuration,
            self.running.request,
            self._show_request,
            self,
        )
        self.keeping = ResultSaver(
            napari_viewer, self.section, self.results, self.files, self
        )
        self._build()
        self._connect()
        if recall_request(self.settings.show_request).get("show_domains") is False:
            self.running.show_domains = False
        self._on_layers()

    def _build(self) -> None:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        for part in (
            self.recovery,
            heading("Section"),
            self.section,
            self.notice,
            heading("Settings"),
            self.settings,
            self.run_box,
            self.card,
            self.results,
        ):
            column.addWidget(part)
        column.addStretch(1)
        self._area = scroll_area(self, content)
        # What the panels need is known only after the layout had its turn.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(50)
        self._later.timeout.connect(self._scroll_to_results)

    def _connect(self) -> None:
        layers = self._viewer.layers.events
        layers.inserted.connect(self._on_layers)
        layers.removed.connect(self._on_layers)
        layers.reordered.connect(self._on_layers)
        self.section.changed.connect(self._on_section)
        self.notice.changed.connect(self._on_noticed)
        self.notice.restored.connect(self.results.paint_again)
        self.notice.opacity_changed.connect(self._show_opacity)
        self.section.coordinates_chosen.connect(self._on_coordinates)
        self.section.shown_chosen.connect(self._on_shown)
        self.section.join_wanted.connect(self._on_join)
        self.settings.sections.chosen.connect(self._on_sections)
        self.section.file_wanted.connect(self.files.ask_file)
        self.section.folder_wanted.connect(self.files.ask_folder)
        self.settings.device.opened.connect(self._look_for_devices)
        self.devices.done.connect(self.settings.add_cuda)
        self.results.discordant.wanted.connect(self._on_discordant)
        self.results.opacity_changed.connect(self._on_opacity)
        for source in (
            self.running,
            self.keeping,
            self.files,
            self.joiner,
            self.configuration,
            self.recovery.keeper,
        ):
            source.failed.connect(self._on_failed)
        told = self.running, self.keeping, self.configuration, self.recovery.keeper
        for source in told:
            source.status_changed.connect(self.card.show_status)
        self.running.changed.connect(self._refresh_buttons)
        self.running.succeeded.connect(self._on_succeeded)
        self.running.painted_over.connect(self._show_results)
        self.keeping.shown_again.connect(self._show_results)
        self.section.counts_chosen.connect(self._tell_standing)
        self.state.tissue_changed.connect(self._on_tissue_changed)
        self.state.look_changed.connect(self._on_look_changed)
        self.state.selection_changed.connect(self._on_selection)
        self.files.opening.connect(self._on_opening)
        self.files.opened.connect(self._on_opened)
        self.files.all_opened.connect(self._on_all_opened)
        self.moving.done.connect(self._on_places)
        self.moving.failed.connect(self._on_no_places)
        self.joiner.joining.connect(self._on_joining)
        self.joiner.joined.connect(self._on_joined)
        # A dock that goes away takes its run with it: a thread that nobody can see
        # or cancel would keep the process alive.
        self.destroyed.connect(self.controller.shutdown)
        self.destroyed.connect(self.settings.meaning.server.test.abandon)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.controller.shutdown)
            application.aboutToQuit.connect(self.settings.meaning.server.test.abandon)

    def event(self, event: QEvent) -> bool:
        """Notice when the dock is taken out of the window."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None and self._docked:
                self.running.leave()
                self.settings.meaning.server.test.abandon()
            self._docked = self.parent() is not None
        return super().event(event)

    # --- the section

    def _sections(self) -> list[Layer]:
        return [x for x in self._viewer.layers if tissue_of(x) is not None]

    def _on_layers(self, event: Any = None) -> None:
        """Keep the list of sections true; a run whose section left is discarded."""
        self.settings.histology.image.set_layers(layer_images(self._viewer.layers))
        layers = self._sections()
        for layer in layers:
            # Connecting the same slot twice is one connection.
            layer.events.name.connect(self._on_renamed)
            for one in (layer, *sections.images_of(layer, self._viewer.layers)):
                receive_layer(one)
        job = self.controller.job
        gone = job is not None and not self._layers_of(job.tissue)
        if gone:
            self.running.cancel()
        # What was opened last is what a user means to work on, unless a run is on.
        new = event.value if event is not None and event.type == "inserted" else None
        idle = self.controller.job is None
        self.section.set_layers(layers, new if idle and new in layers else None)
        if gone:
            self.card.show_status("warning", texts.CANCELLED, texts.LAYER_GONE_HELP)

    def _on_renamed(self, event: Any = None) -> None:
        self.section.set_layers(self._sections())

    def _layers_of(self, tissue: AnnData) -> list[Layer]:
        return [x for x in self._sections() if tissue_of(x) is tissue]

    def _shown_layers(self) -> list[Layer]:
        tissue = self.section.tissue
        return [] if tissue is None else self._layers_of(tissue)

    def _on_section(self) -> None:
        layer = self.section.layer
        changed = layer is not self._shown
        self._shown = layer
        self._offer_settings()
        self._refresh_buttons()
        if not changed and layer is not None:
            return
        self._tell_standing()
        # Its spots are painted as it remembers.
        self._show_results(paint=False)
        self.running.look_ahead()

    def _tell_standing(self) -> None:
        """Say on the card how the section chosen stands, unless it tells of work."""
        if self.controller.job is None and not self.files.busy:
            self.card.show_status(
                *section_status(
                    self.section.tissue, self.section.counts_layer, self._sections_by
                )
            )

    def _offer_settings(self) -> None:
        tissue = self.section.tissue
        free = "default" if tissue is None else free_run_name(tissue)
        self.settings.set_tissue(tissue, free, self._sections_by)

    @property
    def _sections_by(self) -> str:
        """The column by which the section is shown in several, else empty."""
        layer = self.section.layer
        return "" if layer is None else sections.sections_by(layer)

    def _show_request(self, request: Request) -> None:
        """Show a request in the fields of the settings and of the section."""
        self.settings.show_request(request)
        extra = self.settings.extra
        rest = extra.settings
        self.section.show_settings(rest.get("prepare", {}))
        extra.keep(rest)

    def _on_coordinates(self, key: str) -> None:
        """Move the spots on the canvas to where the run will take them to be."""
        if not self._move(key, None):
            self.section.put_coordinates_back()

    def _on_sections(self, column: str) -> None:
        """Let sections stand side by side as the run will tell them apart."""
        layer = self.section.layer
        key = None if layer is None else layer.metadata.get(adapter.COORDINATES)
        if not self._move(key, column):
            self._offer_settings()

    def _move(self, key: str | None, column: str | None) -> bool:
        """Move the section's spots and images; return whether that was possible.

        Where to is worked out in the background if they are many.
        """
        layer, tissue = self.section.layer, self.section.tissue
        if layer is None or tissue is None:
            return True
        if column is None:
            column = sections.sections_by(layer)
        if draws_as_image(tissue):
            self.card.show_status("running", texts.MOVING, layer.name)
            self.moving.start(tissue, key, column)
            return True
        try:
            self._on_places(sections.plan_move(tissue, key, column))
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self._on_failed(error, error_report(error))
            return False
        return True

    def _on_places(self, moved: sections.SpotMove) -> None:
        """Move spots and images to places that are known by now."""
        for layer in self._layers_of(moved.tissue):
            images = sections.images_of(layer, self._viewer.layers)
            sections.move_spots(layer, moved.key, moved.column, images, moved)
            # A layer keeps the image of the spots for itself.
            moved = replace(moved, raster=None)
        self.section.refresh()
        if self.controller.job is None and not self.files.busy:
            self.card.show_status(
                *section_status(self.section.tissue, sections_by=self._sections_by)
            )
        self._viewer.reset_view()

    def _on_no_places(self, error: Exception, details: str) -> None:
        self._on_failed(error, details)
        self.section.put_coordinates_back()
        self._offer_settings()

    def _on_shown(self, name: str) -> None:
        """Show one section alone, and look at it, or all of them."""
        layer = self.section.layer
        if layer is None:
            return
        images = sections.images_of(layer, self._viewer.layers)
        sections.show_section(layer, name, images)
        if name:
            box = sections.visible_box(self._viewer, layer, images)
            sections.zoom_to(self._viewer, box)
        else:
            self._viewer.reset_view()

    def _show_results(
        self, look: DisplayState | None = None, *, paint: bool = True
    ) -> None:
        """Show a section's results as its layer remembers them, or with a new look."""
        layer, tissue = self.section.layer, self.section.tissue
        if layer is None or tissue is None:
            self.results.set_tissue(None)
            return
        look = look or DisplayState.of(layer)
        self.results.set_tissue(tissue, look, layer.opacity, paint=paint)
        self.results.discordant.show_selection(self.state.selection(tissue))
        self.results.mark_unsaved(adapter.UNSAVED in layer.metadata)

    def _refresh_buttons(self) -> None:
        running = self.running.busy
        self.run_box.set_state(can_run=self.section.tissue is not None, running=running)
        self.section.setEnabled(not running)
        self.settings.setEnabled(not running)

    # --- the run

    def run(self) -> None:
        """Start a run with the settings as they stand."""
        self.running.run()

    def _look_for_devices(self) -> None:
        if not self.devices.busy:
            self.devices.start()

    def _on_failed(self, error: Exception, details: str) -> None:
        self._refresh_buttons()
        title, text = describe_error(error)
        self.card.show_status("error", title, text, details)

    def _on_succeeded(self, answer: JobAnswer) -> None:
        job = answer.job
        for layer in self._layers_of(job.tissue):
            adapter.refresh(layer)
        self.keeping.mark_unsaved(job.tissue)
        self.settings.run.clear()
        self._offer_settings()
        self.settings.note_device(device_line(answer.result.provenance))
        self._refresh_buttons()
        self.card.show_status(*run_status(answer))
        self._show_results(DisplayState(DOMAIN, job.run, None, self.results.look.fade))
        self.state.tissue_changed.emit(job.tissue, self)
        self._later.start()

    def _on_tissue_changed(self, tissue: AnnData, by: object) -> None:
        """Offer the columns that another dock made."""
        if by is not self and tissue is self.section.tissue:
            self._show_results(paint=False)

    def _on_look_changed(self, tissue: AnnData, by: object) -> None:
        """Tell what another dock put on the spots; provisional domains give way."""
        if by is not self and tissue is self.section.tissue:
            self.running.live.end()
            self._show_results(paint=False)

    def _scroll_to_results(self) -> None:
        self._area.ensureWidgetVisible(self.results)

    # --- looking at it

    def _on_selection(self, tissue: AnnData) -> None:
        """Say on the button whether it is the discordant spots that are selected."""
        if tissue is self.section.tissue:
            self.results.discordant.show_selection(self.state.selection(tissue))

    def _on_discordant(self) -> None:
        """Select the discordant spots, or nothing where they are selected."""
        tissue = self.section.tissue
        if tissue is None:
            return
        called = discordant_spots(tissue)
        selected = self.state.selection(tissue)
        again = selected is not None and np.array_equal(selected, called)
        self.state.select(tissue, None if again else called)
        self.results.paint_again()

    def _on_noticed(self) -> None:
        self.results.follow(not self.notice.breaks_colours)

    def _show_opacity(self, opacity: float) -> None:
        with QSignalBlocker(self.results.opacity):
            self.results.opacity.setValue(round(100 * opacity))

    def _on_opacity(self, opacity: float) -> None:
        if self.section.layer is not None:
            self.section.layer.opacity = opacity

    # --- files

    def _on_opening(self, name: str) -> None:
        self.card.show_status("running", texts.OPENING, name)

    def _on_opened(self, tissue: AnnData, name: str, data: list[LayerData]) -> None:
        try:
            self._add_section(tissue, data)
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self._on_failed(error, error_report(error))

    def _add_section(self, tissue: AnnData, data: list[LayerData]) -> None:
        from napari.layers import Layer

        # All are made before any is shown: half a section would be of no use.
        layers = [Layer.create(*layer_data) for layer_data in data]
        for layer in layers:
            self._viewer.add_layer(layer)
        self._viewer.reset_view()
        # Not what `add_layer` returns: a plugin's viewer hands out stand-ins of layers.
        self.section.set_layers(self._sections(), choose=self._layers_of(tissue)[-1])
        self.card.show_status(*section_status(tissue))

    def _on_all_opened(self, count: int) -> None:
        self.card.show_status(
            "ready", texts.OPENED.format(count=count), texts.OPENED_HELP
        )

    def _on_join(self) -> None:
        self.joiner.ask([x for x in self._sections() if can_be_joined(x)])

    def _on_joining(self, names: str) -> None:
        self.card.show_status("running", texts.JOINING, names)

    def _on_joined(
        self,
        tissue: AnnData,
        name: str,
        data: list[LayerData],
        single: list[Layer],
    ) -> None:
        try:
            self._add_section(tissue, data)
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self._on_failed(error, error_report(error))
            return
        # The first of the joined ones stands where its single section does.
        for layer in single:
            for one in (layer, *sections.images_of(layer, self._viewer.layers)):
                one.visible = False
        self.card.show_status(*joined_status(tissue, len(single)))
