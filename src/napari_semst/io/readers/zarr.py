"""AnnData in a zarr store: a folder of chunks, as clouds and large atlases keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.core.memory import check_fits
from napari_semst.errors import InputError
from napari_semst.io.checks import check_columns, translate_errors
from napari_semst.io.formats import ngff
from napari_semst.io.formats.anndata_on_disk import (
    bytes_on_disk,
    check_stays,
    read_but_counts,
)
from napari_semst.io.formats.zarr_arrays import (
    METADATA,
    DeclaredArray,
    check_arrays,
    declared_arrays,
)
from napari_semst.io.places.preview import preview_places
from napari_semst.io.readers import h5ad
from napari_semst.io.readers.anndata_preview import preview_group

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.io.options import ReadOptions

_WHAT = "the AnnData zarr store"
# Reading through this codec runs code that the file holds.
_RUNS_CODE = "pickle"


def can_read(path: Path) -> bool:
    """Return whether a folder is an AnnData zarr store, judged by its attributes.

    A table of a SpatialData store is none: where its spots lie is told by the store.
    """
    if not path.is_dir() or _is_in_spatialdata(path):
        return False
    return bool(ngff.attributes(path).get("encoding-type") == "anndata")


def _is_in_spatialdata(path: Path) -> bool:
    table = path.absolute()
    store = table.parent.parent
    return table.parent.name in ("tables", "table") and (
        "spatialdata_attrs" in ngff.attributes(store)
        or any((store / name).is_dir() for name in ("shapes", "labels", "images"))
    )


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the section that a store holds, as the reader of h5ad files does.

    Raises
    ------
    InputError
        If it is damaged, leads out of its folder, or could run code when read.
    """
    declared = check_store(path)
    for table in ("obs", "var"):
        inside = sum(1 for _ in (path / table).glob("*"))
        check_columns(inside, f"{table} of {_WHAT} {path}")
    with translate_errors(path, _WHAT):
        adata = read_anndata_store(path, declared, options, _WHAT)
    return h5ad.as_section(adata, path, options)


def read_anndata_store(
    path: Path, declared: int, options: ReadOptions, what: str
) -> AnnData:
    """Return the AnnData of a store, or of a group in one.

    Parameters
    ----------
    path
        Where it is; it was checked.
    declared
        Bytes that it declares.
    what
        What it should be, as a user says it.
    """
    import anndata
    import zarr

    group = zarr.open_group(path, mode="r")
    stays = 0
    if h5ad.may_stay(options):
        stays = bytes_on_disk(group)
        check_stays(group, path, declared - stays)
    check_fits(declared - stays, path, what)
    adata = read_but_counts(group) if stays else anndata.read_zarr(path)
    h5ad.check_matrix(adata)
    return adata


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a store, by the names of `Preview`."""
    import zarr

    check_store(path)
    store = zarr.open_group(path, mode="r")
    return preview_places(store, options, preview_group(store, options))


def check_store(path: Path) -> int:
    """Return the bytes that a store declares, once it can be trusted.

    All of it lies inside its folder, is plain data, and is there.

    Raises
    ------
    InputError
        Naming the first entry that is not.
    """
    root = path.resolve()
    files: list[Path] = []
    arrays: dict[Path, list[DeclaredArray]] = {}
    for entry in _entries(root):
        if entry.is_symlink() and not entry.resolve().is_relative_to(root):
            raise InputError(
                f"Expected {_WHAT} {path} to lie in its folder; "
                f"{entry.relative_to(root)} leads to {entry.resolve()}. Copy the store "
                "with its links followed, if you trust it."
            )
        if entry.name in METADATA:
            held, declared = declared_arrays(entry, _WHAT)
            if _RUNS_CODE in _texts(held):
                raise InputError(
                    f"Expected {_WHAT} {path} to hold plain data; "
                    f"{entry.relative_to(root)} is pickled, which can run code when "
                    "read. Ask for a store without pickled arrays."
                )
            for folder, found in declared.items():
                arrays.setdefault(folder, []).extend(found)
        elif not entry.is_dir():
            files.append(entry)
    return check_arrays(arrays, files, root, _WHAT)


def _entries(root: Path) -> Iterator[Path]:
    """Yield all files and links; linked folders are not entered."""
    for entry in root.iterdir():
        yield entry
        if entry.is_dir() and not entry.is_symlink():
            yield from _entries(entry)


def _texts(value: object) -> Iterator[str]:
    """Yield all texts of nested JSON values, names of entries too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
