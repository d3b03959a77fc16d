"""Arrays in files of numpy, looked at before memory is taken for them."""

from __future__ import annotations

import os
import zipfile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.memory import GIB, declares_too_much, memory_allowed

if TYPE_CHECKING:
    from numpy.lib.npyio import NpzFile
    from numpy.typing import NDArray


def load_numpy(stream: IO[bytes]) -> NDArray[Any] | NpzFile:
    """Return what `numpy.load` does of a file that holds what it declares.

    Arrays of Python objects are refused, as reading them can run code.

    Parameters
    ----------
    stream
        An open file, ``.npy`` or ``.npz``.

    Raises
    ------
    ValueError
        If it is damaged, pickled, or declares more than it holds.
    """
    size = os.fstat(stream.fileno()).st_size
    try:
        if zipfile.is_zipfile(stream):
            _check_archive(stream)
        else:
            stream.seek(0)
            _check_header(stream, size)
    # A damaged header fails in the parser of Python, in nearly any way.
    except (ValueError, OSError, zipfile.BadZipFile):
        raise
    except Exception as error:
        raise ValueError(f"its header is damaged ({error})") from error
    stream.seek(0)
    loaded: NDArray[Any] | NpzFile = np.load(stream, allow_pickle=False)
    return loaded


def _check_archive(stream: IO[bytes]) -> None:
    stream.seek(0)
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            if declares_too_much(member.file_size, member.compress_size):
                raise ValueError(
                    f"{member.filename} declares {member.file_size / 1e6:,.0f} MB and "
                    f"holds {member.compress_size / 1e6:,.1f} MB"
                )
            if member.filename.endswith(".npy"):
                with archive.open(member) as content:
                    _check_header(content, member.file_size)


def _check_header(content: IO[bytes], size: int) -> None:
    """Raise unless an array takes the bytes that its file has."""
    version = np.lib.format.read_magic(content)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(content)
    if dtype.hasobject:
        return  # numpy refuses it, and says why
    declared = int(dtype.itemsize)
    for length in shape:
        declared *= int(length)
    if declared > size:
        raise ValueError(
            f"its header declares {declared / 1e6:,.1f} MB; the file holds "
            f"{size / 1e6:,.1f} MB"
        )
    if declared > memory_allowed():
        raise ValueError(
            f"its header declares {declared / GIB:,.1f} GiB, and "
            f"{memory_allowed() / GIB:,.1f} GiB of memory are there"
        )
