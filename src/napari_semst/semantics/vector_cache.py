"""Vectors of texts on the disk, found again by what they were made of.

A folder holds the vectors of one model, revision, pooling and type of numbers; a file
in it, a shard, the vectors of some texts. Texts are named by a hash: what was read is
not on the disk, and nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SemstError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

VARIABLE = "SEMST_CACHE"
_ABOUT = "about.json"
_SHARD = "shard-*.safetensors"
# To be raised whenever the same texts would be read otherwise.
_FORMAT = 1


def cache_folder() -> Path:
    """Return where vectors are kept: ``SEMST_CACHE``, else the user's cache folder."""
    given = os.environ.get(VARIABLE, "").strip()
    if given:
        return Path(os.path.expanduser(given)) / "vectors"
    from platformdirs import user_cache_path

    return user_cache_path("napari-semst", appauthor=False) / "vectors"


class VectorCache:
    """The vectors of one way of reading.

    Parameters
    ----------
    about
        What the vectors depend on besides the text; ``identity`` among it names the
        model. Plain values.
    shown
        More, for people: the model's name.
    """

    def __init__(
        self, about: Mapping[str, Any], shown: Mapping[str, Any] | None = None
    ) -> None:
        settled = {"format": _FORMAT, **about}
        text = json.dumps(settled, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:24]
        self.folder = cache_folder() / digest
        self._about = {**settled, **(shown or {})}
        self.warnings: list[str] = []

    def read(self, keys: Sequence[bytes]) -> tuple[NDArray[np.float32], list[int]]:
        """Return the vectors that are here, and the positions of their keys.

        Damaged files are removed, and told of in `warnings`: what they held is
        computed again.

        Parameters
        ----------
        keys
            Names of texts, each once.
        """
        wanted = {key: position for position, key in enumerate(keys)}
        parts: list[NDArray[np.float32]] = []
        places: list[int] = []
        for file in sorted(self.folder.glob(_SHARD)):
            try:
                found = _read_shard(file, wanted)
            except OSError as error:
                # It may be whole: a network folder can fail for a moment.
                self.warnings.append(
                    f"A file of the cache could not be read ({file.name}: {error}); "
                    "its vectors are computed again."
                )
                continue
            except _DAMAGED as error:
                self._drop(file, error)
                continue
            if found is not None:
                parts.append(found[0])
                places += found[1]
                for position in found[1]:  # two shards may hold a text
                    del wanted[keys[position]]
        return (
            np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
        ), places

    def write(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep the vectors of texts; where that fails, say so and go on without.

        Parameters
        ----------
        keys
            Names of the texts.
        vectors
            Shape ``(n_texts, n_dimensions)``.
        """
        if self.warnings and self.warnings[-1].startswith(_UNKEPT):
            return
        names = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1)
        digest = hashlib.sha256(names.tobytes()).hexdigest()[:24]
        file = self.folder / f"shard-{digest}.safetensors"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write_about()
            _write_shard(file, names, vectors)
        except (OSError, SemstError) as error:
            self.warnings.append(
                f"{_UNKEPT}, so a later run computes them again: {error} Set "
                f"{VARIABLE} to a folder of yours."
            )

    def _write_about(self) -> None:
        from napari_semst.io.atomic import write_atomically

        place = self.folder / _ABOUT
        if place.exists():
            return
        text = json.dumps(self._about, indent=1, sort_keys=True)

        def write(file: Path) -> None:
            file.write_text(text, encoding="utf-8")

        write_atomically(
            place,
            write,
            lambda _: None,
            overwrite=True,
            suffix=".json",
        )

    def _drop(self, file: Path, error: Exception) -> None:
        told = str(error).splitlines() or [type(error).__name__]
        self.warnings.append(
            f"A file of the cache was damaged ({file.name}: {told[0]}); it was removed "
            "and its vectors are computed again."
        )
        with suppress(OSError):
            file.unlink(missing_ok=True)


_UNKEPT = "Vectors could not be kept in the cache"


class _DamagedError(ValueError):
    """A shard that is not what was written."""


def _write_shard(
    file: Path, names: NDArray[np.uint8], vectors: NDArray[np.float32]
) -> None:
    from safetensors.numpy import save_file

    from napari_semst.errors import SaveError
    from napari_semst.io.atomic import write_atomically

    held: dict[str, NDArray[Any]]
    held = {"keys": names, "vectors": np.ascontiguousarray(vectors, np.float32)}

    def check(written: Path) -> None:
        try:
            _checked(written)
        except _DAMAGED as error:
            raise SaveError(f"Expected {file.name} to read back; {error}.") from error

    write_atomically(
        file,
        lambda place: save_file(held, place, {"sha256": _digest(held)}),
        check,
        overwrite=True,
        suffix=".safetensors",
        least_free=vectors.nbytes + names.nbytes + 4096,
    )


def _read_shard(
    file: Path, wanted: Mapping[bytes, int]
) -> tuple[NDArray[np.float32], list[int]] | None:
    """Return the wanted vectors of a shard and their positions, `None` if none."""
    from safetensors import safe_open

    with safe_open(file, framework="np") as held:
        names = held.get_tensor("keys")
    keys = [row.tobytes() for row in names]
    rows = [row for row, key in enumerate(keys) if key in wanted]
    if not rows:
        return None
    return _checked(file)["vectors"][rows], [wanted[keys[row]] for row in rows]


def _checked(file: Path) -> dict[str, NDArray[Any]]:
    """Return what a shard holds, if it is what was written."""
    from safetensors import safe_open

    with safe_open(file, framework="np") as stream:
        held = {name: stream.get_tensor(name) for name in ("keys", "vectors")}
        told = (stream.metadata() or {}).get("sha256")
    if told != _digest(held):
        raise _DamagedError("its checksum differs")
    return held


def _digest(held: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in ("keys", "vectors"):
        digest.update(f"{name}{held[name].shape}{held[name].dtype}".encode())
        digest.update(np.ascontiguousarray(held[name]).data)
    return digest.hexdigest()


def _damage() -> tuple[type[Exception], ...]:
    from safetensors import SafetensorError

    return (ValueError, KeyError, SafetensorError)


_DAMAGED = _damage()
_UNREADABLE: tuple[type[Exception], ...] = (OSError, *_DAMAGED)


@dataclass(frozen=True, slots=True)
class Entry:
    """One folder of the cache.

    Parameters
    ----------
    folder
        Where it is.
    about
        What its vectors depend on.
    n_vectors, n_bytes
        How many it holds, and their size on the disk.
    """

    folder: Path
    about: Mapping[str, Any]
    n_vectors: int
    n_bytes: int


def entries() -> Iterator[Entry]:
    """Yield what the cache holds, one folder after the other."""
    from safetensors import safe_open

    for place in sorted(cache_folder().glob(f"*/{_ABOUT}")):
        try:
            about = json.loads(place.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            about = {}
        count = size = 0
        for file in place.parent.glob(_SHARD):
            try:
                size += file.stat().st_size
                with safe_open(file, framework="np") as held:
                    count += int(held.get_slice("keys").get_shape()[0])
            except _UNREADABLE:
                continue
        yield Entry(place.parent, about, count, size)


def clear(model: str = "") -> int:
    """Remove vectors, and nothing else; return how many bytes became free.

    Parameters
    ----------
    model
        Name of the model whose vectors go; all where empty.
    """
    freed = 0
    for entry in list(entries()):
        if model and model != entry.about.get("model"):
            continue
        remains = entry.folder.glob(".*.tmp")
        for file in (*entry.folder.glob(_SHARD), *remains, entry.folder / _ABOUT):
            file.unlink(missing_ok=True)
        freed += entry.n_bytes
        if not any(entry.folder.iterdir()):
            entry.folder.rmdir()
    return freed
