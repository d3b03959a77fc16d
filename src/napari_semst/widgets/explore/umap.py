"""The map of spots by what they express, beside the tissue and linked with it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QToolTip, QWidget

from napari_semst import keys
from napari_semst.explore import plane_view
from napari_semst.explore.umap import umap_of
from napari_semst.viewer.adapter import snapshot
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.scatter import ScatterPlot
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.errors import describe_error
from napari_semst.widgets.shared.forms import (
    collapsible,
    note_label,
    push_button,
    row_of,
    stacked,
)
from napari_semst.widgets.shared.worker import BackgroundTask
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_semst.explore.umap import UmapView
    from napari_semst.viewer.picking import SelectionMode
    from napari_semst.widgets.explore.context import ExploreContext

_SEED = 0
Made = tuple[tuple[Any, ...], "UmapView"]


class UmapPanel(QWidget):
    """The map, its buttons, and what it was made from."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scatter = ScatterPlot()
        self.scatter.setAccessibleName("UMAP")
        self.lasso = push_button(
            "Lasso", TIPS["umap_lasso"], narrow=True, checkable=True
        )
        self.fit = push_button("Whole map", TIPS["umap_fit"], narrow=True)
        self.again = push_button("Recompute", TIPS["umap_again"], narrow=True)
        self.out = push_button("Pop out", TIPS["umap_out"], narrow=True)
        self.source = note_label()
        self.source.setToolTip(TIPS["umap"])
        row = row_of(
            self.lasso, self.fit, self.again, self.out, spacing=4, stretch=True
        )
        layout = stacked(self, self.scatter, row, self.source, spacing=6, top=4)
        layout.setStretch(0, 1)


