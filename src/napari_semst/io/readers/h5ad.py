"""AnnData files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.memory import check_fits
from napari_semst.errors import InputError
from napari_semst.io.checks import (
    abbreviate,
    check_columns,
    check_file,
    translate_errors,
)
from napari_semst.io.coordinates import NAME_PLACES, locate_coordinates
from napari_semst.io.counts import other_counts
from napari_semst.io.feature_names import say_references
from napari_semst.io.formats.anndata_on_disk import (
    bytes_on_disk,
    check_stays,
    read_but_counts,
)
from napari_semst.io.formats.hdf5 import check_datasets, open_hdf5
from napari_semst.io.gene_features import GENOME, keep_genes, name_genes_alone
from napari_semst.io.image_sources import forget_source
from napari_semst.io.matrices import named_layers, stored_matrices
from napari_semst.io.notes import note, warn
from napari_semst.io.places.fov_to_section import take_section_wide
from napari_semst.io.places.preview import preview_places
from napari_semst.io.readers.anndata_preview import preview_group
from napari_semst.io.readers.open_st import without_background
from napari_semst.io.sections import libraries, part
from napari_semst.wording import Worded, message

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.options import ReadOptions

_WHAT = "the AnnData file"
SPATIAL = "spatial"
# Where the file's own coordinates stand once others take their place.
ORIGINAL = "spatial_original"


def can_read(path: Path) -> bool:
    """Return whether a path is an AnnData file, judged by what is inside.

    MuData, loom and other HDF5 files are declined whatever their name.
    """
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with open_hdf5(path, _WHAT) as file:
        encoding = str(file.attrs.get("encoding-type", ""))
        # Files from before anndata 0.7 bear no encoding.
        if encoding not in ("anndata", ""):
            return False
        needed = ("obs", "var") if encoding else ("obs", "var", "X")
        return all(
            isinstance(file.get(key), h5py.Group | h5py.Dataset) for key in needed
        )


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the section that an .h5ad holds, coordinates under ``obsm["spatial"]``.

    Raises
    ------
    InputError
        If it is damaged, or has not the coordinates asked for. Without a key asked
        for, a table whose coordinates are missing or unusable is read with a warning.
    CountsError
        If the layer asked for holds no raw counts.
    """
    check_file(path, _WHAT)
    with ExitStack() as opened:
        adata = _read_file(path, options, opened)
        section = as_section(adata, path, options)
        if stored_matrices(section):
            # It stays open with what is returned; else nothing may keep it from others.
            opened.pop_all()
    return section


def _read_file(path: Path, options: ReadOptions, opened: ExitStack) -> AnnData:
    """Return what a file holds; it is opened where counts stay in it."""
    import anndata
    import h5py

    with translate_errors(path, _WHAT):
        with open_hdf5(path, _WHAT, datasets=False) as file:
            for table in ("obs", "var"):
                inside = len(file.get(table, ())) if table in file else 0
                check_columns(inside, f"{table} of {_WHAT} {path}")
            declared = check_datasets(file, path, _WHAT)
            stays = bytes_on_disk(file) if may_stay(options) else 0
            if may_stay(options):
                check_stays(file, path, declared - stays)
            check_fits(declared - stays, path, _WHAT)
        if stays:
            adata = read_but_counts(opened.enter_context(h5py.File(path, "r")))
        else:
            adata = anndata.read_h5ad(path)
        check_matrix(adata)
    return adata


def as_section(adata: AnnData, path: Path, options: ReadOptions) -> AnnData:
    """Return a table just read as a section: names unique, spots placed.

    Parameters
    ----------
    adata
        What the file held.
    path, options
        As in `read`.
    """
    if not adata.n_obs or not adata.n_vars:
        raise InputError(
            f"Expected spots and genes in {path}; found {adata.n_obs} spots and "
            f"{adata.n_vars} genes."
        )
    stayed = bool(stored_matrices(adata))
    adata = without_background(adata)
    if stayed and not stored_matrices(adata):
        with translate_errors(path, _WHAT):
            check_matrix(adata)
    _free_reserved_names(adata)
    # Before names are told apart: a protein may share that of its gene.
    adata = keep_genes(adata, options, str(path))
    _tell_apart(adata, adata.obs_names, "barcodes", adata.obs_names_make_unique)
    name_genes_alone(adata, _name_genes)
    stays = bool(stored_matrices(adata))
    if options.positions is not None:
        adata = _place(adata, str(options.positions))
    else:
        try:
            adata = _place(adata, None)
        except InputError as error:
            # The table is of use without them: another key can still be picked.
            warn(adata, message(error))
    if stays and not stored_matrices(adata):
        check_matrix(adata)
    if options.counts is not None:
        _use_counts(adata, str(options.counts))
    elif more := other_counts(adata):
        warn(adata, more)
    use_symbols(adata)
    for library in libraries(adata):
        for image in part(adata, library, "images").values():
            forget_source(image)
    return adata


