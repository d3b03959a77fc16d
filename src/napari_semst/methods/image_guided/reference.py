"""Which sections teach what images lead to expect, and what of others is like them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

from napari_semst.config.listed_names import listed_names
from napari_semst.errors import ConfigError
from napari_semst.methods.image_guided.features import average_of_usable
from napari_semst.methods.image_guided.prediction import partition_of
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.prepare.section import Section

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]

PARTITIONS = 4
# Axes of the image in which spots are alike, rounds of averaging over near spots, and
# which of the nearest spots that teach is the measure.
_AXES, _ROUNDS, _NEAREST = 20, 2, 5
# Spots of a section that tell, at most; the share of spots that teach which are as far
# from others that teach, and how much farther still is like them: of one section nobody
# knows how much sections differ by themselves.
_TELLING, _USUAL = 4000, 0.99
_FARTHER, _FARTHER_OF_ONE = 1.25, 1.5


def reference_sections(config: Config, names: Sequence[str]) -> Bools:
    """Return which sections are the reference, ``(n_sections,)``; none: all teach.

    Raises
    ------
    ConfigError
        If there is no such section, or all are named.
    """
    given = config.image_guided.reference.strip()
    if not given:
        return np.zeros(len(names), bool)
    wanted = listed_names(given)
    if given in names and not set(wanted) <= set(names):
        wanted = [given]
    # Sections are named after their files.
    _refuse_paths_of_several(wanted, names)
    wanted = [known for one in wanted for known in _named(one, names)]
    unknown = [one for one in wanted if one not in names]
    if unknown:
        known = ", ".join(map(repr, names)) if len(names) > 1 else "one section"
        raise ConfigError(
            Worded(
                "Expected sections as reference ",
                Way(
                    "(--reference)",
                    "(image_guided.reference)",
                    "(image_guided.reference)",
                ),
                f"; there is no {', '.join(map(repr, unknown))}. Found {known}. Name "
                "some of several sections that are read together.",
            )
        )
    found = np.isin(names, wanted)
    if found.all():
        raise ConfigError(
            Worded(
                "Expected some sections as reference and others to be asked; all "
                f"{len(names)} are reference. Leave ",
                Way("--reference", "image_guided.reference", "the reference"),
                " out: then all teach, and all are asked.",
            )
        )
    return found


def _named(given: str, names: Sequence[str]) -> list[str]:
    """Return the section of a name or path, or the sections of several in one word."""
    for one in (given, Path(given).stem):
        if one in names:
            return [one]
    return [
        one if one in names else Path(one).stem
        for one in map(str.strip, given.split(","))
        if one
    ]


def _refuse_paths_of_several(wanted: Sequence[str], names: Sequence[str]) -> None:
    """Raise `ConfigError` for a path to one of several files of one name.

    The second of them is called ``name-2``: which is meant a path does not tell here.
    """
    for one in wanted:
        stem = Path(one).stem
        if one not in names and f"{stem}-2" in names and stem in names:
            alike = [name for name in names if name.startswith(stem)]
            raise ConfigError(
                Worded(
                    "Expected the name of one section as reference ",
                    Way(
                        "(--reference)",
                        "(image_guided.reference)",
                        "(image_guided.reference)",
                    ),
                    f"; got the path {one!r}, where several files have that name. "
                    "They are called, in the order in which they are given, "
                    f"{', '.join(map(repr, alike))}: name these.",
                )
            )


def section_folds(
    usable: Bools,
    places: Doubles,
    codes: NDArray[np.int64],
    reference: Bools,
    wanted: int,
    seed: int,
) -> Spots:
    """Return the fold of every spot in each partition, ``(n_partitions, n_spots)``.

    Of several reference sections each is a fold, predicted from the others as sections
    that are asked are from all. Otherwise folds are pieces of tissue of each section.
    Sections that only are asked have a fold of their own, the last, which all teach.

    Parameters
    ----------
    reference
        Sections that teach and are not asked, ``(n_sections,)``; none: all do both.
    wanted
        Folds of a section.
    """
    n_reference = int(reference.sum())
    if n_reference > 1:
        numbers = np.cumsum(reference) - 1
        numbers[~reference] = n_reference
        return numbers[codes].astype(np.intp)[None]
    asked_only = ~reference[codes] & bool(n_reference)
    folds = np.full((PARTITIONS if wanted > 1 else 1, len(codes)), wanted, np.intp)
    for one in range(len(reference)):
        inside = (codes == one) & ~asked_only
        if not (inside & usable).any():
            folds[:, inside] = 0
            continue
        for number in range(len(folds)):
            folds[number, inside] = partition_of(
                usable[inside], places[inside], wanted, seed + 1000 * number
            )
    return folds


def unlike_images(
    image: Floats,
    section: Section,
    usable: Bools,
    teaching: Bools,
    asked: Bools,
    seed: int,
    check: Callable[[], None] = lambda: None,
) -> Bools:
    """Return spots whose image is like nothing in sections that teach, ``(n_spots,)``.

    Nothing tells what they are to express. How far apart images of one tissue lie is
    told by sections that teach, each compared with the others; by parts of one alone.

    Parameters
    ----------
    image
        Axes of the image, ``(n_spots, width)``.
    teaching, asked
        Sections, ``(n_sections,)``; those that teach are compared with the others.
    check
        Called between sections; ends it by raising.
    """
    codes = section.sections.codes.astype(np.int64)
    near = average_of_usable(image[:, :_AXES], section, usable, _ROUNDS)
    spots = [np.flatnonzero((codes == one) & usable) for one in range(len(asked))]
    teach = {one: _thinned(own) for one, own in enumerate(spots) if teaching[one]}
    known = _known(teach, near, section.coordinates, seed, check)
    if not len(known):
        return np.zeros(len(codes), bool)
    limit = float(np.quantile(known, _USUAL))
    limit *= _FARTHER if len(teach) > 1 else _FARTHER_OF_ONE
    unlike = np.zeros(len(codes), bool)
    for one, mine in enumerate(spots):
        check()
        others = [own for number, own in teach.items() if number != one]
        if asked[one] and others and len(mine):
            far = _distance(near[np.concatenate(others)], near[mine])
            unlike[mine] = far > limit
    return unlike


def _known(
    teach: dict[int, Spots],
    near: Floats,
    places: Doubles,
    seed: int,
    check: Callable[[], None],
) -> Doubles:
    """Return how far images that teach lie from others that do."""
    found = [np.zeros(0)]
    for one, own in teach.items():
        check()
        others = [spots for number, spots in teach.items() if number != one]
        if others:
            found.append(_distance(near[np.concatenate(others)], near[own]))
            continue
        pieces = partition_of(np.ones(len(own), bool), places[own], 5, seed)
        for piece in np.unique(pieces):
            inside = pieces == piece
            if (~inside).sum() >= _NEAREST:
                found.append(_distance(near[own[~inside]], near[own[inside]]))
    return np.concatenate(found)


def _thinned(spots: Spots) -> Spots:
    return spots[:: -(-len(spots) // _TELLING) or 1]


def _distance(known: Floats, asked: Floats) -> Doubles:
    nearest = min(_NEAREST, len(known))
    found, _ = KDTree(known).query(asked, k=[nearest])
    distance: Doubles = found[:, 0]
    return distance
