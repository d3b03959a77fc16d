"""Whether a tissue can be written, tried on a few spots before any work begins."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SaveError
from napari_semst.io.checks import abbreviate
from napari_semst.io.export.readback import check_readback
from napari_semst.io.export.repair_notes import Mends
from napari_semst.io.export.writable import writable, write_plain
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

_FEW = 2
# Entries of arrays that are tried: what is written depends on the type alone.
_LARGE = 4096
_PARTS = ("obsm", "varm", "obsp", "varp", "layers")


def try_writing(
    adata: AnnData, suffix: str = ".h5ad", *, strict_names: bool = False
) -> tuple[str, ...]:
    """Write a few spots of a tissue into a file that is thrown away.

    Every name and every column is looked at, so that nothing is refused once domains
    are found. It takes about a second for a million spots.

    Parameters
    ----------
    adata
        The tissue; it is not changed.
    suffix
        Of the file that is to be written: ``.h5ad`` or ``.zarr``.
    strict_names
        Whether names are to be those that SpatialData takes.

    Returns
    -------
    tuple
        Sentences that say what will be written otherwise than it is held.

    Raises
    ------
    SaveError
        If something cannot be written; all of it is named.
    """
    mends = Mends(strict_names=strict_names, in_store=suffix == ".zarr")
    few = writable(adata, mends, few=_FEW)
    few.uns = {key: _reduced(value) for key, value in few.uns.items()}
    why = _why_not(few, suffix)
    if why:
        raise SaveError(_in_words(few, suffix, why))
    return mends.sentences()


def _reduced(value: Any) -> Any:
    """Return an entry whose large arrays of numbers are short."""
    if isinstance(value, Mapping):
        return {key: _reduced(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray) and value.ndim and value.size > _LARGE:
        return value if value.dtype.kind == "O" else value[:1]
    return value


def _why_not(few: AnnData, suffix: str) -> str:
    """Return why a tissue cannot be written and read back, empty where it can."""
    with tempfile.TemporaryDirectory(prefix="semst-trial-") as folder:
        # HDF5 too for a store: zarr writes objects as Python prints them.
        for ending in dict.fromkeys((".h5ad", suffix)):
            place = Path(folder) / f"trial{ending}"
            try:
                write_plain(few, place, compression=None)
                check_readback(few, place)
            # Writers raise nearly any type for a value that they cannot store.
            except Exception as error:  # noqa: BLE001
                return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ""


def _in_words(few: AnnData, suffix: str, why: str) -> str:
    found = [f"{where} ({what})" for where, what in _failing(few, suffix)]
    named = abbreviate(found) if found else f"something in it ({why[:200]})"
    return Worded(
        f"Expected all of the section to fit into a {suffix} file; what cannot be "
        f"written: {named}. Nothing was computed. ",
        Way(
            "Remove it from the file, or make it text, numbers, arrays or tables.",
            "Remove it (del), or make it text, numbers, arrays or tables.",
            "Remove it from the section, or make it text, numbers, arrays or tables.",
        ),
    )


def _failing(few: AnnData, suffix: str) -> Iterator[tuple[str, str]]:
    """Yield every entry that cannot be written by itself, and its type."""
    import anndata
    import pandas as pd

    obs, var = pd.DataFrame(index=few.obs_names), pd.DataFrame(index=few.var_names)

    def fails(**parts: Any) -> bool:
        return bool(
            _why_not(anndata.AnnData(**{"obs": obs, "var": var} | parts), suffix)
        )

    if fails():
        yield "the names of spots or genes", "text"
        return
    if few.X is not None and fails(X=few.X):
        yield "X", _type(few.X)
    for part in ("obs", "var"):
        table = getattr(few, part)
        for column in table:
            if fails(**{part: table[[column]]}):
                yield f"{part}[{column!r}]", _type(table[column])
    for part in _PARTS:
        for key, value in getattr(few, part).items():
            if key is not None and fails(**{part: {key: value}}):
                yield f"{part}[{key!r}]", _type(value)
    if few.raw is not None:
        raw = {"X": few.raw.X, "var": few.raw.var, "varm": dict(few.raw.varm)}
        if fails(X=few.X, raw=raw):
            yield "raw", "AnnData's raw"
    for where, value, entry in _entries(few.uns, "uns", ()):
        if fails(uns=entry):
            yield where, _type(value)


def _entries(
    held: Mapping[str, Any], where: str, above: tuple[str, ...]
) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield what nested mappings hold, and each alone inside its mappings."""
    for key, value in held.items():
        place, path = f"{where}[{key!r}]", (*above, key)
        if isinstance(value, Mapping) and value:
            yield from _entries(value, place, path)
            continue
        entry: Any = value
        for name in reversed(path):
            entry = {name: entry}
        yield place, value, entry


def _type(value: Any) -> str:
    kind = getattr(value, "dtype", None)
    name = type(value).__name__
    return f"{name} of {kind}" if kind is not None else name
