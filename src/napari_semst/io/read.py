"""One entry for every kind of input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, check_file, translate_errors
from napari_semst.io.coordinates import check_reach, find_coordinates
from napari_semst.io.formats import tenx
from napari_semst.io.formats.gzipped import is_packed
from napari_semst.io.formats.hdf5 import open_hdf5
from napari_semst.io.formats.sample_files import is_archive
from napari_semst.io.gene_features import keep_genes
from napari_semst.io.notes import note, warn_of_mixing
from napari_semst.io.options import ReadOptions
from napari_semst.io.outlines.instruments import remember_saved
from napari_semst.io.outlines.sources import pass_on_outlines
from napari_semst.io.places.mixed_sections import mixed_sections
from napari_semst.io.readers import visium_files
from napari_semst.io.readers.h5ad import use_symbols
from napari_semst.io.readers.registry import (
    FORMATS,
    MATRIX_10X,
    PLAIN,
    detect_format,
)
from napari_semst.io.readers.visium_cells import missing_of_segmented
from napari_semst.io.transcripts.instruments import remember_saved_molecules
from napari_semst.io.transcripts.sources import pass_on_transcripts

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.io.readers.registry import Format

__all__ = ["find_coordinates", "read"]

# Entries of a folder that are looked into where the folder itself is not read.
_MOST_INSIDE = 50


def read(
    path: str | Path,
    *,
    counts: str | Path | None = None,
    positions: str | Path | None = None,
    part: str | int | None = None,
    features: str | None = None,
    on_disk: bool = False,
) -> AnnData:
    """Return the tissue section that a file or folder holds.

    Parameters
    ----------
    path
        A file or folder of a kind in `napari_semst.io.readers.registry.FORMATS`:
        AnnData (.h5ad, .zarr), SpatialData (.zarr), a folder of Space Ranger (Visium,
        Visium HD), Xenium, MERSCOPE, CosMx, seqFISH or Slide-seq, tables of the Single
        Cell Portal (STARmap PLUS), Stereo-seq (.gef, .gem), a 10x .h5 matrix with a
        positions file beside it, or a table of counts beside a table of places.
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
        chip; 50), the table of a SpatialData store, the sample where files of several
        are in one folder. A number is taken as its digits.
    features
        ``"genes"``, as None, leaves features out that are no genes: controls, blanks,
        proteins; ``"all"`` takes them for genes, too.
    on_disk
        Leave counts of an .h5ad, a store or a 10x .h5 where they are if they would
        take more than a quarter of the memory: X, layers and ``.raw`` that are stored
        by spot are then anndata's sparse matrices on disk.

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
    options = ReadOptions.of(counts, positions, part, features, on_disk=on_disk)
    kind.refuse_other(options, place)
    # Readers tell what is wrong with a file; this is for damage that none foresaw.
    with translate_errors(place, kind.title):
        whole = kind.read(place, options)
        if "spatial" in whole.obsm:
            places = np.asarray(whole.obsm["spatial"])
            if places.dtype.kind == "f":
                check_reach(places, str(place), whole)
    tissue = keep_genes(whole, options, str(place))
    pass_on_outlines(whole, tissue)
    pass_on_transcripts(whole, tissue)
    use_symbols(tissue)
    note(tissue, kind=kind.name, name=place.absolute().name)
    remember_saved(tissue, place)
    remember_saved_molecules(tissue, place)
    mixing = mixed_sections(tissue)
    if mixing is None:
        warn_of_mixing(tissue)
    else:
        warn_of_mixing(tissue, mixing.warning, mixing.column)
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
    if not place.exists():
        return None
    alike = (kind for kind in FORMATS if kind.looks_like is not None)
    found = next((k for k in alike if k.looks_like and k.looks_like(place)), None)
    # A table in an instrument's folder is a part of that.
    lone = found is PLAIN and place.is_file()
    return None if lone and _home_of(place) is not None else found


def as_tissue(
    source: AnnData | str | Path,
    part: str = "",
    features: str = "",
    positions: str = "",
) -> tuple[AnnData, bool]:
    """Return the tissue that is given or that a path holds, and whether it was read.

    Parameters
    ----------
    source
        A tissue, or a path.
    part, features, positions
        As for `read`; empty for the usual ones.
    """
    if isinstance(source, str | Path):
        tissue = read(
            source,
            positions=positions or None,
            part=part or None,
            features=features or None,
        )
        return tissue, True
    return source, False


