"""The field for the number of domains: a number, or leave the choice to the run."""

from __future__ import annotations

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QSpinBox, QWidget

from napari_semst.config import AUTO_DOMAINS
from napari_semst.widgets.find.texts import TIPS


class NumberField(QWidget):
    """A spin box, and a check box that takes its place."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spin = QSpinBox()
        self.spin.setRange(2, 100)
        self.spin.setValue(7)
        self.automatic = QCheckBox("Automatic")
        self.automatic.setToolTip(TIPS["automatic"])
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.spin, 1)
        layout.addWidget(self.automatic)
        self.setFocusProxy(self.spin)
        self.automatic.toggled.connect(self.spin.setDisabled)
        self.automatic.toggled.connect(self.changed)
        self.spin.valueChanged.connect(self.changed)

    def value(self) -> int:
        """Return the number as settings hold it: -1 where it is to be chosen."""
        return AUTO_DOMAINS if self.automatic.isChecked() else self.spin.value()

    def setValue(self, number: int) -> None:  # noqa: N802  as Qt's own fields have it
        """Show a number as settings hold it; -1 checks *Automatic*."""
        self.automatic.setChecked(number == AUTO_DOMAINS)
        if number != AUTO_DOMAINS:
            # A file may ask for more than anybody would turn to by hand.
            low, high = self.spin.minimum(), self.spin.maximum()
            self.spin.setRange(min(low, number), max(high, number))
            self.spin.setValue(number)
