"""Arrays of zarr stores: what they declare, against the chunks that are there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.json_text import read_json
from napari_semst.core.memory import HARMLESS, MOST_SHRUNK_BY_OTHERS, declares_too_much
from napari_semst.errors import InputError
from napari_semst.io.checks import translate_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# Files that describe groups and arrays: of zarr's second format, and of its third.
METADATA = (".zarray", ".zmetadata", "zarr.json")
_CODED = ".zarray"
# Of a type that numpy does not know: texts, each at least a pointer.
_ITEM_BYTES = 8


@dataclass(frozen=True, slots=True)
class DeclaredArray:
    """What metadata say of an array.

    Parameters
    ----------
    shape
        How many values it has along each side.
    n_bytes
        Of all its values.
    chunk_bytes
        Of one whole chunk.
    """

    shape: tuple[int, ...]
    n_bytes: int
    chunk_bytes: int


def declared_arrays(
    metadata: Path, what: str
) -> tuple[Any, dict[Path, list[DeclaredArray]]]:
    """Return what a file of metadata holds, and the arrays it tells of by folder.

    The metadata of a whole store are often kept once more at its top, and are then
    what is believed.

    Parameters
    ----------
    metadata
        A file named as one of `METADATA`.
    what
        The store, as a user says it.

    Raises
    ------
    InputError
        If it is damaged, or an array has no shape.
    """
    with translate_errors(metadata, what):
        held = read_json(metadata)
        found: dict[Path, list[DeclaredArray]] = {}
        for folder, about in _described(metadata, held):
            found.setdefault(folder, []).append(_declared(about))
        return held, found


def check_arrays(
    arrays: dict[Path, list[DeclaredArray]],
    files: Iterable[Path],
    store: Path,
    what: str,
) -> int:
    """Return the bytes that a store declares, once its chunks can hold them.

    Parameters
    ----------
    arrays
        By folder, from all of the metadata.
    files
        All files of the store.
    store, what
        The store, and what it should be, as a user says it.

    Raises
    ------
    InputError
        Naming an array that was never filled, or whose chunks declare far more than
        they hold.
    """
    stored: dict[Path, list[int]] = {folder: [] for folder in arrays}
    for file in files:
        folder = next((up for up in file.parents if up in stored), None)
        if folder is not None and file.name not in (*METADATA, ".zattrs"):
            stored[folder].append(file.stat().st_size)
    filled = Counter(
        side
        for folder, sizes in stored.items()
        if sizes
        for side in {side for one in arrays[folder] for side in one.shape}
    )
    total = 0
    for folder, declared in arrays.items():
        sizes = stored[folder]
        name = folder.relative_to(store).as_posix()
        for one in declared:
            shared = all(filled[side] > bool(sizes) for side in one.shape)
            _check(one, sizes, f"{what} {store}", name, shared=shared)
        total += max(one.n_bytes for one in declared)
    return total


def _check(
    array: DeclaredArray, sizes: list[int], where: str, name: str, *, shared: bool
) -> None:
    """Refuse an array whose chunks cannot be what it declares.

    Chunks of nothing but the fill value are not written: a layer of zeros has none.
    It has the sides of arrays that are there; of others, enough must be there itself.
    """
    absent = array.n_bytes - len(sizes) * array.chunk_bytes
    largest = max(sizes, default=0)
    room = HARMLESS + MOST_SHRUNK_BY_OTHERS * largest
    hollow = array.chunk_bytes > max(room, shared * array.n_bytes)
    if not hollow and (shared or not declares_too_much(absent, sum(sizes))):
        return
    declared = array.chunk_bytes if hollow else array.n_bytes
    held = f"{largest / 1e6:,.1f} MB" if hollow else f"{sum(sizes) / 1e6:,.1f} MB"
    raise InputError(
        f"Expected {where} to hold what it declares; {'a chunk of ' if hollow else ''}"
        f"{name} declares {declared / 1e6:,.0f} MB and holds {held}. It is damaged, or "
        "was never filled: copy or download it again."
    )


def _described(metadata: Path, held: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the folders of arrays and what is said of each, of nested metadata too."""
    top = metadata.parent
    if not isinstance(held, dict):
        return
    if _is_array(metadata.name, held):
        yield top, held
    nested = held.get("consolidated_metadata")
    together = (nested if isinstance(nested, dict) else held).get("metadata")
    for name, about in together.items() if isinstance(together, dict) else ():
        if isinstance(about, dict) and _is_array(name, about):
            yield top / name.removesuffix(_CODED).rstrip("/"), about


def _is_array(name: str, about: dict[str, Any]) -> bool:
    """Return whether metadata are of an array; attributes may have a shape, too."""
    return name.endswith(_CODED) or about.get("node_type") == "array"


def _declared(about: dict[str, Any]) -> DeclaredArray:
    shape = [int(n) for n in about["shape"]]
    grid = about.get("chunk_grid") or {}
    chunks = about.get("chunks") or (grid.get("configuration") or {}).get("chunk_shape")
    size = _item_bytes(about.get("dtype", about.get("data_type")))
    if min([*shape, 0]) < 0:
        raise ValueError(f"an array has the shape {shape}")
    chunk = [int(n) for n in chunks] if isinstance(chunks, list) else shape
    return DeclaredArray(tuple(shape), prod(shape) * size, prod(chunk) * size)


def _item_bytes(kind: Any) -> int:
    """Return the bytes of one value."""
    if isinstance(kind, list):
        kind = [tuple(field) for field in kind]
    try:
        return int(np.dtype(kind).itemsize) or _ITEM_BYTES
    except (TypeError, ValueError):
        return _ITEM_BYTES
