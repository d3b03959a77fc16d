"""Files with the vectors of some texts: one shard of the cache each."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

PATTERN = "shard-*.safetensors"
# A text's name: 16 bytes of a hash, compared as bytes.
NAME = np.dtype("V16")


class _DamagedError(ValueError):
    """A shard that is not what was written."""


def write_shard(
    folder: Path, names: NDArray[np.void], vectors: NDArray[np.float32]
) -> None:
    """Write the vectors of texts, whole or not at all.

    Parameters
    ----------
    folder
        Where the shard shall be; it is named after the texts.
    names
        Names of the texts, of type `NAME`.
    vectors
        Shape ``(n_texts, n_dimensions)``.

    Raises
    ------
    OSError, SaveError
        If the file cannot be written, or did not read back the same.
    """
    from safetensors.numpy import save_file

    from napari_semst.errors import SaveError
    from napari_semst.io.export.atomic import write_atomically

    held: dict[str, NDArray[Any]]
    held = {
        "keys": names.view(np.uint8).reshape(len(names), -1),
        "vectors": np.ascontiguousarray(vectors, np.float32),
    }
    file = shard_file(folder, names)

    def check(written: Path) -> None:
        try:
            read_shard(written, np.sort(names))
        except DAMAGED as error:
            raise SaveError(f"Expected {file.name} to read back; {error}.") from error

    write_atomically(
        file,
        lambda place: save_file(held, place, {"sha256": _digest(held)}),
        check,
        overwrite=True,
        suffix=".safetensors",
        least_free=vectors.nbytes + names.nbytes + 4096,
    )


def shard_file(folder: Path, names: NDArray[np.void]) -> Path:
    """Return where the vectors of exactly these texts are written, or would be."""
    digest = hashlib.sha256(names.tobytes()).hexdigest()[:24]
    return folder / f"shard-{digest}.safetensors"


def read_shard(
    file: Path, wanted: NDArray[np.void]
) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
    """Return positions among the wanted names, and their vectors; `None` if none.

    Only the names are read of a shard that holds none of them.

    Parameters
    ----------
    wanted
        Sorted names of texts, each once.

    Raises
    ------
    OSError
        If the file cannot be read now.
    ValueError, KeyError, safetensors.SafetensorError
        If it is damaged.
    """
    from safetensors import safe_open

    with safe_open(file, framework="np") as stream:
        held = {"keys": stream.get_tensor("keys")}
        names = np.ascontiguousarray(held["keys"]).view(NAME).reshape(-1)
        places = np.minimum(np.searchsorted(wanted, names), len(wanted) - 1)
        rows = np.flatnonzero(wanted[places] == names)
        if not len(rows):
            return None
        held["vectors"] = stream.get_tensor("vectors")
        digest = (stream.metadata() or {}).get("sha256")
    if digest != _digest(held):
        raise _DamagedError("its checksum differs")
    return places[rows], held["vectors"][rows]


def n_vectors(file: Path) -> int:
    """Return how many vectors a shard holds."""
    from safetensors import safe_open

    with safe_open(file, framework="np") as held:
        shape = held.get_slice("keys").get_shape()
    if not shape:
        raise _DamagedError("it holds no list of names")
    return int(shape[0])


def _digest(held: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in ("keys", "vectors"):
        digest.update(f"{name}{held[name].shape}{held[name].dtype}".encode())
        digest.update(np.ascontiguousarray(held[name]).data)
    return digest.hexdigest()


def _damage() -> tuple[type[Exception], ...]:
    from safetensors import SafetensorError

    return (ValueError, KeyError, SafetensorError)


DAMAGED = _damage()
