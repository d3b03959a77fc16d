"""Stereo-seq molecules as text: .gem and .gem.gz, summed in square bins or cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, check_file, translate_errors
from napari_semst.io.formats import bins
from napari_semst.io.formats.text_tables import peek, read_chunks
from napari_semst.io.notes import note, warn
from napari_semst.io.readers.cell_tables import CellTables, tissue_from_cells
from napari_semst.io.readers.gef import (
    CELLS,
    MICRONS,
    USUAL,
    binned,
    in_spots,
    source_bins,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

    from napari_semst.io.formats.text_tables import TableHead
    from napari_semst.io.options import ReadOptions

_WHAT = "the .gem file"
# What the columns are called in the versions of the format, in lower case.
_NAMES, _IDS = ("genename", "genesymbol", "gene"), ("geneid",)
_COUNTS = ("midcount", "midcounts", "umicount", "umicounts")
_CELLS = ("cellid", "cell_id", "cell", "label")
# The cell of molecules that lie in none, in some files -1.
_OUTSIDE = 0


@dataclass(frozen=True, slots=True)
class GemColumns:
    """Numbers of the columns of a table of molecules, None for one it lacks.

    Parameters
    ----------
    x, y, count
        Places and counts.
    gene
        What tells genes apart: their ids where the table has these.
    name
        Their names, if these are beside the ids.
    cell
        The cell that a molecule lies in.
    """

    x: int
    y: int
    count: int
    gene: int
    name: int | None
    cell: int | None


@dataclass(frozen=True, slots=True)
class GemHeader:
    """What the lines before a table of molecules say.

    Parameters
    ----------
    told
        Each ``key=value``.
    size
        Side of the bins that are its rows, in spots of the chip.
    in_cells
        Whether its molecules are said to be those of cells.
    """

    told: dict[str, str]
    size: int
    in_cells: bool


def can_read(path: Path) -> bool:
    """Return whether a path is a table of molecules, judged by its columns."""
    head = peek(path, 2)
    return head is not None and gem_columns(head) is not None


def looks_like(path: Path) -> bool:
    """Return whether a file is named as tables of molecules are."""
    return path.is_file() and path.name.lower().endswith((".gem", ".gem.gz"))


def gem_columns(head: TableHead) -> GemColumns | None:
    """Return the columns of molecules, None for another table."""
    names = [name.lower() for name in head.names]

    def first(*told: str) -> int | None:
        return next((names.index(name) for name in told if name in names), None)

    x, y, count = first("x"), first("y"), first(*_COUNTS)
    name, ids = first(*_NAMES), first(*_IDS)
    gene = name if ids is None else ids
    if x is None or y is None or count is None or gene is None:
        return None
    beside = name if ids is not None else None
    return GemColumns(x, y, count, gene, beside, first(*_CELLS))


def gem_header(head: TableHead, path: Path) -> GemHeader:
    """Return what a file says of its bins.

    Raises
    ------
    InputError
        If it states a bin size that is none.
    """
    lines = (line.lstrip("#").split("=", 1) for line in head.comments if "=" in line)
    told = {key.strip(): value.strip() for key, value in lines}
    lower = {key.lower(): value.lower() for key, value in told.items()}
    size = lower.get("binsize", "1").removeprefix("bin")
    in_cells = "cell" in lower.get("bintype", "") or "cell" in size
    if in_cells:
        return GemHeader(told, 1, in_cells)
    if not size.isdecimal() or not int(size):
        raise InputError(
            f"Expected BinSize in the first lines of {_WHAT} {path} to be a positive "
            f"whole number; found {told.get('BinSize', size)!r}. Copy or download the "
            "file again."
        )
    return GemHeader(told, int(size), in_cells)


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the molecules in bins of 50 spots or another size, or cell by cell.

    Cells are read where the file says which cell each molecule lies in, unless a bin
    size is asked for. Molecules outside of cells (cell 0) belong to no cell.

    Raises
    ------
    InputError
        If it is damaged, holds other than molecules, or bins of the size asked for
        cannot be had.
    """
    check_file(path, _WHAT)
    with translate_errors(path, _WHAT):
        head, columns, header = _look(path)
        if _wants_cells(columns, header, options, path):
            tissue = _in_cells(path, head, columns)
        else:
            size = options.bin_size("Stereo-seq in spots of the chip") or USUAL
            source_bins([header.size], size, path)
            tissue = _in_bins(path, head, columns, header.size, size)
    if header.told:
        note(tissue, gem=header.told)
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a file, by the names of `Preview`."""
    _, columns, header = _look(path)
    found = {"counts": path.name, "coordinates": path.name}
    if _wants_cells(columns, header, options, path):
        return found | {"part": CELLS, "parts": (CELLS, in_spots(USUAL))}
    size = options.bin_size("Stereo-seq in spots of the chip") or USUAL
    source_bins([header.size], size, path)
    own = {size} if header.size == 1 else {size, header.size}
    parts = (
        *map(in_spots, sorted(own)),
        *([CELLS] if columns.cell is not None else []),
    )
    any_other = (
        "Any other bin size can be asked for."
        if header.size == 1
        else f"Multiples of {header.size} can be asked for as bin size."
    )
    return found | {"part": in_spots(size), "parts": parts, "remarks": (any_other,)}


def _look(path: Path) -> tuple[TableHead, GemColumns, GemHeader]:
    """Return the first lines of a file, its columns, and what it says of itself."""
    head = peek(path, 2)
    columns = None if head is None else gem_columns(head)
    if head is None or columns is None:
        names = "no table" if head is None else abbreviate(head.names)
        raise InputError(
            f"Expected {_WHAT} {path} to have the columns geneID (or geneName), x, y "
            f"and MIDCount (or MIDCounts, UMICount); found {names}. Choose another "
            "file."
        )
    return head, columns, gem_header(head, path)


def _wants_cells(
    columns: GemColumns, header: GemHeader, options: ReadOptions, path: Path
) -> bool:
    """Return whether to read cells; refuse where the file does not name them."""
    if header.in_cells and columns.cell is None:
        raise InputError(
            f"Expected {_WHAT} {path} to have a column CellID, since its first lines "
            "say that it holds cells; found none. Open the .cellbin.gef of the same "
            "run, or the .gem of bins."
        )
    if str(options.part) == CELLS and columns.cell is None:
        raise InputError(
            f"Expected {_WHAT} {path} to have a column CellID to read cells; found "
            "none. Ask for a bin size, or open the .cellbin.gef of the same run."
        )
    return columns.cell is not None and options.part in (None, CELLS)


def _in_bins(
    path: Path, head: TableHead, columns: GemColumns, source: int, size: int
) -> AnnData:
    """Return the molecules summed in square bins."""
    sums, genes = bins.BinSums(size), _Genes(columns)
    unit = 0
    for part in _parts(path, head, columns):
        # Bins are named by their corner's spot, or numbered one by one.
        unit = unit or bins.spots_in_a_step(part[columns.x], part[columns.y], source)
        x, y = (part[axis].to_numpy() * unit for axis in (columns.x, columns.y))
        sums.add(x, y, genes.numbers(part), part[columns.count])
    return binned(sums, genes.names(), path, size, genes.more())


def _in_cells(path: Path, head: TableHead, columns: GemColumns) -> AnnData:
    """Return the cells, each in the middle of its molecules' places."""
    import pandas as pd

    sums, genes = bins.CellSums(), _Genes(columns)
    outside = total = 0
    for part in _parts(path, head, columns):
        counts, cells = part[columns.count].to_numpy(), part[columns.cell].to_numpy()
        inside = cells > _OUTSIDE
        total += int(counts.sum())
        outside += int(counts[~inside].sum())
        numbers = genes.numbers(part)
        x, y = part[columns.x].to_numpy(), part[columns.y].to_numpy()
        sums.add(cells[inside], x[inside], y[inside], numbers[inside], counts[inside])
    counts, cells, places = sums.result(len(genes.names()))
    if not counts.nnz:
        raise InputError(
            f"Expected {_WHAT} {path} to hold molecules in cells; all lie in cell 0, "
            "outside of cells. Ask for a bin size to read square bins."
        )
    index = pd.Index(cells.astype(str))
    table = pd.DataFrame({"x": places[:, 0], "y": places[:, 1]}, index=index)
    both = (path.name, path.name)
    found = CellTables(
        counts, index, genes.names(), table, "x", "y", None, MICRONS, both, genes.more()
    )
    tissue = tissue_from_cells(found, path.name.split(".")[0])
    note(tissue, counts_outside_cells=outside)
    if outside:
        warn(
            tissue,
            f"{outside:,} of {total:,} counts lie outside of cells (cell 0) and are "
            "left out.",
        )
    return tissue


