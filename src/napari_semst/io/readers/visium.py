"""Space Ranger's output folder: matrix, positions, images and scale factors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.checks import translate_errors
from napari_semst.io.formats import tenx
from napari_semst.io.formats.tissue_positions import (
    join_positions,
    positions_in,
    read_positions,
)
from napari_semst.io.images import (
    RESOLUTIONS,
    image_file,
    read_image,
    read_scalefactors,
)
from napari_semst.io.notes import warn

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.io.options import ReadOptions

# The filtered matrix holds the spots in tissue; the raw one holds them too.
_MATRICES = ("filtered_feature_bc_matrix", "raw_feature_bc_matrix")


@dataclass(frozen=True, slots=True)
class VisiumFiles:
    """The files of one run that are read."""

    folder: Path
    matrix: Path
    positions: Path


def can_read(path: Path) -> bool:
    """Return whether a folder holds a run of Space Ranger, judged by its matrix."""
    outs = locate(path)
    if outs is None or outs.positions.stat().st_size == 0:
        return False
    matrix = outs.matrix
    return tenx.is_mtx_folder(matrix) or tenx.can_read(matrix)


def locate(path: Path) -> VisiumFiles | None:
    """Return the files of a run, told by their names.

    The path is the folder ``outs``, the one above it, or ``spatial`` inside it.
    """
    if not path.is_dir():
        return None
    places = [path, path / "outs"]
    if path.name == "spatial":
        places.append(path.absolute().parent)
    for folder in places:
        matrix, positions = _matrix_in(folder), _positions_near(folder)
        if matrix is not None and positions is not None:
            return VisiumFiles(folder, matrix, positions)
    return None


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the section that a Space Ranger folder holds.

    Raises
    ------
    InputError
        If a file is missing, damaged or belongs to another run.
    """
    outs = locate(path)
    if outs is None:
        raise InputError(
            "Expected a Space Ranger folder with a matrix and a positions file; "
            f"{path} lacks one of them."
        )
    if options.counts is not None:
        outs = replace(outs, matrix=_given(options.counts, outs.folder))
    if options.positions is not None:
        outs = replace(outs, positions=_given(options.positions, outs.folder))
    return _read(outs)


def read_matrix_file(path: Path, options: ReadOptions) -> AnnData:
    """Return the section of a 10x .h5 matrix with a positions file.

    Raises
    ------
    InputError
        If no positions file is given or stands beside it.
    """
    folder = path.absolute().parent
    positions = positions_for(path, options)
    if positions is None:
        raise InputError(
            f"Expected the positions of the spots beside the matrix {path}: "
            "tissue_positions.csv, tissue_positions.parquet or "
            "tissue_positions_list.csv, there or in a folder named spatial; found "
            "none. Name the file under Coordinates, or open the folder outs."
        )
    return _read(VisiumFiles(folder, path, positions))


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a run, by the names of `Preview`."""
    outs = locate(path)
    if outs is None:
        raise InputError(f"Expected a Space Ranger folder at {path}; found none.")
    return _of_10x(outs.matrix, outs.positions)


def preview_matrix_file(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a bare matrix, by the names of `Preview`."""
    return _of_10x(path, positions_for(path, options))


def positions_for(path: Path, options: ReadOptions) -> Path | None:
    """Return the positions file of a bare matrix: the one given, or the one beside."""
    folder = path.absolute().parent
    if options.positions is not None:
        return _given(options.positions, folder)
    return _positions_near(folder, path.name)


def _read(outs: VisiumFiles) -> AnnData:
    """Return the section of the files found."""
    adata = join_positions(
        tenx.read_matrix(outs.matrix), read_positions(outs.positions)
    )
    images, scalefactors = _pictures(outs.positions, adata)
    adata.uns["spatial"] = {
        _library(outs): {"images": images, "scalefactors": scalefactors}
    }
    return adata


def _of_10x(matrix: Path, positions: Path | None) -> dict[str, Any]:
    n_spots, n_genes = tenx.matrix_size(matrix)
    found: dict[str, Any] = {
        "n_spots": n_spots,
        "n_genes": n_genes,
        "counts": matrix.name,
    }
    if positions is None:
        return found | {"remarks": ("There is no positions file beside it.",)}
    prefix = positions.name.split("tissue_positions")[0]
    files = (image_file(positions.parent, name, prefix) for name in RESOLUTIONS)
    image = next((file for file in files if file is not None), None)
    return found | {
        "coordinates": positions.name,
        "image": None if image is None else _size_of(image),
        "columns": ("in_tissue", "array_row", "array_col"),
    }


def _size_of(image: Path) -> tuple[int, int]:
    from PIL import Image

    with Image.open(image, formats=("PNG", "JPEG", "TIFF")) as opened:
        width, height = opened.size
    return height, width


def _pictures(positions: Path, adata: AnnData) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the images and scale factors beside a positions file."""
    folder, prefix = positions.parent, positions.name.split("tissue_positions")[0]
    files = {r: image_file(folder, r, prefix) for r in RESOLUTIONS}
    factors_file = folder / f"{prefix}scalefactors_json.json"
    if not factors_file.is_file():
        if any(files.values()):
            warn(
                adata,
                f"There is no {factors_file.name} beside the image: where the spots "
                "are on it is unknown, and it is not shown.",
            )
        return {}, {}
    factors = read_scalefactors(factors_file)
    images = {r: read_image(file) for r, file in files.items() if file is not None}
    return images, factors


def _matrix_in(folder: Path) -> Path | None:
    """Return the matrix of a folder: filtered before raw, HDF5 before text."""
    for name in _MATRICES:
        if (folder / f"{name}.h5").is_file():
            return folder / f"{name}.h5"
        if tenx.is_mtx_folder(folder / name):
            return folder / name
        # Downloads of 10x Genomics carry the sample's name in front.
        with_prefix = sorted(folder.glob(f"*{name}.h5"))
        if len(with_prefix) == 1:
            return with_prefix[0]
    return None


def _positions_near(folder: Path, matrix_name: str = "") -> Path | None:
    """Return the positions file of a folder or its ``spatial``; None where unclear."""
    for place in (folder / "spatial", folder):
        found = positions_in(place) if place.is_dir() else []
        own = [p for p in found if p.name.startswith("tissue")]
        if own:
            return own[0]
        same = [p for p in found if _prefix_matches(p.name, matrix_name)]
        if len(same) == 1 or len(found) == 1:
            return (same or found)[0]
    return None


def _prefix_matches(positions_name: str, matrix_name: str) -> bool:
    prefix = positions_name.split("tissue_positions")[0]
    return bool(matrix_name) and matrix_name.startswith(prefix)


def _given(name: str | Path, folder: Path) -> Path:
    """Return a path as given, or in the run's folder if it stands there."""
    path = Path(name).expanduser()
    inside = folder / path
    return inside if not path.exists() and inside.exists() else path


def _library(outs: VisiumFiles) -> str:
    """Return the section's name: Space Ranger's, else the folder's."""
    name = None
    with translate_errors(outs.matrix, "the 10x matrix"):
        name = tenx.library_of(outs.matrix)
    folder = outs.folder.absolute()
    if not name:
        name = folder.parent.name if folder.name == "outs" else folder.name
    # A slash would open a group inside the group when the section is saved.
    return name.replace("/", "_") or "library"
