"""One discordant region: what it is, its genes, and its image beside others."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_semst.explanation.region_list import KIND_HELP, KIND_WORDS, genes_told
from napari_semst.explanation.region_patches import N_SHOWN, RegionPatches
from napari_semst.widgets.explore.discordant import words
from napari_semst.widgets.explore.patch_view import PatchView
from napari_semst.widgets.shared.forms import (
    WrappedLabel,
    heading,
    note_label,
    stacked,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SIDE, _GAP = 116, 6
# Read on dark and on light themes alike.
_LINK = "#3d94d6"


class RegionDetails(QWidget):
    """What is told of the region that was chosen."""

    gene_wanted = Signal(str)
    spot_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = heading("")
        self.kind, self.genes = WrappedLabel(), QLabel()
        self.genes.setWordWrap(True)
        self.genes.setTextFormat(Qt.TextFormat.RichText)
        self.genes.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.genes.linkActivated.connect(self.gene_wanted)
        self.message = note_label()
        self.rows = [
            [PatchView(_SIDE, captioned=False) for _ in range(N_SHOWN)]
            for _ in range(2)
        ]
        self.titles = [WrappedLabel(), WrappedLabel()]
        self.pictures = self._grid()
        stacked(
            self,
            self.title,
            self.kind,
            self.genes,
            self.pictures,
            self.message,
            spacing=_GAP,
            top=_GAP,
        )
        self.hide()

    def _grid(self) -> QWidget:
        pictures = QWidget()
        grid = QGridLayout(pictures)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(_GAP)
        for group, (title, row) in enumerate(zip(self.titles, self.rows, strict=True)):
            grid.addWidget(title, 2 * group, 0, 1, N_SHOWN + 1)
            for column, view in enumerate(row):
                top_left = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft
                grid.addWidget(view, 2 * group + 1, column, top_left)
                view.clicked.connect(self._on_view)
        grid.setColumnStretch(N_SHOWN, 1)
        return pictures

    def show_region(self, name: str, told: Mapping[str, Any]) -> None:
        """Show what is told of a region; its pictures come later."""
        self.title.setText(f"{name}  {KIND_WORDS[told['kind']]}".strip())
        self.kind.setText(f"{KIND_HELP[told['kind']]} {_likeness(told)}".strip())
        self.genes.setText(genes_as_links(told))
        self.pictures.hide()
        self.message.setText("")
        self.show()

    def show_patches(self, found: RegionPatches, colors: Sequence[str]) -> None:
        """Show pictures of the region above those of places that look alike.

        Parameters
        ----------
        colors
            Of the region, and of its surroundings' patches: the strip below each.
        """
        titles = words.HERE, words.ALIKE if found.alike else words.NO_ALIKE
        groups = (found.spots, found.alike)
        for group, row, title, text, color in zip(
            groups, self.rows, self.titles, titles, colors, strict=True
        ):
            title.setText(text)
            for place, view in enumerate(row):
                view.setVisible(place < len(group))
                if place < len(group):
                    spot = group[place]
                    picture = found.pictures[spot]
                    view.show_patch(spot, picture, found.share, color, (), text)
        self.message.setText(found.scale)
        self.pictures.show()

    def _on_view(self) -> None:
        view = self.sender()
        if isinstance(view, PatchView) and view.spot >= 0:
            self.spot_wanted.emit(view.spot)


def genes_as_links(told: Mapping[str, Any]) -> str:
    """Return the genes and terms of a region as HTML; each gene is a link."""
    lines = []
    for word, direction in ((words.HIGHER, "higher"), (words.LOWER, "lower")):
        genes = genes_told(told, direction)
        links = ", ".join(
            f"<a style='color:{_LINK}' href='{escape(gene)}'>{escape(gene)}</a>"
            for gene in genes
        )
        if genes:
            lines.append(f"<b>{word}</b> {links}")
    if not lines:
        return words.NO_GENE
    terms = told["terms"].get("term", [])
    if terms:
        lines.append(f"<b>{words.TERMS}</b> {escape('; '.join(terms))}")
    lines.append(f"<i>{words.BESIDE}</i>")
    return "<br>".join(lines)


def _likeness(told: Mapping[str, Any]) -> str:
    """Return which domains a region looks and expresses like, in words."""
    looks, expresses = (_first(told[key]) for key in ("looks_like", "expresses_like"))
    if not (looks and expresses):
        return ""
    if looks == expresses:
        return words.ALIKE_BOTH.format(domain=looks)
    return words.LOOKS.format(looks=looks, expresses=expresses)


def _first(shares: Mapping[str, float]) -> str:
    """Return the domain that most are of, in words, empty where there is none."""
    name = next(iter(shares), "")
    return f"domain {name}" if name.isdecimal() else name
