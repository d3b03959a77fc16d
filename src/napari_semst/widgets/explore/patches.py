"""Click a spot: its patch beside those that its molecules and its image expect."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QWidget

from napari_semst import keys
from napari_semst.explanation.comparison_patches import N_ALIKE, PatchBook, SpotPatches
from napari_semst.explore.labels import Labels, read_labels
from napari_semst.viewer import colourings, spots
from napari_semst.viewer.adapter import snapshot
from napari_semst.viewer.canvas.units import canvas_per_layer
from napari_semst.viewer.sections import on_canvas, zoom_to
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.patch_view import PIXELS, PatchView
from napari_semst.widgets.shared.errors import describe_error
from napari_semst.widgets.shared.forms import WrappedLabel, collapsible, row_of, stacked
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

    from napari_semst.explanation.comparison_patches import SpotIndices
    from napari_semst.widgets.explore.context import ExploreContext
    from napari_semst.widgets.explore.drawing import DrawingTool

_SMALL, _LARGE, _GAP = 82, 128, 6
# How far from a spot its patch is looked at on the canvas, in diameters.
_AROUND = 8.0
# The mouse hardly moves in a click, in pixels of the window.
_STILL = 4.0


class PatchesPart(QWidget):
    """The patches of the spot that was clicked last.

    Parameters
    ----------
    tool
        A click is its own while it draws.
    """

    def __init__(
        self,
        context: ExploreContext,
        tool: DrawingTool,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._context, self._tool = context, tool
        # The stand-in that plugins are handed keeps callbacks to itself.
        self._viewer: Any = getattr(context.viewer, "__wrapped__", context.viewer)
        self._books: dict[tuple[Any, ...], tuple[ref[AnnData], PatchBook]] = {}
        self.shown: SpotPatches | None = None
        self.task = BackgroundTask(self._look)
        self.message = WrappedLabel()
        self.large, self.alone = PatchView(_LARGE), PatchView(_LARGE)
        self.titles = [WrappedLabel(), WrappedLabel()]
        self.rows = [[PatchView(_SMALL) for _ in range(N_ALIKE)] for _ in range(2)]
        self.content = self._pictures()
        whole = QWidget()
        stacked(whole, self.message, self.content, spacing=_GAP, top=4)
        self.part = collapsible(texts.PATCHES, whole)
        stacked(self, self.part)
        self.task.done.connect(self._on_done)
        self.task.failed.connect(self._on_failed)
        context.section_changed.connect(self.clear)
        context.state.tissue_changed.connect(self._on_tissue_changed)
        self._viewer.mouse_drag_callbacks.append(self._on_press)
        self.clear()

    def _pictures(self) -> QWidget:
        pictures = QWidget()
        grid = QGridLayout(pictures)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(_GAP)
        top = row_of(self.large, self.alone, spacing=_GAP, stretch=True)
        grid.addLayout(top, 0, 0, 1, N_ALIKE + 1)
        for group, (title, row) in enumerate(zip(self.titles, self.rows, strict=True)):
            grid.addWidget(title, 1 + 2 * group, 0, 1, N_ALIKE + 1)
            for column, view in enumerate(row):
                top_left = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft
                grid.addWidget(view, 2 + 2 * group, column, top_left)
                view.clicked.connect(self._on_view)
        for view in (self.large, self.alone):
            view.clicked.connect(self._on_view)
        grid.setColumnStretch(N_ALIKE, 1)
        return pictures

    def clear(self) -> None:
        """Show no spot; ask for one."""
        self.task.drop()
        # They hold the section: what is closed is given back.
        self._books = {}
        self.shown = None
        self.content.hide()
        tissue = self._context.tissue
        self.message.setText(texts.PATCHES_ASK if tissue is not None else "")
        self.setEnabled(tissue is not None)

    def shutdown(self) -> None:
        """Leave the viewer's mouse alone; for when the dock goes."""
        self.task.drop()
        if self._on_press in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_press)

    # --- the spot

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        """Show the spot that was clicked, unless a tool draws or the view moves."""
        start = np.asarray(event.pos)
        wanted = self.part.isExpanded() and not self._tool.kind
        yield
        while event.type == "mouse_move":
            if np.abs(np.asarray(event.pos) - start).max() > _STILL:
                wanted = False
            yield
        layer = self._context.layer
        if not wanted or layer is None or event.button != 1 or not layer.visible:
            return
        per_layer = canvas_per_layer(self._viewer.layers, layer)
        spot = spots.spot_at(layer, np.asarray(event.position) / per_layer)
        if spot is not None:
            self.show_spot(spot)

    def show_spot(self, spot: int) -> None:
        """Read the patches of a spot, in a thread, and show them."""
        tissue = self._context.tissue
        layer = self._context.layer
        if tissue is None or layer is None or not spots.holds_its_spots(layer):
            return
        self.message.setText(texts.PATCHES_BUSY)
        self.task.start(self._key(tissue), tissue, spot)

    def _key(self, tissue: AnnData) -> tuple[Any, ...]:
        """Return what the images of a tissue depend on, besides their pixels."""
        run = colourings.latest_run(tissue)
        placed = repr([tissue.uns.get(key) for key in (keys.ALIGNMENT, keys.LANDMARKS)])
        return id(tissue), run, id(tissue.obsm.get(keys.LATENT)), placed

    def _look(self, key: tuple[Any, ...], tissue: AnnData, spot: int) -> SpotPatches:
        """Return the patches of a spot; images are opened once."""
        held = self._books.get(key)
        if held is None or held[0]() is not tissue:
            book = PatchBook(snapshot(tissue), key[1])
            # One section is worked on at a time, and images may be large.
            self._books = {key: (ref(tissue), book)}
        else:
            book = held[1]
        return book.look(spot, PIXELS)

    def _on_done(self, patches: SpotPatches) -> None:
        tissue = self._context.tissue
        if tissue is None or patches.spot >= tissue.n_obs:
            return
        self.shown = patches
        column = keys.DOMAIN
        labels = read_labels(tissue, column) if column in tissue.obs else None
        name = str(tissue.obs_names[patches.spot])
        self.message.setText(f"{name}. {patches.scale}")
        self._show(self.large, tissue, patches, patches.spot, labels)
        self._show(self.alone, tissue, patches, patches.spot, labels, close=True)
        for group, (title, row) in enumerate(zip(self.titles, self.rows, strict=True)):
            alike = patches.alike[group]
            title.setText(texts.PATCH_ROWS[group].format(usual=_usual(alike, labels)))
            title.setVisible(bool(alike))
            for place, view in enumerate(row):
                view.setVisible(place < len(alike))
                if place < len(alike):
                    self._show(view, tissue, patches, alike[place], labels)
        self.content.show()

    def _show(
        self,
        view: PatchView,
        tissue: AnnData,
        patches: SpotPatches,
        spot: int,
        labels: Labels | None,
        *,
        close: bool = False,
    ) -> None:
        name, color = _domain(spot, labels)
        lines = (texts.THE_SPOT,) if close else patch_caption(tissue, spot, name)
        picture = patches.close if close else patches.pictures[spot]
        tip = texts.PATCH_TIP.format(
            name=tissue.obs_names[spot], caption=", ".join(lines)
        )
        ring = 1.0 if close else patches.share
        view.show_patch(spot, picture, ring, color, lines, tip)

    def _on_failed(self, error: Exception, details: str) -> None:
        self.shown = None
        self.content.hide()
        self.message.setText("\n".join(describe_error(error)))

    def _on_tissue_changed(self, tissue: AnnData, by: object) -> None:
        if tissue is self._context.tissue:
            self.clear()

    def _on_view(self) -> None:
        """Look at the spot of the patch that was pressed."""
        layer, view = self._context.layer, self.sender()
        if layer is None or not isinstance(view, PatchView) or view.spot < 0:
            return
        place = np.asarray(spots.positions(layer))[view.spot, -2:]
        reach = _AROUND * float(np.median(spots.diameters(layer)))
        box = np.stack([place - reach, place + reach])
        zoom_to(self._viewer, on_canvas(self._viewer, layer, box))


