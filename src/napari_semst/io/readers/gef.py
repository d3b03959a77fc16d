"""Stereo-seq (STOmics): .gef files, in square bins or in cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, check_file, translate_errors
from napari_semst.io.formats import bins
from napari_semst.io.formats.hdf5 import open_hdf5
from napari_semst.io.notes import note
from napari_semst.io.readers.cell_tables import CellTables, tissue_from_cells
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.options import ReadOptions

# Of spots of the chip, half a micrometre apart: bins of 25 micrometres.
USUAL = 50
MICRONS = 0.5
_WIDEST = 10.0
# What the part of a file that holds cells is called.
CELLS = "cells"
_WHAT = "the .gef file"
_BINS, _CELLS = "geneExp", "cellBin"


def can_read(path: Path) -> bool:
    """Return whether a path is a .gef file, judged by what is inside."""
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with open_hdf5(path, _WHAT) as file:
        return bool(bin_sizes(file)) or has_cells(file)


def has_cells(file: Any) -> bool:
    """Return whether an open file holds counts of cells."""
    return all(f"{_CELLS}/{name}" in file for name in ("cell", "cellExp", "gene"))


def bin_sizes(file: Any) -> list[int]:
    """Return the sizes of the bins in an open file, the smallest first."""
    import h5py

    group = file.get(_BINS)
    if not isinstance(group, h5py.Group):
        return []
    return sorted(
        int(name.removeprefix("bin"))
        for name, held in group.items()
        if name.removeprefix("bin").isdigit() and "expression" in held
    )


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the section of a .gef file, coordinates in spots of the chip.

    Square bins are of 50 spots unless another size is asked for; they are summed from
    the finest bins in the file. A file of cells is read cell by cell.

    Raises
    ------
    InputError
        If it is damaged, or bins of the size asked for cannot be had.
    """
    check_file(path, _WHAT)
    with translate_errors(path, _WHAT), open_hdf5(path, _WHAT) as file:
        if has_cells(file):
            return _cells(file, path, options)
        if options.part == CELLS:
            raise InputError(
                f"Expected cells in {path}; it holds square bins. Ask for a bin size, "
                "or open the .cellbin.gef of the same run."
            )
        size = options.bin_size("Stereo-seq in spots of the chip") or USUAL
        return _in_bins(file, path, size)


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a file, by the names of `Preview`."""
    found: dict[str, Any] = {"counts": path.name, "coordinates": path.name}
    with open_hdf5(path, _WHAT) as file:
        if has_cells(file):
            return found | {
                "n_spots": len(file["cellBin/cell"]),
                "n_genes": len(file["cellBin/gene"]),
            }
        size = options.bin_size("Stereo-seq in spots of the chip") or USUAL
        sizes = bin_sizes(file)
        source = source_bins(sizes, size, path)
        parts = tuple(map(in_spots, sorted({size, *sizes})))
        n_genes = len(file[f"geneExp/bin{source}/gene"])
    return found | {"n_genes": n_genes, "part": in_spots(size), "parts": parts}


def in_spots(size: int) -> str:
    """Return what bins of a size are called."""
    return f"bins of {size} x {size} spots of the chip"


def binned(
    sums: bins.BinSums,
    genes: list[str],
    path: Path,
    size: int,
    more: dict[str, Any],
    microns: float = MICRONS,
) -> AnnData:
    """Return summed molecules as a tissue of bins named by their corners, ``x_y``.

    Parameters
    ----------
    sums, genes
        The counts, and the names of the genes.
    path, size
        The file, and the side of a bin.
    more
        Columns of the genes.
    microns
        From one spot of the chip to the next.

    Raises
    ------
    InputError
        If there is no count.
    """
    import pandas as pd

    counts, centres, corners = sums.result(len(genes))
    if not counts.nnz:
        raise InputError(f"Expected counts in {path}; found none. Choose another file.")
    names = pd.Index(
        np.char.add(
            np.char.add(corners[:, 0].astype(str), "_"), corners[:, 1].astype(str)
        )
    )
    found = CellTables(
        counts,
        names,
        genes,
        pd.DataFrame({"x": centres[:, 0], "y": centres[:, 1]}, index=names),
        "x",
        "y",
        np.full(len(names), float(size)),
        microns,
        (path.name, path.name),
        more,
    )
    tissue = tissue_from_cells(found, path.name.split(".")[0])
    note(tissue, bin_size=size)
    return tissue


def source_bins(sizes: list[int], size: int, path: Path) -> int:
    """Return the size of the bins in a file from which others can be summed.

    Raises
    ------
    InputError
        If none divides the size asked for.
    """
    fitting = [one for one in sizes if size % one == 0]
    if not fitting:
        raise InputError(
            Worded(
                f"Expected bins of {size} spots, or smaller ones to sum, in {path}; "
                f"found bins of {abbreviate(sizes)}. Ask for one of these",
                Way(f": --part {sizes[0]}.", f": part={sizes[0]}.", " as part."),
            )
        )
    return size if size in fitting else max(fitting)


def _in_bins(file: Any, path: Path, size: int) -> AnnData:
    source = source_bins(bin_sizes(file), size, path)
    group = file[f"{_BINS}/bin{source}"]
    molecules, table = group["expression"], group["gene"][()]
    _check_fields(molecules, ("x", "y", "count"), path)
    _check_fields(group["gene"], ("offset", "count"), path)
    names, more = _genes(table)
    ends = table["offset"].astype(np.int64) + table["count"].astype(np.int64)
    if (len(ends) and int(ends.max()) != len(molecules)) or (np.diff(ends) < 0).any():
        raise InputError(
            f"Expected the genes of {_WHAT} {path} to share out its {len(molecules):,} "
            "entries; they do not. Copy or download the file again."
        )
    some = molecules[: bins.STEP]
    unit = bins.spots_in_a_step(some["x"], some["y"], source)
    sums = bins.BinSums(size)
    for start in range(0, len(molecules), bins.STEP):
        part = molecules[start : start + bins.STEP]
        numbers = np.arange(start, start + len(part))
        genes = np.searchsorted(ends, numbers, side="right")
        # Wider first: the file's own type may not hold the product.
        x, y = (part[axis].astype(np.int64) * unit for axis in "xy")
        sums.add(x, y, genes, part["count"])
    microns = _pitch(molecules.attrs, file.attrs)
    tissue = binned(sums, names, path, size, more, microns)
    _note_offset(tissue, molecules)
    return tissue


def _note_offset(tissue: AnnData, molecules: Any) -> None:
    """Note what the file says of its first spot's place on the chip."""
    told = {key: _number(molecules.attrs, key) for key in ("minX", "minY")}
    known = {key: int(value) for key, value in told.items() if value is not None}
    if known:
        note(tissue, chip=known)


