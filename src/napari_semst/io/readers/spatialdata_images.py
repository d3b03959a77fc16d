"""The image of a SpatialData store on which the spots lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import translate_errors
from napari_semst.io.formats import ngff
from napari_semst.io.formats.stitch_fields import Tile, mosaic
from napari_semst.io.formats.tiff import ENOUGH, stretch_to_uint8
from napari_semst.io.image_sources import remember_source
from napari_semst.io.notes import INPUT, note, warn
from napari_semst.io.readers.cell_tables import SectionImage
from napari_semst.io.readers.h5ad import SPATIAL
from napari_semst.io.readers.spatialdata_places import own_systems
from napari_semst.io.readers.zarr import check_store
from napari_semst.io.text_columns import as_texts

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.io.readers.spatialdata_places import PlacedRegions

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


def show_images(tissue: AnnData, path: Path, placed: PlacedRegions) -> None:
    """Put the images on which spots lie into a tissue; say where there is none.

    Of one section that is the image on which most spots lie; where no single one holds
    nearly all of them, as with fields of view, images are put together. Of separate
    sections each has its own: of those in the coordinate systems that only it is in.

    Parameters
    ----------
    tissue
        With places by `place_by_elements`.
    path
        The store.
    placed
        Its regions.
    """
    groups = [group for group in images_in(path) if ngff.multiscales(group)]
    if not groups:
        return
    if not placed.separate:
        shown = _Shown(placed.sections[0], placed.systems[0], slice(None))
        if doubt := _show(tissue, groups, shown):
            warn(tissue, f"The section is shown without its image. {doubt}")
        return
    of = as_texts(tissue.obs[placed.column]).to_numpy(dtype=object)
    for region in placed.regions:
        systems = own_systems(placed, region)
        own = [one for one in groups if systems & set(_systems(one))]
        shown = _Shown(region.name, region.system, of == region.name)
        doubt = _show(tissue, own, shown) if own else "The store has none of its own."
        if doubt:
            warn(tissue, f"{region.name} is shown without its image. {doubt}")


class _Shown(NamedTuple):
    """A section, its coordinate system, and which spots it has."""

    name: str
    system: str
    spots: Any


def _show(tissue: AnnData, groups: list[Path], shown: _Shown) -> str:
    """Put one of some images into a section, and return why none could be shown."""
    doubts: list[str] = []
    found: list[tuple[float, Tile]] = []
    xy = np.asarray(tissue.obsm[SPATIAL], np.float64)[shown.spots]
    for group in groups:
        try:
            with translate_errors(group, "the image"):
                check_store(group)
                tile = _tile(group, shown.system)
        except InputError as error:
            doubts.append(str(error))
            continue
        share = float(((xy >= tile.origin) & (xy < tile.ends())).all(axis=1).mean())
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
        try:
            with translate_errors(tiles[0].group.parent, "the image"):
                picture = _picture(tiles)
        except InputError as error:
            doubts.append(str(error))
            continue
        _put(tissue, picture, shown.name, [tile.group.name for tile in tiles])
        return ""
    return doubts[0]


def _systems(group: Path) -> tuple[str, ...]:
    try:
        with translate_errors(group, "the image"):
            return ngff.placed_in(ngff.transforms(group))
    except InputError:
        return ()  # one that is damaged is of no section


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
    pixels, share = found
    image = stretch_to_uint8(pixels)
    remember_source(image, tile.group, share)
    return SectionImage(image, share / tile.step, tile.origin)


def _put(
    tissue: AnnData, picture: SectionImage, section: str, names: list[str]
) -> None:
    spatial = tissue.uns.setdefault("spatial", {})
    library = section.replace("/", "_")
    entry = spatial.setdefault(library, {"images": {}, "scalefactors": {}})
    entry["images"]["hires"] = picture.image
    entry["scalefactors"] |= picture.factors()
    there = str(tissue.uns.get(INPUT, {}).get("image", ""))
    note(tissue, image=", ".join([*filter(None, [there]), *sorted(names)]))
