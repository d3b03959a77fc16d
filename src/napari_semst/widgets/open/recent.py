"""What was opened before, remembered from one session to the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 8


def recent_file() -> Path:
    """Return where the list is kept: in the user's folder of settings."""
    from platformdirs import user_config_path

    return user_config_path("napari-semst", appauthor=False) / "recent.json"


def recent() -> list[Path]:
    """Return what was opened before, the latest first.

    A list that cannot be read is none: it is written anew when something is opened.
    """
    try:
        kept: Any = json.loads(recent_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    paths = kept.get("paths") if isinstance(kept, dict) else None
    if not isinstance(paths, list):
        return []
    return [Path(one) for one in paths if isinstance(one, str) and one][:MOST]


def remember(path: str | Path) -> list[Path]:
    """Put a path at the head of the list, and return the list.

    Raises
    ------
    SaveError
        If the list cannot be written.
    """
    newest = Path(path).expanduser().absolute()
    return _keep([newest, *(one for one in recent() if one != newest)][:MOST])


def forget() -> None:
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
