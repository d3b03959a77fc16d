"""What the docks of one viewer have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst.core.triton_import import guard_triton_import

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from napari.viewer import Viewer
    from numpy.typing import NDArray


class ViewerState(QObject):
    """Tells every dock what another one did; holds the spots selected.

    Sections are held weakly: what is closed is given back.
    """

    tissue_changed = Signal(object, object)  # tissue; who changed it
    look_changed = Signal(object, object)  # tissue painted; who painted it
    selection_changed = Signal(object)  # tissue

    def __init__(self) -> None:
        super().__init__()
        guard_triton_import()
        # By identity: a tissue compares itself value by value.
        self._selected: dict[int, tuple[ref[AnnData], NDArray[np.bool_]]] = {}

    def selection(self, tissue: AnnData | None) -> NDArray[np.bool_] | None:
        """Return which spots of a tissue are selected, None where none are."""
        held = self._selected.get(id(tissue))
        return held[1] if held is not None and held[0]() is tissue else None

    def select(self, tissue: AnnData, spots: NDArray[np.bool_] | None) -> None:
        """Select spots of a tissue, those and no others; None or no spots: nothing."""
        self._selected = {k: v for k, v in self._selected.items() if v[0]() is not None}
        if spots is not None and spots.any():
            self._selected[id(tissue)] = ref(tissue), spots
        else:
            self._selected.pop(id(tissue), None)
        self.selection_changed.emit(tissue)


_STATES: WeakKeyDictionary[Any, ViewerState] = WeakKeyDictionary()


def state_of(viewer: Viewer) -> ViewerState:
    """Return the state that all docks of a viewer share."""
    unwrapped = getattr(viewer, "__wrapped__", viewer)
    if unwrapped not in _STATES:
        _STATES[unwrapped] = ViewerState()
    return _STATES[unwrapped]
