"""Plain tables: counts in one file of text, the places of the spots in another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, translate_errors
from napari_semst.io.formats.text_tables import (
    has_ending,
    holds_counts,
    n_lines,
    peek,
    read_chunks,
    read_columns,
    read_head,
    row_names,
    text_columns,
)
from napari_semst.io.formats.wide_tables import read_wide
from napari_semst.io.notes import note, warn
from napari_semst.io.places.column_names import unfold_array
from napari_semst.io.readers.cell_tables import (
    CellTables,
    is_unnamed,
    tell_repeated_genes,
    tissue_from_cells,
)
from napari_semst.io.readers.table_pairs import (
    HEAD_ROWS,
    CoordinateTable,
    TablePair,
    coordinate_table,
    counted,
    pairs_of,
    text_beside_counts,
    text_tables_in,
)
from napari_semst.io.text_columns import as_texts
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from napari_semst.io.options import ReadOptions

_WANTED = (
    "a table of counts (spots x genes or genes x spots, a name first in each row, then "
    "whole numbers), and beside it a table of the same spots with their names and "
    "columns x and y"
)
# A folder of more tables is a folder of other things.
_MOST_BESIDE = 30
_MOST_PLACES = 5


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
    counts = tables if path.is_dir() else [folder / path.name]
    found = pairs_of(counts, places)
    return found[0] if len(found) == 1 else None


def looks_like(path: Path) -> bool:
    """Return whether a path is a table, or a folder of counts and places, clear or not.

    The names of files tell nothing of the folder: columns do.
    """
    if not path.is_dir():
        return path.is_file() and has_ending(path)
    tables = text_tables_in(path)
    if len(tables) > _MOST_BESIDE:
        return False
    places = {table for table in tables if coordinate_table(table) is not None}
    counts = {table for table in tables if counted(table) is not None}
    return bool(places and counts - places)


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
    if unnamed := sum(map(is_unnamed, pair.head.names[1 + pair.names :])):
        warn(
            tissue,
            f"{unnamed:,} columns of {pair.counts.name} have no name and are left out.",
        )
    note(tissue, places=pair.places.path.name, turned=pair.turned)
    own = tissue.obsm["spatial"]
    tissue.obsm["spatial"], told = unfold_array(own, *columns[:2])
    warn(tissue, *told)
    tell_repeated_genes(tissue, genes)
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of two tables, by the names of `Preview`."""
    return preview_pair(find_tables(path, options))


def preview_pair(pair: TablePair) -> dict[str, Any]:
    """Return what is known of two tables that belong together, as `preview`."""
    import pandas as pd

    places = pair.places
    head = places.head
    n_spots = n_lines(places.path) - len(head.comments) - (not places.bare)
    genes = pair.head.names[1 + pair.names :]
    if pair.turned:
        genes = tuple(row_names(pair.counts, pair.head, pair.names))
    own = {places.spot, places.x, places.y}
    others = (
        ()
        if places.bare
        else tuple(name for i, name in enumerate(head.names) if i not in own)
    )
    return {
        "n_spots": n_spots,
        "n_genes": len(genes),
        "var": pd.DataFrame(index=list(genes)),
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
    """Return what is missing where a table, or a folder of tables, is not read."""
    folder = path if path.is_dir() else path.absolute().parent
    tables = text_tables_in(folder)
    others = [p for p in tables if p.name != path.name or path.is_dir()]
    places = [
        place
        for place in map(coordinate_table, others[:_MOST_BESIDE])
        if place is not None
    ]
    wanted = f"Expected {path} to {'hold' if path.is_dir() else 'be'} {_WANTED}"
    if not path.is_dir():
        doubt = _no_counts(path)
        if doubt:
            return f"{wanted}; {doubt}"
    if not places:
        return (
            f"{wanted}; found no table with x and y beside it, only: "
            f"{abbreviate([p.name for p in others])}. Put it there."
        )
    pairs = pairs_of(others if path.is_dir() else [path], places)
    counts = sorted({pair.counts.name for pair in pairs})
    if len(counts) > 1:
        return (
            f"{wanted}; found several of counts: {abbreviate(counts)}. Open one of "
            "them, or move the others away."
        )
    names = [pair.places.path.name for pair in pairs]
    if len(names) > 1:
        return Worded(
            f"{wanted}; found several with x and y: {abbreviate(names)}. ",
            Way(
                f"Name one, --positions {names[0]}, or move the others away.",
                f"Name one, positions={names[0]!r}, or move the others away.",
                "Name one as positions file, or move the others away.",
            ),
        )
    return (
        f"{wanted}; {places[0].path.name} has x and y, but no spot in common with a "
        "table of counts. Check that both name the spots alike."
    )


def _no_counts(path: Path) -> str:
    """Return why a file is no table of counts, empty where it may be one."""
    if counted(path) is not None:
        return ""
    head = peek(path, HEAD_ROWS)
    if head is None:
        return f"{path.name} is no table, or empty. Choose another file."
    place = coordinate_table(path)
    if place is not None:
        return (
            f"{path.name} is a table of places. Open the table of counts, or the "
            "folder of both."
        )
    text = text_beside_counts(head)
    if text is not None:
        return (
            f"the column {text!r} holds other than numbers. Choose another file, or "
            "remove columns that hold no counts."
        )
    return f"it has {len(head.names)} columns only. Choose another file."


def _given(path: Path, options: ReadOptions) -> TablePair | None:
    """Return the pair of a table and the table of places that was named.

    Raises
    ------
    InputError
        If the table named is not there, has no places, or goes with no counts.
    """
    folder = path if path.is_dir() else path.absolute().parent
    name = Path(str(options.positions)).expanduser()
    file = folder / name if not name.exists() else name
    head = read_head(file, "the table of places")
    places = coordinate_table(file)
    if places is None:
        raise InputError(
            f"Expected the table of places {file} to have a column of names and two "
            f"named x and y; found: {abbreviate(head.names)}. Rename its columns, or "
            "name another table."
        )
    beside = text_tables_in(folder) if path.is_dir() else [path]
    pairs = pairs_of(beside[:_MOST_BESIDE], [places])
    if len(pairs) > 1:
        raise InputError(
            f"Expected one table of counts in {path}; found several: "
            f"{abbreviate([pair.counts.name for pair in pairs])}. Open one of them."
        )
    if not pairs:
        doubt = "" if path.is_dir() else _no_counts(path)
        raise InputError(
            f"Expected {path} to {'hold' if path.is_dir() else 'be'} a table of counts "
            "of the spots in "
            f"{file}; {doubt or 'they share no names of spots. Name another table.'}"
        )
    return pairs[0]


def _counts(pair: TablePair) -> tuple[Any, pd.Index, list[str]]:
    """Return counts as spots x genes, the spots' names and the genes'."""
    import pandas as pd
    from scipy import sparse

    what = "the table of counts"
    before = range(pair.names + 1)
    ids, columns, counts = read_wide(
        pair.counts, what, before, lambda name: not is_unnamed(name)
    )
    rows = ids[pair.names].str.strip()
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
