"""Settings as files: of the user's own, and those remembered between sessions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_semst.config import Request
from napari_semst.core.json_text import parse_json
from napari_semst.core.settings_folder import settings_folder
from napari_semst.errors import SaveError, SemstError
from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.forms import push_button, row_of, stacked

if TYPE_CHECKING:
    from collections.abc import Callable

_KINDS = "Settings (*.toml)"
# Read, too: the JSON of the image-guided method's source.
_KINDS_READ = "Settings (*.toml *.json)"
_NAME = "find-domains.json"
# What belongs to one section, or spoils a run on purpose, is not for the next session.
_NOT_REMEMBERED = {
    "prepare": ("coordinates", "counts_layer", "section_key"),
    "semantics": ("control", "embedding"),
    "morphology": ("image", "image_scale", "spot_diameter"),
}


class ConfigurationRow(QWidget):
    """Two buttons: load, and save."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.load_button = push_button(texts.LOAD, texts.TIPS["load_configuration"])
        self.save_button = push_button(texts.SAVE, texts.TIPS["save_configuration"])
        stacked(self, row_of(self.load_button, self.save_button, spacing=6))
        self.setFocusProxy(self.load_button)


class ConfigurationFiles(QObject):
    """Ask for paths; bring settings from files to the fields, and back.

    Parameters
    ----------
    request
        Returns what the fields stand for; it may raise a `SemstError`.
    show_request
        Shows a request in the fields; it may raise a `SemstError`.
    """

    status_changed = Signal(str, str, str)  # kind, title and text for the card
    failed = Signal(object, str)

    def __init__(
        self,
        row: ConfigurationRow,
        request: Callable[[], Request],
        show_request: Callable[[Request], None],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._request, self._show_request = request, show_request
        self._window = window
        row.load_button.clicked.connect(self.ask_load)
        row.save_button.clicked.connect(self.ask_save)

    def ask_load(self) -> None:
        """Ask for a file and show its settings."""
        path, _ = QFileDialog.getOpenFileName(
            self._window, "Load a configuration", "", _KINDS_READ
        )
        if path:
            self.load(path)

    def load(self, path: str) -> None:
        """Show the settings of a file in the fields."""
        try:
            self._show_request(Request.from_file(path))
        except SemstError as error:
            self.failed.emit(error, "")
            return
        text = texts.LOADED_HELP.format(name=Path(path).name)
        self.status_changed.emit("success", texts.LOADED, text)

    def ask_save(self) -> None:
        """Ask for a file name and write the settings as they stand."""
        try:
            request = self._request()
            path = self._ask_path()
            if path is None:
                return
            # The dialog asked about the name as typed, not about one with an ending.
            asked = path.suffix == ".toml"
            path = path if asked else path.with_name(f"{path.name}.toml")
            write_settings(path, request.to_toml(), overwrite=asked)
        except SemstError as error:
            self.failed.emit(error, "")
            return
        self.status_changed.emit("success", texts.KEPT_CONFIGURATION, str(path))

    def _ask_path(self) -> Path | None:
        typed, _ = QFileDialog.getSaveFileName(
            self._window, "Save the configuration", "semst.toml", _KINDS
        )
        return Path(typed) if typed else None


def write_settings(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a small file whole or not at all, or raise `SaveError`."""
    from napari_semst.io.export.atomic import write_atomically

    def check(written: Path) -> None:
        if written.read_text(encoding="utf-8") != text:
            raise SaveError(f"Expected {path} to read back as written; it does not.")

    def write(place: Path) -> None:
        place.write_text(text, encoding="utf-8", newline="\n")

    write_atomically(path, write, check, overwrite=overwrite, suffix=path.suffix)


def remembered_file() -> Path:
    """Return where settings are remembered."""
    return settings_folder() / _NAME


def remember_request(request: Request, **choices: bool) -> None:
    """Keep the settings of a run, and choices of the dock, for the next session.

    Nothing is said where that cannot be done: the run itself is not concerned.
    """
    overrides = {
        stage: {
            name: value
            for name, value in values.items()
            if name not in _NOT_REMEMBERED.get(stage, ())
        }
        for stage, values in request.overrides.items()
    }
    kept = {"preset": request.preset, "overrides": overrides, **choices}
    file = remembered_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_settings(file, json.dumps(kept, indent=1), overwrite=True)
    except (OSError, SemstError):
        return


def recall_request(show: Callable[[Request], None]) -> dict[str, Any]:
    """Show the settings of the last session; return the choices of the dock.

    Parameters
    ----------
    show
        Shows a request. What another version wrote, and this one does not know, is
        left alone.
    """
    try:
        kept = parse_json(remembered_file().read_text(encoding="utf-8"))
        show(Request(str(kept["preset"]), kept["overrides"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SemstError):
        return {}
    return dict(kept)
