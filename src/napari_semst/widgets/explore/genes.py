"""Markers, plots of genes and tables of them, for the section chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst import keys
from napari_semst.explore.labels import read_labels
from napari_semst.explore.plots import genes_by_domain
from napari_semst.viewer import adapter, colourings, spots
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.dotplot import GenePlot
from napari_semst.widgets.explore.markers import MarkerQuestion
from napari_semst.widgets.shared.errors import error_report
from napari_semst.widgets.shared.files import ask_path
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

    from napari_semst.explore.plots import GenesByDomain
    from napari_semst.widgets.explore.legend import LegendTable
    from napari_semst.widgets.explore.markers import MarkerPanel
    from napari_semst.widgets.shared.sections import OpenSections
    from napari_semst.widgets.shared.state import ViewerState


class GeneActions(QObject):
    """Answer what the marker panel asks."""

    status_changed = Signal(str, str, str)  # kind, title and text of the card
    failed = Signal(object, str)

    def __init__(
        self,
        sections: OpenSections,
        legend: LegendTable,
        panel: MarkerPanel,
        state: ViewerState,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._sections, self._legend = sections, legend
        self._panel, self._state, self._window = panel, state, window
        self.labelled = ""  # the labels last on show
        self.drawing = BackgroundTask(genes_by_domain)
        self.drawing.done.connect(self._on_table)
        self.drawing.failed.connect(self.failed)
        panel.asked.connect(self.find_markers)
        panel.plot_wanted.connect(self.plot)
        panel.save_wanted.connect(self._on_save)
        panel.failed.connect(self.failed)

    def find_markers(self) -> None:
        """Find the markers of the names chosen in the legend.

        While a gene is on show, of those that were chosen in the legend before.
        """
        layer, tissue = self._sections.layer, self._sections.tissue
        colouring, names = self._sections.colouring, self._legend.chosen
        if layer is None or tissue is None or colouring is None:
            return
        if not spots.holds_its_spots(layer):
            self.status_changed.emit("warning", texts.NOT_WHOLE, texts.NOT_WHOLE_HELP)
            return
        if str(self._panel.against.currentData()) == "domain":
            self._ask_of_selection(tissue, np.array(spots.positions(layer), float))
            return
        if colouring.kind != "categories" and self.labelled in tissue.obs:
            last = self.labelled
            colouring = colourings.Colouring(last, last, last, "categories")
        codes, there = np.zeros(0, np.int32), list[str]()
        if colouring.kind == "categories":
            codes, there = colourings.category_values(tissue, colouring)
        names = [name for name in names if name in {*there, "none"}]
        if not there or not names:
            self.status_changed.emit(
                "warning", texts.CHOOSE_DOMAINS, texts.CHOOSE_DOMAINS_HELP
            )
            return
        wanted = np.array([*(name in names for name in there), "none" in names])
        self._panel.ask(
            MarkerQuestion(
                tissue,
                np.array(spots.positions(layer), dtype=np.float64),
                wanted[codes],
                codes.astype(np.int32),
                str(self._panel.against.currentData()),
                ", ".join(names),
            )
        )

    def _ask_of_selection(self, tissue: AnnData, places: NDArray[np.float64]) -> None:
        """Find what sets the selected spots apart in the domains that they lie in."""
        selected = self._state.selection(tissue)
        labels = [c for c in (self.labelled, keys.DOMAIN) if c in tissue.obs]
        if selected is None or not labels:
            self.status_changed.emit(
                "warning", texts.SELECT_FIRST, texts.SELECT_FIRST_HELP
            )
            return
        codes = read_labels(tissue, labels[0]).codes
        about = texts.SELECTED_SPOTS
        self._panel.ask(
            MarkerQuestion(tissue, places, selected, codes, "domain", about)
        )

    def find_border_genes(
        self, near: NDArray[np.bool_], codes: NDArray[np.int32], about: str
    ) -> None:
        """Find what sets spots at a border apart from the others of their domain."""
        layer, tissue = self._sections.layer, self._sections.tissue
        if layer is None or tissue is None or len(codes) != tissue.n_obs:
            return
        if not spots.holds_its_spots(layer):
            self.status_changed.emit("warning", texts.NOT_WHOLE, texts.NOT_WHOLE_HELP)
            return
        places = np.array(spots.positions(layer), dtype=np.float64)
        self._panel.ask(MarkerQuestion(tissue, places, near, codes, "border", about))

    def plot(self, genes: list[str]) -> None:
        """Show genes by the labels last on show, else by the latest run's domains."""
        tissue = self._sections.tissue
        if tissue is None:
            return
        labelled = [c for c in (self.labelled, keys.DOMAIN) if c in tissue.obs]
        if not labelled:
            self.status_changed.emit(
                "warning", texts.CHOOSE_DOMAINS, texts.CHOOSE_DOMAINS_HELP
            )
            return
        labels = read_labels(tissue, labelled[0])
        self.status_changed.emit("running", texts.DRAWING, ", ".join(genes))
        self.drawing.start(adapter.snapshot(tissue), genes, labels)

    def shutdown(self) -> None:
        """Drop a plot that is awaited; for when the dock goes."""
        self.drawing.drop()

    def _on_table(self, table: GenesByDomain) -> None:
        try:
            GenePlot(table, self._window).show()
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self.failed.emit(error, error_report(error))
            return
        self.status_changed.emit("success", texts.DRAWN, ", ".join(table.genes))

    def _on_save(self, table: pd.DataFrame) -> None:
        self.save_table(table, "Save the markers", "markers.csv")

    def save_table(
        self,
        table: pd.DataFrame,
        title: str = "Save the genes",
        name: str = "genes.csv",
    ) -> None:
        """Ask for a path, and write a table there.

        Parameters
        ----------
        title, name
            Of the dialog, and of the file that it suggests.
        """
        from napari_semst.io.export.h5ad import write_table

        path = ask_path(self._window, title, name, "Table (*.csv)", (".csv",))
        if path is None:
            return
        try:
            # The dialog asked before it gave the name of a file that exists.
            done = write_table(table, path, overwrite=True)
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self.failed.emit(error, error_report(error))
            return
        self.status_changed.emit("success", texts.SAVED, str(done))
