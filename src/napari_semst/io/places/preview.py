"""What a preview says of places: whether samples share their ground."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.places.column_names import axis_pairs
from napari_semst.io.places.overlaps import is_named_as_sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

    from napari_semst.io.options import ReadOptions

# Text is read slowly: of longer tables only columns of categories and numbers.
_MOST_TEXTS = 200_000
_READ = (
    "array",
    "categorical",
    "nullable-boolean",
    "nullable-integer",
    "nullable-string-array",
    "string-array",
)


def preview_places(
    file: Any, options: ReadOptions, known: dict[str, Any]
) -> dict[str, Any]:
    """Return what is known of a table with what its places tell, as reading finds it.

    Parameters
    ----------
    file
        The open file (h5py) or store (zarr); of it places and a few columns are read.
    options
        Where the places are, if that was asked for.
    known
        What the file tells without them, by the names of `Preview`.
    """
    from napari_semst.io.coordinates import locate_coordinates
    from napari_semst.io.places.fov_to_section import take_section_wide
    from napari_semst.io.places.mixed_sections import mixed_sections

    if not known["coordinates"] or not hasattr(file["obs"], "keys"):
        return known
    key = None if options.positions is None else str(options.positions)
    table = _places_of(file, known["columns"], key)
    told: tuple[str, ...] = ()
    try:
        found = locate_coordinates(table, key, allow_missing=True)
    except InputError as error:
        return known | {"remarks": (*known.get("remarks", ()), str(error))}
    if key is None:
        found, told = take_section_wide(table, found)
    placed = np.isfinite(found.xy).all(axis=1)
    mixing = mixed_sections(table[placed], found.xy[placed])
    told = (*told, *found.remarks, *([] if mixing is None else [mixing.warning]))
    remarks = (*known.get("remarks", ()), *told)
    return known | {"coordinates": found.where, "remarks": remarks}


def _places_of(file: Any, columns: tuple[str, ...], key: str | None) -> AnnData:
    """Return a table of what places and samples are told by, without counts."""
    import pandas as pd
    from anndata import AnnData
    from anndata.io import read_elem

    obs, n_spots = {}, 0
    wanted = {name for pair in axis_pairs(columns) for name in pair}
    wanted |= {part.strip() for part in (key or "").split(",")}
    for name in columns:
        column = file["obs"][name]
        if name in wanted or _tells_samples(name, column):
            obs[name] = read_elem(column)
            n_spots = len(obs[name])
    obsm = {}
    for name, held in _obsm(file):
        obsm[name] = read_elem(held)
        n_spots = len(obsm[name])
    index = pd.RangeIndex(n_spots).astype(str)
    for value in obsm.values():
        if hasattr(value, "columns"):
            value.index = index
    libraries: Any = file.get("uns/spatial")
    names = list(libraries) if hasattr(libraries, "keys") else []
    return AnnData(
        obs=pd.DataFrame(obs, index=index),
        obsm=obsm,
        uns={"spatial": {name: {} for name in names}},
    )


def _obsm(file: Any) -> Iterator[tuple[str, Any]]:
    """Yield the tables of obsm that may be places."""
    tables = file.get("obsm", {})
    for name in tables:
        held = tables[name]
        if hasattr(held, "keys") or held.shape[1:] in ((2,), (3,)):
            kind = str(held.attrs.get("encoding-type", ""))
            if kind in ("array", "dataframe"):
                yield str(name), held


def _tells_samples(name: str, column: Any) -> bool:
    kind = str(column.attrs.get("encoding-type", ""))
    if kind == "array" and column.dtype.kind == "f":
        # Most are measures, and long: only those named as samples are read.
        return is_named_as_sample(name)
    if kind not in _READ:
        return False
    texts = column["values"] if kind.startswith("nullable") else column
    return "string" not in kind or texts.shape[0] <= _MOST_TEXTS
