"""A tissue in the form that files hold and that every release of anndata reads."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.export.columns import (
    is_text_type,
    plain_texts,
    storable_table,
    texts_of,
)
from napari_semst.io.export.linked import own_obs, own_uns
from napari_semst.io.export.names import storable_names, storable_text
from napari_semst.io.export.repair_notes import Mends
from napari_semst.io.matrices import named_layers

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

# Whole numbers that a file can hold.
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_OF_TIME = (datetime.date, datetime.time)


def writable(
    adata: AnnData, mends: Mends | None = None, *, few: int | None = None
) -> AnnData:
    """Return a tissue that shares its arrays, with entries that the format can hold.

    With pandas 3 anndata 0.13 writes names and texts in a form that releases before
    0.11 refuse. Given as plain texts and categories they take the form that all read.
    Names and values that no file holds become others where nothing is lost by it.

    Parameters
    ----------
    adata
        The tissue; it is not changed.
    mends
        Takes down what a reader of the file will find changed.
    few
        Only so many spots and genes, for a trial; None takes all.
    """
    import anndata

    mends = Mends() if mends is None else mends
    # What is on disk, or a view, cannot lend its arrays.
    lends = not (adata.isbacked or adata.is_view)
    whole = adata if lends or few is not None else adata.to_memory()
    matrices = whole if lends or few is None else whole[:few, :few]
    matrix = None if matrices.X is None else _own(_corner(matrices.X, few))
    layers = _corners(_named(named_layers(matrices), "layers", mends), few)
    raw = None if whole.raw is None else _raw(whole.raw, mends, few)
    # Of what has a row for each spot all rows are looked at: one odd value makes a
    # column another.
    obs, var = (
        storable_table(table, part, mends).iloc[:few]
        for part, table in (("obs", own_obs(adata)), ("var", adata.var))
    )
    obsm, varm = (
        {key: _rows(value, few) for key, value in held.items()}
        for held in (
            _plain(whole.obsm, "obsm", mends),
            _plain(whole.varm, "varm", mends),
        )
    )
    return anndata.AnnData(
        X=matrix,
        obs=obs,
        var=var,
        uns=_plain(own_uns(adata), "uns", mends),
        obsm=obsm,
        varm=varm,
        obsp=_corners(_named(whole.obsp, "obsp", mends), few),
        varp=_corners(_named(whole.varp, "varp", mends), few),
        layers=layers,
        raw=raw,
        shape=None if matrix is not None or layers else (len(obs), len(var)),
    )


def write_plain(plain: AnnData, path: Path, *, compression: str | None) -> None:
    """Write what `writable` returned, as .zarr where the name ends so, else as .h5ad.

    Parameters
    ----------
    plain
        The tissue.
    path
        Where to; what stands there is replaced.
    compression
        Of an .h5ad.
    """
    import warnings

    with warnings.catch_warnings():
        # Of the format's history, nothing that a user can act on.
        warnings.simplefilter("ignore")
        if path.suffix == ".zarr":
            plain.write_zarr(path, convert_strings_to_categoricals=False)
            return
        plain.write_h5ad(
            path, convert_strings_to_categoricals=False, compression=compression
        )


def _raw(raw: Any, mends: Mends, few: int | None) -> dict[str, Any]:
    """Return ``.raw`` as parts: another tissue's is not accepted whole."""
    varm = _plain(raw.varm, "raw.varm", mends)
    return {
        "X": _own(_corner(raw.X, few)),
        "var": storable_table(raw.var, "raw.var", mends).iloc[:few],
        "varm": {key: _rows(value, few) for key, value in varm.items()},
    }


def _corners(held: Mapping[str, Any], few: int | None) -> dict[str, Any]:
    return {key: _own(_corner(value, few)) for key, value in held.items()}


def _corner(matrix: Any, few: int | None) -> Any:
    """Return the first rows and columns of a matrix; all of them for None."""
    if few is None:
        return matrix
    if getattr(matrix, "format", "") == "csc":
        return matrix[:, :few][:few]
    return matrix[:few][:, :few]


def _rows(value: Any, few: int | None) -> Any:
    if few is None:
        return value
    return value.iloc[:few] if hasattr(value, "iloc") else value[:few]


def _own(value: Any) -> Any:
    """Return a matrix that is no view of a tissue."""
    from scipy import sparse

    if type(value).__module__.startswith("anndata"):
        if isinstance(value, np.ndarray):
            return np.array(value)
        if sparse.issparse(value):
            kind = sparse.csc_matrix if value.format == "csc" else sparse.csr_matrix
            return kind(value)
    return value


