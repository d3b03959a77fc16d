"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SaveError, SemstError
from napari_semst.io.export.temporaries import (
    OLD,
    TEMPORARY,
    remove_dead_temporaries,
    temporary_beside,
)
from napari_semst.io.matrices import is_stored, named_layers

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData


def write_atomically(
    path: str | Path,
    write: Callable[[Path], None],
    check: Callable[[Path], None],
    *,
    overwrite: bool,
    suffix: str,
    least_free: int = 0,
) -> Path:
    """Write a file beside its place, check it, and move it there in one step.

    Whatever fails, the file that stood there before is untouched and nothing is left
    beside it.

    Parameters
    ----------
    path
        Where the file shall be.
    write
        Writes the file whose path it is given.
    check
        Reads that file back and raises `SaveError` if it differs.
    overwrite
        Whether a file that stands there may be replaced.
    suffix
        How the name must end.
    least_free
        Bytes that must be free; see `preallocate`.

    Returns
    -------
    pathlib.Path
        The file, symbolic links followed.

    Raises
    ------
    SaveError
        If the place cannot be written, or the file did not read back the same.
    """
    place = _checked_place(Path(path).expanduser(), overwrite, suffix, least_free)
    remove_dead_temporaries(place.parent)
    temporary = temporary_beside(place)
    try:
        _create(temporary, least_free)
        write(temporary)
        _to_disk(temporary)
        check(temporary)
        _put(temporary, place, overwrite)
        _to_disk(place.parent)
    except SemstError:
        raise
    # Writers raise nearly any type for a value that they cannot store.
    except Exception as error:
        raise SaveError(_in_words(place, error)) from error
    finally:
        temporary.unlink(missing_ok=True)
    return place


def write_folder_atomically(
    path: str | Path,
    write: Callable[[Path], None],
    check: Callable[[Path], None],
    *,
    overwrite: bool,
    suffix: str,
    least_free: int = 0,
) -> Path:
    """Write a store, a folder of files, beside its place, check it and move it there.

    Whatever fails, the store that stood there before is untouched and nothing is left
    beside it.

    Parameters
    ----------
    path, write, check, overwrite, suffix, least_free
        As for `write_atomically`.

    Returns
    -------
    pathlib.Path
        The folder, symbolic links followed.

    Raises
    ------
    SaveError
        As for `write_atomically`, or if something else than a store stands there.
    """
    place = _checked_place(
        Path(path).expanduser(), overwrite, suffix, least_free, folder=True
    )
    remove_dead_temporaries(place.parent)
    # Stores are known by their ending.
    temporary = temporary_beside(place, suffix)
    old = temporary.with_name(temporary.name.removesuffix(TEMPORARY + suffix) + OLD)
    try:
        write(temporary)
        check(temporary)
        if place.exists():
            if not overwrite:
                raise SaveError(_exists(place))
            place.rename(old)
        temporary.rename(place)
        _to_disk(place.parent)
    except SemstError:
        raise
    # Writers raise nearly any type for a value that they cannot store.
    except Exception as error:
        raise SaveError(_in_words(place, error)) from error
    finally:
        # Also after an interrupt between the two renames: the old store comes back.
        if old.exists() and not place.exists():
            old.rename(place)
        for left in (temporary, old):
            shutil.rmtree(left, ignore_errors=True)
    return place


