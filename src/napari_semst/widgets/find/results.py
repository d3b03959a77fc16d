"""Bottom of the dock: what colours the spots, what the colours mean, and saving."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QSlider, QWidget

from napari_semst import keys
from napari_semst.explore.annotate import edited_columns
from napari_semst.viewer import colourings, confidence_fade
from napari_semst.viewer.colour import CategoryPaint, paint_of
from napari_semst.viewer.display_state import DisplayState
from napari_semst.viewer.hierarchy_levels import hierarchy_levels
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.curve import CurvePlot
from napari_semst.widgets.find.levels import LevelBar
from napari_semst.widgets.find.summary import (
    MeaningFacts,
    control_name,
    discordance_line,
    run_record,
)
from napari_semst.widgets.find.texts import TIPS
from napari_semst.widgets.shared.colorbar import Colorbar
from napari_semst.widgets.shared.forms import (
    WrappedLabel,
    add_choice,
    add_row,
    collapsible,
    form_layout,
    heading,
    note_label,
    push_button,
    row_of,
    short_combo,
    signals_blocked,
    stacked,
)
from napari_semst.widgets.shared.legend import Legend

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.viewer.colour import Paint
    from napari_semst.viewer.colourings import Colouring
    from napari_semst.viewer.hierarchy_levels import HierarchyLevels


class ResultsPanel(QWidget):
    """Choose run, colouring and level; show what the colours mean; ask for saving."""

    painted = Signal(object)  # Paint
    opacity_changed = Signal(float)
    keep_wanted = Signal(int)
    save_wanted = Signal()
    table_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tissue: AnnData | None = None
        self._quiet, self._follows = False, True
        self._offered: tuple[Colouring, ...] = ()
        self._levels: HierarchyLevels | None = None
        self._strength: NDArray[np.float32] | None = None
        self.run = short_combo(TIPS["results_of"])
        self.colour_by = short_combo(TIPS["colour_by"])
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setToolTip(TIPS["opacity"])
        self.level_bar = LevelBar()
        self.level_bar.setToolTip(TIPS["level"])
        self.fade = QCheckBox("Fade unsure spots")
        self.fade.setToolTip(TIPS["fade"])
        self.legend = Legend()
        self.colorbar = Colorbar()
        self.fade_note = note_label()
        self.discordant = DiscordantSpots()
        self.curve = CurvePlot()
        self.curve_part = collapsible(texts.CURVE_TITLE, self.curve)
        self.curve_part.setToolTip(TIPS["curve"])
        self.meaning = MeaningFacts()
        self.meaning_part = collapsible(texts.SEMANTICS_OF_RUN, self.meaning)
        self.save_button = push_button("Save...", TIPS["save"])
        self.table_button = push_button("Save table...", TIPS["save_table"])
        self._build()
        self._connect()
        self.set_tissue(None)

    def _build(self) -> None:
        self._form = rows = form_layout()
        add_row(rows, "Result of run", self.run)
        add_row(rows, "Colour by", self.colour_by)
        add_row(rows, "Spot opacity", self.opacity)
        add_row(rows, "Number of\ndomains shown", self.level_bar)
        add_row(rows, "", self.fade)
        buttons = row_of(self.save_button, self.table_button, spacing=6)
        stacked(
            self,
            heading("View and save"),
            rows,
            self.legend,
            self.colorbar,
            self.fade_note,
            self.discordant,
            self.curve_part,
            self.meaning_part,
            buttons,
            spacing=8,
        )

    def _connect(self) -> None:
        self.run.currentIndexChanged.connect(self._on_run)
        self.colour_by.currentIndexChanged.connect(self._paint)
        self.opacity.valueChanged.connect(self._on_opacity)
        self.level_bar.moved.connect(self._paint)
        self.level_bar.keep_wanted.connect(self.keep_wanted)
        self.fade.toggled.connect(self._paint)
        self.save_button.clicked.connect(self.save_wanted)
        self.table_button.clicked.connect(self.table_wanted)

    @property
    def colouring(self) -> Colouring | None:
        """The colouring chosen."""
        index = self.colour_by.currentIndex()
        return self._offered[index] if 0 <= index < len(self._offered) else None

    @property
    def look(self) -> DisplayState:
        """What is on show, as the layer is to remember it."""
        key = self.colouring.key if self.colouring else ""
        level = None if self._levels is None else self.level_bar.level
        return DisplayState(key, self.run.currentText(), level, self.fade.isChecked())

    @property
    def level_labels(self) -> NDArray[np.object_] | None:
        """Name of each spot's domain on show, None where it is the run's own."""
        look, levels = self.look, self._levels
        if look.colour_by != keys.DOMAIN or levels is None or look.level is None:
            return None
        return levels.labels(look.level)

    def set_tissue(
        self,
        tissue: AnnData | None,
        look: DisplayState | None = None,
        opacity: float = 1.0,
        *,
        paint: bool = True,
    ) -> None:
        """Offer a section's runs, colourings and levels.

        Parameters
        ----------
        look
            What to show. Of what is not there (any more) the section's first is
            shown: its latest run, that run's own number of domains.
        paint
            Whether the spots are to be painted; else the panel tells only what is on
            them.
        """
        self._quiet = not paint
        self._tissue, look = tissue, look or DisplayState()
        self.setVisible(tissue is not None)
        if tissue is None:
            return
        names = colourings.runs(tissue)
        for button in (self.save_button, self.table_button):
            button.setEnabled(bool(names))
        # What was drawn or renamed by hand is worth saving, too.
        self.save_button.setEnabled(bool(names or edited_columns(tissue)))
        there = look.run in names
        run = look.run if there else colourings.latest_run(tissue)
        with signals_blocked(self.run, self.opacity, self.fade):
            self.run.clear()
            self.run.addItems(list(names))
            self.run.setCurrentText(run)
            self.opacity.setValue(round(opacity * 100))
            self.fade.setChecked(look.fade)
        self._form.setRowVisible(self.run, len(names) > 1)
        key = look.colour_by or colourings.first_colouring(tissue).key
        self._offer(key, look.level if there else None)
        self._quiet = False

    def follow(self, follows: bool) -> None:
        """Explain the colours on the canvas, or nothing where they are others."""
        if self._follows != follows:
            self._follows, quiet, self._quiet = follows, self._quiet, True
            self._paint()
            self._quiet = quiet

    def paint_again(self) -> None:
        """Paint what is on show again: other spots are selected."""
        self._paint()

    def mark_unsaved(self, unsaved: bool) -> None:
        """Show on the button whether there is something to save."""
        self.save_button.setText("Save... *" if unsaved else "Save...")
        tip = TIPS["save"]
        self.save_button.setToolTip(
            f"{tip} There are unsaved results." * unsaved or tip
        )

    def _offer(self, key: str, level: int | None = None) -> None:
        """Offer what the chosen run has, and paint."""
        assert self._tissue is not None
        run = self.run.currentText()
        self._offered = colourings.colourings(self._tissue, run)
        other = colourings.colouring_for_key(self._tissue, key, run)
        if other is not None and other not in self._offered:
            # What another dock shows, a gene say: it is not to be painted over.
            self._offered = (*self._offered, other)
        with QSignalBlocker(self.colour_by):
            self.colour_by.clear()
            for colouring in self._offered:
                add_choice(self.colour_by, colouring.label, None, colouring.note)
            offered = [c.key for c in self._offered]
            self.colour_by.setCurrentIndex(offered.index(key) if key in offered else 0)
        self._levels = hierarchy_levels(self._tissue, run)
        if self._levels is not None:
            held = self._levels.holds(level)
            self.level_bar.show_levels(self._levels, level if held else None)
        confidence = colourings.confidence_of(self._tissue, run)
        self._strength = (
            None if confidence is None else confidence_fade.kept_opacity(confidence)
        )
        curve = colourings.number_curve(self._tissue, run)
        self.curve_part.setVisible(curve is not None)
        if curve is not None:
            self.curve.show_curve(curve)
        self._show_meaning(run)
        self.discordant.show_run(self._tissue, run)
        self._paint()

    def _show_meaning(self, run: str) -> None:
        """Show what gave the run's genes their meaning; a control shows unfolded."""
        assert self._tissue is not None
        facts = run_record(self._tissue, run)
        self.meaning_part.setVisible("semantics" in facts)
        self.meaning.show_run(facts)
        control = control_name(facts)
        title = f"{texts.SEMANTICS_OF_RUN}: CONTROL" if control else ""
        self.meaning_part.setText(title or texts.SEMANTICS_OF_RUN)
        if control:
            self.meaning_part.expand()

    def _on_run(self) -> None:
        self._offer(self.colouring.key if self.colouring else "")

    def _paint(self) -> None:
        """Show the colouring chosen, what explains it, and what belongs to it."""
        colouring = self.colouring
        if self._tissue is None or colouring is None:
            return
        paint = self._colours(colouring)
        categorical = isinstance(paint, CategoryPaint)
        self.legend.setVisible(categorical and self._follows)
        self.colorbar.setVisible(not categorical and self._follows)
        if isinstance(paint, CategoryPaint):
            self.legend.show_entries(paint.entries, colouring.label)
        else:
            self.colorbar.show_paint(paint)
        levels = self._levels if colouring.key == keys.DOMAIN else None
        self._form.setRowVisible(self.level_bar, levels is not None)
        self._form.setRowVisible(self.fade, categorical and self._strength is not None)
        self.fade_note.hide()
        if categorical and self._strength is not None and self.fade.isChecked():
            self.fade_note.setText(self._about_fading(levels))
            self.fade_note.show()
            rgba = confidence_fade.fade_colours(paint.rgba, self._strength)
            paint = replace(paint, rgba=rgba)
        if not self._quiet:
            self.painted.emit(paint)

    def _colours(self, colouring: Colouring) -> Paint:
        """Return the colours of the level on show, or else of the column itself."""
        assert self._tissue is not None
        level = self.look.level
        if colouring.key == keys.DOMAIN and self._levels is not None and level:
            return self._levels.paint(level)
        return paint_of(self._tissue, colouring)

    def _about_fading(self, levels: HierarchyLevels | None) -> str:
        text = texts.FADED.format(
            sure=confidence_fade.SURE, unsure=confidence_fade.UNSURE
        )
        if levels is None or self.level_bar.level is None:
            return text
        return f"{text} {texts.FADED_OWN.format(own=levels.own)}"

    def _on_opacity(self, percent: int) -> None:
        self.opacity_changed.emit(percent / 100)


