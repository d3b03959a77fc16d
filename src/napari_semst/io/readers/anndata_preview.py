"""What is known of an AnnData file or store without reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.coordinates import OBSM_KEYS
from napari_semst.io.counts import RAW, is_count_matrix
from napari_semst.io.images import RESOLUTIONS
from napari_semst.io.places.column_names import place_pairs

if TYPE_CHECKING:
    import pandas as pd

    from napari_semst.io.options import ReadOptions

_SOME = 100_000
_SOME_ROWS = 50


def preview_group(file: Any, options: ReadOptions) -> dict[str, Any]:
    """Return what an open file (h5py) or store (zarr) tells of its tissue.

    Parameters
    ----------
    file
        The group with ``obs``, ``var`` and ``X``.
    options
        Where the coordinates are, if that was asked for.
    """
    columns = _columns(file["obs"])
    found = {
        "n_spots": _length(file["obs"]),
        "n_genes": _length(file["var"]),
        "columns": columns,
        "annotations": tuple(c for c in columns if _is_text(file["obs"], c)),
        "coordinates": _coordinates(file, columns, options),
        "image": _image(file),
        "counts_places": _counts_places(file),
        "coordinates_places": _coordinates_places(file, columns),
    }
    where, others = _counts(file)
    if not where and others:
        names = " and ".join(others)
        found["remarks"] = (f"{names} may hold counts: choose it as counts layer.",)
    return found | {"counts": where, "var": _var(file["var"])}


def _var(table: Any) -> pd.DataFrame | None:
    """Return the table of features, `None` where it is of no known form."""
    import pandas as pd
    from anndata.io import read_elem

    try:
        var = read_elem(table)
    except Exception:  # noqa: BLE001
        # Reading says what is wrong; a preview tells what it can.
        return None
    return var if isinstance(var, pd.DataFrame) else None


def _columns(table: Any) -> tuple[str, ...]:
    names = getattr(table, "dtype", None) and table.dtype.names
    if names:  # from before anndata 0.7
        return tuple(name for name in names if name not in ("index", "_index"))
    return tuple(map(str, table.attrs.get("column-order", ())))


def _length(table: Any) -> int | None:
    if hasattr(table, "shape"):
        return int(table.shape[0])
    index = table.attrs.get("_index", "_index")
    return _entries(table[index]) if index in table else None


def _entries(column: Any) -> int | None:
    """Return how many entries a stored column has, `None` where it is of no known form.

    A column with gaps is a group of values and a mask, as names of spots are from
    anndata 0.13 with pandas 3 on; one of categories is a group of codes.
    """
    if hasattr(column, "shape"):
        return int(column.shape[0])
    held = next((column[key] for key in ("values", "codes") if key in column), None)
    return None if held is None else _entries(held)


def _is_text(table: Any, column: str) -> bool:
    if hasattr(table, "shape"):
        return bool(table.dtype[column].kind in "SOU")
    held = table[column]
    kind = str(held.attrs.get("encoding-type", ""))
    return kind in ("categorical", "string-array", "nullable-string-array") or (
        hasattr(held, "dtype") and held.dtype.kind in "SOUT"
    )


def _coordinates(file: Any, columns: tuple[str, ...], options: ReadOptions) -> str:
    """Return where the coordinates are that reading would take."""
    obsm = file.get("obsm", {})
    keys = list(OBSM_KEYS)
    if options.positions is not None:
        keys = [str(options.positions)]
    for key in keys:
        if key in obsm and tuple(getattr(obsm[key], "shape", (0, 2)))[1:] in (
            (2,),
            (3,),
        ):
            return f"obsm[{key!r}]"
    pairs = [list(pair) for pair in place_pairs(columns)]
    if options.positions is not None:
        pairs = [[part.strip() for part in str(options.positions).split(",")]]
    for pair in pairs:
        if len(pair) == 2 and set(pair) <= set(columns):
            return f"obs[{pair[0]!r}], obs[{pair[1]!r}]"
    return ""


def _counts_places(file: Any) -> tuple[str, ...]:
    """Return every matrix of spots by genes, as reading is told of it."""
    layers = file.get("layers", {})
    raw = file.get("raw", {})
    found = (*(("X",) if "X" in file else ()), *layers)
    return (*found, RAW) if hasattr(raw, "keys") and "X" in raw else found


def _coordinates_places(file: Any, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return obsm keys and pairs of columns that can be coordinates."""
    obsm = file.get("obsm", {})
    keys = [
        key
        for key in obsm
        if key in OBSM_KEYS or not key.startswith(("X_", "semst_"))
        # A table with names of its columns is a group, of any width.
        if tuple(getattr(obsm[key], "shape", (0, 2)))[1:] in ((2,), (3,))
    ]
    keys.sort(key=lambda key: (key not in OBSM_KEYS, key))
    pairs = [f"{x},{y}" for x, y in place_pairs(columns)]
    return (*keys, *pairs)


def _image(file: Any) -> tuple[int, int] | None:
    """Return height and width of the first section's finest image."""
    spatial: Any = file.get("uns/spatial")
    if not hasattr(spatial, "keys"):
        return None
    for library in spatial:
        for resolution in RESOLUTIONS:
            image = spatial.get(f"{library}/images/{resolution}")
            if image is not None:
                return int(image.shape[0]), int(image.shape[1])
    return None


def _counts(file: Any) -> tuple[str, list[str]]:
    """Return where counts seem to be: X if it is, and other places that may be."""
    places = {"X": "X"}
    if "raw" in file and hasattr(file["raw"], "keys") and "X" in file["raw"]:
        places[RAW] = "raw/X"
    if "layers" in file:
        places |= {f"layers[{name!r}]": f"layers/{name}" for name in file["layers"]}
    found = [
        name
        for name, place in places.items()
        if place in file and _seem_counts(_some(file[place]))
    ]
    return ("X", []) if "X" in found else ("", found)


def _seem_counts(values: np.ndarray[Any, Any]) -> bool:
    return is_count_matrix(values) and bool((values > 0).any())


def _some(matrix: Any) -> np.ndarray[Any, Any]:
    """Return the first values of a matrix, sparse or dense."""
    if hasattr(matrix, "shape"):
        return np.ravel(matrix[:_SOME_ROWS] if matrix.shape else np.empty(0))
    return np.asarray(matrix["data"][:_SOME]) if "data" in matrix else np.empty(0)
