"""Opening and saving from the dock: dialogs here, the work in a worker thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_semst.viewer.adapter import snapshot
from napari_semst.widgets.shared.errand import Errand

if TYPE_CHECKING:
    from anndata import AnnData
    from qtpy.QtWidgets import QWidget

H5AD = "AnnData (*.h5ad)"
CSV = "Table (*.csv)"


class Files(QObject):
    """Ask for paths, read and write, and say what came of it."""

    opening = Signal(str)
    opened = Signal(object, str)  # the tissue, its name
    saved = Signal(object, str, bool)  # the tissue, the path, whether whole
    failed = Signal(object, str)

    def __init__(self, window: QWidget) -> None:
        super().__init__()
        self._window = window
        self._tissue: AnnData | None = None
        self._reading = Errand(_read)
        self._saving = Errand(_save)
        self._reading.done.connect(self._on_read)
        self._saving.done.connect(self._on_saved)
        self._reading.failed.connect(self.failed)
        self._saving.failed.connect(self.failed)

    @property
    def busy(self) -> bool:
        """Whether a section is being read."""
        return self._reading.busy

    def ask_file(self) -> None:
        """Ask for a file and open it."""
        path, _ = QFileDialog.getOpenFileName(
            self._window, "Open a section", "", "Tissue sections (*.h5ad *.h5)"
        )
        if path:
            self.open(path)

    def ask_folder(self) -> None:
        """Ask for a folder and open it."""
        path = QFileDialog.getExistingDirectory(self._window, "Open a section's folder")
        if path:
            self.open(path)

    def open(self, path: str) -> None:
        """Read a section in the background."""
        self.opening.emit(Path(path).name)
        self._reading.start(path)

    def ask_save(self, tissue: AnnData, name: str) -> None:
        """Ask for a file name and write the section with its results."""
        self._ask(tissue, f"{file_stem(name)}_semst.h5ad", "Save the section", H5AD)

    def ask_save_table(self, tissue: AnnData, name: str) -> None:
        """Ask for a file name and write the results as a table."""
        self._ask(tissue, f"{file_stem(name)}_semst.csv", "Save the table", CSV)

    def _ask(self, tissue: AnnData, name: str, title: str, kind: str) -> None:
        suffix = Path(name).suffix
        typed, _ = QFileDialog.getSaveFileName(self._window, title, name, kind)
        if not typed:
            return
        path = Path(typed)
        if path.suffix != suffix:
            # The dialog asked about the name as typed, not about this one.
            path = path.with_name(path.name + suffix)
            if path.exists() and not self._may_replace(path):
                return
        self._tissue = tissue
        self._saving.start(snapshot(tissue), path)

    def _may_replace(self, path: Path) -> bool:
        yes = QMessageBox.StandardButton.Yes
        answer = QMessageBox.question(
            self._window, "Replace?", f"{path.name} exists already. Replace it?"
        )
        return bool(answer == yes)

    def _on_read(self, answer: tuple[AnnData, str]) -> None:
        self.opened.emit(*answer)

    def _on_saved(self, path: Path) -> None:
        self.saved.emit(self._tissue, str(path), path.suffix == ".h5ad")


def file_stem(name: str) -> str:
    """Return a section's name as it can stand in a file's name."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in name).strip("_.")
    return kept or "section"


def _read(path: str) -> tuple[AnnData, str]:
    from napari_semst.io.read import read
    from napari_semst.viewer.adapter import section_name

    return read(path), section_name(Path(path))


def _save(tissue: AnnData, path: Path) -> Path:
    from napari_semst.io.save import write, write_domains_csv

    # The dialog asked before it gave the name of a file that exists.
    if path.suffix == ".csv":
        return write_domains_csv(tissue, path, overwrite=True)
    return write(tissue, path, overwrite=True)
