"""Cells of imaging methods: a table of counts and a table of cells made one tissue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.matrices import check_indices, is_stored
from napari_semst.io.notes import note, warn
from napari_semst.io.readers.h5ad import use_symbols
from napari_semst.io.text_columns import as_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.io.formats.text_tables import TableHead

# Numbers as R writes them where that is shorter, and what a float still holds whole.
_POWER = r"\d(?:\.\d+)?[eE]\+?\d{1,3}"
_MOST_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class CellTables:
    """What a folder's files say of its cells, joined by `tissue_from_cells`.

    Parameters
    ----------
    counts
        CSR, shape ``(n_rows, n_genes)``.
    names
        Of the rows of counts, unique.
    genes
        Names of the genes.
    cells
        The table of cells, indexed by name.
    x, y
        Its columns with their places.
    diameters
        Of the cells in the unit of x and y, shape ``(n_cells,)``; None where unknown.
    microns
        Micrometres in one unit of x and y, None where unknown.
    files
        Names of the two files, as a user says them.
    var
        More columns of the genes.
    places
        Where x and y come from, as a user says it; empty where that is said by x, y
        and the second file.
    """

    counts: sparse.csr_matrix
    names: pd.Index
    genes: Sequence[str]
    cells: pd.DataFrame
    x: str
    y: str
    diameters: NDArray[np.float64] | None
    microns: float | None
    files: tuple[str, str]
    var: dict[str, Any] = field(default_factory=dict)
    places: str = ""


@dataclass(frozen=True, slots=True)
class SectionImage:
    """An image of a section.

    Parameters
    ----------
    image
        uint8, shape ``(height, width)`` or with 3 or 4 channels.
    per_unit
        Its pixels per unit of the coordinates.
    origin
        Where the outer corner of its first pixel lies, (x, y).
    """

    image: NDArray[np.uint8]
    per_unit: float
    origin: tuple[float, float] = (0.0, 0.0)

    def factors(self) -> dict[str, float]:
        """Return where the image lies, as `napari_semst.io.alignment` reads it."""
        return {
            "tissue_hires_scalef": self.per_unit,
            "tissue_hires_origin_x": self.origin[0],
            "tissue_hires_origin_y": self.origin[1],
        }


def as_numbers(column: pd.Series) -> NDArray[np.float64]:
    """Return a column as numbers, NaN where it holds none; shape ``(n_cells,)``."""
    import pandas as pd

    return np.asarray(pd.to_numeric(column, errors="coerce"), np.float64)


def cell_ids(column: pd.Series) -> pd.Index:
    """Return names of cells with all the digits that their instrument gave them.

    Ids stay texts: some have more digits than a number can hold. Whole numbers that
    another program wrote as ``12.0`` or, as R does, ``1e+05`` are written out; one of
    which digits are lost is left as it is.

    Parameters
    ----------
    column
        Read as text, shape ``(n_cells,)``.
    """
    import pandas as pd

    texts = as_texts(column).str.strip()
    texts = texts.str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    ids = texts.to_numpy(dtype=object)
    powers = np.flatnonzero(texts.str.fullmatch(_POWER).to_numpy(bool))
    if len(powers):
        numbers = ids[powers].astype(np.float64)
        whole = (numbers < _MOST_EXACT) & (numbers % 1 == 0)
        ids = ids.copy()
        ids[powers[whole]] = numbers[whole].astype(np.int64).astype(str)
    return pd.Index(ids)


def id_columns(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the columns of a table that may hold the ids of its cells.

    These are the columns of known names, whatever their case, and the first one: R and
    pandas leave names of rows there, under no name or one of their own.

    Parameters
    ----------
    names
        Of the columns.
    known
        What columns of ids are called, in lower case, the likeliest first.
    """
    found = [name for told in known for name in names if name.lower() == told]
    return list(dict.fromkeys([*found, *names[:1]]))


def id_place(columns: Sequence[str], known: Sequence[str]) -> int:
    """Return the number of the column of a table of counts that names its cells.

    It is the first, unless another program put the numbers of the rows before it.

    Parameters
    ----------
    columns
        Names of the columns.
    known
        What columns of ids are called, in lower case.
    """
    told = [name.lower() for name in columns[:2]]
    numbered = is_unnamed(columns[0]) or told[0] == "x"
    return int(len(told) > 1 and numbered and told[1] in known)