def _number(attributes: Any, key: str) -> float | None:
    """Return an attribute that is a number, or an array of one; None without it."""
    values = np.ravel(attributes.get(key, ()))
    return float(values[0]) if len(values) and values.dtype.kind in "iuf" else None


def _pitch(*attributes: Any) -> float:
    """Return how many micrometres lie between spots of the chip.

    Files state nanometres, or nothing: most chips have 500.
    """
    told = (_number(own, "resolution") for own in attributes)
    known = (value / 1000 for value in told if value is not None and value > 0)
    return next((value for value in known if value < _WIDEST), MICRONS)


def _genes(table: NDArray[Any]) -> tuple[list[str], dict[str, Any]]:
    """Return the genes' names, and ids where the file has both."""
    fields = table.dtype.names or ()
    key = next((k for k in ("geneName", "gene", "geneID") if k in fields), None)
    if key is None:
        raise InputError(
            f"Expected {_WHAT} to name its genes; found the fields "
            f"{abbreviate(fields)}. Choose another file."
        )
    names = _texts(table[key])
    if key == "geneName" and "geneID" in fields:
        ids = _texts(table["geneID"])
        return [n or i for n, i in zip(names, ids, strict=True)], {"gene_ids": ids}
    return names, {}


def _texts(values: NDArray[Any]) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def _cells(file: Any, path: Path, options: ReadOptions) -> AnnData:
    import pandas as pd
    from scipy import sparse

    if options.part not in (None, CELLS):
        raise InputError(
            f"Expected square bins in {path} for a bin size of {options.part!r}; it "
            "holds cells. Ask for no bin size, or open the file of bins."
        )
    _check_fields(file[f"{_CELLS}/cell"], ("id", "x", "y", "offset", "geneCount"), path)
    _check_fields(file[f"{_CELLS}/cellExp"], ("geneID", "count"), path)
    cells, counts = file[f"{_CELLS}/cell"][()], file[f"{_CELLS}/cellExp"][()]
    names, more = _genes(file[f"{_CELLS}/gene"][()])
    indptr = np.append(cells["offset"].astype(np.int64), len(counts))
    lengths = cells["geneCount"].astype(np.int64)
    if not np.array_equal(np.diff(indptr), lengths):
        raise InputError(
            f"Expected the cells of {_WHAT} {path} to share out its {len(counts):,} "
            "entries; they do not. Copy or download the file again."
        )
    matrix = sparse.csr_matrix(
        (counts["count"].astype(np.float32), counts["geneID"].astype(np.int64), indptr),
        shape=(len(cells), len(names)),
    )
    # An index outside the matrix would crash the compiled code that uses it.
    matrix.check_format(full_check=True)
    index = pd.Index(cells["id"].astype(str))
    columns = {k: cells[k] for k in ("x", "y", "area", "dnbCount") if k in _of(cells)}
    found = CellTables(
        matrix,
        index,
        names,
        pd.DataFrame(columns, index=index),
        "x",
        "y",
        2 * np.sqrt(cells["area"] / np.pi) if "area" in _of(cells) else None,
        _pitch(file.attrs),
        (path.name, path.name),
        more,
    )
    return tissue_from_cells(found, path.name.split(".")[0])


def _of(table: NDArray[Any]) -> tuple[str, ...]:
    return table.dtype.names or ()


def _check_fields(table: Any, fields: Sequence[str], path: Path) -> None:
    """Refuse a table of a file that lacks a field."""
    if lacking := [name for name in fields if name not in _of(table)]:
        raise InputError(
            f"Expected {table.name} in {_WHAT} {path} to have the fields "
            f"{', '.join(fields)}; missing: {', '.join(lacking)}; found: "
            f"{abbreviate(_of(table))}. It may be of a version that is not known here."
        )
