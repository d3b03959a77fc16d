"""Bottom of the dock: what colours the spots, what the colours mean, and saving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_semst.viewer import columns
from napari_semst.viewer.colour import CategoryPaint, paint_of
from napari_semst.widgets.find.texts import TIPS
from napari_semst.widgets.shared.colorbar import Colorbar
from napari_semst.widgets.shared.forms import add_row, form, heading
from napari_semst.widgets.shared.legend import Legend

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.viewer.columns import Colouring


class ResultsPanel(QWidget):
    """Choose run and colouring; show the legend or colorbar; ask for saving."""

    painted = Signal(object)  # Paint
    opacity_changed = Signal(float)
    save_wanted = Signal()
    table_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tissue: AnnData | None = None
        self._offered: tuple[Colouring, ...] = ()
        self.run = QComboBox()
        self.run.setToolTip(TIPS["results_of"])
        self.colour_by = QComboBox()
        self.colour_by.setToolTip(TIPS["colour_by"])
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setToolTip(TIPS["opacity"])
        self.legend = Legend()
        self.colorbar = Colorbar()
        self.save_button = QPushButton("Save...")
        self.save_button.setToolTip(TIPS["save"])
        self.table_button = QPushButton("Save table...")
        self.table_button.setToolTip(TIPS["save_table"])
        self._build()
        self.run.currentIndexChanged.connect(self._on_run)
        self.colour_by.currentIndexChanged.connect(self._on_colour)
        self.opacity.valueChanged.connect(self._on_opacity)
        self.save_button.clicked.connect(self.save_wanted)
        self.table_button.clicked.connect(self.table_wanted)
        self.set_tissue(None)

    def _build(self) -> None:
        self._form = rows = form()
        add_row(rows, "Result of run", self.run)
        add_row(rows, "Colour by", self.colour_by)
        add_row(rows, "Spot opacity", self.opacity)
        for combo in (self.run, self.colour_by):
            combo.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.save_button)
        buttons.addWidget(self.table_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(heading("View and save"))
        layout.addLayout(rows)
        layout.addWidget(self.legend)
        layout.addWidget(self.colorbar)
        layout.addLayout(buttons)

    @property
    def colouring(self) -> Colouring | None:
        """The colouring chosen."""
        index = self.colour_by.currentIndex()
        return self._offered[index] if 0 <= index < len(self._offered) else None

    def set_tissue(
        self, tissue: AnnData | None, run: str = "", key: str = "", opacity: float = 1.0
    ) -> None:
        """Offer a section's runs and colourings.

        Parameters
        ----------
        tissue
            The section, or None.
        run
            The run to show; the latest if empty.
        key
            The colouring to show; the section's first if empty or absent.
        opacity
            Opacity of the spots as it is.
        """
        self._tissue = tissue
        self.setVisible(tissue is not None)
        if tissue is None:
            return
        names = columns.runs(tissue)
        for button in (self.save_button, self.table_button):
            button.setEnabled(bool(names))
        self.run.blockSignals(True)
        self.run.clear()
        self.run.addItems(list(names))
        self.run.setCurrentText(run or columns.latest_run(tissue))
        self.run.blockSignals(False)
        self._form.setRowVisible(self.run, len(names) > 1)
        self.opacity.blockSignals(True)
        self.opacity.setValue(round(opacity * 100))
        self.opacity.blockSignals(False)
        self._offer(key or columns.first_colouring(tissue).key)

    def mark_unsaved(self, unsaved: bool) -> None:
        """Show on the button whether there is something to save."""
        self.save_button.setText("Save... *" if unsaved else "Save...")
        tip = TIPS["save"]
        self.save_button.setToolTip(
            f"{tip} There are unsaved results." * unsaved or tip
        )

    def _offer(self, key: str) -> None:
        assert self._tissue is not None
        self._offered = columns.colourings(self._tissue, self.run.currentText())
        self.colour_by.blockSignals(True)
        self.colour_by.clear()
        for i, colouring in enumerate(self._offered):
            self.colour_by.addItem(colouring.label)
            self.colour_by.setItemData(i, colouring.note, Qt.ItemDataRole.ToolTipRole)
        offered = [c.key for c in self._offered]
        self.colour_by.setCurrentIndex(offered.index(key) if key in offered else 0)
        self.colour_by.blockSignals(False)
        self._on_colour()

    def _on_run(self) -> None:
        self._offer(self.colouring.key if self.colouring else "")

    def _on_colour(self) -> None:
        colouring = self.colouring
        if self._tissue is None or colouring is None:
            return
        paint = paint_of(self._tissue, colouring)
        categorical = isinstance(paint, CategoryPaint)
        self.legend.setVisible(categorical)
        self.colorbar.setVisible(not categorical)
        if isinstance(paint, CategoryPaint):
            self.legend.show_entries(paint.entries, colouring.label)
        else:
            self.colorbar.show_paint(paint)
        self.painted.emit(paint)

    def _on_opacity(self, percent: int) -> None:
        self.opacity_changed.emit(percent / 100)
