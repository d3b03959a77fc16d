"""The map of spots with its buttons; what they do is done elsewhere."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_semst.widgets.explore.scatter import Scatter
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.forms import note


class UmapPanel(QWidget):
    """The map, its buttons, and what it was made from."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scatter = Scatter()
        self.scatter.setAccessibleName("UMAP")
        self.lasso = _button("Lasso", TIPS["umap_lasso"])
        self.lasso.setCheckable(True)
        self.fit = _button("Whole map", TIPS["umap_fit"])
        self.again = _button("Recompute", TIPS["umap_again"])
        self.out = _button("Pop out", TIPS["umap_out"])
        self.source = note()
        self.source.setToolTip(TIPS["umap"])
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in (self.lasso, self.fit, self.again, self.out):
            row.addWidget(button)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.scatter, 1)
        layout.addLayout(row)
        layout.addWidget(self.source)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setStyleSheet("padding: 3px 5px; min-width: 14px;")
    return button