def _named(held: Mapping[str, Any], where: str, mends: Mends) -> dict[str, Any]:
    """Return entries under names that the format can hold."""
    return dict(zip(_names(held, where, mends), map(_own, held.values()), strict=True))


def _names(held: Mapping[Any, Any], where: str, mends: Mends) -> list[str]:
    # SpatialData asks it of the entries of a table, not of what is inside them.
    strict = mends.strict_names and "[" not in where
    names = storable_names(held, strict=strict, in_store=mends.in_store)
    for old, new in zip(held, names, strict=True):
        if old != new:
            mends.renamed(f"{where}[{old!r}]", new)
    return names


def _plain(held: Mapping[Any, Any], where: str, mends: Mends) -> dict[str, Any]:
    """Return nested mappings whose names, tables and texts every release can read."""
    return {
        name: _plain_value(value, f"{where}[{key!r}]", mends)
        for name, (key, value) in zip(
            _names(held, where, mends), held.items(), strict=True
        )
    }


def _plain_value(value: Any, where: str, mends: Mends) -> Any:
    import pandas as pd
    from scipy import sparse

    if isinstance(value, Mapping):
        return _plain(value, where, mends)
    if isinstance(value, pd.Series):
        mends.retyped(where, "a table")
        value = value.to_frame("values" if value.name is None else value.name)
    if isinstance(value, pd.DataFrame):
        return storable_table(value, where, mends, shorten=False)
    if isinstance(value, pd.Index):
        value = value.to_numpy()
    if is_text_type(getattr(value, "dtype", None)):
        gaps = bool(value.isna().any())
        texts = plain_texts(pd.Series(value), as_categories=gaps)
        return pd.Categorical(texts) if gaps else texts.to_numpy()
    if sparse.issparse(value) and value.format not in ("csr", "csc"):
        return sparse.csr_matrix(value)
    if isinstance(value, list | tuple | set | frozenset):
        return _sequence(value, where, mends)
    if isinstance(value, np.ndarray):
        return _array(_own(value), where, mends)
    return _own(_scalar(value, where, mends))


def _array(value: Any, where: str, mends: Mends) -> Any:
    """Return an array of a type that the format can hold."""
    kind = value.dtype.kind
    if kind == "f" and value.dtype.itemsize > 8:
        return value.astype(np.float64)
    if kind == "m":
        mends.retyped(where, "seconds")
        return value / np.timedelta64(1, "s")
    texts = None
    if kind == "M":
        texts = value.astype(str).ravel().tolist()
    elif kind == "O" and not all(isinstance(item, str) for item in value.flat):
        texts = texts_of("" if item is None else item for item in value.flat)
    if texts is None:
        return value
    mends.retyped(where, "text")
    return np.array(texts, dtype=object).reshape(value.shape)


def _sequence(value: Any, where: str, mends: Mends) -> Any:
    """Return a list, tuple or set as a list, or as a mapping by position."""
    if isinstance(value, set | frozenset):
        mends.retyped(where, "a list")
        value = sorted(value, key=str)
    items = list(value)
    try:
        array = np.asarray(items)
    except ValueError:  # lists of several lengths
        array = np.empty(0, dtype=object)
    if array.dtype.kind in "biufcSU":
        return items if all(map(_is_clean, items)) else _cleaned(items)
    texts = texts_of("" if item is None else item for item in items)
    if texts is not None and not any(isinstance(x, list | tuple) for x in items):
        mends.retyped(where, "text")
        return texts
    mends.retyped(where, "entries by position")
    return _plain({str(i): item for i, item in enumerate(items)}, where, mends)


def _is_clean(item: Any) -> bool:
    return not isinstance(item, str) or storable_text(item) == item


def _cleaned(items: list[Any]) -> list[Any]:
    return [storable_text(x) if isinstance(x, str) else x for x in items]


def _scalar(value: Any, where: str, mends: Mends) -> Any:
    """Return one value in a type that the format can hold."""
    if isinstance(value, np.datetime64 | np.timedelta64):
        return _array(np.asarray([value]), where, mends)[0]
    if isinstance(value, str | bool | float | np.generic) or value is None:
        return storable_text(value) if isinstance(value, str) else value
    if isinstance(value, int) and _SMALLEST <= value <= _LARGEST:
        return value
    if isinstance(value, datetime.timedelta):
        mends.retyped(where, "seconds")
        return value.total_seconds()
    if isinstance(value, complex):
        return np.complex128(value)
    text = _text(value)
    if text is None:
        return value
    mends.retyped(where, "text")
    return storable_text(text)


def _text(value: Any) -> str | None:
    """Return what a value says, `None` where that would not be the value."""
    if isinstance(value, _OF_TIME):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, int | Decimal | PurePath) else None