def index_by_id(
    cells: pd.DataFrame, candidates: Sequence[str], names: pd.Index
) -> pd.DataFrame:
    """Return a table of cells indexed by the column that names the cells counted.

    Parameters
    ----------
    cells
        The table, its candidates read as text.
    candidates
        Columns that may hold the ids, as `id_columns` finds them.
    names
        Of the cells that have counts.
    """
    found = {name: cell_ids(cells[name]) for name in candidates if name in cells}
    shared = {name: int(ids.isin(names).sum()) for name, ids in found.items()}
    # Numbers of rows share names with any ids that count up, and do not say which cell
    # is meant: they give way to a column of ids that names any.
    if any(shared[name] and not _of_rows(name) for name in found):
        shared |= {name: -1 for name in found if _numbers_rows(name, found[name])}
    # The first of those that share most.
    best = max(shared, key=shared.__getitem__)
    others = {name: _numbers_again(cells[name]) for name in found if name != best}
    return cells.assign(**others).drop(columns=best).set_index(found[best])


def is_unnamed(name: str) -> bool:
    """Return whether a column has no name, or the one pandas gives it then."""
    return not name.strip() or name.startswith(("Unnamed: ", "__index_level_"))


def naming_columns(head: TableHead, names: pd.Index) -> list[str]:
    """Return the columns whose first rows all name cells that have counts.

    For tables that call their column of ids by no known name.

    Parameters
    ----------
    head
        The first lines of the table of cells.
    names
        Of the cells that have counts.
    """
    import pandas as pd

    columns = zip(head.names, zip(*head.rows, strict=True), strict=True)
    return [
        name
        for name, values in columns
        if len(set(values)) == len(values)
        and cell_ids(pd.Series(list(values))).isin(names).all()
    ]


def _of_rows(name: str) -> bool:
    """Return whether R or pandas may have called names of rows so."""
    return is_unnamed(name) or name.lower() == "x"


def _numbers_rows(name: str, ids: pd.Index) -> bool:
    """Return whether a column only counts the rows, as R and pandas leave it."""
    if not _of_rows(name):
        return False
    first = ids[:1].isin(["0", "1"]).any()
    counted = np.arange(len(ids)) + (int(ids[0]) if first else 0)
    return bool(first and (ids == counted.astype(str)).all())


def _numbers_again(column: pd.Series) -> pd.Series:
    """Return a column read as text as numbers, if it holds nothing but these."""
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    exact = numbers.notna() & (numbers.abs() < _MOST_EXACT)
    return numbers if bool((exact | column.isna()).all()) else column


def disc_diameters(areas: pd.Series) -> NDArray[np.float64]:
    """Return the diameters of discs of these areas, shape ``(n_cells,)``."""
    return np.asarray(2 * np.sqrt(np.maximum(as_numbers(areas), 0) / np.pi))


def tell_repeated_genes(tissue: AnnData, genes: Sequence[str]) -> None:
    """Note how many of the names that a file gives its genes occur again."""
    if twice := len(genes) - len(set(genes)):
        warn(
            tissue,
            f"{twice:,} names of genes occur again: told apart by -1, -2 at their end.",
        )


def tissue_from_cells(
    found: CellTables, library: str, picture: SectionImage | None = None
) -> AnnData:
    """Return the cells that have both counts and a place, in the order of the counts.

    Raises
    ------
    InputError
        If names occur twice or the tables share none, or a place is no number.
    """
    import anndata
    import pandas as pd
    from anndata.utils import make_index_unique

    _refuse_doubles(found.names, found.files[0])
    _refuse_doubles(found.cells.index, found.files[1])
    rows = found.cells.index.get_indexer(found.names)
    both = rows >= 0
    if not both.any():
        raise InputError(
            f"Expected {found.files[0]} and {found.files[1]} to name the same cells; "
            f"they share none. The first has {abbreviate(list(found.names), 2)}, the "
            f"second {abbreviate(list(found.cells.index), 2)}. {_why_none(found)}"
        )
    told = []
    if n_without := len(both) - int(both.sum()):
        told.append(
            f"{n_without:,} of {len(both):,} cells in {found.files[0]} are not in "
            f"{found.files[1]} and are left out."
        )
    xy = found.cells[[found.x, found.y]].apply(pd.to_numeric, errors="coerce")
    placed = both & np.isfinite(xy.to_numpy(np.float64)[rows]).all(axis=1)
    told += _unplaced(int(both.sum()), int(placed.sum()), found)
    obs = _writable(found.cells.iloc[rows[placed]])
    obs.index = pd.Index(found.names[placed].to_numpy(dtype=object))
    # A copy of a large matrix is left out where it would be the same.
    counts = found.counts if placed.all() else found.counts[np.flatnonzero(placed)]
    if not is_stored(counts):
        counts = counts.astype(np.float32, copy=False)
        if is_stored(found.counts):
            check_indices(counts)
            found.counts.group.file.close()
    genes = make_index_unique(pd.Index(list(found.genes), dtype=object))
    tissue = anndata.AnnData(
        counts,
        obs=obs,
        var=pd.DataFrame(found.var, index=genes),
        obsm={"spatial": xy.to_numpy(np.float64)[rows[placed]]},
    )
    # A slash would open a group inside the group when the section is saved.
    name = library.replace("/", "_") or "library"
    tissue.uns["spatial"] = {name: _entry(found, rows[placed], picture)}
    use_symbols(tissue)
    note(
        tissue,
        coordinates=found.places or f"{found.x}, {found.y} of {found.files[1]}",
    )
    warn(tissue, *told)
    return tissue


