"""Layers of other plugins that hold spots or cells with their table, made sections.

napari-spatialdata draws circles as Points, polygons as Shapes and segmentations as
Labels, and keeps the table in ``metadata["adata"]``; ``metadata["indices"]`` are the
instances drawn, and ``metadata["instance_key"]`` is the column of the table that names
them. spatiato and napari-harpy keep all this in a registry of theirs, see
`napari_semst.viewer.canvas.registries`. The layer and its table are read and never
changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.viewer import adapter
from napari_semst.viewer.canvas.registries import registered_element
from napari_semst.viewer.spots import PAIR, TISSUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData
    from napari.layers import Layer
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_KINDS = ("points", "labels", "shapes")
# Pixels of a segmentation that are looked at at once.
_BLOCK = 4_000_000


@dataclass(frozen=True, eq=False)
class ForeignLayer:
    """What a layer draws, apart from the layer, for a worker.

    Parameters
    ----------
    name, kind
        Of the layer; ``points``, ``labels`` or ``shapes``.
    table
        The table of what is drawn.
    data
        As the layer has it.
    sizes
        Diameters of points, None for others.
    matrix
        Takes (y, x, 1) of the data to the canvas, shape ``(2, 3)``.
    instances
        Name of each point or shape, None where the layer does not tell.
    instance_key
        The table's column with these names; empty for none.
    """

    name: str
    kind: str
    table: AnnData
    data: Any
    sizes: Floats | None
    matrix: Floats
    instances: tuple[Any, ...] | None
    instance_key: str


def layer_kind(layer: Layer) -> str:
    """Return whether a layer is ``points``, ``labels`` or ``shapes``, else nothing."""
    from napari.layers import Labels, Points, Shapes

    kinds = zip(_KINDS, (Points, Labels, Shapes), strict=True)
    return next((name for name, kind in kinds if isinstance(layer, kind)), "")


def adoptable(layers: Iterable[Layer]) -> list[Layer]:
    """Return the layers of other plugins that hold a table with genes."""
    return [
        layer
        for layer in layers
        if PAIR not in layer.metadata
        and layer_kind(layer)
        and (_has_table(layer) or registered_element(layer) is not None)
    ]


def _has_table(layer: Layer) -> bool:
    from anndata import AnnData

    table = layer.metadata.get(TISSUE)
    return isinstance(table, AnnData) and bool(table.n_vars)


def read_foreign_layer(layer: Layer) -> ForeignLayer:
    """Return what a layer draws.

    Raises
    ------
    InputError
        If it is not flat.
    """
    if layer.ndim != 2:
        raise InputError(
            f"Expected a layer of two dimensions; {layer.name!r} has {layer.ndim}. "
            "Open its section from the file."
        )
    data = layer.data
    if getattr(layer, "multiscale", False):
        data = data[0]
    kind = layer_kind(layer)
    sizes = np.asarray(layer.size, np.float64) if kind == "points" else None
    registered = None if _has_table(layer) else registered_element(layer)
    if registered is None:
        table, names = layer.metadata[TISSUE], layer.metadata.get("indices")
        key = str(layer.metadata.get("instance_key") or "")
    else:
        table, names, key = registered.table, registered.names, registered.instance_key
        if names is not None:
            # Of a cell of several pieces the first one tells where it is.
            first = np.unique(np.asarray(names), return_index=True)[1]
            data = [data[one] for one in first] if kind == "shapes" else data[first]
            sizes = None if sizes is None else sizes[first]
            names = [names[one] for one in first]
    return ForeignLayer(
        layer.name,
        kind,
        table,
        data,
        sizes,
        _to_canvas(layer),
        None if names is None else tuple(names),
        key,
    )


def section_from_layer(drawing: ForeignLayer) -> AnnData:
    """Return what a layer draws as a section: its table, placed as on the canvas.

    Parameters
    ----------
    drawing
        What the layer draws.

    Returns
    -------
    anndata.AnnData
        It shares its arrays with the layer's table, whose rows that are drawn it has.

    Raises
    ------
    InputError
        If rows and what is drawn do not belong together.
    """
    names, own, diameters = _places(drawing)
    ones = np.ones((len(own), 1))
    places = np.concatenate([own, ones], axis=1) @ drawing.matrix.T
    rows = _rows(drawing, names, len(places))
    there = rows >= 0
    if not there.any():
        raise InputError(
            f"Expected the table of {drawing.name!r} to name what the layer draws; "
            "they share none. Open its section from the file."
        )
    table = drawing.table if there.all() else drawing.table[there]
    tissue = adapter.snapshot(table)
    _put(tissue, places[rows[there]][:, ::-1])
    scale = float(np.sqrt(abs(np.linalg.det(drawing.matrix[:, :2]))))
    if diameters is not None and "spatial" not in tissue.uns:
        size = float(np.median(diameters)) * scale
        factors = {"spot_diameter_fullres": size}
        name = drawing.name.replace("/", "_")
        tissue.uns["spatial"] = {name: {"images": {}, "scalefactors": factors}}
    left = int((~there).sum())
    if left:
        from napari_semst.io.notes import warn

        warn(
            tissue,
            f"{left:,} of {len(there):,} rows of the table are not drawn in the layer "
            f"{drawing.name!r} and are left out.",
        )
    return tissue


def _rows(drawing: ForeignLayer, names: Any, count: int) -> NDArray[np.int64]:
    """Return what each row of the table is among what is drawn, -1 for nothing."""
    import pandas as pd

    table, key = drawing.table, drawing.instance_key
    if names is not None and key in table.obs:
        index = pd.Index(list(names))
        if not index.is_unique:
            raise InputError(
                f"Expected each instance once in the layer {drawing.name!r}; some "
                "occur again. Open its section from the file."
            )
        return np.asarray(index.get_indexer(pd.Index(table.obs[key].to_numpy())))
    if table.n_obs == count:
        return np.arange(count)
    raise InputError(
        f"Expected as many rows in the table as the layer {drawing.name!r} draws; "
        f"found {table.n_obs:,} and {count:,}, and no column that names them. Open "
        "its section from the file."
    )


def _places(drawing: ForeignLayer) -> tuple[Any, Floats, Floats | None]:
    """Return names, places (y, x) and diameters of what is drawn, in its own unit."""
    if drawing.kind == "points":
        return drawing.instances, np.asarray(drawing.data, np.float64), drawing.sizes
    if drawing.kind == "shapes":
        corners = [np.asarray(shape, np.float64) for shape in drawing.data]
        lengths = np.array([len(one) for one in corners])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        sums = np.add.reduceat(np.concatenate(corners), starts, axis=0)
        return drawing.instances, sums / lengths[:, None], None
    return _labels(drawing.data)


def _labels(image: Any) -> tuple[Any, Floats, Floats]:
    """Return the names, centres and diameters of a segmentation's cells."""
    import pandas as pd

    height, width = image.shape
    step = max(1, _BLOCK // max(width, 1))
    parts = []
    for first in range(0, height, step):
        block = np.asarray(image[first : first + step])
        y, x = np.nonzero(block)
        names, codes = np.unique(block[y, x], return_inverse=True)
        parts.append(
            pd.DataFrame(
                {
                    "n": np.bincount(codes, minlength=len(names)),
                    "y": np.bincount(codes, y + first, len(names)),
                    "x": np.bincount(codes, x, len(names)),
                },
                index=names,
            )
        )
    sums = pd.concat(parts).groupby(level=0).sum()
    counts = sums["n"].to_numpy(np.float64)
    centres = sums[["y", "x"]].to_numpy(np.float64) / counts[:, None]
    return sums.index.to_numpy(), centres, 2 * np.sqrt(counts / np.pi)


def _put(tissue: AnnData, xy: Floats) -> None:
    """Put coordinates where sections have them; what stood there is kept beside."""
    there = tissue.obsm.get(keys.SPATIAL)
    if there is not None and not np.array_equal(np.asarray(there), xy):
        tissue.obsm[f"{keys.SPATIAL}_original"] = there
    tissue.obsm[keys.SPATIAL] = np.ascontiguousarray(xy)


def _to_canvas(layer: Layer) -> Floats:
    """Return the matrix that takes (y, x, 1) of a layer's data to the canvas."""
    origin, down, right = (
        np.asarray(layer.data_to_world(place), np.float64)
        for place in ((0, 0), (1, 0), (0, 1))
    )
    return np.stack([down - origin, right - origin, origin], axis=1)
