"""What an input holds and what it lacks, told before it is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.io.checks import abbreviate, translate_errors
from napari_semst.io.feature_names import say_references
from napari_semst.io.gene_features import feature_kinds
from napari_semst.io.options import ReadOptions
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Preview:
    """What is known of an input without reading it.

    Parameters
    ----------
    kind, title
        Name of the kind of input, and what a user calls it.
    n_spots, n_genes
        How many there are; None where only reading tells.
    counts
        Where raw counts seem to be, judged by the first values; empty where they seem
        to be nowhere, None where that was not looked at.
    coordinates
        Where the coordinates are; empty for none.
    image
        Height and width of the image in the file; None for none.
    annotations
        Columns of the spots that hold text or categories.
    columns
        All columns of the spots.
    part, parts
        The part that is read, and all there are, of inputs that hold several.
    must_choose
        Whether one of these must be named before anything is read.
    remarks
        What else should be known.
    left_out
        How many features are no genes and will be left out, by kind; None where that
        was not looked at.
    counts_places, coordinates_places
        Where both may be taken from, as `napari_semst.read` is told; nothing where
        there is no choice. `X` stands for the main table.
    """

    kind: str
    title: str
    n_spots: int | None = None
    n_genes: int | None = None
    counts: str | None = None
    coordinates: str = ""
    image: tuple[int, int] | None = None
    annotations: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    part: str = ""
    parts: tuple[str, ...] = ()
    must_choose: bool = False
    remarks: tuple[str, ...] = ()
    left_out: dict[str, int] | None = None
    counts_places: tuple[str, ...] = ()
    coordinates_places: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """What is missing, of what domains cannot be found without."""
        lacks = (
            ("raw counts", self.counts == ""),
            ("coordinates", not self.coordinates),
            ("choice of a sample", self.must_choose),
        )
        return tuple(name for name, is_missing in lacks if is_missing)

    def sentences(self) -> tuple[str, ...]:
        """Return the whole as sentences for people."""
        lines = [f"{self.title}: {self._size()}."]
        if self.parts:
            lines.append(self._parts_told())
        if self.counts is not None:
            where = f"in {self.counts}" if self.counts else "missing"
            lines.append(f"Raw counts: {where}.")
        lines.append(f"Coordinates: {self.coordinates or 'missing'}.")
        size = (
            "none" if self.image is None else f"{self.image[1]:,} x {self.image[0]:,}"
        )
        lines.append(f"Image: {size}{'' if self.image is None else ' pixels'}.")
        lines.append(f"Annotations: {abbreviate(self.annotations)}.")
        return (*lines, *self.remarks)

    def _parts_told(self) -> str:
        others = [part for part in self.parts if part != self.part]
        if self.must_choose:
            first = others[0]
            return Worded(
                f"It holds several samples, {abbreviate(others)}; what follows is of "
                f"{first}. ",
                Way(
                    f"Name the one to read: --part {first}.",
                    "Name the one to read as part.",
                    "Choose one under Part.",
                ),
            )
        also = f" There are also {abbreviate(others)}." if others else ""
        return f"It is read as {self.part}.{also}"

    def _size(self) -> str:
        if self.n_spots is None and self.n_genes is None:
            return "the number of spots and genes is known once it is read"
        spots, genes = (
            "an unknown number of" if n is None else f"{n:,}"
            for n in (self.n_spots, self.n_genes)
        )
        return f"{spots} spots x {genes} genes"


def part_called(told: str) -> str:
    """Return what `napari_semst.read` is told to read a part of `Preview.parts`."""
    bins = re.match(r"bins of (\d+) ", told)
    return bins[1] if bins else told.removeprefix("the table ")


def preview(
    path: str | Path,
    *,
    positions: str | Path | None = None,
    part: str | int | None = None,
    features: str | None = None,
) -> Preview:
    """Return what an input holds; no matrix is read.

    Parameters
    ----------
    path, positions, part, features
        As for `napari_semst.read`.

    Raises
    ------
    InputError
        If the path holds nothing that can be read as a tissue section.
    """
    from napari_semst.io.read import format_of

    place = Path(path).expanduser()
    kind = format_of(place)
    options = ReadOptions.of(None, positions, part, features)
    kind.refuse_other(options, place)
    with translate_errors(place, kind.title):
        facts = kind.preview(place, options)
    var: pd.DataFrame | None = facts.pop("var", None)
    if var is not None:
        kinds = feature_kinds(var.index, var, features or "")
        facts["n_genes"] = int(kinds.genes.sum())
        if features != "all":
            facts["left_out"] = kinds.numbers()
        told = filter(None, [kinds.sentence(), say_references(var[kinds.genes])])
        facts["remarks"] = (*facts.get("remarks", ()), *told)
    return Preview(kind.name, kind.title, **facts)
