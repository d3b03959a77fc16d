"""Top of the dock: which section, where it comes from, what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QLabel, QWidget

from napari_semst import keys
from napari_semst.io.matrices import named_layers
from napari_semst.viewer import adapter, sections
from napari_semst.viewer.spots import tissue_of
from napari_semst.widgets.find.join import can_be_joined
from napari_semst.widgets.find.texts import SIDE_BY_SIDE, TIPS
from napari_semst.widgets.shared.facts import section_facts
from napari_semst.widgets.shared.forms import (
    add_row,
    form_layout,
    push_button,
    row_of,
    short_combo,
    stacked,
)
from napari_semst.widgets.shared.sections import NO_SECTION

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer


class SectionPicker(QWidget):
    """Choose among the sections that are open, or ask for another to be opened."""

    changed = Signal()
    coordinates_chosen = Signal(str)
    counts_chosen = Signal()
    shown_chosen = Signal(str)
    join_wanted = Signal()
    file_wanted = Signal()
    folder_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers: list[Layer] = []
        self.combo = short_combo(TIPS["section"])
        self.file_button = push_button("Open file...", TIPS["open_file"])
        self.folder_button = push_button("Open folder...", TIPS["open_folder"])
        self.join_button = push_button("Join sections...", TIPS["join"])
        self.shown = short_combo(TIPS["shown"])
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.coordinates = QComboBox()
        self.coordinates.setToolTip(TIPS["coordinates"])
        self.counts = QComboBox()
        self.counts.setToolTip(TIPS["counts"])
        self._build()
        self.combo.currentIndexChanged.connect(self._on_section)
        self.coordinates.currentIndexChanged.connect(self._on_coordinates)
        self.coordinates.currentIndexChanged.connect(self._on_chosen)
        self.counts.currentIndexChanged.connect(self._on_counts)
        self.file_button.clicked.connect(self.file_wanted)
        self.folder_button.clicked.connect(self.folder_wanted)
        self.join_button.clicked.connect(self.join_wanted)
        self.shown.currentIndexChanged.connect(self._on_shown)
        self.set_layers([])

    def _build(self) -> None:
        buttons = row_of(self.file_button, self.folder_button, spacing=6)
        self._form = form_layout()
        add_row(self._form, "Section", self.shown)
        add_row(self._form, "Coordinates", self.coordinates)
        add_row(self._form, "Counts", self.counts)
        stacked(
            self,
            self.combo,
            buttons,
            self.join_button,
            self.facts,
            self._form,
            spacing=6,
        )

    @property
    def layer(self) -> Layer | None:
        """The layer of spots of the section chosen."""
        index = self.combo.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    @property
    def tissue(self) -> AnnData | None:
        """The section chosen."""
        return None if self.layer is None else tissue_of(self.layer)

    @property
    def coordinates_key(self) -> str:
        """The obsm key of the coordinates chosen."""
        return str(self.coordinates.currentData() or keys.SPATIAL)

    @property
    def counts_layer(self) -> str:
        """Where the raw counts are; empty: X."""
        return str(self.counts.currentData() or "")

    def set_layers(self, layers: list[Layer], choose: Layer | None = None) -> None:
        """Offer these layers; keep the choice where it is still there."""
        wanted = choose if choose is not None else self.layer
        before = self.layer
        self._layers = list(layers)
        with QSignalBlocker(self.combo):
            self.combo.clear()
            self.combo.addItems([layer.name for layer in self._layers] or [NO_SECTION])
            self.combo.setEnabled(bool(self._layers))
            self.join_button.setVisible(sum(map(can_be_joined, layers)) > 1)
            if any(wanted is layer for layer in self._layers):
                self.combo.setCurrentIndex(
                    next(i for i, layer in enumerate(self._layers) if layer is wanted)
                )
        if self.layer is not before or not self._layers:
            self._on_section()

    def _on_section(self) -> None:
        tissue = self.tissue
        coordinates = [] if tissue is None else adapter.coordinate_keys(tissue)
        with QSignalBlocker(self.coordinates):
            self.coordinates.clear()
            for key in coordinates:
                self.coordinates.addItem(key, key)
            self._choose_as_shown()
        self._form.setRowVisible(self.coordinates, len(coordinates) > 1)
        with QSignalBlocker(self.counts):
            self.counts.clear()
            for name, label in [] if tissue is None else counts_places(tissue):
                self.counts.addItem(label, name)
        self._form.setRowVisible(self.counts, self.counts.count() > 1)
        self._offer_sections()
        self._on_coordinates()

    def _offer_sections(self) -> None:
        """Offer the sections that the layer shows, where they are several."""
        layer = self.layer
        names = () if layer is None else sections.sections_on(layer)
        with QSignalBlocker(self.shown):
            self.shown.clear()
            self.shown.addItem(SIDE_BY_SIDE, "")
            for name in names:
                self.shown.addItem(name, name)
            on_show = "" if layer is None else sections.section_shown(layer)
            self.shown.setCurrentIndex(max(self.shown.findData(on_show), 0))
        self._form.setRowVisible(self.shown, bool(names))

    def refresh(self) -> None:
        """Bring what is told of the layer up to how it stands now."""
        self._offer_sections()
        self._tell_facts()

    def _on_shown(self) -> None:
        self.shown_chosen.emit(str(self.shown.currentData() or ""))

    def _choose_as_shown(self) -> None:
        """Choose the coordinates at which the spots stand on the canvas."""
        shown = None if self.layer is None else self.layer.metadata
        index = self.coordinates.findData((shown or {}).get(adapter.COORDINATES))
        if index >= 0:
            self.coordinates.setCurrentIndex(index)

    def put_coordinates_back(self) -> None:
        """Choose the coordinates on show again, without another word."""
        with QSignalBlocker(self.coordinates):
            self._choose_as_shown()
        self._on_coordinates()

    def _on_counts(self) -> None:
        self.counts_chosen.emit()

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Choose coordinates and counts as settings have them, where they are here.

        What is chosen is taken out of the settings.
        """
        for name, combo in (
            ("coordinates", self.coordinates),
            ("counts_layer", self.counts),
        ):
            index = combo.findData(settings.get(name, ""))
            if index >= 0:
                settings.pop(name, None)
                combo.setCurrentIndex(index)

    def _on_chosen(self) -> None:
        if self.coordinates.currentData():
            self.coordinates_chosen.emit(self.coordinates_key)

    def _on_coordinates(self) -> None:
        self._tell_facts()
        self.changed.emit()

    def _tell_facts(self) -> None:
        layer, tissue, text = self.layer, self.tissue, ""
        if layer is not None and tissue is not None:
            key = self.coordinates.currentData()
            several = len(sections.sections_on(layer))
            text = section_facts(tissue, key, sections.sections_by(layer), several)
        self.facts.setText(text)
        self.facts.setVisible(bool(text))


def counts_places(tissue: AnnData) -> list[tuple[str, str]]:
    """Return where raw counts may be, as the setting's value and a label."""
    places = [] if tissue.X is None else [("", "X (main table)")]
    if tissue.raw is not None:
        places.append(("raw", "raw"))
    return places + [(str(name), f"layer {name}") for name in named_layers(tissue)]
