"""Whether an embedding server answers: asked in a thread that can be abandoned."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst.errors import Cancelled, SemanticsError
from napari_semst.semantics.server.address import Address, address
from napari_semst.semantics.server.credentials import VARIABLES
from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from napari_semst.semantics.server.client import Probe

# A run waits longer; here somebody watches.
_SECONDS = 20.0


class Asked(NamedTuple):
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
        self._asked: Asked | None = None
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
        self._asked = Asked(url, model, threading.Event())
        self._errand.start(self._asked)

    def abandon(self) -> None:
        """Wait no longer; the thread ends at its next pause between attempts."""
        if self._asked is not None:
            self._asked.over.set()
        self._asked = None

    def _on_done(self, answer: tuple[Asked, Probe, float]) -> None:
        asked, found, per_text = answer
        if asked is self._asked:
            self._asked = None
            self.answered.emit(answer_in_words(found, per_text))

    def _on_failed(self, error: Exception, details: str) -> None:
        if self._asked is not None and not isinstance(error, Cancelled):
            self._asked = None
            self.failed.emit(texts.explain(error)[1])


def _ask(asked: Asked) -> tuple[Asked, Probe, float]:
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


def address_or_none(url: str) -> Address | None:
    """Return the parts of an address, `None` while it is none yet."""
    try:
        return address(url)
    except SemanticsError:
        return None


def key_in_words(place: Address | None) -> str:
    """Return which variable of the environment holds a key; never the key."""
    # The other variable was set for other servers: never sent in plain text.
    plain = place is not None and not place.is_encrypted
    known = VARIABLES[:1] if plain else VARIABLES
    variable = next((name for name in known if name in os.environ), None)
    if variable is None:
        return texts.KEY_NONE
    if not os.environ[variable].strip():
        return texts.KEY_EMPTY.format(variable=variable)
    host = texts.THE_SERVER if place is None else place.host
    told = texts.KEY_SET.format(variable=variable, host=host)
    exposed = place is not None and not place.is_encrypted and not place.is_local
    return f"{told} {texts.KEY_EXPOSED}" if exposed else told
