"""Opening and saving from the dock: dialogs here, the work in a worker thread."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_semst.errors import InputError
from napari_semst.session.actions import Action
from napari_semst.session.log import forget_action, record_action, settle_origin
from napari_semst.viewer.adapter import UNSAVED, snapshot
from napari_semst.viewer.spots import tissue_of
from napari_semst.widgets.shared.worker import BackgroundTask
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from napari.layers import Layer
    from napari.types import LayerData
    from qtpy.QtWidgets import QWidget

    _Order = tuple[AnnData, "SavedFile"]
    _Problem = tuple[Exception, str]

H5AD_FILTER = "AnnData (*.h5ad)"
SECTION_ENDINGS = (
    "*.h5ad *.h5 *.gef *.gem *.gem.gz *.csv *.csv.gz *.tsv *.tsv.gz *.xenium"
)
CSV_FILTER = "Table (*.csv)"
# Of pictures that are not written here: who types one means it.
_NOT_WRITTEN = {
    *(".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp"),
    *(".eps", ".ps", ".svgz", ".ai", ".docx", ".pptx"),
}


@dataclass(frozen=True)
class SavedFile:
    """What was written.

    Parameters
    ----------
    tissue
        The section itself; a snapshot of it was written.
    path
        The file.
    revision
        Which unsaved results the snapshot held: `UNSAVED` of its layer at that time.
    """

    tissue: AnnData
    path: Path
    revision: str

    @property
    def whole(self) -> bool:
        """Whether the section was written, not a table of its results alone."""
        return self.path.suffix == ".h5ad"

    @property
    def action(self) -> Action:
        """What is recorded of it in the session."""
        name = "save" if self.whole else "save_table"
        return Action(name, {"path": self.path.absolute()})


class FileDialogs(QObject):
    """Ask for paths, read and write, and say what came of it."""

    opening = Signal(str)
    opened = Signal(object, str, object)  # the tissue, its name, its layers' data
    all_opened = Signal(int)  # how many, where they were several
    saved = Signal(object)  # Saved
    failed = Signal(object, str)

    def __init__(self, window: QWidget) -> None:
        super().__init__()
        self._window = window
        self._waiting: deque[_Order] = deque()
        self._written: SavedFile | None = None
        self._paths: deque[str] = deque()
        self._n_read = 0
        self._problems: list[_Problem] = []
        self._reading = BackgroundTask(_read)
        self._saving = BackgroundTask(_save)
        self._reading.done.connect(self._on_read)
        self._saving.done.connect(self._on_saved)
        self._reading.failed.connect(self._on_not_read)
        self._saving.failed.connect(self._on_not_saved)

    @property
    def busy(self) -> bool:
        """Whether a section is being read."""
        return self._reading.busy or bool(self._paths)

    @property
    def saving(self) -> bool:
        """Whether a file is being written, or waits to be."""
        return self._saving.busy or bool(self._waiting)

    def ask_file(self) -> None:
        """Ask for files and open them, each as a section of its own."""
        paths, _ = QFileDialog.getOpenFileNames(
            self._window,
            "Open sections",
            "",
            f"Tissue sections ({SECTION_ENDINGS});;All files (*)",
        )
        if paths:
            self.open(*paths)

    def ask_folder(self) -> None:
        """Ask for a folder and open it."""
        path = QFileDialog.getExistingDirectory(self._window, "Open a section's folder")
        if path:
            self.open(path)

    def open(self, *paths: str) -> None:
        """Read sections in the background, one after the other."""
        self._paths, self._n_read, self._problems = deque(paths), 0, []
        self._read_next()

    def _read_next(self) -> None:
        """Read the next section; after the last say how all of it went."""
        if self._paths:
            path = self._paths.popleft()
            self.opening.emit(Path(path).name)
            self._reading.start(path)
            return
        if self._n_read > 1:
            self.all_opened.emit(self._n_read)
        for problem in merge_problems(self._problems):
            self.failed.emit(*problem)

    def ask_save(self, layer: Layer) -> None:
        """Ask for a file name and write a layer's section with its results."""
        self._ask(layer, ".h5ad", "Save the section", H5AD_FILTER)

    def ask_save_table(self, layer: Layer) -> None:
        """Ask for a file name and write the results as a table."""
        self._ask(layer, ".csv", "Save the table", CSV_FILTER)

    def _ask(self, layer: Layer, suffix: str, title: str, kind: str) -> None:
        name = f"{file_stem(layer.name)}_semst{suffix}"
        path = ask_path(self._window, title, name, kind, (suffix,))
        if path is None:
            return
        tissue = tissue_of(layer)
        if tissue is None:
            return
        # Both now: a run can end while the dialog is open, and while it is written.
        revision = layer.metadata.get(UNSAVED, "")
        wanted = SavedFile(tissue, path, revision)
        self._waiting.append((snapshot(tissue), wanted))
        record_action(tissue, wanted.action)
        self._save_next()

    def _save_next(self) -> None:
        """Write one after the other: every one is answered, and the last one stays."""
        if self._waiting and not self._saving.busy:
            copy, self._written = self._waiting.popleft()
            self._saving.start(copy, self._written)

    def _on_read(self, answer: tuple[AnnData, str, list[LayerData]]) -> None:
        self._n_read += 1
        self.opened.emit(*answer)
        self._read_next()

    def _on_not_read(self, error: Exception, details: str) -> None:
        # Told when all are read: what is said now would be overwritten by the next.
        self._problems.append((error, details))
        self._read_next()

    def _on_saved(self, answer: SavedFile) -> None:
        if answer.whole:
            settle_origin(answer.tissue, answer.action)
        self.saved.emit(answer)
        self._save_next()

    def _on_not_saved(self, error: Exception, details: str) -> None:
        if self._written is not None:
            forget_action(self._written.tissue, self._written.action)
        self.failed.emit(error, details)
        self._save_next()


def merge_problems(problems: list[_Problem]) -> list[_Problem]:
    """Return several problems as one, so that none hides another."""
    if len(problems) < 2:
        return problems
    text = "\n".join(for_window(error) for error, _ in problems)
    return [(InputError(text), "\n".join(details for _, details in problems))]


def file_stem(name: str) -> str:
    """Return a section's name as it can stand in a file's name."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in name).strip("_.")
    return kept or "section"


def _read(path: str) -> tuple[AnnData, str, list[LayerData]]:
    from napari_semst.io.read import read
    from napari_semst.viewer.adapter import prepare_layers, section_name
    from napari_semst.viewer.read_layers import from_path

    tissue, name = read(path), section_name(Path(path))
    return tissue, name, from_path(prepare_layers(tissue, name), Path(path))


def _save(tissue: AnnData, wanted: SavedFile) -> SavedFile:
    from napari_semst.io.export.h5ad import write, write_domains_csv

    # The dialog asked before it gave the name of a file that exists.
    if wanted.path.suffix == ".csv":
        path = write_domains_csv(tissue, wanted.path, overwrite=True)
    else:
        path = write(tissue, wanted.path, overwrite=True)
    return replace(wanted, path=path)


def ask_path(
    window: QWidget | None,
    title: str,
    suggested: str,
    kinds: str,
    endings: Sequence[str],
) -> Path | None:
    """Ask where to write a file, which may replace what is there; `None`: nowhere.

    Parameters
    ----------
    title, suggested, kinds
        Of the dialog: its title, a name, and the kinds of files it offers.
    endings
        Those that the file may have; a name with none of them gets the first.
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