class UmapPart(QWidget):
    """The map of the section chosen, made in a worker when it is first looked at.

    Parameters
    ----------
    select
        Selects spots that were drawn around: which ones, and how.
    """

    def __init__(
        self,
        context: ExploreContext,
        select: Callable[[NDArray[np.bool_], SelectionMode], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._context, self._viewer = context, context.viewer
        self._select = select
        self._made: WeakKeyDictionary[Layer, Made] = WeakKeyDictionary()
        self._awaited: tuple[Layer, tuple[Any, ...]] | None = None
        self._rgba: NDArray[np.float32] | None = None
        self._is_out = False
        self.panel = UmapPanel()
        self.fold = collapsible("UMAP", self.panel)
        self.elsewhere = note_label()
        self.elsewhere.setText(texts.UMAP_OUT)
        self.elsewhere.hide()
        self.task = BackgroundTask(umap_of)
        stacked(self, self.fold, self.elsewhere)
        self._connect()
        self._on_theme()

    def _connect(self) -> None:
        panel, context = self.panel, self._context
        self.fold.toggled.connect(self._on_fold)
        panel.lasso.toggled.connect(self._on_lasso)
        panel.fit.clicked.connect(panel.scatter.fit)
        panel.again.clicked.connect(self._on_again)
        panel.out.clicked.connect(self._on_out)
        panel.scatter.surrounded.connect(self._on_surrounded)
        panel.scatter.hovered.connect(self._on_hovered)
        panel.installEventFilter(self)
        self.task.done.connect(self._on_done)
        self.task.failed.connect(self._on_failed)
        context.section_changed.connect(self._on_section)
        context.painted.connect(self._on_painted)
        context.state.tissue_changed.connect(self._on_tissue_changed)
        self._viewer.events.theme.connect(self._on_theme)

    @property
    def on_show(self) -> bool:
        """Whether the map is looked at, here or in a dock of its own."""
        return self._is_out or bool(self.fold.isExpanded())

    @property
    def view(self) -> UmapView | None:
        """The map of the section chosen, None while there is none."""
        layer = self._context.layer
        made = None if layer is None else self._made.get(layer)
        return None if made is None else made[1]

    # --- the map

    def make(self, *, own: bool = True) -> None:
        """Make the map of the section chosen, in a worker.

        Parameters
        ----------
        own
            Whether a map that the section has already will do.
        """
        layer, tissue = self._context.layer, self._context.tissue
        if layer is None or tissue is None:
            return
        self._awaited = (layer, _made_from(tissue))
        self.task.start(snapshot(tissue), _SEED, own)
        self._tell()

    def _look(self) -> None:
        """Show the map that there is; make one that is missing or of an older run."""
        layer, tissue = self._context.layer, self._context.tissue
        self._show()
        if layer is None or tissue is None or not self.on_show:
            return
        of_now = _made_from(tissue)
        made = self._made.get(layer)
        if made is not None and _same(made[0], of_now):
            return
        waiting = self._awaited
        if waiting is None or waiting[0] is not layer or not _same(waiting[1], of_now):
            self.make()

    def _on_done(self, view: UmapView) -> None:
        if self._awaited is not None:
            layer, made_from = self._awaited
            self._awaited = None
            self._made[layer] = (made_from, view)
            self._show()

    def _on_failed(self, error: Exception, details: str) -> None:
        self._awaited = None
        self._context.card.show_status("error", *describe_error(error), details)
        self._tell(for_window(error))

    def _show(self) -> None:
        """Show the points of the section chosen, in its colours."""
        view = self.view
        places = np.zeros((0, 2)) if view is None else view.places
        self.panel.scatter.set_points(places)
        self._colour()
        self._tell()

    def _tell(self, problem: str = "") -> None:
        """Say what the map was made from, or that it is being made."""
        panel, view = self.panel, self.view
        busy = self._awaited is not None and self._awaited[0] is self._context.layer
        there = self._context.tissue is not None
        message = texts.UMAP_BUSY if busy else problem
        panel.scatter.message = message if view is None else ""
        source = "" if view is None else texts.UMAP_SOURCE.format(source=view.source)
        panel.source.setText(texts.UMAP_BUSY if busy and view is not None else source)
        panel.source.setVisible(bool(panel.source.text()))
        panel.again.setEnabled(there and not busy)
        for button in (panel.lasso, panel.fit):
            button.setEnabled(view is not None)
        panel.scatter.update()

    def _colour(self) -> None:
        view, rgba, tissue = self.view, self._rgba, self._context.tissue
        if view is None or rgba is None or tissue is None or len(rgba) != tissue.n_obs:
            return
        selected = self._context.selection
        on_top = None if selected is None else selected[view.spots]
        self.panel.scatter.set_colours(rgba[view.spots], on_top)

    # --- what others do

    def _on_fold(self, expanded: bool) -> None:
        if expanded:
            self._look()

    def _on_section(self) -> None:
        self._rgba = None
        self._look()

    def _on_tissue_changed(self, tissue: AnnData, by: object) -> None:
        if tissue is self._context.tissue:
            self._look()

    def _on_painted(self, rgba: NDArray[np.float32]) -> None:
        self._rgba = rgba
        if self.on_show:
            self._colour()

    def _on_theme(self, event: Any = None) -> None:
        from napari.utils.theme import get_theme

        canvas = get_theme(str(self._viewer.theme)).canvas
        self.panel.scatter.background = tuple(canvas.as_rgb_tuple()[:3])
        self.panel.scatter.refresh()

    # --- what is done on the map

    def _on_again(self) -> None:
        self.make(own=False)

    def _on_lasso(self, on: bool) -> None:
        self.panel.scatter.lasso_on = on

    def _on_surrounded(self, points: NDArray[np.bool_], how: SelectionMode) -> None:
        view, tissue = self.view, self._context.tissue
        if view is not None and tissue is not None:
            spots = np.zeros(tissue.n_obs, bool)
            spots[view.spots[points]] = True
            self._select(spots, how)

    def _on_hovered(self, point: int) -> None:
        view, context = self.view, self._context
        tissue, colouring = context.tissue, context.colouring
        if point == plane_view.NO_POINT or view is None or tissue is None:
            QToolTip.hideText()
            return
        spot = int(view.spots[point])
        text = str(tissue.obs_names[spot])
        if colouring is not None and colouring.column in tissue.obs:
            value = tissue.obs[colouring.column].iloc[spot]
            text = f"{text}\n{colouring.label}: {value}"
        QToolTip.showText(QCursor.pos(), text, self.panel.scatter)

    # --- a dock of its own

    def _on_out(self) -> None:
        if self._is_out:
            self._viewer.window.remove_dock_widget(self.panel)
        else:
            self._is_out = True
            self.panel.out.setText("Put back")
            self.fold.removeWidget(self.panel)
            self.fold.hide()
            self.elsewhere.show()
            self._viewer.window.add_dock_widget(self.panel, name="UMAP", area="bottom")
            self._look()

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802
        """Take the map back when its dock is closed."""
        orphan = event.type() == QEvent.Type.ParentChange and watched.parent() is None
        if orphan and self._is_out:
            QTimer.singleShot(0, self._take_back)
        return super().eventFilter(watched, event)

    def _take_back(self) -> None:
        if self._is_out and self.panel.parent() is None:
            self._put_back()
            self.fold.expand()

    def _put_back(self) -> None:
        self._is_out = False
        self.panel.out.setText("Pop out")
        self.fold.addWidget(self.panel)
        self.elsewhere.hide()
        self.fold.show()
        self.panel.show()

    def shutdown(self) -> None:
        """Take the map out of its own dock, and await none; for when the dock goes."""
        self.task.drop()
        self._awaited = None
        if self._is_out:
            # First, so that the map is not taken back a second time.
            self._is_out = False
            with suppress(LookupError):  # its own dock may be gone already
                self._viewer.window.remove_dock_widget(self.panel)
            self._put_back()


def _made_from(tissue: AnnData) -> tuple[Any, ...]:
    """Return what a map is made from, to know whether it has changed."""
    return tuple(tissue.obsm.get(key) for key in ("X_umap", keys.LATENT))


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return all(a is b for a, b in zip(one, other, strict=True))
