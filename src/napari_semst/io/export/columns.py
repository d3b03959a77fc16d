"""Tables and their columns in types that every file format can hold."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.export.names import (
    is_storable_text,
    storable_names,
    storable_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from napari_semst.io.export.repair_notes import Mends

# AnnData's own name for the index of a table.
_RESERVED = ("_index",)
_TEXT = "text"
# What stands for itself when it is printed.
_SPEAKING = (
    *(str, bytes, bool, int, float, complex, Decimal, np.generic, tuple, list),
    *(datetime.date, datetime.time, datetime.timedelta),
)


def storable_table(
    table: pd.DataFrame, where: str, mends: Mends, *, shorten: bool = True
) -> pd.DataFrame:
    """Return a copy whose names and columns the format can hold.

    Text with gaps becomes categorical; numbers and flags with gaps the nullable types
    of pandas that AnnData knows, or floats; dates, intervals and mixed columns text.

    Parameters
    ----------
    table
        Any table of the tissue.
    where
        What it is called: ``obs``.
    mends
        Takes down what a reader of the file will find changed.
    shorten
        Whether text that repeats becomes categorical too.
    """
    import pandas as pd

    if isinstance(table.index, pd.MultiIndex):
        mends.retyped(f"{where}.index", "columns")
        table = table.reset_index()
    strict = mends.strict_names and "[" not in where
    names = storable_names(
        table.columns, _RESERVED, strict=strict, in_store=mends.in_store
    )
    columns = {}
    for position, (old, new) in enumerate(zip(table.columns, names, strict=True)):
        place = f"{where}[{old!r}]"
        if old != new:
            mends.renamed(place, new)
        column = _column(table.iloc[:, position], place, mends, shorten)
        # As columns, for pandas 3 makes its own type of text of arrays of objects.
        columns[new] = column.reset_index(drop=True)
    found = pd.DataFrame(columns, index=range(len(table)))
    found.index = _index(table.index, where, mends)
    if not _can_be_named(found.index.name, found):
        found.index.name = None
    return found


def texts_of(values: Iterable[Any]) -> list[str] | None:
    """Return values as texts, `None` where one would not say what it is."""
    held = list(values)
    if not all(isinstance(value, _SPEAKING) for value in held):
        return None
    return [storable_text(_said(value)) for value in held]


def is_text_type(dtype: Any) -> bool:
    """Return whether a type is one of those that pandas has for texts."""
    import pandas as pd

    if isinstance(dtype, pd.ArrowDtype):
        return bool(pd.api.types.is_string_dtype(dtype))
    return isinstance(dtype, pd.StringDtype)


def plain_texts(values: pd.Series, *, as_categories: bool) -> pd.Series:
    """Return texts as Python's own, or as categories of them."""
    texts = values.astype(object)
    there = texts.notna()
    # First of all: pandas 3 makes no categories of half a character.
    clean = _clean(list(texts[there]))
    if clean is not None:
        texts = texts.copy()
        texts[there] = clean
    if not as_categories:
        return texts
    found = texts.astype("category")
    # Pandas 3 makes them of its own type of text.
    return found.cat.rename_categories(found.cat.categories.astype(object))


def _column(values: pd.Series, where: str, mends: Mends, shorten: bool) -> pd.Series:
    """Return a column in a type that the format can hold."""
    import pandas as pd

    types = pd.api.types
    values = _native(values)
    dtype: Any = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _categorical(values, where, mends)
    if types.is_timedelta64_dtype(dtype):
        mends.retyped(where, "seconds")
        return values.dt.total_seconds()
    if types.is_float_dtype(dtype) and (
        types.is_extension_array_dtype(dtype) or dtype.itemsize > 8
    ):
        return pd.Series(values.to_numpy(np.float64, na_value=np.nan))
    if is_text_type(dtype) or types.is_object_dtype(dtype):
        return _objects(values, where, mends, shorten)
    if types.is_numeric_dtype(dtype) or types.is_bool_dtype(dtype):
        return values
    mends.retyped(where, _TEXT)
    return _as_texts(values)


