"""The image of a SpatialData store on which the spots lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import translate_errors
from napari_semst.io.formats import ngff
from napari_semst.io.formats.mosaic import Tile, mosaic
from napari_semst.io.formats.tiff import ENOUGH, stretch_to_uint8
from napari_semst.io.notes import note, warn
from napari_semst.io.readers.cell_tables import SectionImage
from napari_semst.io.readers.h5ad import SPATIAL
from napari_semst.io.readers.zarr import check_store

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

# Share of the spots on an image above which it is taken for that of the whole section.
_NEARLY_ALL = 0.95


def images_in(path: Path) -> list[Path]:
    """Return the groups of a store's images."""
    folder = path / "images"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def image_size(path: Path) -> tuple[int, int] | None:
    """Return height and width of the first image of a store, None without one."""
    for group in images_in(path):
        size = ngff.ngff_size(group)
        if size is not None:
            return size
    return None


def show_image(tissue: AnnData, path: Path, system: str) -> None:
    """Put the image on which most spots lie into a tissue; say where there is none.

    Where no single one holds nearly all of them, as with fields of view, the images are
    put together.

    Parameters
    ----------
    tissue
        With places in the coordinate system.
    path, system
        The store, and the coordinate system.
    """
    doubts: list[str] = []
    found: list[tuple[float, Tile]] = []
    for group in images_in(path):
        if not ngff.multiscales(group):
            continue
        try:
            with translate_errors(group, "the image"):
                check_store(group)
                tile = _tile(group, system)
        except InputError as error:
            doubts.append(str(error))
            continue
        share = _share_on(tissue, tile)
        if share > 0:
            found.append((share, tile))
        else:
            doubts.append(f"No spot lies on the image {group.name}.")
    # The first by name of those on which most spots lie.
    found.sort(key=lambda one: -one[0])
    tried = [[tile] for _, tile in found]
    if found and found[0][0] < _NEARLY_ALL:
        tried.insert(0, [tile for _, tile in reversed(found)])
    for tiles in tried:
        name = ", ".join(sorted(tile.group.name for tile in tiles))
        try:
            with translate_errors(path / "images", "the image"):
                picture = _picture(tiles)
        except InputError as error:
            doubts.append(str(error))
            continue
        _put(tissue, picture, name)
        return
    if doubts:
        warn(tissue, f"The section is shown without its image. {doubts[0]}")


def _tile(group: Path, system: str) -> Tile:
    """Return where an image lies; refuse one that cannot be shown."""
    transforms = ngff.transforms(group)
    if system not in ngff.placed_in(transforms):
        raise InputError(
            f"The image {group.name} has no place in the coordinate system {system!r}."
        )
    matrix = ngff.matrix_to(transforms, system)
    size = ngff.ngff_size(group)
    if size is None or not ngff.is_plain(matrix):
        raise InputError(f"The image {group.name} is turned or mirrored.")
    # A pixel of the store covers [i, i + 1), its centre is at i + 1/2.
    origin = (float(matrix[0, 2]), float(matrix[1, 2]))
    return Tile(group, size, origin, float(matrix[0, 0]))


def _share_on(tissue: AnnData, tile: Tile) -> float:
    """Return the share of spots that lie on an image."""
    xy = np.asarray(tissue.obsm[SPATIAL], np.float64)
    return float(((xy >= tile.origin) & (xy < tile.ends())).all(axis=1).mean())


def _picture(tiles: list[Tile]) -> SectionImage:
    if len(tiles) > 1:
        joined = mosaic(tiles, ENOUGH)
        if joined is None:
            raise InputError("One of the images is too large and has no smaller copy.")
        image, step, origin = joined
        return SectionImage(stretch_to_uint8(image), 1 / step, origin)
    (tile,) = tiles
    found = ngff.level_of(tile.group, ENOUGH)
    if found is None:
        raise InputError(
            f"The image {tile.group.name} is too large and has no smaller copy."
        )
    image, share = found
    return SectionImage(stretch_to_uint8(image), share / tile.step, tile.origin)


def _put(tissue: AnnData, picture: SectionImage, name: str) -> None:
    spatial = tissue.uns.setdefault("spatial", {})
    library = next(iter(spatial), name.replace("/", "_"))
    entry = spatial.setdefault(library, {"images": {}, "scalefactors": {}})
    entry["images"]["hires"] = picture.image
    entry["scalefactors"] |= picture.factors()
    note(tissue, image=name)
