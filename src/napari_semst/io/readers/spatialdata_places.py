"""Places of a SpatialData table: those of the elements that its spots are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, translate_errors
from napari_semst.io.formats import ngff
from napari_semst.io.formats.geoparquet import (
    ElementGeometry,
    read_points,
    read_shapes,
)
from napari_semst.io.formats.label_centroids import label_centroids
from napari_semst.io.notes import note, warn
from napari_semst.io.places.mixed_sections import keep_apart
from napari_semst.io.readers.h5ad import ORIGINAL, SPATIAL
from napari_semst.io.readers.zarr import check_store
from napari_semst.io.text_columns import MISSING, as_texts
from napari_semst.wording import Worded

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

# What a table can describe, and what holds it where it is no raster.
_KINDS = {"shapes": "shapes.parquet", "labels": "", "points": "points.parquet"}
# What scale factors say of the unit of places, whatever image there is.
_OF_UNITS = ("microns_per_pixel",)
_OWN_PLACES = (
    "Places are the table's own, whose coordinate system the store does not state: no "
    "image of the store is shown."
)


@dataclass(frozen=True, slots=True)
class Element:
    """Shapes, labels or points of a store.

    Parameters
    ----------
    kind
        ``"shapes"``, ``"labels"`` or ``"points"``.
    group
        The element's folder.
    """

    kind: str
    group: Path

    def __str__(self) -> str:
        return f"{self.kind} {self.group.name!r}"

    @property
    def transforms(self) -> list[dict[str, Any]]:
        """Its transformations to coordinate systems."""
        return ngff.transforms(self.group)


@dataclass(frozen=True, slots=True)
class TableRegion:
    """What a table calls a region: an element that some of its spots are of.

    Parameters
    ----------
    name
        As the table's column has it.
    system
        The coordinate system in which its spots' places are.
    systems
        All in which the element is.
    """

    name: str
    system: str
    systems: frozenset[str]


@dataclass(frozen=True, slots=True)
class PlacedRegions:
    """The regions of a table whose spots have got their places.

    Parameters
    ----------
    column
        Of obs, which names each spot's region.
    regions
        In the order of their first spots.
    separate
        Whether they are sections on ground of their own. Else they are parts of one.
    sections
        Names of the sections: of the regions where these are separate, else one.
    """

    column: str
    regions: tuple[TableRegion, ...]
    separate: bool
    sections: tuple[str, ...]

    @property
    def systems(self) -> tuple[str, ...]:
        """The coordinate systems in which the spots are."""
        return tuple(dict.fromkeys(region.system for region in self.regions))


class _Joined(NamedTuple):
    """Places and diameters of all spots, what is to be said, and the regions."""

    xy: NDArray[np.float64]
    sizes: NDArray[np.float64]
    remarks: list[str]
    regions: list[TableRegion]


def find_element(path: Path, name: str) -> Element | None:
    """Return the element of a name that a table can describe, None where there is none.

    Raises
    ------
    InputError
        If the element is a link that leads out of the store.
    """
    for kind, file in _KINDS.items():
        folder = path / kind
        # The name comes from a table: it must be an entry, not a way out of the folder.
        names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else ()
        group = folder / name
        if name not in names or not (group / file).exists():
            continue
        if not group.resolve().is_relative_to(path.resolve()):
            raise InputError(
                f"Expected {kind} {name!r} to lie in the store {path}; they lead to "
                f"{group.resolve()}. Copy the store with its links followed, if you "
                "trust it."
            )
        return Element(kind, group)
    return None


def place_by_elements(
    adata: AnnData, path: Path, told: dict[str, Any], system: str
) -> PlacedRegions | None:
    """Give a table's spots the places and the size of the elements that they are.

    Parameters
    ----------
    adata
        The table; ``obsm["spatial"]`` is set, and what it held otherwise is kept.
    path
        The store.
    told
        The table's attributes: ``region_key`` and ``instance_key`` name the columns
        that link spots to elements.
    system
        The coordinate system. Elements that are not in it stay in their own.

    Returns
    -------
    PlacedRegions or None
        None, with a warning, where the table's own places have to do.

    Raises
    ------
    InputError
        If the table has no places of its own either.
    """
    import pandas as pd

    column = told.get("region_key")
    if column not in adata.obs:
        warn(
            adata,
            "The table does not say which shapes, labels or points its spots are. "
            + _OWN_PLACES,
        )
        return None
    of = as_texts(adata.obs[column])
    try:
        joined = _joined(path, of, _instances(adata, told), system)
    except InputError as error:
        if SPATIAL not in adata.obsm:
            raise
        warn(adata, f"{error} {_OWN_PLACES}")
        return None
    same = _put(adata, joined.xy, joined.sizes)
    names = pd.Index([region.name for region in joined.regions])
    overlap = _overlap(joined.xy, np.asarray(names.get_indexer(of), np.int64))
    placed = _sections(str(column), joined.regions, overlap, path.stem)
    _put_sizes(adata, placed, joined.sizes, same=same)
    warn(adata, *joined.remarks)
    _tell_regions(adata, placed)
    return placed


def own_systems(placed: PlacedRegions, region: TableRegion) -> frozenset[str]:
    """Return the coordinate systems in which a region is and no other."""
    others = (one.systems for one in placed.regions if one is not region)
    return region.systems.difference(*others)


def _sections(
    column: str, regions: list[TableRegion], overlap: bool, store: str
) -> PlacedRegions:
    """Return regions as sections, or as parts of one.

    They are sections where they are in coordinate systems of their own: alone, or, if
    they lie on one another, beside a common one.
    """
    names = tuple(region.name for region in regions)
    apart = PlacedRegions(column, tuple(regions), True, names)
    alone = all(own_systems(apart, region) for region in regions)
    if len(regions) > 1 and (len(apart.systems) > 1 or (overlap and alone)):
        return apart
    # The name for all must not be that of a part.
    whole = store if len(regions) > 1 else names[0]
    while len(regions) > 1 and whole in names:
        whole = f"{whole}_all"
    return PlacedRegions(column, tuple(regions), False, (whole,))


def _tell_regions(adata: AnnData, placed: PlacedRegions) -> None:
    """Say what several regions are taken for."""
    where = f"{len(placed.regions)} regions (see obs[{placed.column!r}])"
    if len(placed.systems) > 1:
        text = (
            f"The {where} lie in coordinate systems of their own "
            f"({abbreviate(placed.systems)}), and so on one another. "
        )
    elif len(placed.regions) > 1 and not placed.separate:
        text = (
            f"The table's {where} are taken for parts of one section: neighbours are "
            "sought across them. "
        )
    else:
        return  # of sections on one ground is told wherever they come from
    warn(adata, Worded(text, keep_apart(placed.column)))


def _overlap(xy: NDArray[np.float64], codes: NDArray[np.int64]) -> bool:
    """Return whether the boxes around two regions have half of one in common."""
    boxes = []
    for code in range(int(codes.max()) + 1):
        own = xy[codes == code]
        own = own[np.isfinite(own).all(axis=1)]
        if len(own):
            boxes.append([own.min(axis=0), own.max(axis=0)])
    first, last = np.swapaxes(np.array(boxes), 0, 1)
    area = np.prod(last - first, axis=1)
    common = np.minimum(last[:, None], last) - np.maximum(first[:, None], first)
    shared = np.prod(np.maximum(common, 0), axis=2)
    np.fill_diagonal(shared, 0)
    return bool((shared > np.minimum(area[:, None], area) / 2).any())


def _instances(adata: AnnData, told: dict[str, Any]) -> pd.Series:
    name = told.get("instance_key")
    if name not in adata.obs:
        raise InputError(
            "Expected a column of obs that says which shape, label or point a spot is; "
            f"the table names {name!r}, which is not there. Link the table anew: "
            "SpatialData's TableModel.parse."
        )
    return adata.obs[name]


def _joined(
    path: Path, regions: pd.Series, instances: pd.Series, system: str
) -> _Joined:
    """Return the places and diameters of all spots."""
    xy = np.full((len(regions), 2), np.nan)
    sizes = np.full(len(regions), np.nan)
    remarks: list[str] = []
    found_regions: list[TableRegion] = []
    of = regions.to_numpy(dtype=object)
    names = dict.fromkeys(name for name in of if name != MISSING)
    if not names:
        raise InputError(
            "Expected the table to say in which elements its spots are; found "
            f"no entry in obs[{str(regions.name)!r}]. Link the table anew: "
            "SpatialData's TableModel.parse."
        )
    for region in names:
        own = np.flatnonzero(of == region)
        element = find_element(path, region)
        if element is None:
            raise InputError(
                f"Expected shapes, labels or points {region!r} in {path}, which its "
                f"table describes; found none; there are {_all_elements(path)}. Export "
                "the store with them."
            )
        read = _labels if element.kind == "labels" else _from_table
        with translate_errors(element.group, f"the {element}"):
            check_store(element.group)
            there = ngff.placed_in(element.transforms) or (system,)
            used = system if system in there else there[0]
            found_regions.append(TableRegion(region, used, frozenset(there)))
            matrix = ngff.matrix_to(element.transforms, used)
            found, diameters = read(element, instances.iloc[own])
        missing = int(np.isnan(found).any(axis=1).sum())
        if missing == len(own):
            raise InputError(_none_known(element, instances.iloc[own]))
        if missing:
            remarks.append(
                f"{missing:,} of {len(own):,} spots have none of the {element}: they "
                "have no place."
            )
        xy[own] = (np.column_stack([found, np.ones(len(own))]) @ matrix.T)[:, :2]
        sizes[own] = diameters * np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    return _Joined(xy, sizes, remarks, found_regions)


def _none_known(element: Element, instances: pd.Series) -> str:
    return (
        f"Expected the {element} to hold the spots that the table names in "
        f"obs[{str(instances.name)!r}], such as "
        f"{abbreviate(list(as_texts(instances)), 2)}; found none of them. Link the "
        "table anew: SpatialData's TableModel.parse."
    )


def _all_elements(path: Path) -> str:
    found = [
        f"{kind} {entry.name}"
        for kind in _KINDS
        for entry in (sorted((path / kind).iterdir()) if (path / kind).is_dir() else ())
        if entry.is_dir()
    ]
    return abbreviate(found)


def _from_table(
    element: Element, instances: pd.Series
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres and diameters of shapes or points, in the order of the spots."""
    read = read_shapes if element.kind == "shapes" else read_points
    geometry = read(element.group / _KINDS[element.kind])
    return _ordered(geometry, _rows(geometry.names, instances))


