"""What a dock shows at its top after a crash: restore the work, or discard it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_semst.widgets.shared.closing import guard_closing
from napari_semst.widgets.shared.forms import note_label, push_button, row_of, stacked
from napari_semst.widgets.shared.question import agrees
from napari_semst.widgets.shared.status import Banner
from napari_semst.widgets.shared.unsaved import keeper_of, when_changed

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_semst.explore.recovery import UnsavedWork

OFFER = "Unsaved work of {name}, {when}"
OFFER_HELP = "The program ended before it was saved."
RESTORE_TIP = (
    "Put the names, results, colours and alignment back into the section. It is opened "
    "if it is not open."
)
DISCARD_TIP = "Remove this unsaved work for good."
DISCARD_TITLE = "Discard unsaved work?"
DISCARD_ASKED = "Discard the unsaved work of {name}, {when}?"
DISCARD_MEANING = "It cannot be brought back."
MORE = "There is unsaved work of {count} more."
_MOST_SHOWN = 3


class RecoveryOffer(QWidget):
    """The unsaved work of programs that ended, each with two buttons.

    Parameters
    ----------
    viewer
        Where it is restored to.
    """

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.keeper = keeper_of(viewer)
        self.rows: list[OfferRow] = []
        self.more = note_label()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._column.addWidget(self.more)
        self.keeper.offers_changed.connect(self._show_offers)
        self.keeper.restored.connect(self._on_restored)
        self._show_offers()

    def _show_offers(self) -> None:
        for row in self.rows:
            self._column.removeWidget(row)
            row.hide()
            # A button of it may have been pressed just now.
            row.deleteLater()
        offers = self.keeper.offers
        self.rows = [OfferRow(work) for work in offers[:_MOST_SHOWN]]
        for place, row in enumerate(self.rows):
            row.restore_button.clicked.connect(self._on_restore)
            row.discard_button.clicked.connect(self._on_discard)
            self._column.insertWidget(place, row)
        rest = len(offers) - len(self.rows)
        self.more.setText(MORE.format(count=rest))
        self.more.setVisible(rest > 0)
        self.setVisible(bool(offers))

    def _pressed(self, name: str) -> UnsavedWork | None:
        pressed = self.sender()
        rows = (row for row in self.rows if getattr(row, name) is pressed)
        return next((row.work for row in rows), None)

    def _on_restore(self) -> None:
        work = self._pressed("restore_button")
        if work is not None:
            self.keeper.restore(work)

    def _on_discard(self) -> None:
        work = self._pressed("discard_button")
        if work is None:
            return
        asked = DISCARD_ASKED.format(name=work.name, when=when_changed(work))
        if agrees(self, DISCARD_TITLE, asked, DISCARD_MEANING, "Discard"):
            self.keeper.discard(work)

    def _on_restored(self, tissue: object) -> None:
        guard_closing(self, self._viewer)


class OfferRow(QWidget):
    """The unsaved work of one section."""

    def __init__(self, work: UnsavedWork, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.work = work
        self.text = Banner()
        self.text.say("warning", offer_text(work))
        self.restore_button: QPushButton = push_button("Restore", RESTORE_TIP)
        self.discard_button: QPushButton = push_button("Discard", DISCARD_TIP)
        buttons = row_of(self.restore_button, self.discard_button, spacing=6)
        stacked(self, self.text, buttons, spacing=4)


def offer_text(work: UnsavedWork) -> str:
    """Return what an offer says: of what, as of when, and what there is."""
    made = [c for c in work.columns if not c.startswith(("semst_", "ig_"))]
    first = OFFER.format(name=work.name, when=when_changed(work))
    what = f" ({', '.join(made[:3])}{', ...' if len(made) > 3 else ''})" if made else ""
    lines = [f"{first}{what}.", OFFER_HELP]
    return "\n".join([*lines, *([_short(work.path)] if work.path else [])])


def _short(path: str) -> str:
    """Return a path with ``~`` for the user's own folder."""
    home = Path.home()
    inside = Path(path).is_relative_to(home)
    return str(Path("~") / Path(path).relative_to(home)) if inside else path
