"""Settings of a file for which the dock has no field: kept, named, and forgotten."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.status import Banner


class ExtraSettings(QWidget):
    """Names every such setting with its value; a button forgets them."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.settings: dict[str, dict[str, Any]] = {}
        self.banner = Banner()
        self.forget_button = QPushButton(texts.FORGET)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.banner)
        layout.addWidget(self.forget_button)
        self.forget_button.clicked.connect(self.forget)
        self.forget()

    def keep(self, settings: dict[str, dict[str, Any]]) -> None:
        """Keep settings by stage; they go with every run until they are forgotten."""
        self.settings = {
            stage: dict(found) for stage, found in settings.items() if found
        }
        lines = [
            f"{stage}.{name} = {value!r}"
            for stage, found in self.settings.items()
            for name, value in found.items()
        ]
        self.setVisible(bool(lines))
        self.banner.say("ready", "\n".join([texts.EXTRA, *lines]))
        self.changed.emit()

    def forget(self) -> None:
        """Keep none."""
        self.keep({})