def _why_not(place: Path) -> str:
    """Return why a path is not recognised."""
    if place.is_dir():
        return _why_not_folder(place)
    what = "a tissue section"
    check_file(place, what)
    if is_archive(place):
        return (
            f"Expected {what}; {place} is a packed folder. Unpack it, and choose the "
            "folder that comes out."
        )
    import h5py

    if tenx.is_market(place):
        why = tenx.lacking_in(place.absolute().parent)
        why = why or "it is no Matrix Market file, or not named matrix.mtx"
        return f"Expected the 10x matrix {place}; {why}."
    if not h5py.is_hdf5(place):
        home = _home_of(place)
        if home is not None:
            return f"Expected {what}; {place.name} is {_part_of(*home)}"
        return (
            f"Expected {what} (.h5ad, .zarr, .gef, .gem, a 10x .h5 matrix, tables of "
            f"counts and places, or an instrument's folder); {place} is no HDF5 file "
            f"and no such table. {_todo(place)}"
        )
    with translate_errors(place, what), open_hdf5(place, what) as file:
        inside = abbreviate(list(file))
    home = _home_of(place)
    todo = "Choose another file." if home is None else f"It is {_part_of(*home)}"
    return (
        f"Expected {what}; {place} is an HDF5 file of another kind and holds: "
        f"{inside}. {todo}"
    )


def _todo(place: Path) -> str:
    try:
        packed = is_packed(place)
    except OSError:
        packed = False
    return "It is packed: unpack it first." if packed else "Choose another file."


def _home_of(place: Path) -> tuple[Path, Format] | None:
    """Return the folder of an instrument that a path is a part of, and its kind."""
    for folder in list(place.absolute().parents)[:2]:
        kind = detect_format(folder)
        if kind is not None and kind is not PLAIN:
            return folder, kind
    return None


def _part_of(folder: Path, kind: Format) -> str:
    return f"a part of {folder} ({kind.title}). Choose that folder."


def _is_empty(path: Path) -> bool:
    return path.is_file() and path.stat().st_size == 0


def _why_not_folder(place: Path) -> str:
    with translate_errors(place, "a section's folder"):
        found = sorted(entry.name for entry in place.iterdir())
    if not found:
        return f"Expected an instrument's folder; {place} is empty. Choose another."
    missing = missing_of_segmented(place) or visium_files.missing_in(place)
    if missing:
        return missing
    inner = [
        f"{name} ({kind.title})"
        for name in found[:_MOST_INSIDE]
        if not name.startswith(".") and (kind := detect_format(place / name))
        if kind is not MATRIX_10X
    ]
    if inner:
        return (
            f"Expected one section; {place} is a folder above. Choose what can be read "
            f"in it: {abbreviate(inner)}."
        )
    home = _home_of(place)
    if home is not None:
        return f"Expected a whole section; {place} is {_part_of(*home)}"
    packed = [name for name in found if is_archive(place / name)]
    empty = [name for name in found if _is_empty(place / name)]
    todo = "Choose the folder that holds these."
    if packed:
        todo = f"Unpack {abbreviate(packed)} there first."
    elif empty:
        todo = f"Without content: {abbreviate(empty)}. Copy or download it again."
    return (
        "Expected an instrument's folder: of Space Ranger "
        "(filtered_feature_bc_matrix.h5 or the folder filtered_feature_bc_matrix, and "
        "spatial/tissue_positions .csv, .parquet or _list.csv), Xenium "
        "(cell_feature_matrix.h5 and cells.parquet), MERSCOPE (cell_by_gene.csv and "
        "cell_metadata.csv), CosMx (*exprMat_file.csv and *metadata_file.csv), seqFISH "
        "(*CellxGene.csv and *CellCoordinates.csv) or Slide-seq "
        "(*MoleculesPerMatchedBead.mtx and *MatchedBeadLocation.csv), a store (.zarr), "
        "or a table of counts beside a table of places (.csv, .tsv, "
        f".txt); {place} holds: {abbreviate(found)}. {todo}"
    )
