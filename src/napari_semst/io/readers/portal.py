"""Tables of the Single Cell Portal, such as those of STARmap PLUS and Slide-tags.

The portal asks for a table of places with the columns ``NAME``, ``X`` and ``Y`` and a
second line of types (``TYPE``, ``numeric``, ``group``), and for counts as genes x cells
whose first column is ``GENE``.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.formats import tenx
from napari_semst.io.formats.sample_files import sample_to_read
from napari_semst.io.formats.text_tables import (
    TableHead,
    holds_counts,
    n_lines,
    peek,
    read_columns,
    read_head,
)
from napari_semst.io.formats.wide_tables import read_wide
from napari_semst.io.notes import warn
from napari_semst.io.readers.cell_tables import (
    CellTables,
    cell_ids,
    tissue_from_cells,
)
from napari_semst.io.readers.table_pairs import text_tables_in

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

    from napari_semst.io.options import ReadOptions

_TYPE, _NAME, _GENE, _NUMBER = "TYPE", "NAME", "GENE", "numeric"
_MOST_TABLES = 40
# Rows by which tables are matched.
_ROWS = 20
_JOINTS = "_-. "


@dataclass(frozen=True, slots=True)
class PortalFiles:
    """The files of one section.

    Parameters
    ----------
    counts
        A table of genes x cells, or a 10x matrix as text: its folder.
    cells, head
        The table of places, and its first lines.
    """

    counts: Path
    cells: Path
    head: TableHead


def can_read(path: Path) -> bool:
    """Return whether a path holds tables of the portal, judged by what is inside."""
    return bool(portal_sections(path))


def portal_sections(path: Path) -> dict[str, PortalFiles]:
    """Return the sections in a folder by name: tables that name the same cells.

    Parameters
    ----------
    path
        The folder, or one of the tables in it.
    """
    folder = path if path.is_dir() else path.absolute().parent
    tables = text_tables_in(folder) if folder.is_dir() else []
    if not 1 <= len(tables) <= _MOST_TABLES:
        return {}
    heads = {table: peek(table, _ROWS) for table in tables}
    placed = {t: h for t, h in heads.items() if h is not None and is_typed(h)}
    counted = {
        t: set(h.names[1:])
        for t, h in heads.items()
        if h is not None and h.names[0].upper() == _GENE
    }
    found: dict[str, PortalFiles] = {}
    for table, head in placed.items():
        names = {row[0] for row in head.rows[1:]}
        mine = [t for t, own in counted.items() if names & own]
        raw = [t for t in mine if "raw" in t.name.lower()] or mine
        if len(raw) == 1:
            files = PortalFiles(raw[0], table, head)
        elif not counted and len(placed) == 1 and tenx.is_mtx_folder(folder):
            files = PortalFiles(folder, table, head)
        else:
            continue
        found[_label(files)] = files
    if path.is_dir():
        return found
    name = path.name
    return {s: f for s, f in found.items() if name in (f.counts.name, f.cells.name)}


def is_typed(head: TableHead) -> bool:
    """Return whether a table of places says the types of its columns."""
    names = [name.upper() for name in head.names]
    if not head.rows or head.rows[0][0] != _TYPE:
        return False
    return names[0] == _NAME and {"X", "Y"} <= set(names)


def looks_like(path: Path) -> bool:
    """Return whether a folder has a table of places in the form of the portal."""
    tables = text_tables_in(path) if path.is_dir() else []
    heads = (peek(table, 1) for table in tables[:_MOST_TABLES])
    return any(head is not None and is_typed(head) for head in heads)


def tables(path: Path) -> list[Path]:
    """Return the files that counts and places are read from."""
    found = portal_sections(path).values()
    return [file for files in found for file in (files.counts, files.cells)]


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the cells of a section, coordinates as its authors gave them.

    Of several sections in a folder, the part names one. Raw counts are taken where the
    folder has both raw and processed expression. A third coordinate is kept as a
    column.

    Raises
    ------
    InputError
        If a table is missing or damaged, or the tables are of different sections.
    """
    files = _chosen(path, options)
    what = "the table of counts"
    var: dict[str, Any] = {}
    if files.counts.is_dir():
        matrix = tenx.read_matrix(files.counts)
        counts, genes = matrix.X, list(matrix.var_names)
        names = cell_ids(matrix.obs_names.to_series())
        var = {name: matrix.var[name].to_numpy() for name in matrix.var}
    else:
        ids, cells, turned = read_wide(files.counts, what, [0], lambda name: True)
        import pandas as pd

        genes = list(ids[0].str.strip())
        counts, names = turned.T.tocsr(), cell_ids(pd.Series(cells))
    table = _cells(files)
    x, y = (next(c for c in table if c.upper() == axis) for axis in "XY")
    found = CellTables(
        counts,
        names,
        genes,
        table,
        x,
        y,
        None,
        None,
        (files.counts.name, files.cells.name),
        var,
    )
    tissue = tissue_from_cells(found, _label(files))
    depth = next((table[c] for c in table if c.upper() == "Z"), None)
    if (counts.data % 1 != 0).any():
        warn(
            tissue,
            f"{files.counts.name} holds values that are not whole numbers: processed "
            "expression. Put the table of raw expression of the same study beside it.",
        )
    if depth is not None and depth.nunique() > 1:
        warn(
            tissue,
            f"{files.cells.name} gives a depth for each cell: Z is kept as a column, "
            "and neighbours are sought by X and Y alone.",
        )
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a section, by the names of `Preview`."""
    files = _chosen(path, options)
    head = files.head
    types = dict(zip(head.names, head.rows[0], strict=True))
    columns = tuple(name for name in head.names[1:] if name.upper() not in "XY")
    if files.counts.is_dir():
        n_genes, counts = tenx.matrix_size(files.counts)[1], files.counts.name
    else:
        own = read_head(files.counts, files.counts.name)
        n_genes = n_lines(files.counts) - 1
        counts = files.counts.name if holds_counts(own) else ""
    return {
        "n_spots": n_lines(files.cells) - 2,
        "n_genes": n_genes,
        "counts": counts,
        "coordinates": files.cells.name,
        "columns": columns,
        "annotations": tuple(c for c in columns if types[c].lower() != _NUMBER),
    }


def _chosen(path: Path, options: ReadOptions) -> PortalFiles:
    found = portal_sections(path)
    if not found:
        raise InputError(
            f"Expected tables of the Single Cell Portal in {path}: places with NAME, X "
            "and Y and a second line TYPE, and counts of the same cells with GENE "
            "first; found no such pair. Put both into one folder."
        )
    return found[sample_to_read(path, list(found), options.part)]


def _cells(files: PortalFiles) -> pd.DataFrame:
    """Return the table of places by name, its columns of the types that it states."""
    import pandas as pd

    what = "the table of places"
    names = list(files.head.names)
    table = read_columns(files.cells, what, names)
    types = dict(zip(table, files.head.rows[0], strict=True))
    table = table.iloc[1:]
    ids = cell_ids(table[names[0]])
    columns = {
        name: pd.to_numeric(table[name], errors="coerce")
        if told.lower() == _NUMBER
        else table[name]
        for name, told in types.items()
        if name != names[0]
    }
    return pd.DataFrame(columns).set_axis(ids)


def _label(files: PortalFiles) -> str:
    """Return what a section is called: how the names of its files begin."""
    pairs = zip(files.counts.name, files.cells.name, strict=False)
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)
    shared = "".join(letter for letter, _ in alike).strip(_JOINTS)
    return shared or files.cells.name.split(".")[0]
