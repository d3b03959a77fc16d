"""The kinds of input that can be read: one line for each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.io.formats import tenx
from napari_semst.io.readers import (
    cosmx,
    gef,
    gem,
    h5ad,
    merscope,
    spatialdata,
    visium,
    visium_hd,
    xenium,
    zarr,
)
from napari_semst.io.readers import (
    tables as plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from napari_semst.io.options import ReadOptions


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of input.

    Parameters
    ----------
    name
        Short name, stable.
    title
        What a user calls it.
    looks_like
        Whether a path holds this kind, judged by what is inside.
    read
        The tissue that the path holds.
    tables
        The files that counts and places are read from, where these are a few of a
        folder's; None where the path is read whole.
    """

    name: str
    title: str
    looks_like: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], AnnData]
    tables: Callable[[Path], list[Path]] | None = None


H5AD = Format("h5ad", "AnnData file (.h5ad)", h5ad.looks_like, h5ad.read)
ZARR = Format("zarr", "AnnData store (.zarr)", zarr.looks_like, zarr.read)
SPATIALDATA = Format(
    "spatialdata",
    "SpatialData store (.zarr)",
    spatialdata.looks_like,
    spatialdata.read,
)
VISIUM = Format("visium", "Space Ranger folder", visium.looks_like, visium.read)
VISIUM_HD = Format(
    "visium_hd",
    "Visium HD run",
    visium_hd.looks_like,
    visium_hd.read,
    visium_hd.tables,
)
XENIUM = Format(
    "xenium", "Xenium output folder", xenium.looks_like, xenium.read, xenium.tables
)
MERSCOPE = Format(
    "merscope",
    "MERSCOPE output folder",
    merscope.looks_like,
    merscope.read,
    merscope.tables,
)
COSMX = Format("cosmx", "CosMx flat files", cosmx.looks_like, cosmx.read, cosmx.tables)
GEF = Format("gef", "Stereo-seq file (.gef)", gef.looks_like, gef.read)
GEM = Format("gem", "Stereo-seq molecules (.gem)", gem.looks_like, gem.read)
PLAIN = Format(
    "plain", "Tables of counts and places", plain.looks_like, plain.read, plain.tables
)
MATRIX_10X = Format(
    "10x_h5", "10x matrix (.h5)", tenx.looks_like, visium.read_matrix_file
)

# Asked in this order; the first that recognises a path reads it.
KINDS: tuple[Format, ...] = (
    H5AD,
    ZARR,
    SPATIALDATA,
    VISIUM_HD,
    VISIUM,
    XENIUM,
    MERSCOPE,
    COSMX,
    GEF,
    GEM,
    MATRIX_10X,
    PLAIN,
)


def detect_format(path: str | Path) -> Format | None:
    """Return the kind of input at a path, or None for what is not ours.

    It looks inside, never at the name alone, and never raises: a file that cannot be
    opened is not recognised, and `napari_semst.io.read.read` says why.

    Parameters
    ----------
    path
        A file or a folder.
    """
    try:
        place = Path(path).expanduser()
        return next((kind for kind in KINDS if kind.looks_like(place)), None)
    except Exception:  # noqa: BLE001  a viewer asks about anything dropped on it
        return None
