"""What is inside an input, shown before it is opened, with the choices it leaves."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_semst.io.options import ReadOptions
from napari_semst.viewer.foreign_layers import (
    adoptable,
    read_foreign_layer,
    section_from_layer,
)
from napari_semst.widgets.open import texts
from napari_semst.widgets.open.opening import OpenOrder
from napari_semst.widgets.open.texts import TIPS
from napari_semst.widgets.shared.forms import (
    WrappedLabel,
    add_row,
    form_layout,
    heading,
    push_button,
    short_combo,
    stacked,
)
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer
    from napari.types import LayerData
    from napari.viewer import Viewer

    from napari_semst.io.preview import Preview
    from napari_semst.viewer.foreign_layers import ForeignLayer
    from napari_semst.widgets.open.opening import InputLook

# Kinds whose positions may stand in a file somewhere else.
_NEED_POSITIONS = ("10x_h5", "plain")
# Kinds that can be put together to bins of any size.
_ANY_BIN = ("gef", "gem")
_FACTS = ("Kind", "Spots", "Genes", "Raw counts", "Coordinates", "Image", "Annotations")
_FEW_NAMES = 6
_BAD = "color: rgb(214, 96, 77);"


class InsideCard(QFrame):
    """A card with what is inside one input, or one line for each of several."""

    changed = Signal()  # an option that what is inside depends on
    counts_chosen = Signal(str)  # where from; empty for the main table

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("semst_inside")
        self.setStyleSheet(
            "#semst_inside { background: rgba(128, 128, 128, 24); border-radius: 4px; }"
            "#semst_inside QLabel { background: transparent; }"
        )
        self._looks: list[InputLook] = []
        self._positions: Path | None = None
        self.title = WrappedLabel()
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.values = {name: WrappedLabel() for name in _FACTS}
        self.remarks = WrappedLabel()
        self.part = _combo("part")
        self.counts = _combo("counts")
        self.coordinates = _combo("coordinates")
        self.positions = push_button(texts.USUAL_POSITIONS, TIPS["positions"])
        self._build()
        self.part.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.part.activated.connect(self.changed)
        self.coordinates.activated.connect(self.changed)
        self.counts.activated.connect(self._on_counts)
        self.positions.clicked.connect(self._ask_positions)
        self.show_looks([])

    def _build(self) -> None:
        self._facts = form_layout()
        for name, value in self.values.items():
            add_row(self._facts, name, value)
        # Labels stand at the first line of a value that takes several.
        self._facts.setLabelAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        )
        self._facts.setVerticalSpacing(3)
        self._options = form_layout()
        add_row(self._options, "Part", self.part)
        add_row(self._options, "Counts from", self.counts)
        add_row(self._options, "Coordinates from", self.coordinates)
        add_row(self._options, "Positions file", self.positions)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 10, 10)
        layout.setSpacing(6)
        layout.addWidget(self.title)
        layout.addLayout(self._facts)
        layout.addWidget(self.remarks)
        layout.addLayout(self._options)

    @property
    def looks(self) -> list[InputLook]:
        """What was looked into."""
        return self._looks

    @property
    def options(self) -> ReadOptions:
        """What was chosen, as reading is told."""
        from napari_semst.io.preview import part_called

        part = self.part.currentText()
        return ReadOptions(
            counts=self.counts.currentData() or None,
            positions=self._positions or self.coordinates.currentData() or None,
            part=part_called(part) if part else None,
        )

    def show_looks(self, looks: Sequence[InputLook], *, again: bool = False) -> None:
        """Show what is inside one input or several.

        Parameters
        ----------
        looks
            What was looked into; nothing hides the card.
        again
            Whether it is the same input with other options: what is chosen stays.
        """
        self._looks = list(looks)
        readable = [look for look in looks if look.preview is not None]
        self.setVisible(bool(readable))
        if not again:
            self._positions = None
            self.positions.setText(texts.USUAL_POSITIONS)
        preview = readable[0].preview if len(looks) == 1 and readable else None
        for row in range(self._facts.rowCount()):
            self._facts.setRowVisible(row, preview is not None)
        if preview is None:
            self._offer(None, again)
            many = texts.SEVERAL.format(count=len(looks))
            self.title.setText(looks[0].path.name if len(looks) == 1 else many)
            _say(self.remarks, "\n".join(preview_line(look) for look in looks))
            return
        self.title.setText(looks[0].path.name)
        for name, (text, bad) in preview_facts(preview).items():
            self.values[name].setText(text)
            self.values[name].setStyleSheet(_BAD if bad else "")
        _say(self.remarks, "\n".join(map(for_window, preview.remarks)))
        self._offer(preview, again)
        if self.counts.currentData():
            self._on_counts()

    def _offer(self, preview: Preview | None, again: bool) -> None:
        """Offer the choices that an input leaves."""
        any_bin = (
            preview is not None and preview.kind in _ANY_BIN and bool(preview.parts)
        )
        parts = (
            preview.parts
            if preview is not None and (any_bin or len(preview.parts) > 1)
            else ()
        )
        counts = () if preview is None else preview.counts_places
        places = () if preview is None else preview.coordinates_places
        if not again:
            _fill(self.part, [(part, part) for part in parts])
            # A new line to type in, so that it is listened to once.
            self.part.setEditable(False)
            self.part.setEditable(any_bin)
            edit = self.part.lineEdit()
            if edit is not None:
                # Enter on a size that is not in the list.
                edit.returnPressed.connect(self.changed)
            self.part.setCurrentIndex(
                self.part.findData(preview.part if preview else "")
            )
            _fill(self.counts, [_count_place(place) for place in counts])
            first = [(texts.AS_FOUND, "")] if len(places) > 1 else []
            _fill(self.coordinates, first + [(place, place) for place in places])
        self._show(self._options, self.part, bool(parts))
        self._show(self._options, self.counts, len(counts) > 1)
        self._show(self._options, self.coordinates, len(places) > 1)
        needed = preview is not None and preview.kind in _NEED_POSITIONS
        self._show(self._options, self.positions, needed)

    @staticmethod
    def _show(rows: QFormLayout, field: QWidget, visible: bool) -> None:
        rows.setRowVisible(field, visible)

    def _on_counts(self) -> None:
        """Show where counts will be taken from; opening checks that they are counts."""
        place = str(self.counts.currentData() or "")
        preview = self._looks[0].preview if self._looks else None
        if preview is not None:
            text, bad = (
                (place, False) if place else preview_facts(preview)["Raw counts"]
            )
            self.values["Raw counts"].setText(text)
            self.values["Raw counts"].setStyleSheet(_BAD if bad else "")
        self.counts_chosen.emit(place)

    def _ask_positions(self) -> None:
        start = str(self._looks[0].path.parent) if self._looks else ""
        path, _ = QFileDialog.getOpenFileName(self, texts.CHOOSE_POSITIONS, start)
        if path:
            self._positions = Path(path)
            self.positions.setText(self._positions.name)
            self.changed.emit()


def preview_facts(preview: Preview) -> dict[str, tuple[str, bool]]:
    """Return what is inside as text, and whether that is a fault, by its name.

    Parameters
    ----------
    found
        What is inside.
    """
    counts = texts.NOT_LOOKED if preview.counts is None else preview.counts
    image = texts.NOTHING_INSIDE
    if preview.image is not None:
        image = f"{preview.image[1]:,} x {preview.image[0]:,} pixels"
    names = list(preview.annotations[:_FEW_NAMES])
    more = len(preview.annotations) - len(names)
    annotations = ", ".join(names) + (f" and {more} more" if more else "")
    return {
        "Kind": (preview.title, False),
        "Spots": (_number(preview.n_spots), False),
        "Genes": (_number(preview.n_genes), False),
        "Raw counts": (counts or texts.NOT_INSIDE, not counts),
        "Coordinates": (
            preview.coordinates or texts.NOT_INSIDE,
            not preview.coordinates,
        ),
        "Image": (image, False),
        "Annotations": (annotations or texts.NOTHING_INSIDE, False),
    }


def preview_line(look: InputLook) -> str:
    """Return one line on an input among several."""
    if look.preview is None:
        return f"{look.path.name}: {for_window(look.error or '')}"
    spots = _number(look.preview.n_spots)
    lacks = "".join(f", no {what}" for what in look.preview.missing)
    return (
        f"{look.path.name}: {spots} spots, {_number(look.preview.n_genes)} genes{lacks}"
    )


def _count_place(place: str) -> tuple[str, str]:
    """Return the label and the value of a place that may hold counts."""
    return ("X (main table)", "") if place == "X" else (place, place)


def _number(value: int | None) -> str:
    return texts.UNKNOWN if value is None else f"{value:,}"


def _say(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))


def _fill(combo: QComboBox, rows: Sequence[tuple[str, str]]) -> None:
    combo.clear()
    for text, value in rows:
        combo.addItem(text, value)


def _combo(name: str) -> QComboBox:
    combo = short_combo(TIPS[name])
    return combo


class OtherLayers(QWidget):
    """A list of what other plugins show, where that can be a section.

    Parameters
    ----------
    viewer
        The viewer whose layers are looked through.
    """

    wanted = Signal(object)  # Order
    failed = Signal(object, str)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Layer] = []
        self.combo = short_combo(TIPS["layer"])
        self.button = push_button("Use", TIPS["use"])
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.combo, 1)
        row.addWidget(self.button)
        stacked(self, heading(texts.SHOWN_FROM), row, spacing=6)
        self.button.clicked.connect(self._on_use)
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.connect(self.look_again)
        self.look_again()

    def look_again(self, event: Any = None) -> None:
        """Offer what other plugins show now."""
        chosen = self.combo.currentText()
        self._layers = adoptable(self._viewer.layers)
        self.combo.clear()
        self.combo.addItems([layer.name for layer in self._layers])
        self.combo.setCurrentIndex(max(self.combo.findText(chosen), 0))
        self.setVisible(bool(self._layers))

    def _on_use(self) -> None:
        index = self.combo.currentIndex()
        if not 0 <= index < len(self._layers):
            return
        layer = self._layers[index]
        try:
            drawing = read_foreign_layer(layer)
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self.failed.emit(error, "".join(traceback.format_exception(error)))
            return
        self.wanted.emit(OpenOrder(layer.name, lambda: _layers(drawing)))


def _layers(drawing: ForeignLayer) -> list[LayerData]:
    from napari_semst.viewer.adapter import prepare_layers

    return prepare_layers(section_from_layer(drawing), drawing.name)
