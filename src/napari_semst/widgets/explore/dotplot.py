"""Genes by domains as a dot plot or violins, drawn by scanpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_semst.explore.plots import draw_dots, draw_violins
from napari_semst.widgets.explore.texts import TIPS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anndata import AnnData
    from matplotlib.figure import Figure

    from napari_semst.explore.labels import Labels

    Draw = Callable[[AnnData, Sequence[str], Labels], Figure]


class GenePlot(QDialog):
    """A window with a dot plot of genes, or their violins; it can be saved.

    Parameters
    ----------
    tissue
        The section.
    genes
        Which ones.
    labels
        Domain of each spot.
    """

    def __init__(
        self,
        tissue: AnnData,
        genes: Sequence[str],
        labels: Labels,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(", ".join(genes))
        self._given = tissue, genes, labels
        self._place = QVBoxLayout(self)
        buttons = QHBoxLayout()
        for text, tip, slot in (
            ("Dots", "dots", self.show_dots),
            ("Violins", "violins", self.show_violins),
            ("Save...", "save_plot", self._on_save),
        ):
            button = QPushButton(text)
            button.setToolTip(TIPS[tip])
            button.clicked.connect(slot)
            buttons.addWidget(button)
        buttons.addStretch(1)
        self._place.addLayout(buttons)
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

        self.figure = draw(*self._given)
        if self.canvas is not None:
            self._place.removeWidget(self.canvas)
            self.canvas.deleteLater()
        self.canvas = FigureCanvasQTAgg(self.figure)  # type: ignore[no-untyped-call]
        self._place.insertWidget(0, self.canvas, 1)

    def _on_save(self) -> None:
        from qtpy.QtWidgets import QFileDialog

        path, _ = QFileDialog.getSaveFileName(
            self, "Save the plot", "genes.png", "Figures (*.png *.svg *.pdf)"
        )
        if path and self.figure is not None:
            self.figure.savefig(path, dpi=200, bbox_inches="tight")