def _parts(path: Path, head: TableHead, columns: GemColumns) -> Iterator[pd.DataFrame]:
    """Yield the molecules, a few at a time."""
    whole = [columns.x, columns.y, columns.count]
    whole += [] if columns.cell is None else [columns.cell]
    types: dict[int, Any] = dict.fromkeys(whole, np.int64)
    types[columns.gene] = "category"
    if columns.name is not None:
        types[columns.name] = "category"
    yield from read_chunks(path, head, types, bins.STEP)


class _Genes:
    """The genes met so far, numbered as they come.

    They are known by their ids where a file has both ids and names.
    """

    def __init__(self, columns: GemColumns) -> None:
        self._gene, self._name = columns.gene, columns.name
        self._numbers: dict[str, int] = {}
        self._named: dict[str, str] = {}

    def numbers(self, part: pd.DataFrame) -> Any:
        """Return the number of each row's gene; new ones are given the next."""
        own, known = part[self._gene].cat, self._numbers
        if self._name is not None:
            pairs = part[[self._gene, self._name]].drop_duplicates()
            self._named |= dict(zip(pairs[self._gene], pairs[self._name], strict=True))
        found = [known.setdefault(str(gene), len(known)) for gene in own.categories]
        return np.asarray(found, np.int64)[own.codes.to_numpy()]

    def names(self) -> list[str]:
        """Return the names of the genes, their ids where there are none."""
        return [self._named.get(key) or key for key in self._numbers]

    def more(self) -> dict[str, Any]:
        """Return further columns of the genes."""
        return {} if self._name is None else {"gene_ids": list(self._numbers)}