def _native(values: pd.Series) -> pd.Series:
    """Return a column of a sparse or Arrow type in pandas' own types."""
    import pandas as pd

    dtype, types = values.dtype, pd.api.types
    if isinstance(dtype, pd.SparseDtype):
        return values.astype(dtype.subtype)
    if not isinstance(dtype, pd.ArrowDtype) or is_text_type(dtype):
        return values
    if types.is_bool_dtype(dtype):
        return values.astype("boolean")
    if types.is_unsigned_integer_dtype(dtype):
        return values.astype("UInt64")
    if types.is_integer_dtype(dtype):
        return values.astype("Int64")
    if types.is_float_dtype(dtype):
        return values.astype("Float64")
    held = values.astype(object)
    return held.astype("category") if "dictionary" in str(dtype) else held


def _objects(values: pd.Series, where: str, mends: Mends, shorten: bool) -> pd.Series:
    """Return a column of Python's objects in the type that they are of."""
    import pandas as pd

    kind = pd.api.types.infer_dtype(values, skipna=True)
    gaps = bool(values.isna().any())
    if kind == "empty":
        # Nothing but gaps: the format has no text without text.
        return plain_texts(values, as_categories=True)
    if kind == "string":
        repeats = shorten and values.nunique() < len(values)
        return plain_texts(values, as_categories=gaps or repeats)
    if kind == "boolean":
        return values.astype("boolean" if gaps else bool)
    if kind in ("integer", "floating", "mixed-integer-float"):
        whole = "Int64" if gaps else np.int64
        try:
            return values.astype(whole if kind == "integer" else np.float64)
        except (OverflowError, TypeError, ValueError):
            pass  # larger than any number of a file
    there = values.notna()
    texts = texts_of(values[there])
    if texts is None:
        return values
    if kind != "bytes":
        mends.retyped(where, _TEXT)
    found = values.copy()
    found[there] = texts
    return plain_texts(found, as_categories=True)


def _as_texts(values: pd.Series) -> pd.Series:
    """Return dates, periods or intervals as categories of text."""
    held = values.astype(object)
    texts = held.where(values.isna(), values.astype(str))
    return plain_texts(texts, as_categories=True)


def _categorical(values: pd.Series, where: str, mends: Mends) -> pd.Series:
    """Return a categorical column whose categories the format can hold."""
    import pandas as pd

    categories = values.cat.categories
    dtype: Any = categories.dtype
    plain = isinstance(dtype, np.dtype) and dtype.kind in "biuf" and dtype.itemsize <= 8
    if plain and not isinstance(categories, pd.MultiIndex):
        return values
    held = list(categories)
    if all(isinstance(category, str) for category in held):
        clean = _clean(held)
        if clean is not None:
            return _recoded(values, clean)
        if pd.api.types.is_object_dtype(dtype):
            return values
        return values.cat.rename_categories(categories.astype(object))
    texts = [storable_text(_said(category)) for category in held]
    mends.retyped(where, _TEXT)
    twice = {text for text in texts if texts.count(text) > 1} if _few(texts) else set()
    named = [
        f"{text} ({type(category).__name__})" if text in twice else text
        for text, category in zip(texts, held, strict=True)
    ]
    return values.cat.rename_categories(pd.Index(named, dtype=object))


def _few(texts: list[str]) -> bool:
    return len(set(texts)) < len(texts)


def _recoded(values: pd.Series, texts: list[str]) -> pd.Series:
    """Return a categorical column with other texts, the same ones merged."""
    import pandas as pd

    if not _few(texts):
        return values.cat.rename_categories(pd.Index(texts, dtype=object))
    named = dict(zip(values.cat.categories, texts, strict=True))
    return values.astype(object).map(named).astype("category")


def _clean(texts: list[Any]) -> list[str] | None:
    """Return texts without what formats cannot hold, `None` where all are clean."""
    if is_storable_text("".join(texts)):
        return None
    return [storable_text(text) for text in texts]


def _index(index: pd.Index, where: str, mends: Mends) -> pd.Index:
    """Return the names of rows in a type that the format can hold."""
    import pandas as pd

    if isinstance(index.dtype, np.dtype) and index.dtype.kind in "biuf":
        return index
    texts = list(index)
    if not all(isinstance(text, str) for text in texts):
        mends.retyped(f"{where}.index", _TEXT)
        texts = [_said(text) for text in texts]
    clean = _clean(texts)
    if clean is not None:
        mends.retyped(f"{where}.index", "text without characters that no file holds")
    return pd.Index(clean or texts, dtype=object, name=index.name)


def _can_be_named(name: Any, table: pd.DataFrame) -> bool:
    """Return whether the index can be written under its name."""
    if name is None or storable_names([name], _RESERVED) != [name]:
        return False
    return name not in table or bool((table[name] == table.index).all())


def _said(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
