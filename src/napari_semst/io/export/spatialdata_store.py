"""A whole section as a SpatialData store, written by its own package."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst import keys
from napari_semst.errors import SaveError
from napari_semst.io.alignment import (
    image_placement,
    nearest_distance,
    stated_size,
)
from napari_semst.io.coordinates import find_coordinates
from napari_semst.io.export.atomic import estimated_bytes, write_folder_atomically
from napari_semst.io.export.names import storable_names
from napari_semst.io.export.readback import check_readback
from napari_semst.io.export.repair_notes import Mends
from napari_semst.io.export.spatialdata import spatialdata_package
from napari_semst.io.export.writable import writable
from napari_semst.io.images import RESOLUTIONS
from napari_semst.io.notes import warn
from napari_semst.io.sections import libraries, part, spots_of
from napari_semst.io.split_sections import split_sections

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

_TABLE = "table"
_USUAL = "global"
_ATTRS = "spatialdata_attrs"
_SPOTS = "spots"
# Larger images are kept with smaller copies, each half as large as the one before.
_LARGE = 2048


class _Region(NamedTuple):
    """The spots of one section.

    Parameters
    ----------
    name
        Of the shapes.
    spots
        Their indices, ascending.
    library
        Their entry in ``uns["spatial"]``, None without one.
    """

    name: str
    spots: NDArray[np.intp]
    library: str | None


def write_spatialdata(
    adata: AnnData, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write a section as a SpatialData store: table, circles for spots, images.

    Spots and images lie in the coordinate system ``global``, in the unit of the
    section; where there are several sections, each has a system of its name too.
    Images are as they were aligned by hand or registered, for which the table then
    holds no alignment and no landmarks. The store appears whole or not at all, and
    is read back before it takes its place.

    Parameters
    ----------
    adata
        The tissue; it is not changed.
    path
        Where to, ending in ``.zarr``.
    overwrite
        Whether a store that stands there may be replaced.

    Raises
    ------
    SaveError
        If spatialdata is not installed, the place cannot be written, or the store did
        not read back the same.
    InputError
        If the tissue has no coordinates, or an image cannot be placed.
    """
    spatialdata = spatialdata_package()
    places = find_coordinates(adata)
    regions = _regions(adata)
    with warnings.catch_warnings():
        # Of other packages' plans.
        warnings.simplefilter("ignore")
        table = _table(adata, regions)
        whole = spatialdata.SpatialData(
            images=_images(adata, regions),
            shapes=_shapes(adata, regions, places),
            tables={_TABLE: table},
        )

        def check(temporary: Path) -> None:
            check_readback(table, temporary / "tables" / _TABLE)
            _check_elements(spatialdata.read_zarr(temporary), whole)

        return write_folder_atomically(
            path,
            whole.write,
            check,
            overwrite=overwrite,
            suffix=".zarr",
            least_free=estimated_bytes(adata),
        )


def _regions(adata: AnnData) -> list[_Region]:
    """Return the sections of a tissue, which are told apart as everywhere else."""
    known = libraries(adata)
    if keys.SECTION in adata.obs:
        views = split_sections(adata, keys.SECTION)
        found = [_Region(one.name, one.spots, one.library) for one in views]
    else:
        owned = [spots_of(adata, library) for library in known]
        apart = len(owned) > 1 and bool((np.sum(owned, axis=0) == 1).all())
        found = [
            _Region(library, np.flatnonzero(own), library)
            for library, own in zip(known, owned, strict=True)
        ]
        if not apart:
            first = known[0] if known else None
            found = [_Region(first or _SPOTS, np.arange(adata.n_obs), first)]
    names = storable_names([region.name for region in found], strict=True)
    return [
        region._replace(name=name) for region, name in zip(found, names, strict=True)
    ]


def _systems(name: str, regions: list[_Region], place: Any) -> dict[str, Any]:
    return {_USUAL: place} | ({name: place} if len(regions) > 1 else {})


def _shapes(
    adata: AnnData, regions: list[_Region], places: NDArray[np.float64]
) -> dict[str, Any]:
    """Return a circle for each spot, of its size; the index is its name."""
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity

    found = {}
    for region in regions:
        own = places[region.spots]
        stated = stated_size(adata, region.library)
        diameter = stated or nearest_distance(own) or 1.0
        found[region.name] = ShapesModel.parse(
            own,
            geometry=0,
            radius=np.full(len(own), diameter / 2),
            index=np.asarray(adata.obs_names[region.spots], dtype=object),
            transformations=_systems(region.name, regions, Identity()),
        )
    return found


