"""A tissue in the form in which every release of anndata from 0.10 on can read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_semst.io.matrices import named_layers

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def writable(adata: AnnData) -> AnnData:
    """Return a tissue that shares its arrays, with tables that the format can hold.

    With pandas 3 anndata 0.13 writes names and texts in a form that releases before
    0.11 refuse. Given as plain texts and categories they take the form that all read.

    Parameters
    ----------
    adata
        The tissue; it is not changed.
    """
    import anndata

    # What is on disk, or a view, cannot lend its arrays.
    whole = adata.to_memory() if adata.isbacked or adata.is_view else adata
    raw = whole.raw
    if raw is not None:
        # As parts: another tissue's raw is not accepted whole.
        raw = {"X": raw.X, "var": _storable(raw.var), "varm": _plain(raw.varm)}
    return anndata.AnnData(
        X=whole.X,
        obs=_storable(whole.obs),
        var=_storable(whole.var),
        uns=_plain(whole.uns),
        obsm=_plain(whole.obsm),
        varm=_plain(whole.varm),
        obsp=dict(whole.obsp),
        varp=dict(whole.varp),
        layers=named_layers(whole),
        raw=raw,
    )


def _storable(table: pd.DataFrame, *, shorten: bool = True) -> pd.DataFrame:
    """Return a copy in which text with gaps is categorical.

    Parameters
    ----------
    table
        Any table of the tissue.
    shorten
        Whether text that repeats becomes categorical too.
    """
    import pandas as pd

    table = table.copy()
    if _is_text(table.index.dtype):
        table.index = table.index.astype(object)
    for column in table:
        values = table[column]
        if isinstance(values.dtype, pd.CategoricalDtype):
            table[column] = _plain_categories(values)
            continue
        kind = pd.api.types.infer_dtype(values, skipna=True)
        # Nothing but gaps: the format has no text without text.
        if kind == "empty" and (values.dtype == object or _is_text(values.dtype)):
            table[column] = _plain_texts(values, as_categories=True)
        if kind == "string":
            gaps = bool(values.isna().any())
            repeats = shorten and values.nunique() < len(values)
            table[column] = _plain_texts(values, as_categories=gaps or repeats)
    return table


def _plain(held: Any) -> dict[str, Any]:
    """Return nested mappings whose tables and texts every release can read."""
    return {key: _plain_value(value) for key, value in held.items()}


def _plain_value(value: Any) -> Any:
    import pandas as pd

    if isinstance(value, Mapping):
        return _plain(value)
    if isinstance(value, pd.DataFrame):
        return _storable(value, shorten=False)
    if _is_text(getattr(value, "dtype", None)):
        gaps = bool(value.isna().any())
        texts = _plain_texts(pd.Series(value), as_categories=gaps)
        return pd.Categorical(texts) if gaps else texts.to_numpy()
    return value


def _plain_texts(values: pd.Series[Any], *, as_categories: bool) -> pd.Series[Any]:
    """Return texts as Python's own, or as categories of them."""
    texts = values.astype(object)
    return _plain_categories(texts.astype("category")) if as_categories else texts


def _plain_categories(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return categories of Python's own text where they are of pandas' type of text."""
    categories = values.cat.categories
    if not _is_text(categories.dtype):
        return values
    return values.cat.rename_categories(categories.astype(object))


def _is_text(dtype: Any) -> bool:
    """Return whether a type is one of those that pandas has for texts."""
    import pandas as pd

    if isinstance(dtype, pd.ArrowDtype):
        return bool(pd.api.types.is_string_dtype(dtype))
    return isinstance(dtype, pd.StringDtype)
