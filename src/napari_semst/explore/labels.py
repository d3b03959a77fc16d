"""Names and colours of spots that people edit: every edit gives new labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import ConfigError, InputError
from napari_semst.keys import COLORS_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

NONE = -1
"""Code of the spots without a name."""

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """One name per spot, out of a few, each with a colour.

    Parameters
    ----------
    codes
        Place of each spot's name among the names, `NONE` for none, ``(n_spots,)``.
    names
        The names, each once, in the order of the legend; some may have no spots.
    colors
        ``#rrggbb`` of each name.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]
    colors: tuple[str, ...]

    def place(self, name: str) -> int:
        """Return where a name stands, or raise `ConfigError`."""
        if name not in self.names:
            raise ConfigError(
                f"Expected one of {', '.join(self.names) or 'no names'}; got {name!r}."
            )
        return self.names.index(name)

    def counts(self) -> NDArray[np.int64]:
        """Return how many spots have each name, shape ``(n_names,)``."""
        there = self.codes[self.codes >= 0]
        return np.bincount(there, minlength=len(self.names))

    def spots_of(self, names: Collection[str]) -> NDArray[np.bool_]:
        """Return which spots have one of some names, shape ``(n_spots,)``."""
        wanted = np.array([*(name in names for name in self.names), False])
        return np.asarray(wanted[self.codes])

    def renamed(self, name: str, new: str) -> Labels:
        """Return labels with another name in one's place, or raise `ConfigError`."""
        index, new = self.place(name), _checked(new)
        if new == name:
            return self
        if new in self.names:
            raise ConfigError(
                f"Expected a name that is free; {new!r} is taken. Choose another, or "
                "merge the two."
            )
        return replace(self, names=_with(self.names, index, new))

    def recoloured(self, name: str, color: str) -> Labels:
        """Return labels with another colour for one name."""
        from matplotlib.colors import to_hex

        return replace(self, colors=_with(self.colors, self.place(name), to_hex(color)))

    def merged(self, names: Sequence[str]) -> Labels:
        """Return labels with names merged into the first, or raise `ConfigError`."""
        if len(set(names)) < 2:
            raise ConfigError("Expected two names or more to merge. Choose them first.")
        first = self.place(names[0])
        gone = {self.place(name) for name in names} - {first}
        codes = np.where(np.isin(self.codes, list(gone)), first, self.codes)
        return replace(self, codes=codes.astype(np.int32))._without(gone)

    def split(self, name: str, parts: NDArray[np.integer]) -> Labels:
        """Return labels with the spots of one name told apart, or raise `ConfigError`.

        Parameters
        ----------
        name
            Whose spots; the largest part keeps it.
        parts
            Part of each of these spots, in their order, counted from 0.
        """
        index = self.place(name)
        spots = np.flatnonzero(self.codes == index)
        sizes = np.bincount(parts, minlength=1)
        order = np.argsort(-sizes, kind="stable")
        order = order[sizes[order] > 0]
        if len(order) < 2:
            raise ConfigError(
                f"Expected {name!r} to come apart; all its {len(spots):,} spots are in "
                "one part."
            )
        labels, codes = self, self.codes.copy()
        for part in order[1:]:
            labels = labels.with_name(free_name(f"{name}.2", labels.names))
            codes[spots[parts == part]] = len(labels.names) - 1
        return replace(labels, codes=codes)

    def moved(self, name: str, step: int) -> Labels:
        """Return labels with a name further down (or up, if negative) the legend."""
        index = self.place(name)
        order = list(range(len(self.names)))
        order.pop(index)
        order.insert(min(max(index + step, 0), len(order)), index)
        return self._ordered(order)

    def assigned(self, spots: NDArray[np.bool_], name: str | None) -> Labels:
        """Return labels in which some spots have a name, made if it is new, or none.

        Other names that are left without a spot are gone.

        Parameters
        ----------
        spots
            Which ones, shape ``(n_spots,)``.
        name
            `None` takes their names away.
        """
        labels, code = self, NONE
        if name is not None:
            name = _checked(name)
            labels = self if name in self.names else self.with_name(name)
            code = labels.names.index(name)
        codes = np.where(spots, code, labels.codes).astype(np.int32)
        return replace(labels, codes=codes)._without_empty(name)

    def with_name(self, name: str) -> Labels:
        """Return labels with one more name, of no spots yet, in a colour of its own."""
        return replace(
            self, names=(*self.names, name), colors=(*self.colors, _next(self.colors))
        )

    def removed(self, name: str) -> Labels:
        """Return labels without a name; its spots have none."""
        index = self.place(name)
        codes = np.where(self.codes == index, NONE, self.codes).astype(np.int32)
        return replace(self, codes=codes)._without({index})

    def _without_empty(self, kept: str | None) -> Labels:
        """Return the labels without names of no spots, which no legend shows."""
        counts = self.counts()
        empty = {i for i, n in enumerate(counts) if not n and self.names[i] != kept}
        return self._without(empty) if empty else self

    def _without(self, gone: set[int]) -> Labels:
        return self._ordered([i for i in range(len(self.names)) if i not in gone])

    def _ordered(self, order: Sequence[int]) -> Labels:
        """Return the labels with names in an order; those left out have no spots."""
        new = np.full(len(self.names) + 1, NONE, np.int32)
        new[list(order)] = np.arange(len(order))
        return Labels(
            new[self.codes],
            tuple(self.names[index] for index in order),
            tuple(self.colors[index] for index in order),
        )


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Return a name that is not taken: as wanted, else with the next number."""
    stem, _, end = wanted.rpartition(".")
    stem, number = (stem, int(end)) if end.isdigit() and stem else (wanted, 2)
    while wanted in taken:
        wanted = f"{stem}.{number}"
        number += 1
    return wanted


def read_labels(tissue: AnnData, column: str) -> Labels:
    """Return a column of a tissue as labels, or raise `InputError`."""
    from napari_semst.palette import domain_colors

    if column not in tissue.obs:
        raise InputError(
            f"Expected a column {column!r} in obs; found "
            f"{', '.join(map(str, tissue.obs.columns)) or 'none'}."
        )
    levels = tissue.obs[column].astype("category").cat
    names = tuple(str(level) for level in levels.categories)
    stored = tissue.uns.get(f"{column}{COLORS_SUFFIX}")
    if stored is not None and len(stored) >= len(names):
        colors = [str(color) for color in stored[: len(names)]]
    else:
        colors = [str(color) for color in domain_colors(len(names))]
    return Labels(levels.codes.to_numpy().astype(np.int32), names, tuple(colors))


def write_labels(tissue: AnnData, column: str, labels: Labels) -> None:
    """Write labels into a tissue as a categorical column with scanpy's colours."""
    import pandas as pd

    tissue.obs[column] = pd.Categorical.from_codes(
        labels.codes, categories=pd.Index(list(labels.names), dtype=object)
    )
    write_colors(tissue, column, labels.colors)


