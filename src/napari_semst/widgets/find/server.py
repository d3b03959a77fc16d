"""The fields of an embedding server, and a test whether it answers."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QComboBox, QLineEdit, QPushButton, QWidget

from napari_semst.widgets.find import texts
from napari_semst.widgets.find.connection import (
    ConnectionTest,
    address_or_none,
    key_in_words,
)
from napari_semst.widgets.shared.forms import add_row, form, note
from napari_semst.widgets.shared.status import Banner


class ServerFields(QWidget):
    """Address, model, what it reads; where the genes go stands there in plain sight."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.url = QLineEdit()
        self.url.setPlaceholderText("http://localhost:8000/v1")
        self.model = QLineEdit()
        self.model.setPlaceholderText(texts.SERVERS_OWN)
        self.per = QComboBox()
        for value, label in texts.PER.items():
            self.per.addItem(label, value)
        self.destination = Banner()
        self.key_note = note()
        self.test_button = QPushButton(texts.TEST)
        self.result = Banner()
        self.test = ConnectionTest()
        self._build()
        self.url.textChanged.connect(self._on_changed)
        self.model.textChanged.connect(self._forget)
        self.per.currentIndexChanged.connect(self.refresh)
        self.test_button.clicked.connect(self._on_test)
        self.test.answered.connect(lambda said: self._on_end("success", said))
        self.test.failed.connect(lambda said: self._on_end("error", said))
        self._on_changed()

    def _build(self) -> None:
        self._rows = rows = form(self)
        for name, label in (
            ("url", "Address"),
            ("model", "Model"),
            ("per", "It reads"),
            ("destination", ""),
            ("key_note", ""),
            ("test_button", ""),
            ("result", ""),
        ):
            widget = getattr(self, name)
            widget.setToolTip(texts.TIPS.get(f"server_{name}", ""))
            if label:
                add_row(rows, label, widget)
            else:
                rows.addRow(widget)
        self.setFocusProxy(self.url)

    def settings(self) -> dict[str, str]:
        """Return the settings of the source.

        Raises
        ------
        SemanticsError
            If the address is none.
        """
        from napari_semst.semantics.server.address import address

        wanted = {"url": address(self.url.text()).url, "per": self.per.currentData()}
        model = self.model.text().strip()
        return {**wanted, "model": model} if model else wanted

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Show settings, and take what is shown out of them."""
        self.url.setText(settings.pop("url", ""))
        self.model.setText(settings.pop("model", ""))
        self.per.setCurrentIndex(self.per.findData(settings.pop("per", "spot")))

    def refresh(self) -> None:
        """Say where the genes go, and whether a key goes with them."""
        place = address_or_none(self.url.text())
        self._rows.setRowVisible(self.destination, place is not None)
        if place is not None:
            kind = "ready" if place.is_local else "warning"
            words = texts.STAYS if place.is_local else texts.LEAVES
            what = texts.SENT[self.per.currentData()]
            self.destination.say(kind, words.format(what=what, host=place.host))
        self.key_note.setText(key_in_words(place))

    def _on_changed(self) -> None:
        self._forget()
        self.test_button.setEnabled(bool(self.url.text().strip()))
        self.refresh()

    def _forget(self) -> None:
        """Drop what another address or model answered."""
        self.test.abandon()
        self.test_button.setText(texts.TEST)
        self._rows.setRowVisible(self.result, False)

    def _on_test(self) -> None:
        if self.test.busy:
            self._forget()
            return
        self.refresh()
        self.test.start(self.url.text().strip(), self.model.text().strip())
        self.test_button.setText(texts.STOP_TEST)
        self._say("running", texts.TESTING)

    def _on_end(self, kind: str, said: str) -> None:
        self.test_button.setText(texts.TEST)
        self._say(kind, said)

    def _say(self, kind: str, said: str) -> None:
        self.result.say(kind, said)
        self._rows.setRowVisible(self.result, True)
