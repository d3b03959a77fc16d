"""Joining sections that are open: a list to tick, the work in a worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_semst import keys
from napari_semst.session.actions import Action
from napari_semst.session.log import begin_session, session_actions
from napari_semst.viewer import adapter
from napari_semst.viewer.spots import tissue_of
from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from napari.layers import Layer
    from napari.types import LayerData

_LONGEST_NAME = 40


class JoinDialog(QDialog):
    """Tick the sections that are to be joined.

    Parameters
    ----------
    names
        Of the sections, all ticked.
    """

    def __init__(self, names: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(texts.JOIN_TITLE)
        self.list = QListWidget()
        for name in names:
            item = QListWidgetItem(name, self.list)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked)
        about = QLabel(texts.JOIN_HELP)
        about.setWordWrap(True)
        ok, cancel = (
            QDialogButtonBox.StandardButton.Ok,
            QDialogButtonBox.StandardButton.Cancel,
        )
        buttons = QDialogButtonBox(ok | cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.join_button = buttons.button(ok)
        self.join_button.setText("Join")
        layout = QVBoxLayout(self)
        for part in (about, self.list, buttons):
            layout.addWidget(part)
        self.resize(380, 320)
        self.list.itemChanged.connect(self._on_ticked)
        self._on_ticked()

    @property
    def ticked(self) -> list[int]:
        """Indices of the names that are ticked."""
        on = Qt.CheckState.Checked
        rows = range(self.list.count())
        return [row for row in rows if self.list.item(row).checkState() == on]

    def _on_ticked(self) -> None:
        self.join_button.setEnabled(len(self.ticked) > 1)


class SectionJoiner(QObject):
    """Ask which sections to join, join them, and say what came of it."""

    joining = Signal(str)
    # The tissue, its name, its layers' data, the layers joined.
    joined = Signal(object, str, object, object)
    failed = Signal(object, str)

    def __init__(self, window: QWidget) -> None:
        super().__init__()
        self._window = window
        self._layers: list[Layer] = []
        self.dialog: JoinDialog | None = None
        self._work = BackgroundTask(_join)
        self._work.done.connect(self._on_joined)
        self._work.failed.connect(self.failed)

    @property
    def busy(self) -> bool:
        """Whether sections are being joined."""
        return self._work.busy

    def ask(self, layers: Sequence[Layer]) -> None:
        """Ask which of some layers to join."""
        if self.busy:
            return
        dialog = JoinDialog([layer.name for layer in layers], self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        among = list(layers)
        dialog.accepted.connect(lambda: self.join([among[i] for i in dialog.ticked]))
        self.dialog = dialog
        # Not `exec`, which would hold up a run that is under way.
        dialog.open()

    def join(self, layers: Sequence[Layer]) -> None:
        """Join the sections of these layers in the background."""
        self._layers = list(layers)
        tissues: dict[str, AnnData] = {}
        for layer in layers:
            tissue = tissue_of(layer)
            if tissue is not None:
                tissues[layer.name] = adapter.snapshot(tissue)
        shown = {layer.metadata.get(adapter.COORDINATES) for layer in layers}
        # One key serves all sections; where they differ each one's usual is found.
        key = shown.pop() if len(shown) == 1 else None
        self.joining.emit(", ".join(tissues))
        self._work.start(tissues, "" if key in (None, keys.SPATIAL) else key)

    def _on_joined(self, answer: tuple[AnnData, str, list[LayerData]]) -> None:
        layers, self._layers = self._layers, []
        self.joined.emit(*answer, layers)


def can_be_joined(layer: Layer) -> bool:
    """Return whether a layer holds one section, and not several joined already."""
    tissue = tissue_of(layer)
    return tissue is not None and keys.SECTION not in tissue.obs


def joined_name(names: Sequence[str]) -> str:
    """Return what to call sections together."""
    name = " + ".join(names)
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{names[0]} and {len(names) - 1} more"


def _join(
    tissues: dict[str, AnnData], coordinates: str
) -> tuple[AnnData, str, list[LayerData]]:
    from napari_semst.io.concat_sections import join_sections

    joined = join_sections(tissues, coordinates=coordinates)
    parts = [[name, session_actions(one)] for name, one in tissues.items()]
    given = {"sections": parts, "coordinates": coordinates}
    begin_session(joined, Action("join", given))
    name = joined_name(list(tissues))
    return joined, name, adapter.prepare_layers(joined, name)
