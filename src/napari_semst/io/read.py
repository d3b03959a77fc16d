"""One entry for every kind of input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, check_file, translate_errors
from napari_semst.io.coordinates import find_coordinates
from napari_semst.io.formats.text_tables import has_ending
from napari_semst.io.notes import note
from napari_semst.io.options import ReadOptions
from napari_semst.io.readers import visium, visium_hd
from napari_semst.io.readers.registry import (
    FORMATS,
    PLAIN,
    VISIUM,
    VISIUM_HD,
    detect_format,
)

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.io.readers.registry import Format

__all__ = ["find_coordinates", "read"]


def read(
    path: str | Path,
    *,
    counts: str | Path | None = None,
    positions: str | Path | None = None,
    part: str | None = None,
) -> AnnData:
    """Return the tissue section that a file or folder holds.

    Parameters
    ----------
    path
        A file or folder of a kind in `napari_semst.io.readers.registry.FORMATS`:
        AnnData (.h5ad, .zarr), SpatialData (.zarr), a folder of Space Ranger (Visium,
        Visium HD), Xenium, MERSCOPE or CosMx, Stereo-seq (.gef, .gem), a 10x .h5
        matrix with a positions file beside it, or a table of counts beside a table of
        places.
    counts
        Where the raw counts are, if that must be chosen: a layer (or ``"raw"``) of an
        .h5ad, which becomes X; the matrix of a Space Ranger folder.
    positions
        Where the spots are, if that must be chosen: an obsm key or two obs columns
        (``"x,y"``) of an .h5ad; the positions file for a 10x matrix or a table of
        counts.
    part
        Which part, where an input holds several: the bin size of Visium HD (in
        micrometres; 8 where there is nothing said) or of Stereo-seq (in spots of the
        chip; 50), the table of a SpatialData store.

    Returns
    -------
    anndata.AnnData
        X of shape ``(n_spots, n_genes)``; ``obsm["spatial"]`` of shape
        ``(n_spots, 2)`` as (x, y), in full-resolution pixels for Visium, micrometres
        for Xenium and MERSCOPE, pixels for CosMx, spots of the chip for Stereo-seq;
        ``uns["spatial"]`` with images and scale factors where there are any;
        ``uns["semst_input"]`` with what was noticed on the way.

    Raises
    ------
    InputError
        If the path holds nothing that can be read as a tissue section.
    CountsError
        If ``counts`` names something that holds no raw counts.
    """
    place = Path(path).expanduser()
    kind = format_of(place)
    options = ReadOptions(counts=counts, positions=positions, part=part)
    tissue = kind.read(place, options)
    note(tissue, kind=kind.name, name=place.absolute().name)
    return tissue


def format_of(place: Path) -> Format:
    """Return the kind of input at a path.

    Raises
    ------
    InputError
        If it holds nothing that can be read as a tissue section.
    """
    kind = detect_format(place) or _kind_by_names(place)
    if kind is None:
        raise InputError(_why_not(place))
    return kind


def _kind_by_names(place: Path) -> Format | None:
    """Return what is right by its names and wrong inside: reading it says how."""
    for kind in FORMATS:
        if kind.looks_like is not None and place.exists() and kind.looks_like(place):
            return kind
    if place.is_file() and has_ending(place):
        return PLAIN
    if visium_hd.bins_in(place):
        return VISIUM_HD
    return VISIUM if visium.locate(place) is not None else None


def as_tissue(source: AnnData | str | Path, part: str = "") -> tuple[AnnData, bool]:
    """Return the tissue that is given or that a path holds, and whether it was read.

    Parameters
    ----------
    source
        A tissue, or a path.
    part
        As for `read`; empty for the usual one.
    """
    if isinstance(source, str | Path):
        return read(source, part=part or None), True
    return source, False


def _why_not(place: Path) -> str:
    """Return why a path is not recognised."""
    if place.is_dir():
        return _why_not_folder(place)
    what = "a tissue section"
    check_file(place, what)
    import h5py

    if not h5py.is_hdf5(place):
        return (
            f"Expected {what} (.h5ad, .zarr, .gef, .gem, a 10x .h5 matrix, tables of "
            f"counts and places, or an instrument's folder); {place} is no HDF5 file "
            "and no such table. Choose another file."
        )
    with translate_errors(place, what), h5py.File(place, "r") as file:
        inside = abbreviate(list(file))
    return (
        f"Expected {what}; {place} is an HDF5 file of another kind and holds: "
        f"{inside}. Choose another file."
    )


def _why_not_folder(place: Path) -> str:
    with translate_errors(place, "a section's folder"):
        found = sorted(entry.name for entry in place.iterdir())
    return (
        "Expected an instrument's folder: of Space Ranger "
        "(filtered_feature_bc_matrix.h5 or the folder filtered_feature_bc_matrix, and "
        "spatial/tissue_positions .csv, .parquet or _list.csv), Xenium "
        "(cell_feature_matrix.h5 and cells.parquet), MERSCOPE (cell_by_gene.csv and "
        "cell_metadata.csv) or CosMx (*exprMat_file.csv and *metadata_file.csv), or a "
        f"store (.zarr); {place} holds: {abbreviate(found)}. Choose the folder that "
        "holds these, such as the one named outs."
    )
