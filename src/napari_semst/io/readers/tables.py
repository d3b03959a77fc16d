"""Plain tables: counts in one file of text, the places of the spots in another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, translate_errors
from napari_semst.io.formats.text_tables import (
    TableHead,
    has_ending,
    holds_counts,
    is_number,
    n_lines,
    peek,
    read_chunks,
    read_columns,
    read_head,
    text_columns,
)
from napari_semst.io.formats.wide_tables import read_wide
from napari_semst.io.notes import note, warn
from napari_semst.io.places.names import place_pairs, unfold_array
from napari_semst.io.readers.cell_tables import CellTables, tissue_from_cells
from napari_semst.io.text_columns import as_texts

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from napari_semst.io.options import ReadOptions

_IDS = ("barcode", "barcodes", "spot", "spot_id", "cell", "cell_id", "cellid", "id", "")
# A folder of more tables is a folder of other things.
_MOST_BESIDE = 30
_MOST_PLACES = 5
# Rows by which tables are matched, and names that are looked through for them.
_ROWS = 20
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
    """

    path: Path
    head: TableHead
    spot: int
    x: int
    y: int
    bare: bool = False


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
    """

    counts: Path
    head: TableHead
    places: CoordinateTable
    turned: bool


def can_read(path: Path) -> bool:
    """Return whether a path holds counts whose spots' places are beside them."""
    return locate(path) is not None


def locate(path: Path) -> TablePair | None:
    """Return the two tables that a path holds, None where they are not clear.

    The path is the table of counts, or the folder of both. Names of files tell nothing:
    tables belong together if they share names of spots.
    """
    folder = path if path.is_dir() else path.absolute().parent
    if not path.is_dir() and not (path.is_file() and has_ending(path)):
        return None
    tables = text_tables_in(folder)
    if not 2 <= len(tables) <= _MOST_BESIDE:
        return None
    places = [p for p in map(coordinate_table, tables) if p is not None]
    if len(places) > _MOST_PLACES:
        return None
    heads = [
        (table, head)
        for table in (tables if path.is_dir() else [folder / path.name])
        if (head := counted(table)) is not None
    ]
    found = []
    for place in places if heads else ():
        names = names_in(place)
        pairs = (
            match_tables(table, head, place, names)
            for table, head in heads
            if table.name != place.path.name
        )
        found += [pair for pair in pairs if pair is not None]
    return found[0] if len(found) == 1 else None


def looks_like(path: Path) -> bool:
    """Return whether a path is a table, or a folder of counts and places, clear or not.

    The names of files tell nothing of the folder: columns do.
    """
    if not path.is_dir():
        return path.is_file() and has_ending(path)
    tables = text_tables_in(path)
    return len(tables) <= _MOST_BESIDE and (
        any(coordinate_table(table) is not None for table in tables)
        and any(counted(table) is not None for table in tables)
    )


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
        ids = [names.index(name) for name in _IDS if name in names]
        others = [i for i in range(len(names)) if i not in columns]
        spots = ids or others
        return CoordinateTable(path, head, spots[0], *columns) if spots else None
    bare = len(names) == 3 and all(map(is_number, head.names[1:]))
    return CoordinateTable(path, head, 0, 1, 2, bare=True) if bare else None


def counted(table: Path) -> TableHead | None:
    """Return the first lines of a table that may hold counts, None for another."""
    head = peek(table, _ROWS)
    if head is None or len(head.names) <= _FEWEST_GENES:
        return None
    numbers = all(is_number(v) for row in head.rows for v in row[1:])
    return head if numbers else None


def match_tables(
    counts: Path, head: TableHead, places: CoordinateTable, names: set[str]
) -> TablePair | None:
    """Return counts with the table of their places, None if they share no spot.

    Parameters
    ----------
    counts, head
        The table of counts, and its first lines.
    places, names
        The table of places, and its spots.
    """
    first = [row[0] for row in head.rows]
    if names.intersection(first):
        return TablePair(counts, head, places, turned=False)
    if len(names.intersection(head.names[1:])):
        return TablePair(counts, head, places, turned=True)
    return None


def names_in(places: CoordinateTable) -> set[str]:
    """Return the first names of spots in a table of places."""
    types = {places.spot: str}
    with translate_errors(places.path, "the table of places"):
        parts = read_chunks(places.path, places.head, types, _NAMES)
        names = set(next(iter(parts))[places.spot].str.strip())
    return names | {places.head.names[places.spot]} if places.bare else names


