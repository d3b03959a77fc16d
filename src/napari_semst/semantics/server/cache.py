"""What a server said of texts, kept for later runs while the same model answers.

An address says nothing of the model behind it. So the vector of one text, the probe's,
is kept beside all others, and compared with what the server says of it today.
"""

from __future__ import annotations

import hashlib
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.cache.shards import NAME
from napari_semst.cache.vectors import VectorCache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_semst.semantics.server.client import Probe

# One model differs from run to run by rounding (bfloat16, batches), by less than this.
_LEAST_COSINE = 0.999
_MOST_STRETCHED = 0.01
# Few enough that little is asked again after a run was killed.
_SHARD_TEXTS = 512


def cache_key(text: str) -> bytes:
    """Return 16 bytes that name a text among all others."""
    return hashlib.sha256(text.encode()).digest()[:16]


class ServerCache:
    """The vectors of one model behind one address.

    Parameters
    ----------
    found
        What the server answered to the probe.
    asked
        The model that was asked for.
    probe, vector
        The probe's text and today's vector of it, ``(n_dimensions,)``.
    """

    def __init__(
        self, found: Probe, asked: str, probe: str, vector: NDArray[np.float32]
    ) -> None:
        self._probe = cache_key(probe)
        self._vector = np.asarray(vector, np.float32)
        self.told: list[str] = []
        self._known = False
        for number in count():
            self._cache = VectorCache(
                {
                    "identity": f"server {found.url}",
                    "asked": asked,
                    "model": found.model,
                    "dimension": found.dimension,
                    "number": number,
                },
                {"revision": found.host, "pooling": "server's", "dtype": "float32"},
            )
            before = self._cache.first(np.frombuffer(self._probe, NAME))
            if before is None:
                break
            if same_model(before, self._vector):
                self._known = True
                return
        if number:
            self.told = [
                f"{found.host} says something else of the same text than it said "
                "before: another model, or another setting. What was kept of it is "
                "not used."
            ]

    @property
    def warnings(self) -> list[str]:
        """Sentences for users."""
        return [*self.told, *self._cache.warnings]

    def read(self, keys: Sequence[bytes]) -> tuple[NDArray[np.float32], list[int]]:
        """Return the vectors that are here, and the positions of their keys."""
        return _read(self._cache, keys)

    def write(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep vectors, and before the first what identifies their model."""
        if not self._known:
            # Alone in its file, so that later runs need not read the others.
            _write(self._cache, [self._probe], self._vector[None])
            self._known = True
        _write(self._cache, keys, vectors)


class VectorCollector:
    """The vectors of texts, some known, the others as they come in.

    Parameters
    ----------
    texts
        Each of them once.
    width
        Numbers of a vector.
    cache
        Knows some, and keeps the others; `None` for no cache.
    told
        Called with the number of texts done.
    """

    def __init__(
        self,
        texts: Sequence[str],
        width: int,
        cache: ServerCache | None,
        told: Callable[[int], None],
    ) -> None:
        self.vectors = np.empty((len(texts), width), dtype=np.float32)
        self._keys = [cache_key(text) for text in texts] if cache is not None else []
        self._cache, self._told = cache, told
        self.missing = np.arange(len(texts))
        if cache is not None:
            known, places = cache.read(self._keys)
            if places:
                self.vectors[places] = known
                self.missing = np.delete(self.missing, places)
                told(len(places))
        self.n_known = self._done = len(texts) - len(self.missing)
        self._waiting: list[int] = []

    def put(self, start: int, vectors: NDArray[np.float32]) -> None:
        """Take in the vectors of the missing texts from `start` on."""
        places = self.missing[start : start + len(vectors)]
        self.vectors[places] = vectors
        self._done += len(places)
        self._waiting += places.tolist()
        if len(self._waiting) >= _SHARD_TEXTS:
            self.flush()
        self._told(self._done)

    def flush(self) -> None:
        """Keep what has come in since the last time."""
        if self._cache is not None and self._waiting:
            keys = [self._keys[index] for index in self._waiting]
            self._cache.write(keys, self.vectors[self._waiting])
        self._waiting = []


def same_model(before: NDArray[np.float32], now: NDArray[np.float32]) -> bool:
    """Return whether two vectors of a text are one model's, but for rounding."""
    one, other = before.astype(np.float64), now.astype(np.float64)
    lengths = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    cosine = float(one @ other) / max(lengths[0] * lengths[1], 1e-300)
    stretched = abs(lengths[0] - lengths[1]) / max(*lengths, 1e-300)
    return cosine >= _LEAST_COSINE and stretched <= _MOST_STRETCHED


def _read(
    cache: VectorCache, keys: Sequence[bytes]
) -> tuple[NDArray[np.float32], list[int]]:
    """Return the vectors that a cache has, and the positions of their keys."""
    order = sorted(range(len(keys)), key=keys.__getitem__)
    names = np.frombuffer(b"".join(keys[place] for place in order), NAME)
    parts: list[NDArray[np.float32]] = [np.zeros((0, 0), np.float32)]
    places: list[int] = []
    for at, vectors in cache.read(names):
        parts.append(vectors)
        places += [order[one] for one in at.tolist()]
    return np.concatenate(parts[1:] or parts), places


def _write(
    cache: VectorCache, keys: Sequence[bytes], vectors: NDArray[np.float32]
) -> None:
    cache.write(np.frombuffer(b"".join(keys), NAME), vectors)