def try_place(path: Path, size: int = 0) -> None:
    """Make and remove the very file that a result would be written to.

    Parameters
    ----------
    path
        Where the result shall be.
    size
        Bytes that it may take.

    Raises
    ------
    SaveError
        If its folder cannot be written in, or has no room, or the name is too long.
    """
    store = path.suffix.lower() == ".zarr"
    place = _checked_place(path.expanduser(), True, path.suffix, size, folder=store)
    remove_dead_temporaries(place.parent)
    temporary = temporary_beside(place)
    try:
        _create(temporary, size)
    except OSError as error:
        raise SaveError(_in_words(place, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _create(temporary: Path, size: int) -> None:
    # Created here, so that the file gets the permissions that any new file gets.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    preallocate(temporary, size)


def _checked_place(
    path: Path, overwrite: bool, suffix: str, least_free: int, *, folder: bool = False
) -> Path:
    if path.suffix.lower() != suffix.lower():
        raise SaveError(f"Expected a file name ending in {suffix}; got {path.name!r}.")
    # A link is followed, so that what it points to is replaced and not the link.
    place = path.resolve()
    try:
        place.exists()
    except OSError as error:  # a name longer than names may be
        raise SaveError(_in_words(place, error)) from error
    parent = place.parent
    if not parent.is_dir():
        raise SaveError(
            f"Expected the folder {parent} to exist; it does not. Create it, or choose "
            "another."
        )
    if place.is_dir() and not folder:
        raise SaveError(f"Expected {place} to be a file; it is a folder.")
    if place.exists() and not overwrite:
        raise SaveError(_exists(place))
    if folder and place.exists() and not _is_store(place):
        raise SaveError(
            f"Expected {place} to be a store that may be replaced; it is something "
            "else. Choose another name."
        )
    if not os.access(parent, os.W_OK | os.X_OK):
        raise SaveError(_in_words(place, PermissionError()))
    free = shutil.disk_usage(parent).free
    if free < least_free:
        raise SaveError(
            f"Expected at least {least_free / 1e6:,.0f} MB free in {parent}; there are "
            f"{free / 1e6:,.0f} MB. Free some space, or choose another folder."
        )
    return place


def _is_store(place: Path) -> bool:
    """Return whether a folder is a zarr store, which alone may be replaced."""
    return any((place / name).is_file() for name in (".zgroup", "zarr.json"))


def _put(temporary: Path, place: Path, overwrite: bool) -> None:
    """Move the file to its place; another that came there meanwhile is kept."""
    if not overwrite:
        try:
            # Unlike a rename, a link never replaces.
            os.link(temporary, place)
        except FileExistsError as error:
            raise SaveError(_exists(place)) from error
        except OSError:
            # File systems without links: the look below is nearly as safe.
            if place.exists():
                raise SaveError(_exists(place)) from None
        else:
            return
    if place.exists():
        shutil.copymode(place, temporary)
    os.replace(temporary, place)


def _to_disk(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exists(place: Path) -> str:
    return (
        f"Expected no file at {place}; there is one. Choose another name, or allow it "
        "to be overwritten."
    )


def _in_words(place: Path, error: Exception) -> str:
    number = getattr(error, "errno", None)
    text = str(error).strip()
    if isinstance(error, PermissionError) or number in (errno.EACCES, errno.EROFS):
        return (
            f"Expected to be allowed to write in {place.parent}; permission denied. "
            "Choose a folder of yours."
        )
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if number in full or any(os.strerror(n).lower() in text.lower() for n in full):
        return (
            f"Expected room for {place.name} in {place.parent}; the disk or your share "
            "of it is full. Free some space, or choose another folder."
        )
    lines = text.splitlines() or [type(error).__name__]
    # anndata names the entry that could not be written in a line of its own.
    where = [line for line in lines + getattr(error, "__notes__", []) if "key" in line]
    told = " ".join(dict.fromkeys([lines[0][:300], *where[:1]]))
    return f"Expected to write {place}; it failed: {told}. Nothing was changed."


_SLACK = 1_000_000


_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def preallocate(file: Path, size: int) -> None:
    """Raise `OSError` unless a file of this many bytes fits where it stands.

    The HDF5 library does not survive a disk that fills up while it writes: it leaves
    objects behind that crash the program when they are freed. A share of the disk
    (quota) is counted too, as the bytes are taken and given back.

    Parameters
    ----------
    file
        An empty file; it is empty again afterwards.
    size
        Bytes.
    """
    if not hasattr(os, "posix_fallocate") or size <= 0:
        return
    handle = os.open(file, os.O_RDWR)
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.ftruncate(handle, 0)
        os.close(handle)


def estimated_bytes(adata: AnnData) -> int:
    """Return how many bytes a tissue takes in a file at most, before compression."""
    parts = [adata.obsm, adata.varm, adata.obsp, adata.varp, adata.uns]
    values = [adata.X, named_layers(adata), adata.obs, adata.var, *map(dict, parts)]
    if adata.raw is not None:
        values += [adata.raw.X, adata.raw.var]
    return int(1.1 * sum(map(_bytes, values))) + _SLACK


def _packed_bytes(array: Any) -> int:
    """Return the bytes that an array of h5py or zarr takes on disk."""
    if hasattr(array, "id"):
        return int(array.id.get_storage_size())
    stored = array.nbytes_stored
    # A number in zarr's second release.
    return int(stored() if callable(stored) else stored)


def _bytes(value: Any) -> int:
    """Return the bytes of an array, matrix, table or nested mapping."""
    from scipy import sparse

    if hasattr(value, "values") and callable(value.values):
        return sum(_bytes(inner) for inner in value.values())
    if hasattr(value, "memory_usage"):
        return int(np.sum(value.memory_usage(deep=True)))
    if is_stored(value):
        # It is copied as it is packed.
        return sum(
            _packed_bytes(value.group[name]) for name in ("data", "indices", "indptr")
        )
    if sparse.issparse(value):
        parts = (getattr(value, name, None) for name in ("data", "indices", "indptr"))
        return sum(int(part.nbytes) for part in parts if part is not None)
    return int(getattr(value, "nbytes", 0))