def tables(path: Path) -> list[Path]:
    """Return the files that counts and places are read from."""
    pair = locate(path)
    return [] if pair is None else [pair.counts, pair.places.path]


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the spots of a table of counts, with the places of the table beside it.

    Raises
    ------
    InputError
        If no table of places goes with the counts, or one of them is damaged.
    """
    return read_pair(find_tables(path, options))


def read_pair(pair: TablePair) -> AnnData:
    """Return the spots of two tables that belong together.

    Raises
    ------
    InputError
        If one of them is damaged.
    """
    counts, names, genes = _counts(pair)
    cells = cells_of(pair.places)
    columns = list(cells.columns)
    found = CellTables(
        counts,
        names,
        genes,
        cells,
        columns[0],
        columns[1],
        None,
        None,
        (pair.counts.name, pair.places.path.name),
    )
    tissue = tissue_from_cells(found, pair.counts.name.split(".")[0])
    note(tissue, places=pair.places.path.name, turned=pair.turned)
    own = tissue.obsm["spatial"]
    tissue.obsm["spatial"], told = unfold_array(own, *columns[:2])
    warn(tissue, *told)
    if twice := len(genes) - len(set(genes)):
        warn(
            tissue,
            f"{twice:,} names of genes occur again: told apart by -1, -2 at their end.",
        )
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of two tables, by the names of `Preview`."""
    return preview_pair(find_tables(path, options))


def preview_pair(pair: TablePair) -> dict[str, Any]:
    """Return what is known of two tables that belong together, as `preview`."""
    places = pair.places
    head = places.head
    n_spots = n_lines(places.path) - len(head.comments) - (not places.bare)
    n_genes = len(pair.head.names) - 1
    if pair.turned:
        n_genes = n_lines(pair.counts) - 1 - len(pair.head.comments)
    own = {places.spot, places.x, places.y}
    others = (
        ()
        if places.bare
        else tuple(name for i, name in enumerate(head.names) if i not in own)
    )
    return {
        "n_spots": n_spots,
        "n_genes": n_genes,
        "counts": pair.counts.name if holds_counts(pair.head) else "",
        "coordinates": places.path.name,
        "columns": others,
        "annotations": tuple(name for name in text_columns(head) if name in others),
    }


def find_tables(path: Path, options: ReadOptions) -> TablePair:
    """Return the two tables to read.

    Raises
    ------
    InputError
        If no table of places goes with the counts.
    """
    pair = locate(path) if options.positions is None else _given(path, options)
    if pair is None:
        raise InputError(why_not(path))
    return pair


def why_not(path: Path) -> str:
    """Return what is missing where a table is not read."""
    folder = path if path.is_dir() else path.absolute().parent
    tables = text_tables_in(folder)
    others = [p for p in tables if p.name != path.name]
    places = [
        p.path for p in map(coordinate_table, others[:_MOST_BESIDE]) if p is not None
    ]
    wanted = (
        f"Expected {path} to be a table of counts (spots x genes or genes x spots, a "
        "name first in each row, then whole numbers), and beside it a table of the "
        "same spots with their names and columns x and y"
    )
    if not places:
        return (
            f"{wanted}; found no table with x and y beside it, only: "
            f"{abbreviate([p.name for p in others])}. Put it there."
        )
    if len(places) > 1:
        return (
            f"{wanted}; found several with x and y: "
            f"{abbreviate([p.name for p in places])}. Name one as positions, or move "
            "the others away."
        )
    return (
        f"{wanted}; {places[0].name} has x and y, but no spot in common with a "
        "table of counts. Check that both name the spots alike."
    )


def _given(path: Path, options: ReadOptions) -> TablePair | None:
    """Return the pair of a table and the table of places that was named."""
    name = Path(str(options.positions)).expanduser()
    beside = path.absolute().parent / name
    file = name if name.exists() else beside
    read_head(file, "the table of places")
    places = coordinate_table(file)
    if places is None:
        raise InputError(
            f"Expected the table of places {file} to have a column of names and two "
            "named x and y; it has not. Rename its columns."
        )
    head = counted(path)
    return None if head is None else match_tables(path, head, places, names_in(places))


def _counts(pair: TablePair) -> tuple[Any, pd.Index, list[str]]:
    """Return counts as spots x genes, the spots' names and the genes'."""
    import pandas as pd
    from scipy import sparse

    what = "the table of counts"
    ids, columns, counts = read_wide(pair.counts, what, [0], lambda name: True)
    rows = ids[0].str.strip()
    if pair.turned:
        turned = sparse.csr_matrix(counts.T)
        return turned, pd.Index(columns), list(rows)
    return counts, pd.Index(rows.to_numpy(dtype=object)), columns


def cells_of(places: CoordinateTable) -> pd.DataFrame:
    """Return the table of places by name, x and y before what else it holds."""
    import pandas as pd

    path, head = places.path, places.head
    what = "the table of places"
    if places.bare:
        types = dict.fromkeys(range(3), str)
        with translate_errors(path, what):
            rows = next(iter(read_chunks(path, head, types, 2**40)))
        first = pd.DataFrame([head.names])
        table = pd.concat([first, rows], ignore_index=True)
        table.columns = pd.Index(["spot", "x", "y"])
    else:
        table = read_columns(path, what, [head.names[places.spot]])
    names = as_texts(table.iloc[:, places.spot]).str.strip()
    order = [places.x, places.y]
    order += [i for i in range(table.shape[1]) if i not in (*order, places.spot)]
    cells = table.iloc[:, order]
    cells.index = pd.Index(names.to_numpy(dtype=object))
    return cells
