"""SpatialData: a zarr store of tables, shapes and images of one or several sections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, translate_errors
from napari_semst.io.formats import ngff
from napari_semst.io.formats.tiff import ENOUGH, stretch_to_uint8
from napari_semst.io.notes import note, warn
from napari_semst.io.readers import h5ad
from napari_semst.io.readers.anndata_preview import preview_group
from napari_semst.io.readers.zarr import check_store
from napari_semst.io.text_columns import as_texts

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.options import ReadOptions
    from napari_semst.io.readers.cell_tables import SectionImage

_WHAT = "the SpatialData store"
_ATTRIBUTES = "spatialdata_attrs"
# The second is that of the first versions.
_TABLES = ("tables", "table")
# A point in well-known binary: byte order, type, x, y.
_POINT = 21
_INSTALL = 'Install what reads them: pip install "napari-semst[spatialdata]".'


@dataclass(frozen=True, slots=True)
class TableGeometry:
    """Places and diameters of the shapes that a table describes."""

    xy: NDArray[np.float64]
    diameters: NDArray[np.float64]


def can_read(path: Path) -> bool:
    """Return whether a folder is a SpatialData store with a table."""
    if not path.is_dir():
        return False
    known = _ATTRIBUTES in ngff.attributes(path)
    elements = any((path / name).is_dir() for name in ("shapes", "labels", "images"))
    return (known or elements) and bool(tables_in(path))


def tables_in(path: Path) -> dict[str, Path]:
    """Return the tables of a store by name."""
    found = {
        group.name: group
        for folder in _TABLES
        for group in (
            sorted((path / folder).iterdir()) if (path / folder).is_dir() else ()
        )
    }
    return {
        name: group
        for name, group in found.items()
        if ngff.attributes(group).get("encoding-type") == "anndata"
    }


def choose_table(path: Path, options: ReadOptions) -> tuple[str, Path]:
    """Return the table to read: the one asked for, or the only one with counts.

    Of several, the one called ``table``.

    Raises
    ------
    InputError
        If there is no such table, or it is not clear which is meant.
    """
    tables = tables_in(path)
    # A table of results, as this program writes them, has no counts.
    counted = [name for name, group in tables.items() if _has_counts(group)]
    name = options.part or (counted[0] if len(counted) == 1 else "table")
    if name not in tables:
        raise InputError(
            f"Expected one table in {path}, or the name of one; found tables: "
            f"{abbreviate(list(tables))}. Name one of them as the part to read."
        )
    return name, tables[name]


def _has_counts(table: Path) -> bool:
    matrix = table / "X"
    return matrix.is_dir() and ngff.attributes(matrix).get("encoding-type") != "null"


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return a table of a store, with the places of its shapes and an image.

    Coordinates are those of the coordinate system ``global``, or of the only one there
    is.

    Raises
    ------
    InputError
        If it is damaged, its table is not clear, or its spots have no places.
    """
    import anndata

    name, group = choose_table(path, options)
    check_store(group)
    with translate_errors(group, _WHAT):
        adata = anndata.read_zarr(group)
        h5ad.check_matrix(adata)
        told = ngff.attributes(group)
    system = _system(path)
    if options.positions is None and told.get("region_key") in adata.obs:
        with translate_errors(path, _WHAT):
            _place(adata, path, told, system)
    tissue = h5ad.as_section(adata, path, replace(options, part=None))
    note(tissue, table=name, coordinate_system=system)
    if options.positions is None:
        _show(tissue, path, system)
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a store, by the names of `Preview`."""
    import zarr

    name, group = choose_table(path, options)
    found = preview_group(zarr.open_group(group, mode="r"), options)
    tables = tuple(tables_in(path))
    shapes = shapes_of(path, group)
    image = image_size(path)
    found["part"] = f"the table {name}"
    found["parts"] = tuple(f"the table {table}" for table in tables)
    if shapes and options.positions is None:
        found["coordinates"] = f"shapes {', '.join(shapes)}"
    return found | {"image": image or found["image"]}


def shapes_of(path: Path, table: Path) -> list[str]:
    """Return the shapes that a table says it describes, if all are there."""
    told = ngff.attributes(table).get("region", [])
    names = [told] if isinstance(told, str) else list(told or ())
    there = [(path / "shapes" / name / "shapes.parquet").is_file() for name in names]
    return names if all(there) else []


def image_size(path: Path) -> tuple[int, int] | None:
    """Return height and width of the first image of a store, None without one."""
    folder = path / "images"
    for group in sorted(folder.iterdir()) if folder.is_dir() else ():
        size = ngff.ngff_size(group)
        if size is not None:
            return size
    return None


def _system(path: Path) -> str:
    """Return the coordinate system in which a section is shown."""
    there: list[str] = []
    for kind in ("shapes", "images"):
        for group in sorted((path / kind).iterdir()) if (path / kind).is_dir() else ():
            there += ngff.placed_in(_transforms(group))
    return there[0] if there and ngff.USUAL_SYSTEM not in there else ngff.USUAL_SYSTEM


def _transforms(group: Path) -> list[dict[str, Any]]:
    own = ngff.multiscales(group) or ngff.attributes(group)
    found = own.get("coordinateTransformations", [])
    return found if isinstance(found, list) else []


def _place(adata: AnnData, path: Path, told: dict[str, Any], system: str) -> None:
    """Put the places of the shapes into a table, and how large they are."""
    regions = as_texts(adata.obs[told["region_key"]]).to_numpy(dtype=object)
    instances = as_texts(adata.obs[told["instance_key"]]).to_numpy(dtype=object)
    xy = np.full((adata.n_obs, 2), np.nan)
    sizes = np.full(adata.n_obs, np.nan)
    for region in dict.fromkeys(regions):
        places = _places(path, region, system)
        if places is None:
            if "spatial" in adata.obsm:
                return  # the table's own are all there is
            raise InputError(
                f"Expected shapes {region!r}, or obsm['spatial'] in the table, in "
                f"{path}; found neither. Where its spots are labels of an image, "
                "export them as circles: spatialdata.to_circles."
            )
        names, shapes = places
        own = np.flatnonzero(regions == region)
        rows = names.get_indexer(instances[own])
        xy[own[rows >= 0]] = shapes.xy[rows[rows >= 0]]
        sizes[own[rows >= 0]] = shapes.diameters[rows[rows >= 0]]
    there = adata.obsm.get("spatial")
    if there is not None and not np.array_equal(np.asarray(there), xy):
        adata.obsm["spatial_original"] = there
    adata.obsm["spatial"] = xy
    if np.isfinite(sizes).any():
        factors = {"spot_diameter_fullres": float(np.nanmedian(sizes))}
        name = str(regions[0]).replace("/", "_")
        adata.uns["spatial"] = {name: {"images": {}, "scalefactors": factors}}
    if len(set(regions)) > 1:
        key = told["region_key"]
        warn(
            adata,
            f"This table holds {len(set(regions))} regions (see obs[{key!r}]): "
            "neighbours are sought across them. To keep them apart, name that column "
            "as section_key.",
        )


def _places(path: Path, region: str, system: str) -> tuple[Any, TableGeometry] | None:
    """Return names and places of a region's shapes, None where it has none."""
    import pandas as pd
    from pyarrow import parquet

    group = path / "shapes" / region
    file = group / "shapes.parquet"
    if not file.is_file():
        return None
    check_store(group)
    table = parquet.read_table(file).to_pandas()
    shapes = _from_binary(table["geometry"].to_numpy(), file)
    if "radius" in table:
        shapes = TableGeometry(shapes.xy, 2 * table["radius"].to_numpy(np.float64))
    matrix = ngff.matrix_to(_transforms(group), system)
    xy = np.column_stack([shapes.xy, np.ones(len(table))]) @ matrix.T
    grown = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    names = pd.Index(table.index.astype(str))
    return names, TableGeometry(xy[:, :2], shapes.diameters * grown)


