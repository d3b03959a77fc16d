"""A glance at each kind of input: its sizes and names, never its counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.formats import tenx
from napari_semst.io.formats.text_tables import Head, head_of, is_packed
from napari_semst.io.images import RESOLUTIONS, image_file
from napari_semst.io.readers import (
    anndata_preview,
    cosmx,
    gef,
    merscope,
    spatialdata,
    visium,
    visium_hd,
    xenium,
)
from napari_semst.io.readers import (
    tables as plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_semst.io.options import ReadOptions

    Facts = dict[str, Any]

_BLOCK = 2**22


def _h5ad(path: Path, options: ReadOptions) -> Facts:
    import h5py

    with h5py.File(path, "r") as file:
        return anndata_preview.facts(file, options)


def _zarr(path: Path, options: ReadOptions) -> Facts:
    import zarr

    return anndata_preview.facts(zarr.open_group(path, mode="r"), options)


def _spatialdata(path: Path, options: ReadOptions) -> Facts:
    import zarr

    name, group = spatialdata.chosen(path, options)
    found = anndata_preview.facts(zarr.open_group(group, mode="r"), options)
    tables = tuple(spatialdata.tables_in(path))
    shapes = spatialdata.shapes_of(path, group)
    image = spatialdata.image_size(path)
    found["part"] = f"the table {name}"
    found["parts"] = tuple(f"the table {table}" for table in tables)
    if shapes and options.positions is None:
        found["coordinates"] = f"shapes {', '.join(shapes)}"
    return found | {"image": image or found["image"]}


def _visium(path: Path, options: ReadOptions) -> Facts:
    outs = visium.locate(path)
    if outs is None:
        raise InputError(f"Expected a Space Ranger folder at {path}; found none.")
    return _of_10x(outs.matrix, outs.positions)


def _visium_hd(path: Path, options: ReadOptions) -> Facts:
    size, folder = visium_hd.chosen(path, options)
    parts = tuple(map(_in_microns, visium_hd.bins_in(path)))
    return _visium(folder, options) | {"part": _in_microns(size), "parts": parts}


def _in_microns(size: int) -> str:
    return f"bins of {size} micrometres"


def _matrix_file(path: Path, options: ReadOptions) -> Facts:
    return _of_10x(path, visium.positions_for(path, options))


def _of_10x(matrix: Path, positions: Path | None) -> Facts:
    n_spots, n_genes = tenx.size_of(matrix)
    found: Facts = {"n_spots": n_spots, "n_genes": n_genes, "counts": matrix.name}
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


def _xenium(path: Path, options: ReadOptions) -> Facts:
    from napari_semst.io.formats.tiff import size_of

    files = xenium.locate(path)
    if files is None:
        raise InputError(f"Expected a Xenium folder at {path}; found none.")
    n_spots, n_genes = tenx.size_of(files.matrix)
    return {
        "n_spots": n_spots,
        "n_genes": n_genes,
        "counts": files.matrix.name,
        "coordinates": files.cells.name,
        "image": None if files.image is None else size_of(files.image),
        "columns": xenium.columns_of(files.cells),
    }


def _merscope(path: Path, options: ReadOptions) -> Facts:
    from napari_semst.io.formats.tiff import size_of

    files = merscope.locate(path)
    if files is None:
        raise InputError(f"Expected a MERSCOPE folder at {path}; found none.")
    image = merscope.image_in(files.images)
    head = head_of(files.counts, files.counts.name)
    genes = [name for name in head.names[1:] if merscope.is_gene(name)]
    return _of_tables(files.counts, files.cells, len(genes), head) | {
        "image": None if image is None else size_of(image)
    }


def _cosmx(path: Path, options: ReadOptions) -> Facts:
    files = cosmx.locate(path)
    if files is None:
        raise InputError(f"Expected a CosMx folder at {path}; found none.")
    head = head_of(files.counts, files.counts.name)
    genes = [name for name in head.names if cosmx.is_gene(name)]
    return _of_tables(files.counts, files.cells, len(genes), head)


def _of_tables(counts: Path, cells: Path, n_genes: int, head: Head) -> Facts:
    about = head_of(cells, cells.name)
    return {
        "n_spots": n_lines(cells) - 1 - len(about.comments),
        "n_genes": n_genes,
        "counts": counts.name if _are_counts(head) else "",
        "coordinates": cells.name,
        "columns": tuple(name for name in about.names[1:] if name),
        "annotations": _texts(about),
    }


def _plain(path: Path, options: ReadOptions) -> Facts:
    pair = plain.pair_for(path, options)
    places = pair.places
    head = places.head
    n_spots = n_lines(places.path) - len(head.comments) - (not places.bare)
    n_genes = len(pair.head.names) - 1
    if pair.turned:
        n_genes = n_lines(pair.counts) - 1 - len(pair.head.comments)
    own = {places.spot, places.x, places.y}
    others = (
        ()
        if places.bare
        else tuple(name for i, name in enumerate(head.names) if i not in own)
    )
    return {
        "n_spots": n_spots,
        "n_genes": n_genes,
        "counts": pair.counts.name if _are_counts(pair.head) else "",
        "coordinates": places.path.name,
        "columns": others,
        "annotations": tuple(name for name in _texts(head) if name in others),
    }


def _texts(head: Head) -> tuple[str, ...]:
    """Return the columns, beside the first, that do not hold numbers."""
    return tuple(
        name
        for column, name in enumerate(head.names)
        if column and not all(plain.is_number(row[column] or "0") for row in head.rows)
    )


def _are_counts(head: Head) -> bool:
    """Return whether the first rows hold whole numbers, beside their names."""
    values = [row[1:] for row in head.rows]
    numbers = [float(v) for row in values for v in row if plain.is_number(v)]
    return anndata_preview.are_counts(np.asarray(numbers))


def _gef(path: Path, options: ReadOptions) -> Facts:
    import h5py

    found: Facts = {"counts": path.name, "coordinates": path.name}
    with h5py.File(path, "r") as file:
        if gef.has_cells(file):
            return found | {
                "n_spots": len(file["cellBin/cell"]),
                "n_genes": len(file["cellBin/gene"]),
            }
        size = options.bin_size("Stereo-seq in spots of the chip") or gef.USUAL
        sizes = gef.bin_sizes(file)
        source = gef.source_of(sizes, size, path)
        parts = tuple(map(_in_spots, sorted({size, *sizes})))
        n_genes = len(file[f"geneExp/bin{source}/gene"])
    return found | {"n_genes": n_genes, "part": _in_spots(size), "parts": parts}


def _gem(path: Path, options: ReadOptions) -> Facts:
    size = options.bin_size("Stereo-seq in spots of the chip") or gef.USUAL
    part = _in_spots(size)
    return {
        "counts": path.name,
        "coordinates": path.name,
        "part": part,
        "parts": (part,),
        "remarks": ("Any other bin size can be asked for.",),
    }


def _in_spots(size: int) -> str:
    return f"bins of {size} x {size} spots of the chip"


def n_lines(path: Path) -> int:
    """Return the number of lines of text that hold anything but a line's end."""
    import gzip

    found, last = 0, b"\n"
    with gzip.open(path, "rb") if is_packed(path) else path.open("rb") as file:
        while block := file.read(_BLOCK):
            found += block.count(b"\n")
            last = block[-1:]
    return found + (last != b"\n")


GLANCES: dict[str, Callable[[Path, ReadOptions], Facts]] = {
    "h5ad": _h5ad,
    "zarr": _zarr,
    "spatialdata": _spatialdata,
    "visium": _visium,
    "visium_hd": _visium_hd,
    "xenium": _xenium,
    "merscope": _merscope,
    "cosmx": _cosmx,
    "gef": _gef,
    "gem": _gem,
    "10x_h5": _matrix_file,
    "plain": _plain,
}
