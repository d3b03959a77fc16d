"""The fields of an embedding server, and a test whether it answers."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QLineEdit, QPushButton, QWidget

from napari_semst.errors import Cancelled, SemanticsError
from napari_semst.semantics.server.credentials import (
    KEY_VARIABLES,
    ServerAddress,
    parse_address,
)
from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.errors import describe_error
from napari_semst.widgets.shared.forms import add_row, form_layout, note_label
from napari_semst.widgets.shared.key_question import agrees_to_send_key
from napari_semst.widgets.shared.status import Banner
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from napari_semst.semantics.server.client import Probe

# A run waits longer; here somebody watches.
_SECONDS = 20.0


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
        self.key_note = note_label()
        self.test_button = QPushButton(texts.TEST)
        self.result = Banner()
        self.test = ConnectionTest()
        self._build()
        self.url.textChanged.connect(self._on_changed)
        self.model.textChanged.connect(self._forget)
        self.per.currentIndexChanged.connect(self.refresh)
        self.test_button.clicked.connect(self._on_test)
        # Methods, not lambdas: what a lambda holds outlives the window.
        self.test.answered.connect(self._on_answered)
        self.test.failed.connect(self._on_failed)
        self._on_changed()

    def _build(self) -> None:
        self._rows = rows = form_layout(self)
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
        """Return the settings, or raise `SemanticsError` if the address is none."""
        from napari_semst.semantics.server.credentials import parse_address

        wanted = {
            "url": parse_address(self.url.text()).url,
            "per": self.per.currentData(),
        }
        model = self.model.text().strip()
        return {**wanted, "model": model} if model else wanted

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Show settings, and take what is shown out of them."""
        self.url.setText(settings.pop("url", ""))
        self.model.setText(settings.pop("model", ""))
        self.per.setCurrentIndex(self.per.findData(settings.pop("per", "spot")))

    def refresh(self) -> None:
        """Say where the genes go, and whether a key goes with them."""
        address = address_or_none(self.url.text())
        self._rows.setRowVisible(self.destination, address is not None)
        if address is not None:
            kind = "ready" if address.is_local else "warning"
            words = texts.STAYS if address.is_local else texts.LEAVES
            what = texts.SENT[self.per.currentData()]
            self.destination.say(kind, words.format(what=what, host=address.host))
        self.key_note.setText(key_in_words(address))

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
        try:
            if not agrees_to_send_key(self, self.url.text()):
                self._say("ready", texts.KEY_KEPT)
                return
        except SemanticsError as error:
            self._say("error", describe_error(error)[1])
            return
        self.test.start(self.url.text().strip(), self.model.text().strip())
        self.test_button.setText(texts.STOP_TEST)
        self._say("running", texts.TESTING)

    def _on_answered(self, said: str) -> None:
        self.test_button.setText(texts.TEST)
        self._say("success", said)

    def _on_failed(self, said: str) -> None:
        self.test_button.setText(texts.TEST)
        self._say("error", said)

    def _say(self, kind: str, said: str) -> None:
        self.result.say(kind, said)
        self._rows.setRowVisible(self.result, True)


class ServerQuestion(NamedTuple):
    """A server as the fields name it, and the switch that ends the asking."""

    url: str
    model: str
    over: threading.Event


class ConnectionTest(QObject):
    """Ask a server for a few vectors; the answer to an older question is dropped."""

    answered = Signal(str)
    failed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._asked: ServerQuestion | None = None
        self._errand = BackgroundTask(_ask)
        self._errand.done.connect(self._on_done)
        self._errand.failed.connect(self._on_failed)

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._asked is not None

    def start(self, url: str, model: str) -> None:
        """Ask; nothing of a section is sent."""
        self.abandon()
        self._asked = ServerQuestion(url, model, threading.Event())
        self._errand.start(self._asked)

    def abandon(self) -> None:
        """Wait no longer; the thread ends at its next pause between attempts."""
        if self._asked is not None:
            self._asked.over.set()
        self._asked = None

    def _on_done(self, answer: tuple[ServerQuestion, Probe, float]) -> None:
        asked, found, per_text = answer
        if asked is self._asked:
            self._asked = None
            self.answered.emit(answer_in_words(found, per_text))

    def _on_failed(self, error: Exception, details: str) -> None:
        if self._asked is not None and not isinstance(error, Cancelled):
            self._asked = None
            self.failed.emit(describe_error(error)[1])


def _ask(asked: ServerQuestion) -> tuple[ServerQuestion, Probe, float]:
    from napari_semst.semantics.server.source import probe

    def wait(seconds: float) -> None:
        if asked.over.wait(seconds):
            raise Cancelled("The test was stopped.")

    return asked, *probe(asked.url, asked.model, _SECONDS, wait)


def answer_in_words(found: Probe, per_text: float) -> str:
    """Return what a server answered, in a sentence or two."""
    unit = abs(found.norm - 1) < 1e-3
    return texts.SERVER_ANSWERS.format(
        host=found.host,
        model=found.model,
        dimension=found.dimension,
        norm=found.norm,
        length=texts.UNIT_LENGTH if unit else texts.NOT_NORMALISED,
        first=found.seconds,
        per_text=per_text,
    )


def address_or_none(url: str) -> ServerAddress | None:
    """Return the parts of an address, `None` while it is none yet."""
    try:
        return parse_address(url)
    except SemanticsError:
        return None


def key_in_words(address: ServerAddress | None) -> str:
    """Return which variable of the environment holds a key; never the key."""
    # The other variable was set for other servers: never sent in plain text.
    plain = address is not None and not address.is_encrypted
    known = KEY_VARIABLES[:1] if plain else KEY_VARIABLES
    variable = next((name for name in known if name in os.environ), None)
    if variable is None:
        return texts.KEY_NONE
    if not os.environ[variable].strip():
        return texts.KEY_EMPTY.format(variable=variable)
    host = texts.THE_SERVER if address is None else address.host
    told = texts.KEY_SET.format(variable=variable, host=host)
    exposed = address is not None and not address.is_encrypted and not address.is_local
    return f"{told} {texts.KEY_EXPOSED}" if exposed else told
