"""Space Ranger's output folder: matrix, positions, images and scale factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.checks import translate_errors
from napari_semst.io.formats import tenx
from napari_semst.io.formats.tissue_positions import (
    all_in_tissue,
    join_positions,
    read_positions,
)
from napari_semst.io.images import (
    read_image,
    read_scalefactors,
    size_of_image,
)
from napari_semst.io.matrices import is_stored
from napari_semst.io.notes import warn
from napari_semst.io.options import ReadOptions
from napari_semst.io.readers.visium_files import (
    choose_run,
    doubts_of_pictures,
    pictures_of,
    run_of_matrix,
    samples_in,
    without_positions,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.io.readers.visium_files import VisiumFiles


def can_read(path: Path) -> bool:
    """Return whether a folder holds runs of Space Ranger, judged by their matrices."""
    samples = samples_in(path)
    return bool(samples) and all(
        run.positions.stat().st_size > 0
        and (tenx.is_mtx_folder(run.matrix) or tenx.can_read(run.matrix))
        for run in samples.values()
    )


def looks_like(path: Path) -> bool:
    """Return whether a folder's files are named as runs of Space Ranger name them."""
    return bool(samples_in(path))


def locate(path: Path) -> VisiumFiles | None:
    """Return the files of the only run in a folder, told by their names.

    The path is the folder ``outs``, the one above it, or ``spatial`` or the matrix
    inside it.
    """
    samples = list(samples_in(path).values())
    return samples[0] if len(samples) == 1 else None


def tables(path: Path) -> list[Path]:
    """Return the files that counts and places are read from, of all samples."""
    return [file for run in samples_in(path).values() for file in files_of(run)]


def tables_of_matrix(path: Path) -> list[Path]:
    """Return the files that a bare matrix and its places are read from."""
    run = run_of_matrix(path, ReadOptions())
    return tenx.matrix_files(path) if run is None else files_of(run)


def files_of(run: VisiumFiles) -> list[Path]:
    """Return the files of a run that are read, the images among them."""
    pictures = pictures_of(run)
    beside = [*pictures.images.values(), pictures.factors]
    found = [*tenx.matrix_files(run.matrix), run.positions, *beside]
    return [file for file in found if file is not None]


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the section that a Space Ranger folder holds.

    Raises
    ------
    InputError
        If a file is missing, damaged or belongs to another run, or the folder holds
        several samples and none is named.
    """
    return _read(choose_run(path, options), options)


def read_matrix_file(path: Path, options: ReadOptions) -> AnnData:
    """Return the section of a 10x matrix (.h5 or .mtx) with a positions file.

    Raises
    ------
    InputError
        If no positions file is given or stands beside it.
    """
    run = run_of_matrix(path, options)
    if run is None:
        raise InputError(without_positions(path))
    return _read(run, options)


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a run, by the names of `Preview`."""
    samples = samples_in(path)
    if len(samples) > 1 and options.part is None:
        run, part = next(iter(samples.values())), ""
    else:
        run = choose_run(path, options)
        part = run.sample
    found = _of_10x(run.matrix, run)
    if len(samples) < 2:
        return found
    return found | {"part": part, "parts": tuple(samples), "must_choose": not part}


def preview_matrix_file(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a bare matrix, by the names of `Preview`."""
    return _of_10x(path, run_of_matrix(path, options))


def _read(run: VisiumFiles, options: ReadOptions) -> AnnData:
    """Return the section of the files found."""
    positions = read_positions(run.positions)
    matrix = tenx.read_matrix(run.matrix, on_disk=options.on_disk)
    if is_stored(matrix.X) and not all_in_tissue(matrix.obs_names, positions):
        # The others are taken into memory, where they fit; not row by row from disk.
        matrix.X.group.file.close()
        matrix = tenx.read_matrix(run.matrix)
    adata = join_positions(matrix, positions)
    images, scalefactors = _pictures(run, adata)
    adata.uns["spatial"] = {
        _library(run): {"images": images, "scalefactors": scalefactors}
    }
    return adata


def _of_10x(matrix: Path, run: VisiumFiles | None) -> dict[str, Any]:
    n_spots, n_genes = tenx.matrix_size(matrix)
    found: dict[str, Any] = {
        "n_spots": n_spots,
        "n_genes": n_genes,
        "var": tenx.matrix_features(matrix),
        "counts": matrix.name,
    }
    if run is None:
        return found | {"remarks": ("There is no positions file beside it.",)}
    files = pictures_of(run)
    image = next(iter(files.images.values()), None)
    return found | {
        "coordinates": run.positions.name,
        "image": None if image is None else size_of_image(image),
        "columns": ("in_tissue", "array_row", "array_col"),
        "remarks": doubts_of_pictures(files),
    }


def _pictures(
    run: VisiumFiles, adata: AnnData
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the images and scale factors of a run; say what is left out."""
    files = pictures_of(run)
    warn(adata, *doubts_of_pictures(files))
    if files.factors is None:
        return {}, {}
    factors = read_scalefactors(files.factors)
    return {name: read_image(file) for name, file in files.images.items()}, factors


def _library(run: VisiumFiles) -> str:
    """Return the section's name: Space Ranger's, else the sample's or the folder's."""
    name = None
    with translate_errors(run.matrix, "the 10x matrix"):
        name = tenx.library_of(run.matrix)
    folder = run.folder.absolute()
    if not name:
        outer = folder.parent.name if folder.name == "outs" else folder.name
        name = run.sample or outer
    # A slash would open a group inside the group when the section is saved.
    return name.replace("/", "_") or "library"
