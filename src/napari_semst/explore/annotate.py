"""Edits of a section's labels: never of what a run or the user's file says, undoable.

A run's domains and the user's own columns are facts. The first edit of one makes a copy
under a name of its own, and edits go on there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import ref

from napari_semst import keys
from napari_semst.errors import ConfigError, InputError
from napari_semst.explore.labels import (
    Labels,
    empty_labels,
    free_name,
    read_labels,
    write_colors,
    write_labels,
)

if TYPE_CHECKING:
    from anndata import AnnData

Edit = Callable[[Labels], Labels]

MADE = "semst_annotations"
"""Key in ``uns`` of the columns that were made by hand: column -> what it began as."""

_MOST_STEPS = 50


def edited_columns(tissue: AnnData) -> dict[str, str]:
    """Return the columns that may be edited in place, with what each began as."""
    kept = tissue.uns.get(MADE, {})
    return {str(c): str(kept[c]) for c in kept if c in tissue.obs}


def edited_name(tissue: AnnData, column: str) -> str:
    """Return the name of the column that holds edits of another one."""
    stem = column.removeprefix("semst_")
    return free_name(f"{stem}_edited", set(map(str, tissue.obs.columns)))


class Annotator:
    """Edit one section's labels; remember how to go back.

    Parameters
    ----------
    tissue
        The section, which edits change.
    """

    def __init__(self, tissue: AnnData) -> None:
        # Weakly: what can be undone keeps no closed section in memory.
        self._held = ref(tissue)
        # Column, labels before (None: there was none), labels after.
        self._done: list[tuple[str, Labels | None, Labels]] = []
        self._undone: list[tuple[str, Labels | None, Labels]] = []

    @property
    def _tissue(self) -> AnnData:
        tissue = self._held()
        if tissue is None:
            raise InputError("Expected the section to be open; it was closed.")
        return tissue

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to do again."""
        return bool(self._undone)

    @property
    def just_made(self) -> str:
        """The column that `undo` would remove, empty where it would not."""
        column, before, _ = self._done[-1] if self._done else ("", None, None)
        return column if before is None else ""

    def edit(self, column: str, change: Edit, *, begin: bool = False) -> str:
        """Edit a column, or a copy of one not made by hand; return the column.

        Parameters
        ----------
        change
            Labels to labels, a method of `Labels` say; it may raise.
        begin
            Whether to make the column if there is none, as `begin`; undone in one.
        """
        if begin and column.strip() not in self._tissue.obs:
            column = self._free(column)
            empty = empty_labels(self._tissue.n_obs)
            self._do(column, None, change(empty), began="")
            return column
        column = column.strip() if begin else column
        column = self._of_run(column)
        before = read_labels(self._tissue, column)
        after = change(before)
        if column in edited_columns(self._tissue):
            if after is not before:
                self._do(column, before, after)
            return column
        copy = edited_name(self._tissue, column)
        self._do(copy, None, after, began=column)
        return copy

    def recolour(self, column: str, name: str, color: str) -> None:
        """Give a name another colour, in the column itself: colours are no facts."""
        column = self._of_run(column)
        before = read_labels(self._tissue, column)
        self._do(column, before, before.recoloured(name, color))

    def begin(self, column: str) -> str:
        """Make a column in which no spot has a name yet; return it.

        Raises
        ------
        ConfigError
            If the name is empty, taken, or of a kind that results have.
        """
        column = self._free(column)
        self._do(column, None, empty_labels(self._tissue.n_obs), began="")
        return column

    def _free(self, column: str) -> str:
        """Return the name of a column to be, or say why it cannot be."""
        column = _column_name(column)
        if column in self._tissue.obs:
            raise ConfigError(
                f"Expected a name that is free; obs has a column {column!r}. Choose "
                "another."
            )
        return column

    def put(self, column: str, labels: Labels, began: str) -> str:
        """Take labels in as a column that may be edited; return its name.

        Parameters
        ----------
        column
            Its name; where that is taken, the next that is free.
        labels
            One per spot.
        began
            What it came from, for people.
        """
        there = set(map(str, self._tissue.obs.columns))
        column = free_name(_column_name(column), there)
        self._do(column, None, labels, began=began)
        return column

    def undo(self) -> str:
        """Take back the last edit; return the column it was of."""
        column, before, after = self._done.pop()
        self._undone.append((column, before, after))
        if before is None:
            if column in self._tissue.obs:
                del self._tissue.obs[column]
            self._tissue.uns.pop(f"{column}{keys.COLORS_SUFFIX}", None)
        else:
            self._write(column, before)
        return column

    def redo(self) -> str:
        """Do again what was taken back last; return the column it is of."""
        column, before, after = self._undone.pop()
        self._done.append((column, before, after))
        self._write(column, after)
        return column

    def _of_run(self, column: str) -> str:
        """Return a run's own column where the bare key of the latest run is meant."""
        latest = str(self._tissue.uns.get(keys.LATEST, ""))
        own = f"{keys.DOMAIN}_{latest}"
        return own if column == keys.DOMAIN and own in self._tissue.obs else column

    def _do(
        self,
        column: str,
        before: Labels | None,
        after: Labels,
        *,
        began: str | None = None,
    ) -> None:
        if began is not None:
            kept = self._tissue.uns.get(MADE, {})
            self._tissue.uns[MADE] = {**kept, column: began}
        self._write(column, after)
        self._done = [*self._done[-_MOST_STEPS + 1 :], (column, before, after)]
        self._undone = []

    def _write(self, column: str, labels: Labels) -> None:
        """Write a column made by hand; of any other its colours alone."""
        if column in self._tissue.uns.get(MADE, {}):
            write_labels(self._tissue, column, labels)
        else:
            write_colors(self._tissue, column, labels.colors)
        # The bare key shows the latest run: their colours are the same colours.
        latest = str(self._tissue.uns.get(keys.LATEST, ""))
        if latest and column == f"{keys.DOMAIN}_{latest}":
            write_colors(self._tissue, keys.DOMAIN, labels.colors)


def _column_name(column: str) -> str:
    """Return the name of a column, refused where results or files have others."""
    column = column.strip()
    if not column or column.startswith("semst_") or "/" in column:
        raise ConfigError(
            "Expected a name for the column, without '/' and not beginning with "
            f"'semst_', which results have; got {column!r}."
        )
    return column
