"""What a run says of discordant spots, and a button that selects them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_semst import keys
from napari_semst.viewer import columns
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.meaning import run_facts
from napari_semst.widgets.find.summary import discordance_line
from napari_semst.widgets.shared.forms import WrappedLabel

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


class DiscordantSpots(QWidget):
    """A line on how many spots are discordant, and a button."""

    wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._called: NDArray[np.bool_] | None = None
        self.said = WrappedLabel()
        self.button = QPushButton(texts.SELECT_DISCORDANT)
        self.button.setToolTip(texts.TIPS["select_discordant"])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.said)
        layout.addWidget(self.button)
        self.button.clicked.connect(self.wanted)
        self.hide()

    def show_run(self, tissue: AnnData, run: str) -> None:
        """Show what a run found, nothing where it did not look or was replaced."""
        # The columns are those of the latest run.
        latest = not run or run == columns.latest_run(tissue)
        there = latest and {keys.DISCORDANT, keys.DISCORDANCE} <= set(tissue.obs)
        self.setVisible(there)
        self._called = called = discordant_spots(tissue) if there else None
        if called is not None:
            discordance = tissue.obs[keys.DISCORDANCE].to_numpy(np.float64)
            told = discordance_line(run_facts(tissue, run), called, discordance)
            self.said.setText("\n".join(told))
            self.button.setEnabled(bool(called.any()))

    def show_selection(self, selected: NDArray[np.bool_] | None) -> None:
        """Say on the button what pressing it does."""
        these = self._called is not None and np.array_equal(
            self._called, np.zeros(0) if selected is None else selected
        )
        self.button.setText(texts.SELECT_NOTHING if these else texts.SELECT_DISCORDANT)


def discordant_spots(tissue: AnnData) -> NDArray[np.bool_]:
    """Return which spots the latest run called discordant, ``(n_spots,)``."""
    return np.asarray(tissue.obs[keys.DISCORDANT].to_numpy(), dtype=bool)
