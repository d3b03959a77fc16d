"""Where files are dropped or asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QFrame,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from napari_semst.widgets.open import texts
from napari_semst.widgets.open.texts import TIPS
from napari_semst.widgets.shared.forms import push_button, row_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtCore import QMimeData
    from qtpy.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent

_ROWS = 4


class DropArea(QFrame):
    """A frame that takes files and folders, with buttons that ask for them."""

    dropped = Signal(list)  # paths
    sample_wanted = Signal(str, str)  # key and name

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("semst_drop_area")
        self.setAcceptDrops(True)
        self.title = QLabel(texts.DROP)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        kinds = QLabel(texts.KINDS_READ)
        kinds.setWordWrap(True)
        kinds.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.file_button = push_button("Open file...", TIPS["file"])
        self.folder_button = push_button("Open folder...", TIPS["folder"])
        self.sample_button = push_button("Sample", TIPS["sample"])
        self.sample_menu = QMenu(self)
        for key, name in texts.SAMPLES:
            action = self.sample_menu.addAction(name)
            action.setData(key)
        self.sample_menu.triggered.connect(self._on_sample)
        self.sample_button.setMenu(self.sample_menu)
        buttons = row_of(
            self.file_button, self.folder_button, self.sample_button, spacing=6
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 14, 12, 12)
        layout.setSpacing(8)
        layout.addWidget(self.title)
        layout.addWidget(kinds)
        layout.addLayout(buttons)
        self._show_over(False)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802  Qt's name
        """Take what comes from the disk."""
        if paths_in(event.mimeData()):
            event.acceptProposedAction()
            self._show_over(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802  Qt's name
        """Look as before."""
        self._show_over(False)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802  Qt's name
        """Tell the paths that were dropped."""
        self._show_over(False)
        paths = paths_in(event.mimeData())
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def _show_over(self, over: bool) -> None:
        self.title.setText(texts.DROP_NOW if over else texts.DROP)
        line, ground = ("58, 134, 200", 40) if over else ("128, 128, 128", 18)
        self.setStyleSheet(
            "#semst_drop_area {"
            f" background: rgba({line}, {ground});"
            f" border: 2px dashed rgba({line}, 170); border-radius: 6px; }}"
            "#semst_drop_area QLabel { background: transparent; }"
        )

    def _on_sample(self, action: object) -> None:
        key, name = action.data(), action.text()  # type: ignore[attr-defined]
        self.sample_wanted.emit(key, name)


class RecentList(QListWidget):
    """What was opened before, as a list of names."""

    chosen = Signal(object)  # path to look inside
    open_wanted = Signal(object)  # path to open

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(TIPS["recent"])
        # The theme's rows are lower than their text.
        self.setStyleSheet("QListWidget::item { padding: 3px 4px; min-height: 16px; }")
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemClicked.connect(self._on_clicked)
        self.itemActivated.connect(self._on_activated)

    def show_paths(self, paths: Sequence[Path]) -> None:
        """Show these paths, the latest first."""
        self.clear()
        for path in paths:
            item = QListWidgetItem(f"{path.name}   {path.parent}")
            item.setData(Qt.ItemDataRole.UserRole, str(path))
            item.setToolTip(str(path))
            if not path.exists():
                item.setFlags(Qt.ItemFlag.NoItemFlags)
                item.setToolTip(f"{path}\n{texts.GONE}")
            self.addItem(item)
        self._fit()

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Return the height of the rows there are, a few at most."""
        row = max(self.sizeHintForRow(0), self.fontMetrics().height() + 6)
        rows = min(max(self.count(), 1), _ROWS)
        return QSize(super().sizeHint().width(), rows * row + 2 * self.frameWidth() + 4)

    def _fit(self) -> None:
        self.setFixedHeight(self.sizeHint().height())

    def _on_clicked(self, item: QListWidgetItem) -> None:
        self.chosen.emit(_path(item))

    def _on_activated(self, item: QListWidgetItem) -> None:
        self.open_wanted.emit(_path(item))


def paths_in(data: QMimeData | None) -> list[Path]:
    """Return the files and folders of something dragged; nothing from the network."""
    if data is None or not data.hasUrls():
        return []
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


def _path(item: QListWidgetItem) -> Path:
    return Path(item.data(Qt.ItemDataRole.UserRole))
