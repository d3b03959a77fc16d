"""The sections that ``uns["spatial"]`` describes, Visium's layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError, one_of
from napari_semst.io.checks import abbreviate
from napari_semst.io.text_columns import as_texts

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.core.sections import Sections

_LIBRARY_COLUMNS = (
    keys.SECTION,
    "library_id",
    "library",
    "sample",
    "sample_id",
    "batch",
    "section",
    "slice",
    "orig.ident",
    "fov",
)


def libraries(adata: AnnData) -> tuple[str, ...]:
    """Return the names of the sections that ``uns["spatial"]`` describes."""
    return tuple(name for name, value in _spatial(adata).items() if _is_map(value))


ADDED = "semst_added"
"""Key of an entry's ``metadata`` for the file that its image was added from."""


def added_libraries(adata: AnnData) -> tuple[str, ...]:
    """Return the entries that are images added to a section, not sections."""
    return tuple(x for x in libraries(adata) if ADDED in part(adata, x, "metadata"))


def own_libraries(adata: AnnData) -> tuple[str, ...]:
    """Return the entries that are sections, added images left out."""
    added = added_libraries(adata)
    return tuple(name for name in libraries(adata) if name not in added)


def _spatial(adata: AnnData) -> Any:
    spatial = adata.uns.get("spatial")
    return spatial if _is_map(spatial) else {}


def _is_map(value: Any) -> bool:
    return hasattr(value, "items") and hasattr(value, "get")


def part(adata: AnnData, library: str, name: str) -> Any:
    """Return one part of a section's entry (``"images"``), empty where missing."""
    section = _spatial(adata).get(library)
    value = section.get(name) if _is_map(section) else None
    return value if _is_map(value) else {}


def the_library(adata: AnnData, library: str | None) -> str | None:
    """Return the section meant; None where there is none with an image."""
    names = libraries(adata)
    if library is not None:
        if library not in names:
            raise InputError(one_of("library", library, names))
        return library
    with_image = [name for name in names if len(part(adata, name, "images"))]
    if len(with_image) > 1:
        added = added_libraries(adata)
        own = [name for name in with_image if name not in added]
        registered = [name for name in added if name in _registered(adata)]
        # What somebody added and registered is there to be looked at; what was only
        # added lies anywhere.
        with_image = registered[-1:] or own or list(added[:1])
    if len(with_image) > 1:
        raise InputError(
            f"Expected one section; uns['spatial'] holds {len(with_image)} with an "
            f"image: {', '.join(with_image)}. Pick one."
        )
    return with_image[0] if with_image else None


def _registered(adata: AnnData) -> Any:
    kept = adata.uns.get(keys.LANDMARKS)
    return kept if _is_map(kept) else {}


def spots_of(adata: AnnData, library: str) -> NDArray[np.bool_]:
    """Return which spots are of a section: all, unless a column of obs tells."""
    if library in added_libraries(adata):
        return np.ones(adata.n_obs, bool)
    # Also of a single one: sections may have been joined of which one has an entry.
    for column in _LIBRARY_COLUMNS:
        if column in adata.obs:
            own = _named(adata.obs[column], library)
            if own.any():
                return own
    column = _telling_column(adata)
    return _named(adata.obs[column], library) if column else np.ones(adata.n_obs, bool)


def library_column(adata: AnnData) -> str:
    """Return the obs column that names sections of ``uns["spatial"]``, else empty.

    A usual name goes first where it names two of them; any other column must name all.
    """
    names = set(own_libraries(adata))
    if len(names) < 2:
        return ""
    for column in _LIBRARY_COLUMNS:
        if column in adata.obs and len(names & _values(adata.obs[column])) > 1:
            return column
    return _telling_column(adata)


def _telling_column(adata: AnnData) -> str:
    """Return the column of any name whose values are best those of all libraries."""
    from pandas.api.types import is_float_dtype

    names, best = set(own_libraries(adata)), ("", 0.0)
    some = adata.obs.iloc[:: max(1, adata.n_obs // 2_000)]
    for column in some if len(names) > 1 else ():
        # Of names of spots and of measures a few show that they are no sections.
        few = not is_float_dtype(some[column]) and some[column].nunique() <= 4 * len(
            names
        )
        values = _values(adata.obs[column]) if few else set()
        if names <= values and len(names) / len(values) > best[1]:
            best = str(column), len(names) / len(values)
    return best[0]


def _values(column: pd.Series) -> set[str]:
    return set(as_texts(column.drop_duplicates()))


def _named(column: pd.Series, value: str) -> NDArray[np.bool_]:
    """Return which entries of a column are a text, shape ``(n,)``."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        wanted = [str(one) == value for one in column.cat.categories]
        # No entry is -1, the last one.
        return np.asarray(np.array([*wanted, False])[column.cat.codes.to_numpy()])
    return np.asarray(as_texts(column).to_numpy(dtype=object) == value, bool)


def section_column(adata: AnnData, key: str = "") -> str | None:
    """Return the obs column that tells sections apart, `None` for one section.

    Parameters
    ----------
    adata
        The tissue.
    key
        The column asked for; empty takes the one that joined sections have.

    Raises
    ------
    InputError
        If there is no such column, or spots have no entry in it.
    """
    column = key or keys.SECTION
    if column not in adata.obs:
        if not key:
            return None
        raise InputError(
            f"Expected obs[{key!r}] to tell which section a spot is of; found obs "
            f"columns {abbreviate(list(adata.obs))}. Name one of them as the section "
            "key."
        )
    missing = int(adata.obs[column].isna().sum())
    if missing:
        raise InputError(
            f"Expected a section for every spot in obs[{column!r}]; {missing:,} of "
            f"{adata.n_obs:,} have none. Leave these spots out, or name another column."
        )
    return column


def sections_of(adata: AnnData, key: str = "") -> Sections:
    """Return which spots are of which section, in the order of their first spots.

    Parameters
    ----------
    adata, key
        As for `section_column`.

    Raises
    ------
    InputError
        As `section_column`.
    """
    import pandas as pd

    from napari_semst.core.sections import Sections

    column = section_column(adata, key)
    if column is None:
        return Sections.one(adata.n_obs)
    codes, names = pd.factorize(as_texts(adata.obs[column]))
    return Sections(codes.astype(np.int32), tuple(map(str, names)))


def as_image(values: Any, what: str) -> NDArray[np.uint8]:
    """Return an image as uint8: others keep it as floats from 0 to 1, or 16 bits."""
    image = np.asarray(values)
    drawable = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))
    if not drawable or image.dtype.kind not in "uifb" or not image.size:
        raise InputError(
            f"Expected the {what} to be of shape (height, width) with 3 or 4 channels; "
            f"found {image.shape} of type {image.dtype}."
        )
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.uint16:
        return np.asarray(image // 257, dtype=np.uint8)
    bright = 255.0 if image.dtype.kind == "b" or np.nanmax(image) <= 1 else 1.0
    whole = np.rint(np.nan_to_num(image.astype(np.float32)) * bright)
    return np.asarray(np.clip(whole, 0, 255), dtype=np.uint8)
