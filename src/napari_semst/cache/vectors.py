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

from napari_semst.cache.shards import (
    DAMAGED,
    PATTERN,
    n_vectors,
    read_shard,
    shard_file,
    write_shard,
)
from napari_semst.core.json_text import parse_json
from napari_semst.errors import SemanticsError, SemstError
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

CACHE_VARIABLE = "SEMST_CACHE"
_ABOUT = "about.json"
# Files of `models.folder_hash`, which stand in the same folder.
IDENTITIES = "folder-*.json"
# To be raised whenever the same texts would be read otherwise.
_FORMAT = 1
_MOST_BYTES_OF_RECORD = 1_000_000
_UNKEPT = "Vectors could not be kept in the cache"
_UNREADABLE: tuple[type[Exception], ...] = (OSError, *DAMAGED)


def cache_folder() -> Path:
    """Return where vectors are kept: ``SEMST_CACHE``, else the user's cache folder."""
    given = os.environ.get(CACHE_VARIABLE, "").strip()
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

    def read(
        self, names: NDArray[np.void]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Return positions of names and their vectors, shard by shard, each once.

        Damaged files are removed, and told of in `warnings`: what they held is
        computed again.

        Parameters
        ----------
        names
            Sorted names of texts, each once, of type `shards.NAME`.
        """
        return self._read(sorted(self.folder.glob(PATTERN)), names)

    def _read(
        self, files: Sequence[Path], names: NDArray[np.void]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        known = np.zeros(len(names), dtype=bool)
        for file in files:
            try:
                shard = read_shard(file, names)
            except OSError as error:
                # It may be whole: a network folder can fail for a moment.
                self.warnings.append(
                    f"A file of the cache could not be read ({file.name}: {error}); "
                    "its vectors are computed again."
                )
                continue
            except DAMAGED as error:
                self._drop(file, error)
                continue
            if shard is None:
                continue
            new = ~known[shard[0]]  # two shards may hold a text
            known[shard[0]] = True
            yield shard if new.all() else (shard[0][new], shard[1][new])

    def first(self, name: NDArray[np.void]) -> NDArray[np.float32] | None:
        """Return the vector of one text, `None` if it is not here.

        Files are opened until one has it, that which has it alone first.

        Parameters
        ----------
        name
            One name, of type `shards.NAME`, shape ``(1,)``.
        """
        files = sorted(self.folder.glob(PATTERN))
        alone = shard_file(self.folder, name)
        for _, vectors in self._read(sorted(files, key=lambda one: one != alone), name):
            vector: NDArray[np.float32] = vectors[0]
            return vector
        return None

    def write(self, names: NDArray[np.void], vectors: NDArray[np.float32]) -> None:
        """Keep the vectors of texts; where that fails, say so and go on without.

        Parameters
        ----------
        names
            Names of the texts, of type `shards.NAME`.
        vectors
            Shape ``(n_texts, n_dimensions)``.
        """
        if self.warnings and self.warnings[-1].startswith(_UNKEPT):
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write_about()
            write_shard(self.folder, names, vectors)
        except (OSError, SemstError) as error:
            self.warnings.append(
                f"{_UNKEPT}, so a later run computes them again: {error} Set "
                f"{CACHE_VARIABLE} to a folder of yours."
            )

    def _write_about(self) -> None:
        from napari_semst.io.export.atomic import write_atomically

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


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One folder of the cache.

    Parameters
    ----------
    about
        What its vectors depend on.
    """

    folder: Path
    about: Mapping[str, Any]
    n_vectors: int
    n_bytes: int


def cache_entries() -> Iterator[CacheEntry]:
    """Yield what the cache holds, one folder after the other."""
    for place in sorted(cache_folder().glob(f"*/{_ABOUT}")):
        about = _about_of(place)
        count = size = 0
        for file in place.parent.glob(PATTERN):
            try:
                size += file.stat().st_size
                count += n_vectors(file)
            except _UNREADABLE:
                continue
        yield CacheEntry(place.parent, about, count, size)


def _about_of(place: Path) -> dict[str, Any]:
    """Return what a record says; nothing where it is damaged or no record at all."""
    try:
        # A pipe would keep one waiting, and no record is as large.
        if not place.is_file() or place.stat().st_size > _MOST_BYTES_OF_RECORD:
            return {}
        about = parse_json(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def clear_vectors(model: str = "") -> int:
    """Remove vectors, and nothing else; return how many bytes became free.

    Parameters
    ----------
    model
        Folder, id or name of the model whose vectors go; all where empty.

    Raises
    ------
    SemanticsError
        If there are no vectors of that model, or several models are called so.
    """
    here = list(cache_entries())
    chosen = _of_model(here, model) if model else here
    if model and not chosen:
        names = sorted({str(one.about.get("model", "unknown")) for one in here})
        raise SemanticsError(
            Worded(
                f"Expected vectors of the model {model!r} in {cache_folder()}; found "
                f"{'those of ' + ', '.join(names) if names else 'none at all'}. "
                "Nothing was removed.",
                Way(" `semst cache list` shows names and folders.", "", ""),
            )
        )
    freed = 0
    for entry in chosen:
        remains = entry.folder.glob(".*.tmp")
        for file in (*entry.folder.glob(PATTERN), *remains, entry.folder / _ABOUT):
            _remove(file)
        freed += entry.n_bytes
        with suppress(OSError):  # what is not of the cache stays, and its folder
            entry.folder.rmdir()
    if not model:
        for file in cache_folder().glob(IDENTITIES):
            _remove(file)
    return freed


def _remove(file: Path) -> None:
    """Remove a file of the cache; a folder in its place is none of its own."""
    if file.is_dir() and not file.is_symlink():
        return
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise SemanticsError(
            f"Expected to remove {file}; {error.strerror or error}. What was removed "
            "before it is gone; allow the rest to be removed, and clear again."
        ) from error


def _of_model(here: Sequence[CacheEntry], model: str) -> list[CacheEntry]:
    """Return the vectors of one model, as users call it, or raise `SemanticsError`."""
    folder = str(Path(model).expanduser().resolve())
    by_path = [entry for entry in here if entry.about.get("path") == folder]
    if by_path:
        return by_path
    names = {model, model.rstrip("/")}
    chosen = [
        entry
        for entry in here
        if str(entry.about.get("model", "")) in names
        or Path(str(entry.about.get("path", ""))).name in names
    ]
    places = sorted({_place_of(entry) for entry in chosen})
    if len(places) > 1:
        raise SemanticsError(
            Worded(
                f"Expected one model called {model!r} in {cache_folder()}; found "
                f"{len(places)}: {'; '.join(places)}. Nothing was removed. Give the "
                "folder of one of them, or ",
                Way(
                    "run `semst cache clear --yes` for all that is kept.",
                    "no model, to remove all that is kept.",
                    "remove all that is kept.",
                ),
            )
        )
    return chosen


def _place_of(entry: CacheEntry) -> str:
    """Return where a model is: its folder, its server, or its name at the hub."""
    identity = str(entry.about.get("identity", ""))
    if identity.startswith("server "):
        return identity
    return str(entry.about.get("path") or entry.about.get("model", "unknown"))
