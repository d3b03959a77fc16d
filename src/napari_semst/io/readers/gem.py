"""Stereo-seq molecules as text: .gem and .gem.gz, summed in square bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import check_file, translate_errors
from napari_semst.io.formats import bins
from napari_semst.io.formats.text_tables import first_column, peek, read_chunks
from napari_semst.io.notes import note
from napari_semst.io.readers.gef import USUAL, binned, in_spots

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

    from napari_semst.io.formats.text_tables import TableHead
    from napari_semst.io.options import ReadOptions

_WHAT = "the .gem file"
_GENES = ("geneName", "geneID")
_COUNTS = ("MIDCount", "MIDCounts", "UMICount", "UMICounts")


def can_read(path: Path) -> bool:
    """Return whether a path is a table of molecules, judged by its columns."""
    head = peek(path, 2)
    return head is not None and is_gem(head)


def is_gem(head: TableHead) -> bool:
    """Return whether a table's columns are those of molecules."""
    names = set(head.names)
    return {"x", "y"} <= names and bool(names & set(_GENES) and names & set(_COUNTS))


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the molecules in bins of 50 spots, or of another size asked for.

    Raises
    ------
    InputError
        If it is damaged, or holds other than molecules.
    """
    size = options.bin_size("Stereo-seq in spots of the chip") or USUAL
    check_file(path, _WHAT)
    with translate_errors(path, _WHAT):
        head = peek(path, 2)
        if head is None or not is_gem(head):
            raise InputError(
                f"Expected {_WHAT} {path} to have the columns geneID, x, y and "
                "MIDCount; it has not. Choose another file."
            )
        sums, genes, more = _summed(path, head, size)
        tissue = binned(sums, genes, path, size, more)
    told = dict(line.split("=", 1) for line in head.comments if "=" in line)
    if told:
        note(tissue, gem={key.strip(): value.strip() for key, value in told.items()})
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a file, by the names of `Preview`."""
    size = options.bin_size("Stereo-seq in spots of the chip") or USUAL
    part = in_spots(size)
    return {
        "counts": path.name,
        "coordinates": path.name,
        "part": part,
        "parts": (part,),
        "remarks": ("Any other bin size can be asked for.",),
    }


def _summed(
    path: Path, head: TableHead, size: int
) -> tuple[bins.BinSums, list[str], dict[str, Any]]:
    columns = list(head.names)
    gene = columns.index(first_column(_GENES, columns, _WHAT, path))
    count = columns.index(first_column(_COUNTS, columns, _WHAT, path))
    x, y = columns.index("x"), columns.index("y")
    ids = (
        columns.index("geneID")
        if columns[gene] != "geneID" and "geneID" in columns
        else None
    )
    types: dict[int, Any] = {x: np.int64, y: np.int64, count: np.int64}
    types |= dict.fromkeys([gene] if ids is None else [gene, ids], "category")
    sums = bins.BinSums(size)
    numbers: dict[str, int] = {}
    named: dict[str, str] = {}
    for part in read_chunks(path, head, types, bins.STEP):
        # Genes are known by their ids where the file has both.
        codes = _numbered(part[gene if ids is None else ids], numbers)
        if ids is not None:
            pairs = part[[ids, gene]].drop_duplicates()
            named |= dict(zip(pairs[ids], pairs[gene], strict=True))
        sums.add(part[x], part[y], codes, part[count])
    if ids is None:
        return sums, list(numbers), {}
    return sums, [named[key] or key for key in numbers], {"gene_ids": list(numbers)}


def _numbered(column: pd.Series, numbers: dict[str, int]) -> Any:
    """Return the number of each gene; new ones are given the next."""
    own = column.cat
    known = [numbers.setdefault(str(g), len(numbers)) for g in own.categories]
    return np.asarray(known, np.int64)[own.codes.to_numpy()]