def _table(adata: AnnData, regions: list[_Region]) -> AnnData:
    """Return the tissue as a table that says which circle every spot is."""
    import pandas as pd
    from spatialdata.models import TableModel

    mends = Mends(strict_names=True)
    made = writable(adata, mends)
    warn(made, *mends.sentences())
    # What a store had said of its own elements.
    made.uns.pop(_ATTRS, None)
    # Images are elements now, drawn where they were put: not to be put there again.
    for key in (keys.ALIGNMENT, keys.LANDMARKS):
        made.uns.pop(key, None)
    for library in libraries(made):
        made.uns[keys.SPATIAL][library]["images"] = {}
    codes = np.empty(adata.n_obs, dtype=np.intp)
    for code, region in enumerate(regions):
        codes[region.spots] = code
    names = [region.name for region in regions]
    of_region, of_instance = _free_columns(made, "region", "instance_id")
    made.obs[of_region] = pd.Categorical.from_codes(codes, names)
    made.obs[of_instance] = np.asarray(made.obs_names, dtype=object)
    parsed: AnnData = TableModel.parse(
        made, region=names, region_key=of_region, instance_key=of_instance
    )
    return parsed


def _free_columns(adata: AnnData, *wanted: str) -> list[str]:
    """Return names of columns that the table has not yet."""
    known = list(adata.obs)
    return storable_names([*known, *wanted], strict=True)[len(known) :]


def _images(adata: AnnData, regions: list[_Region]) -> dict[str, Any]:
    """Return the images of all sections, where their spots are."""
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import Scale, Sequence, Translation

    axes = ("x", "y")
    systems = {region.library: region.name for region in regions}
    found = {}
    for library, resolution in _pictures(adata):
        placed = image_placement(adata, library, resolution)
        if placed is None:
            continue
        # The image itself, whatever its type; a pixel covers [i, i + 1) here.
        pixels = placed.drawn(np.asarray(part(adata, library, "images")[resolution]))
        corner = placed.bounds()[0]
        place = Sequence(
            [Scale(np.array(placed.scale[::-1]), axes), Translation(corner[::-1], axes)]
        )
        pixels = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
        name = storable_names([f"{library}_{resolution}_image"], strict=True)[0]
        found[name] = Image2DModel.parse(
            np.ascontiguousarray(pixels),
            dims=("c", "y", "x"),
            c_coords=_channels(len(pixels)),
            scale_factors=_halvings(max(pixels.shape)),
            transformations=_systems(systems.get(library, name), regions, place),
        )
    return found


def _pictures(adata: AnnData) -> Iterator[tuple[str, str]]:
    for library in libraries(adata):
        for resolution in RESOLUTIONS:
            if resolution in part(adata, library, "images"):
                yield library, resolution


def _channels(n_channels: int) -> list[str] | None:
    return list("rgba")[:n_channels] if n_channels in (3, 4) else None


def _halvings(longest: int) -> list[int] | None:
    n_copies = max(0, int(np.ceil(np.log2(longest / _LARGE))))
    return [2] * n_copies or None


def _check_elements(back: Any, whole: Any) -> None:
    """Refuse a store whose spots or images did not read back the same."""
    for name, shapes in whole.shapes.items():
        held = back.shapes[name]
        same = list(held.index) == list(shapes.index) and all(
            np.array_equal(getattr(held.geometry, axis), getattr(shapes.geometry, axis))
            for axis in "xy"
        )
        if not same:
            raise _differs(f"the shapes {name!r}")
    for name, image in whole.images.items():
        if not np.array_equal(_pixels(back.images[name]), _pixels(image)):
            raise _differs(f"the image {name!r}")


def _pixels(image: Any) -> Any:
    """Return the pixels of an image, of the finest copy where there are several."""
    finest = image["scale0"].ds["image"] if hasattr(image, "keys") else image
    return np.asarray(finest.data)


def _differs(what: str) -> SaveError:
    return SaveError(
        f"Expected the store to read back the same; {what} differs. Nothing was "
        "changed; save again, or to another disk."
    )