class DiscordantSpots(QWidget):
    """A line on how many spots are discordant, and a button."""

    wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._called: NDArray[np.bool_] | None = None
        self.message = WrappedLabel()
        self.button = push_button(
            texts.SELECT_DISCORDANT, texts.TIPS["select_discordant"]
        )
        stacked(self, self.message, self.button, spacing=6)
        self.button.clicked.connect(self.wanted)
        self.hide()

    def show_run(self, tissue: AnnData, run: str) -> None:
        """Show what a run found, nothing where it did not look or was replaced."""
        # The columns are those of the latest run.
        latest = not run or run == colourings.latest_run(tissue)
        there = latest and {keys.DISCORDANT, keys.DISCORDANCE} <= set(tissue.obs)
        self.setVisible(there)
        self._called = called = discordant_spots(tissue) if there else None
        if called is not None:
            # Of several sections the map is of spots, too, that were not asked.
            rate = keys.DISCORDANCE_FDR
            asked = rate if rate in tissue.obs else keys.DISCORDANCE
            discordance = tissue.obs[asked].to_numpy(np.float64)
            lines = discordance_line(run_record(tissue, run), called, discordance)
            self.message.setText("\n".join(lines))
            self.button.setEnabled(bool(called.any()))

    def show_selection(self, selected: NDArray[np.bool_] | None) -> None:
        """Say on the button what pressing it does."""
        these = self._called is not None and np.array_equal(
            self._called, np.zeros(0) if selected is None else selected
        )
        self.button.setText(texts.SELECT_NOTHING if these else texts.SELECT_DISCORDANT)


def discordant_spots(tissue: AnnData) -> NDArray[np.bool_]:
    """Return which spots the latest run called discordant, ``(n_spots,)``."""
    return np.asarray(tissue.obs[keys.DISCORDANT].to_numpy(), dtype=bool)
