"""Looking inside and opening, in a worker thread; one thing after the other."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_semst.core.json_text import parse_json
from napari_semst.core.settings_folder import settings_folder
from napari_semst.widgets.shared.files import merge_problems
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.types import LayerData

    from napari_semst.io.options import ReadOptions
    from napari_semst.io.preview import Preview

# Between two looks at the clock, in milliseconds.
_TICK = 500


@dataclass(frozen=True)
class InputLook:
    """What is inside a path.

    Parameters
    ----------
    path
        The path.
    preview
        What is inside; None where it cannot be read.
    error
        Why it cannot be read.
    """

    path: Path
    preview: Preview | None
    error: Exception | None = None


@dataclass(frozen=True)
class OpenOrder:
    """Something to be opened.

    Parameters
    ----------
    name
        What it is called.
    make
        Returns its layers; called in the worker.
    path
        Where it comes from; None for what is no file.
    """

    name: str
    make: Callable[[], list[LayerData]]
    path: Path | None = None


class Opener(QObject):
    """Looks inside paths and opens them; says what came of it."""

    looking = Signal(str)
    looked = Signal(object)  # list of Look
    progressed = Signal(str, int, int, int)  # name, its number, of how many, seconds
    opened = Signal(object, object)  # Order, its layers
    finished = Signal(int)  # how many were opened, where all was tried
    cancelled = Signal(int)  # how many were opened before that
    failed = Signal(object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._orders: deque[OpenOrder] = deque()
        self._order: OpenOrder | None = None
        self._count = self._n_opened = 0
        self._began = 0.0
        self._problems: list[tuple[Exception, str]] = []
        self._looking = BackgroundTask(_look)
        self._making = BackgroundTask(_make)
        self._looking.done.connect(self.looked)
        self._looking.failed.connect(self.failed)
        self._making.done.connect(self._on_made)
        self._making.failed.connect(self._on_not_made)
        self._clock = QTimer(self)
        self._clock.setInterval(_TICK)
        self._clock.timeout.connect(self._tell)

    @property
    def busy(self) -> bool:
        """Whether something is being opened."""
        return self._order is not None

    def look(self, paths: Sequence[Path], options: ReadOptions) -> None:
        """Look inside paths; `looked` brings one `InputLook` for each."""
        names = ", ".join(path.name for path in paths)
        self.looking.emit(names)
        self._looking.start(tuple(paths), options)

    def open(self, orders: Sequence[OpenOrder]) -> None:
        """Open one after the other; those that are waiting are given up."""
        self._orders = deque(orders)
        self._count, self._n_opened, self._problems = len(orders), 0, []
        self._next()

    def cancel(self) -> None:
        """Give up what is being looked into or opened, and what is to follow."""
        self._looking.drop()
        if self.busy:
            self._making.drop()
            self._stop()
            self.cancelled.emit(self._n_opened)

    def shutdown(self) -> None:
        """Await nothing any more: nobody is there to see it."""
        self._looking.drop()
        self._making.drop()
        self._stop()

    def _stop(self) -> None:
        self._orders.clear()
        self._order = None
        self._clock.stop()

    def _next(self) -> None:
        if self._orders:
            self._order = self._orders.popleft()
            self._began = time.monotonic()
            self._clock.start()
            self._tell()
            self._making.start(self._order)
            return
        self._stop()
        # Told last: what is said before would be overwritten by the next one.
        for problem in merge_problems(self._problems):
            self.failed.emit(*problem)
        if not self._problems:
            self.finished.emit(self._n_opened)

    def _tell(self) -> None:
        if self._order is not None:
            number = self._count - len(self._orders)
            seconds = int(time.monotonic() - self._began)
            self.progressed.emit(self._order.name, number, self._count, seconds)

    def _on_made(self, answer: tuple[OpenOrder, list[Any]]) -> None:
        self._n_opened += 1
        self.opened.emit(*answer)
        self._next()

    def _on_not_made(self, error: Exception, details: str) -> None:
        self._problems.append((error, details))
        self._next()


def path_order(path: Path, options: ReadOptions) -> OpenOrder:
    """Return the order to open a path."""
    return OpenOrder(path.name, lambda: _layers(path, options), path)


def sample_order(key: str, name: str) -> OpenOrder:
    """Return the order to open one of the plugin's samples.

    Parameters
    ----------
    key, name
        Name of the function in `napari_semst._sample_data`, and for people.
    """
    from napari_semst import _sample_data

    return OpenOrder(name, getattr(_sample_data, key))


def _look(paths: tuple[Path, ...], options: ReadOptions) -> list[InputLook]:
    from napari_semst.errors import SemstError
    from napari_semst.io.preview import preview

    found = []
    for path in paths:
        try:
            inside = preview(path, positions=options.positions, part=options.part)
            found.append(InputLook(path, inside))
        except SemstError as error:
            found.append(InputLook(path, None, error))
    return found


def _layers(path: Path, options: ReadOptions) -> list[LayerData]:
    from napari_semst.io.read import read
    from napari_semst.viewer.adapter import prepare_layers, section_name
    from napari_semst.viewer.read_layers import from_path

    tissue = read(
        path, counts=options.counts, positions=options.positions, part=options.part
    )
    return from_path(prepare_layers(tissue, section_name(path)), path, options)


def _make(order: OpenOrder) -> tuple[OpenOrder, list[LayerData]]:
    return order, order.make()


MOST = 8


def recent_file() -> Path:
    """Return where the list is kept: in the user's folder of settings."""
    return settings_folder() / "recent.json"


def recent_paths() -> list[Path]:
    """Return what was opened before, the latest first.

    A list that cannot be read is none: it is written anew when something is opened.
    """
    try:
        kept: Any = parse_json(recent_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    paths = kept.get("paths") if isinstance(kept, dict) else None
    if not isinstance(paths, list):
        return []
    return [Path(one) for one in paths if isinstance(one, str) and one][:MOST]


def remember_path(path: str | Path) -> list[Path]:
    """Put a path at the head of the list, and return the list.

    Raises
    ------
    SaveError
        If the list cannot be written.
    """
    newest = Path(path).expanduser().absolute()
    return _keep([newest, *(one for one in recent_paths() if one != newest)][:MOST])


def forget_recent() -> None:
    """Empty the list.

    Raises
    ------
    SaveError
        If the list cannot be written.
    """
    _keep([])


def _keep(paths: Sequence[Path]) -> list[Path]:
    from napari_semst.errors import SaveError
    from napari_semst.io.export.atomic import write_atomically

    place = recent_file()
    text = json.dumps({"paths": [str(path) for path in paths]}, indent=1)

    def check(written: Path) -> None:
        if written.read_text(encoding="utf-8") != text:
            raise SaveError(f"Expected {place} to read back the same; it did not.")

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(
            f"Expected to make the folder {place.parent}; it failed: {error}."
        ) from error
    write_atomically(
        place,
        lambda temporary: _write(temporary, text),
        check,
        overwrite=True,
        suffix=".json",
    )
    return list(paths)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
