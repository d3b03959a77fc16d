"""Genes by domains as a dot plot or violins, drawn by scanpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from napari_semst.errors import SemstError
from napari_semst.explore.plots import draw_dots, draw_violins
from napari_semst.figure.file import FIGURE_FORMATS
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.files import ask_path
from napari_semst.widgets.shared.forms import push_button, row_of
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

    from napari_semst.explore.plots import GenesByDomain

    Draw = Callable[[GenesByDomain], Figure]


class GenePlot(QDialog):
    """A window with a dot plot of genes, or their violins; it can be saved."""

    def __init__(self, table: GenesByDomain, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # Else every plot closed would stay in memory with its copy of the data.
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(", ".join(table.genes))
        self._table = table
        self._place = QVBoxLayout(self)
        dots = push_button("Dots", TIPS["dots"])
        violins = push_button("Violins", TIPS["violins"])
        save = push_button("Save...", TIPS["save_plot"])
        dots.clicked.connect(self.show_dots)
        violins.clicked.connect(self.show_violins)
        save.clicked.connect(self._on_save)
        self._place.addLayout(row_of(dots, violins, save, stretch=True))
        self.canvas: QWidget | None = None
        self.figure: Figure | None = None
        self.show_dots()
        self.resize(760, 460)

    def show_dots(self) -> None:
        """Show share and mean of every gene in every domain."""
        self._show(draw_dots)

    def show_violins(self) -> None:
        """Show how every gene is spread in every domain."""
        self._show(draw_violins)

    def _show(self, draw: Draw) -> None:
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg

        self.figure = draw(self._table)
        if self.canvas is not None:
            self._place.removeWidget(self.canvas)
            self.canvas.deleteLater()
        self.canvas = FigureCanvasQTAgg(self.figure)  # type: ignore[no-untyped-call]
        self._place.insertWidget(0, self.canvas, 1)

    def _on_save(self) -> None:
        kinds = "Figures (*.png *.svg *.pdf)"
        path = ask_path(self, "Save the plot", "genes.png", kinds, FIGURE_FORMATS)
        if path is None or self.figure is None:
            return
        try:
            _write(self.figure, path)
        except (SemstError, OSError) as error:
            QMessageBox.warning(self, "Not saved", for_window(error))


def _write(figure: Figure, path: Path) -> None:
    from napari_semst.figure.file import check_not_empty
    from napari_semst.io.export.atomic import write_atomically

    def write(temporary: Path) -> None:
        kind = path.suffix[1:]
        figure.savefig(temporary, format=kind, dpi=200, bbox_inches="tight")

    # The dialog asked before it gave the name of a file that exists.
    write_atomically(path, write, check_not_empty, overwrite=True, suffix=path.suffix)
