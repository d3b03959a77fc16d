"""Fields, table and buttons of "Name from another section"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDoubleSpinBox,
    QHeaderView,
    QProgressBar,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_semst.widgets.explore.texts import NAMING, TIPS
from napari_semst.widgets.shared.forms import (
    WrappedLabel,
    add_row,
    form_layout,
    note_label,
    push_button,
    row_of,
    short_combo,
    signals_blocked,
    stacked,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_semst.transfer.result import NamedDomain

_ROW, _MOST_ROWS = 22, 10
_HEADS = (
    ("Domain", "named_domain"),
    ("Name", "named_name"),
    ("Likeness", "named_score"),
    ("q", "named_q"),
    ("Next", "named_next"),
)


class NamingPanel(QWidget):
    """Choose what names are from; read what each domain was named, and why."""

    asked = Signal()
    given_up = Signal()
    file_wanted = Signal()
    rename_wanted = Signal()
    save_wanted = Signal()
    reference_chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._named: tuple[NamedDomain, ...] = ()
        self.reference = short_combo(TIPS["naming_reference"])
        self.file_button = push_button("File...", TIPS["naming_file"], narrow=True)
        self.labels = short_combo(TIPS["naming_labels"])
        self.domains = short_combo(TIPS["naming_domains"])
        self.fdr = QDoubleSpinBox()
        self.fdr.setRange(0.01, 0.5)
        self.fdr.setSingleStep(0.01)
        self.fdr.setValue(0.1)
        self.fdr.setToolTip(TIPS["naming_fdr"])
        self.button = push_button("Name domains", TIPS["naming_run"])
        self.cancel_button = push_button("Cancel", TIPS["naming_cancel"])
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.message = note_label()
        self.table = QTableWidget()
        self.text = WrappedLabel()
        self.rename_button = push_button("Rename domains", TIPS["naming_rename"])
        self.save_button = push_button("Save signature...", TIPS["naming_save"])
        self._build()
        self._connect()
        self.show_state(running=False, said=NAMING["ask"])
        self.show_naming((), {})

    def _build(self) -> None:
        rows = form_layout()
        chooser = QWidget()
        stacked(
            chooser, row_of(self.reference, self.file_button, spacing=6, shares=(1,))
        )
        chooser.setToolTip(TIPS["naming_reference"])
        add_row(rows, "Names from", chooser)
        add_row(rows, "Column of names", self.labels)
        add_row(rows, "Domains to name", self.domains)
        add_row(rows, "False discovery", self.fdr)
        table = self.table
        table.setColumnCount(len(_HEADS))
        for column, (head, tip) in enumerate(_HEADS):
            item = QTableWidgetItem(head)
            item.setToolTip(TIPS[tip])
            table.setHorizontalHeaderItem(column, item)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_ROW)
        table.setShowGrid(False)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = table.horizontalHeader()
        header.setMinimumSectionSize(30)
        for column in range(len(_HEADS)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(4, QHeaderView.ResizeMode.Stretch)
        asking = row_of(self.button, self.cancel_button, spacing=6, shares=(2, 1))
        after = row_of(self.rename_button, self.save_button, spacing=6)
        parts = (rows, asking, self.bar, self.message, table, self.text, after)
        stacked(self, *parts, spacing=6, top=4)

    def _connect(self) -> None:
        self.button.clicked.connect(self.asked)
        self.cancel_button.clicked.connect(self.given_up)
        self.file_button.clicked.connect(self.file_wanted)
        self.rename_button.clicked.connect(self.rename_wanted)
        self.save_button.clicked.connect(self.save_wanted)
        self.reference.currentIndexChanged.connect(self.reference_chosen)
        self.table.itemSelectionChanged.connect(self._show_sentences)

    def offer_references(self, names: Sequence[str], chosen: int) -> None:
        """Offer what names can be taken from."""
        with signals_blocked(self.reference):
            self.reference.clear()
            self.reference.addItems(list(names))
            self.reference.setCurrentIndex(chosen)

    def offer_labels(self, columns: Sequence[str] | None) -> None:
        """Offer the columns of the reference; None where it needs none."""
        kept = self.labels.currentText()
        self.labels.clear()
        self.labels.addItems(
            [NAMING["own_names"]] if columns is None else list(columns)
        )
        self.labels.setEnabled(bool(columns))
        if columns and kept in columns:
            self.labels.setCurrentText(kept)
        self.save_button.setEnabled(bool(columns))

    def offer_domains(self, columns: Sequence[tuple[str, str]]) -> None:
        """Offer the domains that the section has: what to call them, and the column."""
        kept = self.domains.currentData()
        self.domains.clear()
        for label, column in columns:
            self.domains.addItem(label, column)
        self.domains.setCurrentIndex(max(self.domains.findData(kept), 0))

    def show_state(self, *, running: bool, said: str) -> None:
        """Show whether names are being looked for."""
        self.button.setEnabled(not running)
        self.cancel_button.setVisible(running)
        self.bar.setVisible(running)
        self.bar.setRange(0, 0)
        self.message.setText(said)
        self.message.setVisible(bool(said))

    def show_progress(self, step: int, steps: int, said: str) -> None:
        """Show how far it is."""
        self.bar.setRange(0, steps)
        self.bar.setValue(step)
        if said:
            self.message.setText(said)

    def show_naming(
        self, named: Sequence[NamedDomain], colors: Mapping[str, str]
    ) -> None:
        """Show what domains were named; nothing where they were not."""
        self._named = tuple(named)
        self.table.clearSelection()
        self.table.setRowCount(len(named))
        for row, one in enumerate(named):
            name = one.name or NAMING["none"]
            cells = (
                one.domain,
                name,
                f"{one.score:.2f}",
                f"{one.q:.3g}",
                one.next_names,
            )
            for column, text in enumerate(cells):
                self.table.setItem(row, column, self._cell(one, column, text, colors))
        head = self.table.horizontalHeader().sizeHint().height()
        self.table.setFixedHeight(head + _ROW * min(len(named), _MOST_ROWS) + 4)
        for part in (self.table, self.text, self.rename_button):
            part.setVisible(bool(named))
        self.rename_button.setEnabled(any(one.name for one in named))
        self._show_sentences()

    def _cell(
        self, one: NamedDomain, column: int, text: str, colors: Mapping[str, str]
    ) -> QTableWidgetItem:
        item = QTableWidgetItem(text)
        item.setToolTip(one.sentence if column < 2 else text)
        if column in (2, 3):
            item.setTextAlignment(
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            )
        if column == 1 and one.name in colors:
            swatch = QPixmap(12, 12)
            swatch.fill(QColor(colors[one.name]))
            item.setIcon(QIcon(swatch))
        if column == 1 and not one.name:
            font = item.font()
            font.setItalic(True)
            item.setFont(font)
            item.setToolTip(NAMING["nearest"].format(name=one.best))
        return item

    def _show_sentences(self) -> None:
        rows = sorted({index.row() for index in self.table.selectedIndexes()})
        chosen = [self._named[row] for row in rows if row < len(self._named)]
        said = [one.sentence for one in chosen or self._named if one.sentence]
        self.text.setText("\n\n".join(said))
        self.text.setVisible(bool(said))