def _labels(
    element: Element, instances: pd.Series
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centroids of labels and diameters of discs as large."""
    import pandas as pd

    numbers = _numbers(instances)
    if numbers is None:
        raise InputError(_none_known(element, instances))
    wanted = np.unique(numbers)
    xy, n_pixels = label_centroids(element.group, wanted)
    sizes = np.where(n_pixels > 0, 2 * np.sqrt(n_pixels / np.pi), np.nan)
    labels = ElementGeometry(pd.Index(wanted), xy, sizes)
    return _ordered(labels, labels.names.get_indexer(numbers))


def _numbers(instances: pd.Series) -> NDArray[np.int64] | None:
    """Return instances as whole numbers, -1 for gaps; None where they are others."""
    import pandas as pd

    values = pd.to_numeric(instances.astype(object), errors="coerce")
    if values.dtype.kind in "iu":
        return np.asarray(values, np.int64)
    whole = np.asarray(values, np.float64)
    there = np.isfinite(whole) & (whole == np.rint(whole))
    return np.where(there, whole, -1).astype(np.int64) if there.any() else None


def _rows(names: pd.Index, instances: pd.Series) -> NDArray[np.int64]:
    """Return the row of every instance, -1 where there is none."""
    import pandas as pd

    # A column of numbers with gaps holds 1.0 where the index has 1.
    if pd.api.types.is_numeric_dtype(names.dtype):
        numbers = _numbers(instances)
        if numbers is not None:
            return np.asarray(names.get_indexer(numbers), np.int64)
    texts = as_texts(instances).to_numpy(dtype=object)
    known = pd.Index(names.astype(str).to_numpy(dtype=object))
    return np.asarray(known.get_indexer(texts), np.int64)


def _ordered(
    geometry: ElementGeometry, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    xy, sizes = geometry.xy[rows], geometry.diameters[rows]
    xy[rows < 0], sizes[rows < 0] = np.nan, np.nan
    return xy, sizes


def _put(adata: AnnData, xy: NDArray[np.float64], sizes: NDArray[np.float64]) -> bool:
    """Put places into a table; what it had is kept, and told if it lies elsewhere.

    Returns
    -------
    bool
        Whether the table had these places already, roundings aside.
    """
    there = adata.obsm.get(SPATIAL)
    if there is None:
        adata.obsm[SPATIAL] = xy
        return False
    # Centres are rounded by some, and pixels counted from their corner or middle.
    near = max(1.0, float(np.nanmedian(sizes)) / 2) if np.isfinite(sizes).any() else 1.0
    same = _agree(np.asarray(there), xy, near)
    if not np.array_equal(np.asarray(there), xy):
        adata.obsm[ORIGINAL] = there
        note(adata, original_coordinates=f"obsm[{ORIGINAL!r}]")
    if not same:
        warn(
            adata,
            f"obsm[{SPATIAL!r}] holds the places of the elements that the spots are; "
            "what the table had there lies elsewhere and is kept in "
            f"obsm[{ORIGINAL!r}].",
        )
    adata.obsm[SPATIAL] = xy
    return same


def _put_sizes(
    adata: AnnData, placed: PlacedRegions, sizes: NDArray[np.float64], *, same: bool
) -> None:
    """Put the size of spots into ``uns["spatial"]``, an entry for each section.

    Parameters
    ----------
    adata
        The table.
    placed
        Its regions, which are sections where they are separate.
    sizes
        Diameter of every spot, NaN where unknown.
    same
        Whether the table's own places are these: then so are its micrometres.
    """
    held = adata.uns.get("spatial")
    held = held if isinstance(held, dict) else {}
    of = as_texts(adata.obs[placed.column]).to_numpy(dtype=object)
    entries = {}
    for name in placed.sections:
        own = sizes[of == name] if placed.separate else sizes
        library = name.replace("/", "_")
        # A single section may have another name in the table.
        said = held if len(placed.sections) > 1 else {library: [*held.values(), {}][0]}
        said = said.get(library, {})
        told = said.get("scalefactors", {}) if isinstance(said, dict) else {}
        factors = {key: told[key] for key in _OF_UNITS if same and key in told}
        if np.isfinite(own).any():
            factors["spot_diameter_fullres"] = float(np.nanmedian(own))
        if factors:
            entries[library] = {"images": {}, "scalefactors": factors}
    if entries:
        adata.uns["spatial"] = entries


def _agree(there: NDArray[Any], xy: NDArray[np.float64], near: float) -> bool:
    if there.shape != xy.shape or there.dtype.kind not in "iuf":
        return False
    off = np.abs(there - xy).max(axis=1)
    return bool((off[np.isfinite(off)] <= near).all())