def patch_caption(tissue: AnnData, spot: int, domain: str) -> tuple[str, ...]:
    """Return the lines below a patch: domain, discordance, false discovery rate."""
    lines = [domain] if domain else []
    for key, text in texts.PATCH_NUMBERS.items():
        if key in tissue.obs:
            value = float(tissue.obs[key].iloc[spot])
            known = np.isfinite(value)
            lines.append(text.format(value=value) if known else texts.NO_PATCH_NUMBER)
    return tuple(dict.fromkeys(lines))


def _domain(spot: int, labels: Labels | None) -> tuple[str, str]:
    """Return name and colour of a spot's domain, empty where it has none."""
    code = -1 if labels is None else int(labels.codes[spot])
    if labels is None or code < 0:
        return "", ""
    name = labels.names[code]
    # A number alone says nothing; a name that somebody gave does.
    label = texts.PATCH_DOMAIN.format(name=name) if name.isdecimal() else name
    return label, labels.colors[code]


def _usual(alike: SpotIndices, labels: Labels | None) -> str:
    """Return the domains of some spots in words, the commonest first."""
    names = Counter(name for spot in alike if (name := _domain(spot, labels)[0]))
    counted = [f"{name} ({n} of {len(alike)})" for name, n in names.most_common()]
    return f": {', '.join(counted)}" if counted else ""
