"""What the docks of one viewer have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from napari.viewer import Viewer
    from numpy.typing import NDArray


class ViewerState(QObject):
    """Tells every dock what another one did; holds the spots selected."""

    tissue_changed = Signal(object, object)  # tissue; who changed it
    colours_wanted = Signal(object, str)  # tissue; key of a colouring
    selection_changed = Signal(object)  # tissue

    def __init__(self) -> None:
        super().__init__()
        self._selected: tuple[AnnData, NDArray[np.bool_]] | None = None

    def selection(self, tissue: AnnData | None) -> NDArray[np.bool_] | None:
        """Return which spots of a tissue are selected, None where none are."""
        if self._selected is None or self._selected[0] is not tissue:
            return None
        return self._selected[1]

    def select(self, tissue: AnnData, spots: NDArray[np.bool_] | None) -> None:
        """Select spots of a tissue, those and no others; None or no spots: nothing."""
        some = spots is not None and bool(spots.any())
        self._selected = (tissue, spots) if some and spots is not None else None
        self.selection_changed.emit(tissue)


_STATES: WeakKeyDictionary[Any, ViewerState] = WeakKeyDictionary()


def state_of(viewer: Viewer) -> ViewerState:
    """Return the state that all docks of a viewer share.

    Parameters
    ----------
    viewer
        The viewer, or the stand-in that plugins are handed.
    """
    own = getattr(viewer, "__wrapped__", viewer)
    if own not in _STATES:
        _STATES[own] = ViewerState()
    return _STATES[own]
