"""Molecules in the points of a SpatialData store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import translate_errors
from napari_semst.io.formats import ngff
from napari_semst.io.notes import warn
from napari_semst.io.readers.spatialdata_places import own_systems
from napari_semst.io.transcripts.sources import (
    TRANSCRIPTS,
    TranscriptColumns,
    TranscriptSource,
    remember_transcripts,
)
from napari_semst.io.transcripts.tables import box_in, rows_in

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.io.readers.spatialdata_places import PlacedRegions
    from napari_semst.io.transcripts.tables import Box

_POINTS, _FILE = "points", "points.parquet"
# What the makers call genes, where the store does not say.
_GENES = ("feature_name", "gene", "target", "feature")
# Points of which so much lies on others are taken for a choice of these.
_SAME_GROUND = 0.5


@dataclass(frozen=True, slots=True)
class _Element:
    """Points that name a gene each."""

    file: Path
    gene: str
    transforms: list[dict[str, Any]]

    @property
    def systems(self) -> frozenset[str]:
        """The coordinate systems they are in; without a word that is the usual one."""
        return frozenset(ngff.placed_in(self.transforms) or (ngff.USUAL_SYSTEM,))

    def source(self, system: str) -> TranscriptSource:
        """Return them as a table of molecules in a coordinate system."""
        matrix = ngff.matrix_to(self.transforms, system)
        return TranscriptSource(
            self.file,
            (TranscriptColumns("x", "y", (self.gene,), "qv"),),
            None if np.array_equal(matrix, np.eye(3)) else matrix,
        )


def remember_point_molecules(
    tissue: AnnData, store: Path, placed: PlacedRegions
) -> None:
    """Let a tissue know of the molecules in its store.

    Sections on ground of their own have those in the coordinate systems that only they
    are in. Points that cannot be read are warned of: cells can be had without them.

    Parameters
    ----------
    tissue
        As it was read, with the places of its elements.
    store
        The store.
    placed
        The regions of the table.
    """
    elements, doubts = _elements(store)
    asked = [
        (region.name, region.system, own_systems(placed, region))
        for region in placed.regions
    ]
    if not placed.separate:
        asked = [("", system, frozenset({system})) for system in placed.systems[:1]]
    found = [
        replace(one, section=section)
        for section, system, own in asked
        for one in _sources(elements, system, own, doubts)
    ]
    remember_transcripts(tissue, *found)
    told = dict.fromkeys(doubts)
    warn(tissue, *(f"Transcripts cannot be shown. {doubt}" for doubt in told))


def points_in(
    store: Path, system: str = ngff.USUAL_SYSTEM
) -> tuple[TranscriptSource, ...]:
    """Return the points of a store that are molecules, nothing where there are none.

    Those of several fields of view are all of them; of points on the same ground the
    most are taken.

    Parameters
    ----------
    store
        The store.
    system
        The coordinate system that they are to be in.

    Raises
    ------
    InputError
        If there are some and none can be read.
    """
    elements, doubts = _elements(store)
    found = _sources(elements, system, {system}, doubts)
    if doubts and not found:
        raise InputError(doubts[0])
    return tuple(found)


def _elements(store: Path) -> tuple[list[_Element], list[str]]:
    """Return the points that name genes, and why others cannot be read."""
    folder = store / _POINTS
    groups = sorted(folder.iterdir()) if folder.is_dir() else []
    found, doubts = [], []
    for group in groups:
        try:
            element = _element(store, group)
        except InputError as error:
            doubts.append(str(error))
            continue
        if element is not None:
            found.append(element)
    return found, doubts


def _element(store: Path, group: Path) -> _Element | None:
    """Return points as molecules, None for points of another kind."""
    file = group / _FILE
    # A link may lead anywhere: nothing outside of the store is read for it.
    if not file.exists() or not file.resolve().is_relative_to(store.resolve()):
        return None
    with translate_errors(group, TRANSCRIPTS):
        transforms = ngff.transforms(group)
        about = ngff.attributes(group).get("spatialdata_attrs")
    told = str(about.get("feature_key") or "") if isinstance(about, dict) else ""
    known = _names_in(file)
    gene = next((g for g in (told, *_GENES) if g and g in known), None)
    if gene is None or not {"x", "y"} <= known:
        return None
    return _Element(file, gene, transforms)


def _sources(
    elements: Sequence[_Element],
    system: str,
    own: Collection[str],
    doubts: list[str],
) -> list[TranscriptSource]:
    """Return points that are in one of some systems, where these lead to another.

    What cannot be read is left out, and why is added to the doubts.
    """
    found: list[tuple[TranscriptSource, int, Box | None]] = []
    for one in elements:
        if system not in one.systems or one.systems.isdisjoint(own):
            continue
        try:
            with translate_errors(one.file.parent, TRANSCRIPTS):
                source = one.source(system)
            found.append((source, rows_in(source.file), _box_of(source)))
        except InputError as error:
            doubts.append(str(error))
    kept: list[int] = []
    for at in sorted(range(len(found)), key=lambda at: -found[at][1]):
        if not any(_on_same_ground(found[at][2], found[one][2]) for one in kept):
            kept.append(at)
    return [found[at][0] for at in sorted(kept)]


def _box_of(source: TranscriptSource) -> Box | None:
    """Return the box around points by what their file says, None where it is silent."""
    box = box_in(source.file, source.columns[0])
    if box is None or source.matrix is None:
        return box
    corners = np.array([(x, y, 1.0) for x in box[::2] for y in box[1::2]])
    moved = corners @ source.matrix[:2].T
    return (*moved.min(axis=0).tolist(), *moved.max(axis=0).tolist())


def _on_same_ground(one: Box | None, other: Box | None) -> bool:
    """Return whether boxes have half of the smaller in common, or that is unknown."""
    if one is None or other is None:
        return True
    first, second = (np.reshape(box, (2, 2)) for box in (one, other))
    common = np.minimum(first[1], second[1]) - np.maximum(first[0], second[0])
    # Of points on a line something is compared, too.
    sizes = np.maximum([first[1] - first[0], second[1] - second[0]], 1e-9)
    smaller = float(sizes.prod(axis=1).min())
    return bool(np.maximum(common, 0).prod() > _SAME_GROUND * smaller)


def _names_in(file: Path) -> set[str]:
    from pyarrow import parquet

    parts = sorted(file.glob("*.parquet")) if file.is_dir() else [file]
    if not parts:
        return set()
    with translate_errors(parts[0], TRANSCRIPTS):
        return set(parquet.read_schema(parts[0]).names)
