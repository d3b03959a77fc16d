"""What is said of a table whose spots are of several sections."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.places.fov_to_section import section_wide_places
from napari_semst.io.places.overlaps import shared_ground
from napari_semst.io.sections import libraries, library_column
from napari_semst.io.text_columns import as_texts
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.places.overlaps import SharedGround

# Fields of view are parts of one section, unless they lie on one another.
_FIELDS = re.compile(r"(?i)(?<![a-z])(fov|field)s?(?![a-z])")

_NEW = "Add a column that names the section of every spot, and "
_NAME_A_NEW_ONE = Way(
    f"{_NEW}give it as --section-key.",
    f"{_NEW}name it as section_key.",
    f"{_NEW}choose it under Sections.",
)


class Mixing(NamedTuple):
    """Sections that one table mixes.

    Parameters
    ----------
    column
        The obs column that tells them apart; empty where none does.
    names
        Of the sections.
    shared
        Share of the spots that lie among those of others; 0 where only names tell.
    warning
        What to say of it.
    """

    column: str
    names: tuple[str, ...]
    shared: float
    warning: str


def mixed_sections(
    adata: AnnData,
    places: NDArray[np.floating] | None = None,
    sections: NDArray[np.integer] | None = None,
    advice: str | Way = "",
) -> Mixing | None:
    """Return the sections that the spots of a table are of, `None` for one section.

    Told by places that they share, see `shared_ground`, and by a column of obs that
    names more than one section of ``uns["spatial"]``.

    Parameters
    ----------
    adata
        The tissue.
    places
        Of its spots, ``(n_spots, 2)``; None looks for them.
    sections
        Section of each spot, ``(n_spots,)``, where sections are told apart: then only
        samples that share ground inside of them are told.
    advice
        A sentence on what to do; empty: to name the column.
    """
    if places is None:
        places = _usual_places(adata)
    column, ground = library_column(adata), None
    if places is not None:
        ground = shared_ground(adata.obs, places, sections, prefer=column)
    inside = sections is not None
    if places is not None and ground is not None:
        wide = None if inside else section_wide_places(adata, places, ground)
        if wide is not None:
            advice = advice or _take(wide.key, wide.found.where)
        told = _on_one_ground(ground, advice, inside=inside)
        return Mixing(ground.column, ground.names, ground.share, told)
    if not column or inside or _FIELDS.search(column):
        return None
    values = set(as_texts(adata.obs[column].drop_duplicates()))
    found = sorted(set(libraries(adata)) & values)
    told = Worded(
        f"This file holds {len(found)} sections ({abbreviate(found)}; see "
        f"obs[{column!r}]): neighbours are sought across them. ",
        advice or keep_apart(column),
    )
    return Mixing(column, tuple(found), 0.0, told)


def keep_apart(column: str) -> Way:
    """Return how sections are kept apart by an obs column, as a sentence."""
    return Way(
        f"To keep them apart: --section-key {shlex.quote(column)}.",
        f"To keep them apart, name that column as section key: section_key={column!r}.",
        f"To keep them apart, choose {column} under Sections.",
    )


def _take(key: str, where: str) -> Way:
    """Return how other places of the file are taken, as a sentence."""
    told = f"These places are in fields of view; those in the section are {where}"
    return Way(
        f"{told}: --coordinates {shlex.quote(key)}.",
        f"{told}: name them as coordinates, {key!r}.",
        f"{told}: choose them under Coordinates.",
    )


def _usual_places(adata: AnnData) -> NDArray[np.floating] | None:
    from napari_semst.io.coordinates import find_coordinates

    try:
        return find_coordinates(adata)
    except InputError:
        return None  # whoever needs places says what is wrong with them


def _on_one_ground(ground: SharedGround, advice: str | Way, *, inside: bool) -> str:
    across = "neighbours are sought across them"
    if not ground.column:
        share = f"{100 * ground.share:.0f} %"
        what = f"{share} of the spots lie exactly where another one does"
        if not ground.at_one_place:
            what = (
                "Spots of different parts of the table come nearer to each other than "
                "spots of one part do"
            )
        return Worded(
            f"{what}, and no column of obs tells why. If they are of several sections, "
            f"{across}. ",
            advice or _NAME_A_NEW_ONE,
        )
    whole = "A section" if inside else "This file"
    told = (
        f"{whole} holds {len(ground.names)} samples on the same ground "
        f"({abbreviate(ground.names)}; see obs[{ground.column!r}]): {across}. "
    )
    both = "A column that names section and sample at once keeps them apart."
    return Worded(told, advice or (both if inside else keep_apart(ground.column)))