def may_stay(options: ReadOptions) -> bool:
    """Return whether counts are wanted where they are on disk, X among them."""
    return options.on_disk and options.counts in (None, "X")


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a file, by the names of `Preview`."""
    with open_hdf5(path, _WHAT) as file:
        return preview_places(file, options, preview_group(file, options))


def check_matrix(adata: AnnData) -> None:
    """Refuse a sparse matrix whose indices point outside of it."""
    from scipy import sparse

    matrices: list[Any] = [adata.X, *named_layers(adata).values()]
    if adata.raw is not None:
        matrices.append(adata.raw.X)
    for matrix in matrices:
        if sparse.issparse(matrix) and hasattr(matrix, "check_format"):
            # Compiled code that uses such an index would crash the whole program.
            matrix.check_format(full_check=True)


def _free_reserved_names(adata: AnnData) -> None:
    """Rename columns that anndata keeps for itself and would refuse to write.

    SeuratDisk leaves the names of features and cells in a column ``_index``.
    """
    tables = [(adata.obs, "cells"), (adata.var, "features")]
    if adata.raw is not None:
        tables.append((adata.raw.var, "features"))
    for table, name in tables:
        if "_index" in table:
            while name in table:
                name = f"{name}_"
            # In place, as the table of .raw cannot be replaced.
            table.columns = [name if c == "_index" else c for c in table.columns]


def _fill_names(adata: AnnData) -> None:
    """Give names to features that have none, or numbers alone, where a column does."""
    from napari_semst.io.feature_names import find_named

    given = adata.var_names.to_numpy(dtype=object)
    names, where, told = find_named(adata.var)
    raw = adata.raw
    if told and where == "var_names" and raw is not None and raw.n_vars == len(names):
        # SeuratDisk can leave the names to the table of .raw, which has the same genes.
        others, column, more = find_named(raw.var)
        if not more:
            where = "raw.var_names" if column == "var_names" else f"raw.{column}"
            names, told = others, ()
    if np.array_equal(names.astype(object), given):
        return
    adata.var["original_names"] = given.astype(str)
    adata.var_names = names.astype(object)
    warn(adata, *told)
    if where != "var_names":
        note(adata, symbols=where)


def _name_genes(adata: AnnData) -> None:
    """Give names to genes that have none, and tell those apart that share one."""
    _fill_names(adata)
    _tell_apart(adata, adata.var_names, "gene names", adata.var_names_make_unique)


def _tell_apart(
    adata: AnnData, names: pd.Index, what: str, mend: Callable[[], None]
) -> None:
    """Tell apart spots, or genes, that share a name."""
    twice = names[names.duplicated()].unique()
    if len(twice):
        mend()
        warn(
            adata,
            f"{len(twice):,} {what} occur more than once (first: "
            f"{abbreviate(list(twice), 3)}): told apart by -1, -2 at their end.",
        )


def _place(adata: AnnData, key: str | None) -> AnnData:
    """Return the spots that have coordinates, these under ``obsm["spatial"]``."""
    found = locate_coordinates(adata, key, allow_missing=True)
    if key is None:
        found, told = take_section_wide(adata, found)
        warn(adata, *told)
    placed = np.asarray(np.isfinite(found.xy).all(axis=1))
    n_without = int((~placed).sum())
    if n_without > len(placed) / 2:
        raise InputError(
            Worded(
                f"Expected coordinates for every spot in {found.where}; {n_without:,} "
                f"of {len(placed):,} have none. ",
                NAME_PLACES,
            )
        )
    if n_without:
        names = list(adata.obs_names[~placed])
        adata = adata[placed].copy()
        warn(
            adata,
            f"{n_without:,} of {len(placed):,} spots have no coordinates and are left "
            f"out (first: {abbreviate(names, 3)}).",
        )
    note(adata, coordinates=found.where)
    warn(adata, *found.remarks)
    _put(adata, found.xy[placed])
    return adata


def _put(adata: AnnData, xy: NDArray[np.float64]) -> None:
    """Put coordinates under ``obsm["spatial"]``; what stood there is never lost."""
    there = adata.obsm.get(SPATIAL)
    if isinstance(there, np.ndarray) and np.array_equal(there, xy):
        return  # left as it is, whatever its type of number
    if there is not None:
        key, count = ORIGINAL, 1
        while key in adata.obsm:
            count += 1
            key = f"{ORIGINAL}_{count}"
        adata.obsm[key] = there
        note(adata, original_coordinates=f"obsm[{key!r}]")
        warn(
            adata,
            f"obsm[{SPATIAL!r}] holds the coordinates in use; what the file had there "
            f"is kept in obsm[{key!r}].",
        )
    adata.obsm[SPATIAL] = xy


def _use_counts(adata: AnnData, layer: str) -> None:
    from napari_semst.io.counts import find_counts

    found = find_counts(adata, layer)
    adata.X = found.matrix
    note(adata, counts=found.where)


def use_symbols(adata: AnnData) -> None:
    """Name genes by symbol where the file names them by id, number or reference.

    Ids then stand in ``var["gene_ids"]``, other names in ``var["original_names"]``.
    """
    name_genes_alone(adata, _use_symbols)


def _use_symbols(adata: AnnData) -> None:
    import pandas as pd

    from napari_semst.io.ensembl_symbols import find_symbols

    given = adata.var_names.to_numpy(dtype=str)
    told = say_references(adata.var)
    found = find_symbols(adata)
    warn(adata, *found.warnings, *filter(None, [told]))
    if np.array_equal(found.names, given):
        return
    if not np.array_equal(found.names, found.ids):
        taken = "gene_ids" in adata.var and not np.array_equal(
            adata.var["gene_ids"].astype(str).to_numpy(), found.ids
        )
        adata.var["ensembl_ids" if taken else "gene_ids"] = found.ids
    if not np.array_equal(found.ids, given) and "original_names" not in adata.var:
        adata.var["original_names"] = given
    if (found.references != "").any() and GENOME not in adata.var:
        adata.var[GENOME] = found.references
    names = found.names.astype(object)
    # Two species may have a symbol in common: the reference tells their genes apart.
    again = pd.Index(names).duplicated(keep=False) & (found.references != "")
    names[again] = given[again]
    adata.var_names = names
    with translate_errors(Path(), "gene symbols"):
        adata.var_names_make_unique()
    note(adata, symbols=found.where)