def _from_binary(values: NDArray[Any], file: Path) -> TableGeometry:
    """Return centres and diameters of shapes in well-known binary."""
    if all(len(value) == _POINT for value in values):
        raw = np.frombuffer(b"".join(values), np.uint8).reshape(-1, _POINT)
        if (raw[:, 0] == 1).all():
            xy = raw[:, 5:].copy().view("<f8")
            return TableGeometry(np.asarray(xy, np.float64), np.full(len(xy), np.nan))
    try:
        import shapely
    except ImportError as error:
        raise InputError(
            f"Expected circles in {file}; found outlines of cells. {_INSTALL}"
        ) from error
    shapes = shapely.from_wkb(values)
    centres = shapely.centroid(shapes)
    xy = np.column_stack([shapely.get_x(centres), shapely.get_y(centres)])
    return TableGeometry(xy, 2 * np.sqrt(shapely.area(shapes) / np.pi))


def _show(tissue: AnnData, path: Path, system: str) -> None:
    """Put the first image that can be placed into a tissue; say where there is none."""
    doubts = []
    folder = path / "images"
    for group in sorted(folder.iterdir()) if folder.is_dir() else ():
        if system not in ngff.placed_in(_transforms(group)):
            continue
        try:
            with translate_errors(group, "the image"):
                check_store(group)
                picture = _picture(group, system)
        except InputError as error:
            doubts.append(str(error))
            continue
        if picture is not None:
            spatial = tissue.uns.setdefault("spatial", {})
            name = next(iter(spatial), group.name)
            entry = spatial.setdefault(name, {"images": {}, "scalefactors": {}})
            entry["images"]["hires"] = picture.image
            entry["scalefactors"] |= picture.factors()
            note(tissue, image=group.name)
            return
        doubts.append(f"The image {group.name} is turned or has no small enough copy.")
    if doubts:
        warn(tissue, f"The section is shown without its image. {doubts[0]}")


def _picture(group: Path, system: str) -> SectionImage | None:
    from napari_semst.io.readers.cell_tables import SectionImage

    matrix = ngff.matrix_to(_transforms(group), system)
    found = ngff.level_of(group, ENOUGH)
    if not ngff.is_plain(matrix) or found is None:
        return None
    image, share = found
    # A pixel of the store covers [i, i + 1), its centre is at i + 1/2.
    origin = (float(matrix[0, 2]), float(matrix[1, 2]))
    return SectionImage(stretch_to_uint8(image), share / float(matrix[0, 0]), origin)