def write_colors(tissue: AnnData, column: str, colors: Sequence[str]) -> None:
    """Write a column's colours as scanpy keeps them, one per category."""
    tissue.uns[f"{column}{COLORS_SUFFIX}"] = np.asarray(colors, dtype=str)


def same_column(one: AnnData, other: AnnData, column: str) -> bool:
    """Return whether two states of a section have the same column in obs.

    Parameters
    ----------
    column
        Which one; where neither has it, it is the same.
    """
    if column not in one.obs or column not in other.obs:
        return column not in one.obs and column not in other.obs
    return bool(one.obs[column].array.equals(other.obs[column].array))


def empty_labels(n_spots: int) -> Labels:
    """Return labels of spots of which none has a name."""
    return Labels(np.full(n_spots, NONE, np.int32), (), ())


def _checked(name: str) -> str:
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ConfigError(
            f"Expected a name of 1 to {_LONGEST_NAME} characters; got {name[:40]!r}."
        )
    return name


def _with(values: tuple[str, ...], index: int, new: str) -> tuple[str, ...]:
    return (*values[:index], new, *values[index + 1 :])


def _next(colors: tuple[str, ...]) -> str:
    """Return the palette's first colour that is not in use."""
    from napari_semst.palette import PALETTE

    free = [color for color in PALETTE if color not in colors]
    return free[0] if free else PALETTE[len(colors) % len(PALETTE)]
