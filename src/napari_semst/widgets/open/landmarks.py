"""An image registered to its spots by landmarks that are clicked in pairs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_semst.errors import InputError, SemstError
from napari_semst.io.manual_alignment import adjustment_of
from napari_semst.io.places.landmark_facts import error_in_words, microns_per_unit
from napari_semst.io.places.landmarks import (
    landmarks_of,
    read_landmarks,
    write_landmarks,
)
from napari_semst.io.sections import libraries
from napari_semst.registration.accuracy import landmark_errors
from napari_semst.registration.landmarks import (
    FEWEST_PAIRS,
    Landmarks,
    landmarks_from,
)
from napari_semst.registration.maps import map_in_words, map_of
from napari_semst.session.actions import Action
from napari_semst.session.log import record_action
from napari_semst.viewer import adapter
from napari_semst.viewer.align_image import (
    RegisteredLayers,
    draw_registered,
    image_layers_of,
    register_on_canvas,
)
from napari_semst.viewer.image_channels import CHANNEL
from napari_semst.viewer.landmark_layers import LandmarkLayers
from napari_semst.viewer.spots import tissue_of
from napari_semst.widgets.open import texts
from napari_semst.widgets.open.landmark_table import LandmarkTable
from napari_semst.widgets.open.texts import TIPS
from napari_semst.widgets.shared.closing import guard_closing
from napari_semst.widgets.shared.files import ask_path
from napari_semst.widgets.shared.forms import (
    add_row,
    form_layout,
    note_label,
    push_button,
    row_of,
    short_combo,
    stacked,
)
from napari_semst.widgets.shared.status import Banner
from napari_semst.widgets.shared.unsaved import mark_unsaved
from napari_semst.widgets.shared.worker import BackgroundTask
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_semst.io.manual_alignment import Adjustment
    from napari_semst.registration.accuracy import LandmarkErrors

_KINDS = {"similarity": "Turn, mirror, scale", "affine": "Affine", "spline": "Spline"}
_NOTHING = np.empty((0, 2))


@dataclass(frozen=True, eq=False)
class _Judged:
    """What came of looking at pairs."""

    landmarks: Landmarks
    errors: LandmarkErrors
    words: str
    microns: float | None


@dataclass(frozen=True, eq=False)
class _Before:
    """How an image lay before it was registered."""

    tissue: ref[AnnData]
    library: str
    landmarks: Landmarks | None
    adjustment: Adjustment


class LandmarkPanel(QWidget):
    """Sets pairs, says how well they agree, and registers the image by them.

    Parameters
    ----------
    viewer
        The viewer in which pairs are clicked.
    """

    registered = Signal(object)  # tissue

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Layer | None = None
        self._library = ""
        self._canvas: LandmarkLayers | None = None
        self._pairs: WeakKeyDictionary[
            Layer, dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
        ] = WeakKeyDictionary()
        self._before: list[_Before] = []
        self._judged: _Judged | None = None
        self.judging = BackgroundTask(_judge)
        self.drawing = BackgroundTask(_draw)
        self.note = note_label()
        self.set_button = push_button("Set pairs", TIPS["set_pairs"], checkable=True)
        self.load_button = push_button("Load...", TIPS["load_pairs"])
        self.save_button = push_button("Save...", TIPS["save_pairs"])
        self.kind = short_combo(TIPS["map"])
        for kind, label in _KINDS.items():
            self.kind.addItem(f"{label} ({FEWEST_PAIRS[kind]}+ pairs)", kind)
        self.table = LandmarkTable()
        self.line = Banner()
        self.remove_button = push_button("Remove pair", TIPS["remove_pair"])
        self.register_button = push_button("Register", TIPS["register"])
        self.undo_button = push_button("Undo", TIPS["undo_register"])
        self.take_back_button = push_button("Take back", TIPS["take_back"])
        self._build()
        self._connect()
        self._show()

    def _build(self) -> None:
        self.note.setText(texts.LANDMARKS_HELP)
        rows = form_layout()
        add_row(rows, "Map", self.kind)
        pairs = row_of(self.set_button, self.load_button, self.save_button, spacing=6)
        last = row_of(self.undo_button, self.take_back_button, spacing=6)
        stacked(
            self,
            self.note,
            pairs,
            rows,
            self.table,
            self.remove_button,
            self.line,
            self.register_button,
            last,
            spacing=6,
        )

    def _connect(self) -> None:
        self.set_button.toggled.connect(self._on_set)
        self.load_button.clicked.connect(self._on_load)
        self.save_button.clicked.connect(self._on_save)
        self.kind.activated.connect(self._judge)
        self.table.currentItemChanged.connect(self._on_chosen)
        self.remove_button.clicked.connect(self._on_remove)
        self.register_button.clicked.connect(self._on_register)
        self.undo_button.clicked.connect(self._on_undo)
        self.take_back_button.clicked.connect(self._on_take_back)
        self.judging.done.connect(self._on_judged)
        self.judging.failed.connect(self._on_not_judged)
        self.drawing.done.connect(self._on_drawn)
        self.drawing.failed.connect(self._on_not_drawn)

    # --- what is on show

    @property
    def tissue(self) -> AnnData | None:
        """The section whose image is registered."""
        return None if self._layer is None else tissue_of(self._layer)

    @property
    def pairs(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places on the image and among the spots, (x, y), ``(n, 2)`` each."""
        if self._canvas is not None:
            return self._canvas.on_image, self._canvas.among_spots
        known = {} if self._layer is None else self._pairs.get(self._layer, {})
        return known.get(self._library, (_NOTHING, _NOTHING))

    def show_image(self, layer: Layer | None, library: str) -> None:
        """Show the pairs of a section's image.

        Parameters
        ----------
        layer
            The section's spots.
        library
            Of the image; empty for none.
        """
        if layer is self._layer and library == self._library:
            if self._canvas is not None and self._canvas.on_canvas:
                self._canvas.show()
            self._show()
            return
        self.set_button.setChecked(False)
        self._layer, self._library = layer, library
        if layer is not None and library not in self._pairs.get(layer, {}):
            known = self._kept()
            if known is not None:
                self.kind.setCurrentIndex(self.kind.findData(known.kind))
                self._keep(known.image, known.spots)
        self._judge()

    def forget(self, tissue: AnnData, library: str) -> None:
        """Forget how an image lay that is gone: another may get its name.

        Its pairs stay, should the same one be added again.
        """
        self._before = [
            one
            for one in self._before
            if one.tissue() is not tissue or one.library != library
        ]
        if tissue is self.tissue and library == self._library:
            self.drawing.drop()

    def shutdown(self) -> None:
        """Take the landmarks off the canvas; for when the dock goes."""
        self.judging.drop()
        self.drawing.drop()
        self.set_button.setChecked(False)

    def _keep(self, image: NDArray[np.float64], spots: NDArray[np.float64]) -> None:
        if self._layer is not None and self._library:
            self._pairs.setdefault(self._layer, {})[self._library] = (image, spots)

    def _show(self) -> None:
        image, spots = self.pairs
        n_pairs = min(len(image), len(spots))
        half = ""
        if len(image) != len(spots):
            half = (
                texts.SPOT_MISSING if len(image) > len(spots) else texts.IMAGE_MISSING
            )
        judged = self._judged
        errors = None if judged is None else judged.errors
        microns = None if judged is None else judged.microns
        self.table.show_pairs(n_pairs, half, errors, microns)
        known = self._kept()
        busy = self.drawing.busy
        usable = judged is not None and not judged.errors.folded and not busy
        again = judged is not None and known == judged.landmarks
        self.register_button.setEnabled(usable and not again)
        self.take_back_button.setEnabled(known is not None and not busy)
        self.undo_button.setEnabled(self._last() is not None and not busy)
        self.save_button.setEnabled(judged is not None)
        self.set_button.setEnabled(self.tissue is not None and bool(self._library))
        self._on_chosen()

    def _kept(self) -> Landmarks | None:
        tissue = self.tissue
        try:
            return None if tissue is None else landmarks_of(tissue, self._library)
        except InputError:  # told where the image is shown
            return None

    # --- pairs

    def _on_set(self, wanted: bool) -> None:
        if not wanted:
            if self._canvas is not None:
                self._keep(*self.pairs)
                self._canvas.remove()
                self._canvas = None
            self._show()
            return
        tissue, layer = self.tissue, self._layer
        images = (
            []
            if tissue is None
            else image_layers_of(tissue, self._library, self._viewer.layers)
        )
        if layer is None or not images:
            self.set_button.setChecked(False)
            self.line.say("error", texts.NO_IMAGE_ON_CANVAS)
            return
        image, spots = self.pairs
        # Not a channel, whose layer goes when it is unticked.
        base = min(images, key=lambda one: CHANNEL in one.metadata)
        self._canvas = LandmarkLayers(
            self._viewer, layer, base, image, spots, self._on_points
        )
        self._judge()

    def _on_points(self) -> None:
        self._keep(*self.pairs)
        self._judge()

    def _on_chosen(self) -> None:
        self.remove_button.setEnabled(self.table.chosen >= 0)

    def _on_remove(self) -> None:
        pair = self.table.chosen
        if pair < 0:
            return
        if self._canvas is not None:
            self._canvas.remove_pair(pair)
            self._keep(*self.pairs)
        else:
            one = slice(pair, pair + 1)
            image, spots = self.pairs
            self._keep(np.delete(image, one, axis=0), np.delete(spots, one, axis=0))
        self._judge()

    def _on_load(self) -> None:
        kinds = "Tables (*.csv);;All files (*)"
        chosen, _ = QFileDialog.getOpenFileName(self, texts.LOAD_PAIRS, "", kinds)
        if chosen:
            self.load(chosen)

    def load(self, path: str) -> None:
        """Take the pairs of a table in the place of those there are.

        Parameters
        ----------
        path
            As `napari_semst.io.places.landmarks.read_landmarks` reads it.
        """
        try:
            read = read_landmarks(path, str(self.kind.currentData()))
        except SemstError as error:
            self.line.say("error", for_window(error))
            return
        self.kind.setCurrentIndex(self.kind.findData(read.kind))
        # It has the pairs, though its layers may have been deleted.
        if self._canvas is not None:
            self._canvas.set_pairs(read.image, read.spots)
        self._keep(read.image, read.spots)
        self._judge()

    def _on_save(self) -> None:
        judged = self._judged
        if judged is None:
            return
        kinds = "Tables (*.csv)"
        path = ask_path(self, texts.SAVE_PAIRS, "landmarks.csv", kinds, (".csv",))
        if path is not None:
            try:
                # The dialog asked about a file that is there.
                write_landmarks(judged.landmarks, path, overwrite=True)
            except SemstError as error:
                self.line.say("error", for_window(error))

    # --- how well they agree

    def _judge(self) -> None:
        """Look at the pairs anew, in the background."""
        self._judged = None
        self.judging.drop()
        self._show()
        tissue, (image, spots) = self.tissue, self.pairs
        if tissue is None or not self._library:
            return
        kind, n_pairs = str(self.kind.currentData()), min(len(image), len(spots))
        lacking = FEWEST_PAIRS[kind] - n_pairs
        if lacking > 0:
            text = texts.MORE_PAIRS if lacking > 1 else texts.ONE_MORE_PAIR
            self.line.say("ready", text.format(count=lacking))
            return
        self.line.say("running", texts.JUDGING)
        key = None if self._layer is None else self._layer.metadata[adapter.COORDINATES]
        given = image[:n_pairs].copy(), spots[:n_pairs].copy(), kind
        self.judging.start(tissue, self._library, key, given)

    def _on_judged(self, judged: _Judged) -> None:
        self._judged = judged
        errors = judged.errors
        words = judged.words
        left_out = error_in_words(errors.left_out_mean, judged.microns)
        if np.isfinite(errors.left_out_mean):
            told = texts.ERRORS.format(
                error=error_in_words(errors.fitted_mean, judged.microns),
                left_out=left_out,
            )
        else:
            told = texts.ERROR_UNKNOWN
        kind = "success" if np.isfinite(errors.left_out_mean) else "warning"
        if errors.far_off:
            kind, pair = "warning", errors.far_off[0] + 1
            told = f"{told} {texts.FAR_OFF.format(pair=pair)}"
        if errors.folded:
            kind, told = "error", f"{texts.FOLDED} {told}"
        self.line.say(kind, f"{told}\n{words[0].upper()}{words[1:]}.")
        self._show()

    def _on_not_judged(self, error: Exception, details: str) -> None:
        self._judged = None
        self.line.say("error", for_window(error))
        self._show()

    # --- the image

    def _on_register(self) -> None:
        if self._judged is not None:
            self._start(self._judged.landmarks)

    def _on_take_back(self) -> None:
        self._start(None)

    def _on_undo(self) -> None:
        before = self._last()
        if before is not None:
            self._start(before.landmarks, before)

    def _last(self) -> _Before | None:
        """Return how the image on show lay before the last change."""
        tissue = self.tissue
        mine = [
            one
            for one in self._before
            if one.tissue() is tissue and one.library == self._library
        ]
        return mine[-1] if mine and tissue is not None else None

    def _start(
        self, landmarks: Landmarks | None, undone: _Before | None = None
    ) -> None:
        """Draw the image where landmarks put it, in the background."""
        tissue = self.tissue
        if tissue is None:
            return
        self.line.say("running", texts.REGISTERING)
        adjustment = None if undone is None else undone.adjustment
        shown = image_layers_of(tissue, self._library, self._viewer.layers)
        channels = [x.metadata[CHANNEL] for x in shown if CHANNEL in x.metadata]
        order = self._library, landmarks, adjustment, channels
        self.drawing.start(tissue, adapter.snapshot(tissue), order, undone)
        self._show()

    def _on_drawn(
        self, answer: tuple[AnnData, RegisteredLayers, _Before | None]
    ) -> None:
        tissue, made, undone = answer
        if made.library not in libraries(tissue):  # it was removed meanwhile
            self._show()
            return
        library, landmarks, adjustment = made.library, made.landmarks, made.adjustment
        before = _Before(
            ref(tissue),
            library,
            landmarks_of(tissue, library),
            adjustment_of(tissue, library),
        )
        register_on_canvas(tissue, made, self._viewer.layers)
        told = None if landmarks is None else _plain(landmarks)
        record_action(
            tissue, Action("register", {"library": library, "landmarks": told})
        )
        if adjustment is not None and not adjustment.is_none:
            given = {"library": library, "adjustment": asdict(adjustment)}
            record_action(tissue, Action("align", given))
        if undone is None:
            self._before.append(before)
        else:
            self._before.remove(undone)
        mark_unsaved(self._viewer, tissue)
        guard_closing(self, self._viewer)
        if self._canvas is not None and self._canvas.on_canvas:
            self._canvas.show()
        self._judge()
        self.registered.emit(tissue)

    def _on_not_drawn(self, error: Exception, details: str) -> None:
        self.line.say("error", for_window(error))
        self._show()


def _plain(landmarks: Landmarks) -> dict[str, Any]:
    """Return landmarks as values that JSON holds."""
    return {
        "image": landmarks.image.tolist(),
        "spots": landmarks.spots.tolist(),
        "kind": landmarks.kind,
    }


def _judge(
    tissue: AnnData, library: str, key: str | None, given: tuple[Any, Any, str]
) -> _Judged:
    """Return how well pairs agree; for a worker."""
    landmarks = landmarks_from(*given)
    errors = landmark_errors(landmarks)
    words = "" if errors.folded else map_in_words(map_of(landmarks))
    words = words or landmarks.kind
    return _Judged(landmarks, errors, words, microns_per_unit(tissue, library, key))


def _draw(
    tissue: AnnData, looked_at: AnnData, order: tuple[Any, ...], undone: _Before | None
) -> tuple[AnnData, RegisteredLayers, _Before | None]:
    """Draw an image where it is about to lie, so that it is there at once."""
    return tissue, draw_registered(looked_at, *order), undone