def _why_none(found: CellTables) -> str:
    """Return why two tables may share no cell, and what to do."""
    tables = zip(found.files, (found.names, found.cells.index), strict=True)
    rounded = [f for f, ids in tables if ids.str.fullmatch(_POWER).any()]
    if rounded:
        return (
            f"The ids in {rounded[0]} were rounded by another program: copy the file "
            "from the instrument again."
        )
    return "The files may be of different sections."


def _unplaced(n_all: int, n_placed: int, found: CellTables) -> list[str]:
    """Return a warning of cells without a place; refuse where most have none."""
    where = found.places or f"{found.x} and {found.y} of {found.files[1]}"
    if n_placed <= n_all / 2:
        texts = as_texts(found.cells[found.x])
        commas = texts[texts.str.fullmatch(r"\s*-?\d+,\d+\s*").fillna(False)][:1]
        todo = (
            f"They have decimal commas, such as {commas.iloc[0]}: save the table with "
            "decimal points."
            if len(commas)
            else "Copy or download the file again."
        )
        raise InputError(
            f"Expected numbers in {where} for every cell; {n_all - n_placed:,} of "
            f"{n_all:,} have none. {todo}"
        )
    if n_placed == n_all:
        return []
    return [
        f"{n_all - n_placed:,} of {n_all:,} cells have no number in {where} and are "
        "left out."
    ]


def _refuse_doubles(names: pd.Index, file: str) -> None:
    twice = names[names.duplicated()]
    if len(twice) and twice.str.fullmatch(_POWER).any():
        raise InputError(
            f"Expected every cell once in {file}; found ids of which digits are lost, "
            f"such as {twice[0]}, so that {len(twice):,} occur again. Another program "
            "rounded them: copy the file from the instrument again."
        )
    if len(twice):
        raise InputError(
            f"Expected every cell once in {file}; {len(twice):,} occur again (first: "
            f"{abbreviate(list(twice), 3)}). Remove the doubles, or open one section."
        )


def _writable(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of cells whose columns can be saved in an .h5ad."""
    import pandas as pd

    columns: dict[str, pd.Series] = {}
    for number, told in enumerate(table):
        column, name = table.iloc[:, number], str(told).replace("/", "_")
        if is_unnamed(name):
            # Names of rows, as R and pandas leave them: the cells have theirs.
            if column.is_unique:
                continue
            name = "unnamed"
        # anndata keeps this name for the index.
        name = "index" if name == "_index" else name
        while name in columns:
            name = f"{name}_"
        if not (
            pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
        ):
            column = column.astype(str).where(column.notna()).astype("category")
        columns[name] = column
    return pd.DataFrame(columns, index=table.index)


def _entry(
    found: CellTables, rows: NDArray[np.int64], picture: SectionImage | None
) -> dict[str, Any]:
    """Return the entry of ``uns["spatial"]``: how large cells are, and the image."""
    factors: dict[str, float] = {}
    if found.microns is not None:
        factors["microns_per_pixel"] = found.microns
    if found.diameters is not None:
        sizes = found.diameters[rows]
        sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
        if len(sizes):
            factors["spot_diameter_fullres"] = float(np.median(sizes))
    images = {}
    if picture is not None:
        images["hires"] = picture.image
        factors |= picture.factors()
    return {"images": images, "scalefactors": factors}
