"""Which tables of text hold counts, which places, and which of them belong together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_semst.io.checks import translate_errors
from napari_semst.io.formats.text_tables import (
    TableHead,
    has_ending,
    is_number,
    peek,
    read_chunks,
)
from napari_semst.io.places.column_names import place_pairs
from napari_semst.io.readers.cell_tables import is_unnamed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_IDS = ("barcode", "barcodes", "spot", "spot_id", "cell", "cell_id", "cellid", "id", "")
# What R and pandas call numbers of rows that they read with a table.
_NUMBERED = ("x", "index", "v1", "rownames")
# Rows by which tables are matched, and names that are looked through for them.
HEAD_ROWS = 20
_MOST_IDS = 6
_NAMES = 200_000
_FEWEST_GENES = 3


@dataclass(frozen=True, slots=True)
class CoordinateTable:
    """A table with the places of spots.

    Parameters
    ----------
    path, head
        The file, and its first lines.
    spot, x, y
        Numbers of its columns with the spots' names and places.
    bare
        Whether it has no header: the head's first line is a row.
    others
        Columns that may name the spots as well, the likeliest first.
    """

    path: Path
    head: TableHead
    spot: int
    x: int
    y: int
    bare: bool = False
    others: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TablePair:
    """A table of counts and the table of places that goes with it.

    Parameters
    ----------
    counts, head
        The table of counts, and its first lines.
    places
        The table of places.
    turned
        Whether counts are genes x spots.
    names
        Number of the column of counts that names its rows.
    """

    counts: Path
    head: TableHead
    places: CoordinateTable
    turned: bool
    names: int = 0


def pairs_of(
    counts: Sequence[Path], places: Sequence[CoordinateTable]
) -> list[TablePair]:
    """Return which tables of counts share spots with which tables of places."""
    heads = [(table, head) for table in counts if (head := counted(table)) is not None]
    found = []
    for place in places if heads else ():
        names = names_in(place)
        pairs = (
            match_tables(table, head, place, names)
            for table, head in heads
            if table.name != place.path.name
        )
        found += [pair for pair in pairs if pair is not None]
    return found


def text_tables_in(folder: Path) -> list[Path]:
    """Return the files of a folder that are named as tables of text are."""
    return [p for p in sorted(folder.iterdir()) if has_ending(p) and p.is_file()]


def coordinate_table(path: Path) -> CoordinateTable | None:
    """Return a table of places, None for another."""
    head = peek(path, 3)
    if head is None:
        return None
    names = [name.lower() for name in head.names]
    for pair in place_pairs(head.names)[:1]:
        columns = head.names.index(pair[0]), head.names.index(pair[1])
        named = [names.index(name) for name in _IDS if name in names]
        rest = [i for i in range(len(names)) if i not in (*columns, *named)]
        # Numbers of rows, as R leaves them, name spots where nothing else does.
        last = [i for i in named if is_unnamed(names[i])]
        spots = [i for i in named if i not in last] + rest[:_MOST_IDS] + last
        if not spots:
            return None
        usual = [*named, *rest][0]
        return CoordinateTable(path, head, usual, *columns, others=tuple(spots))
    bare = len(names) == 3 and all(map(is_number, head.names[1:]))
    return CoordinateTable(path, head, 0, 1, 2, bare=True) if bare else None


def counted(table: Path) -> TableHead | None:
    """Return the first lines of a table that may hold counts, None for another."""
    head = peek(table, HEAD_ROWS)
    if head is None or len(head.names) <= _FEWEST_GENES:
        return None
    return head if text_beside_counts(head) is None else None


def text_beside_counts(head: TableHead) -> str | None:
    """Return the first column, beside the names of rows, that holds no numbers."""
    for column in range(1 + _name_columns(head)[0], len(head.names)):
        if not all(is_number(row[column]) for row in head.rows):
            return head.names[column]
    return None


def _name_columns(head: TableHead) -> list[int]:
    """Return the columns of counts that may name its rows, the likeliest first.

    Before the column of names there may be numbers of rows, as R and pandas write them.
    """
    first = head.names[0]
    if not (is_unnamed(first) or first.lower() in _NUMBERED):
        return [0]
    told = head.names[1].lower() in _IDS or not any(is_number(r[1]) for r in head.rows)
    numbered = all(row[0].isdigit() for row in head.rows)
    return [1, 0] if told and numbered else [0]


def match_tables(
    counts: Path,
    head: TableHead,
    places: CoordinateTable,
    names: Mapping[int, set[str]],
) -> TablePair | None:
    """Return counts with the table of their places, None if they share no spot.

    Parameters
    ----------
    counts, head
        The table of counts, and its first lines.
    places, names
        The table of places, and the spots in its columns, as `names_in` finds them.
    """
    own = _name_columns(head)
    best, most = None, (False, 0)
    for turned in (False, True):
        for column in own[:1] if turned else own:
            spots = {row[column] for row in head.rows}
            spots = set(head.names[1 + own[0] :]) if turned else spots
            for spot, known in names.items():
                # Numbers of rows are the same in any two tables.
                rank = column == own[0], len(known & spots)
                if rank[1] and rank > most:
                    mine = replace(places, spot=spot)
                    best, most = TablePair(counts, head, mine, turned, column), rank
    return best


def names_in(places: CoordinateTable) -> dict[int, set[str]]:
    """Return the first names of spots in each column of places that may hold them."""
    columns = places.others or (places.spot,)
    types = dict.fromkeys(columns, str)
    with translate_errors(places.path, "the table of places"):
        rows = next(iter(read_chunks(places.path, places.head, types, _NAMES)))
        names = {column: set(rows[column].str.strip()) for column in columns}
    if places.bare:
        names[places.spot].add(places.head.names[places.spot])
    return names
