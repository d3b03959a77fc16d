"""The path to write to: asked for, given its ending, and never replaced unasked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QMessageBox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

FIGURES = (".png", ".svg", ".pdf")
"""Endings of the figures that can be written."""

# Of pictures that are not written here: who types one means it.
_NOT_WRITTEN = {
    *(".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp"),
    *(".eps", ".ps", ".svgz", ".ai", ".docx", ".pptx"),
}


def ask_path(
    window: QWidget | None,
    title: str,
    suggested: str,
    kinds: str,
    endings: Sequence[str],
) -> Path | None:
    """Ask for the name of a file to write.

    Parameters
    ----------
    window
        Above which the dialog opens.
    title, suggested, kinds
        Of the dialog: its title, a name, and the kinds of files it offers.
    endings
        Those that the file may have; a name with none of them gets the first.

    Returns
    -------
    pathlib.Path or None
        Where to write, which may replace what is there; None: nowhere.
    """
    typed, _ = QFileDialog.getSaveFileName(window, title, suggested, kinds)
    if not typed:
        return None
    path = Path(typed)
    ending = path.suffix.lower()
    if path.suffix in endings:
        return path
    if ending in _NOT_WRITTEN:
        expected = " or ".join(endings)
        QMessageBox.warning(
            window,
            "Another kind of file",
            f"Expected a name that ends in {expected}; found {path.name!r}. "
            "Nothing was written.",
        )
        return None
    # The dialog asked about the name as typed, not about this one.
    known = ending in endings
    path = path.with_suffix(ending) if known else Path(f"{path}{endings[0]}")
    return path if not path.exists() or _may_replace(window, path) else None


def _may_replace(window: QWidget | None, path: Path) -> bool:
    answer = QMessageBox.question(
        window, "Replace?", f"{path.name} exists already. Replace it?"
    )
    return bool(answer == QMessageBox.StandardButton.Yes)
