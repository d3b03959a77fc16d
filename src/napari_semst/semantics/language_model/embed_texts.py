"""Vectors of many texts: from the cache where they are there, else from the model.

Texts are read in an order of their own (by length, then by name), and kept in shards of
whole batches. What was cut off half-way goes on at the next shard, and every batch that
is still to be read is the one that would have been read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.cache.shards import NAME
from napari_semst.cache.vectors import VectorCache
from napari_semst.core.progress import duration_in_words
from napari_semst.models.hub import LocatedModel, check_weights, download_model
from napari_semst.semantics.base import (
    CancelCheck,
    ProgressCallback,
    check_cancelled,
)
from napari_semst.semantics.language_model.encoder import EncoderSettings, TextEncoder
from napari_semst.semantics.language_model.token_arrays import TEXTS_PER_BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_semst.semantics.language_model.prompts import Passage
    from napari_semst.semantics.language_model.token_arrays import TokenStore

    Say = Callable[[str], None]

# Little is lost when a run is killed, and files do not become many: at most so many
# batches, and where these are slow so many seconds.
_SHARD_BATCHES, _SHARD_SECONDS = 4, 30.0
_SAY_SECONDS = 1.0
# Shards of the cache between two events of progress.
_TELL_SHARDS = 64
# The first batch starts kernels and allocators; time is measured from the second on.
_BATCHES_BEFORE_FORECAST = 2


@dataclass(frozen=True, slots=True)
class EmbedCallbacks:
    """Callbacks for progress, cancelling and messages.

    Parameters
    ----------
    progress
        Called with (texts done, texts in all).
    cancelled
        Asked between batches.
    say
        Called with sentences for users.
    """

    progress: ProgressCallback | None = None
    cancelled: CancelCheck | None = None
    say: Say | None = None

    def tell(self, sentence: str) -> None:
        """Pass a sentence on to the user, if there is a callback for it."""
        if self.say is not None:
            self.say(sentence)


@dataclass(frozen=True, slots=True)
class TextEmbeddings:
    """Vectors of texts and how they came about.

    Parameters
    ----------
    vectors
        Shape ``(n_rows, n_dimensions)``, float32; zero where a row has no text.
    notes
        Plain values for the record of a run.
    warnings
        Sentences for users.
    """

    vectors: NDArray[np.float32]
    notes: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def embed_texts(
    passages: Sequence[Passage],
    model: LocatedModel,
    reading: EncoderSettings,
    to: EmbedCallbacks,
    place: NDArray[np.int64] | None = None,
) -> TextEmbeddings:
    """Return one vector per row; the model is loaded only if one is not in the cache.

    Parameters
    ----------
    passages
        Texts of one template, at least one.
    place
        Which text each row has, ``-1`` for none; one row per text if None.

    Raises
    ------
    SemanticsError
        If the model cannot be had, or cannot read the texts.
    DeviceError
        If memory does not do.
    Cancelled
        If the user asked for it; what was read is kept for the next run.
    """
    check_cancelled(to.cancelled)
    if place is None:
        place = np.arange(len(passages))
    # By name, and so are all positions below: order of texts does not count.
    names, first, same = np.unique(
        _names(passages, to), return_index=True, return_inverse=True
    )
    found = _Vectors(len(names), np.where(place < 0, -1, same[place]), to)
    cache = _cache_of(model, reading)
    for number, (places, vectors) in enumerate(cache.read(names)):
        check_cancelled(to.cancelled)
        found.put(places, vectors)
        if number % _TELL_SHARDS == 0:
            found.tell()
    missing = np.flatnonzero(~found.known)
    notes: dict[str, Any] = {
        "texts": len(names),
        "from_cache": len(names) - len(missing),
        "dtype": reading.dtype,
    }
    if len(missing):
        wanted = _Wanted(_Some(passages, first[missing]), names[missing], missing)
        notes |= _read(wanted, found, cache, model, reading, to)
    found.tell()
    assert found.array is not None
    return TextEmbeddings(found.array, notes, cache.warnings)


def _cache_of(model: LocatedModel, reading: EncoderSettings) -> VectorCache:
    """Return the cache of what a model makes of texts that are read so."""
    about = {
        "identity": model.identity,
        "pooling": reading.pooling,
        "dtype": reading.dtype,
    }
    shown = {"model": model.name, "revision": model.revision, "path": model.path}
    return VectorCache(about, shown)


def _names(passages: Sequence[Passage], to: EmbedCallbacks) -> NDArray[np.void]:
    """Return the names of texts, 16 bytes each."""
    names = np.empty(len(passages), dtype=NAME)
    for start in range(0, len(passages), TEXTS_PER_BLOCK):
        check_cancelled(to.cancelled)
        stop = min(start + TEXTS_PER_BLOCK, len(passages))
        keys = b"".join([passages[number].key for number in range(start, stop)])
        names[start:stop] = np.frombuffer(keys, dtype=NAME)
    return names


class _Some(Sequence["Passage"]):
    """Some of many texts, without a copy of them."""

    def __init__(self, passages: Sequence[Passage], chosen: NDArray[np.int64]) -> None:
        self._passages, self._chosen = passages, chosen

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, position: Any) -> Any:
        return self._passages[int(self._chosen[position])]


class _Wanted(NamedTuple):
    """Texts that are to be read: themselves, their names, and where they belong."""

    passages: Sequence[Passage]
    names: NDArray[np.void]
    places: NDArray[np.int64]


class _Vectors:
    """The vectors found so far, in one array; its width is known with the first."""

    def __init__(
        self, n_texts: int, place: NDArray[np.int64], to: EmbedCallbacks
    ) -> None:
        self.array: NDArray[np.float32] | None = None
        self.known = np.zeros(n_texts, dtype=bool)
        self._n_rows, self._done, self._to = len(place), 0, to
        # The rows of each text, one text after the other.
        self._rows = np.argsort(place, kind="stable")
        self._starts = np.searchsorted(place[self._rows], np.arange(n_texts + 1))

    def put(self, places: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Write the vectors of texts into all rows that have them."""
        if self.array is None:
            shape = (self._n_rows, vectors.shape[1])
            self.array = np.zeros(shape, dtype=np.float32)
        starts = self._starts[places]
        counts = self._starts[places + 1] - starts
        text = np.repeat(np.arange(len(places)), counts)
        ends = np.cumsum(counts)
        within = np.arange(len(text)) - (ends - counts)[text]
        self.array[self._rows[starts[text] + within]] = vectors[text]
        self.known[places] = True
        self._done += len(places)

    def tell(self) -> None:
        if self._to.progress is not None:
            self._to.progress(self._done, len(self.known))


def _read(
    wanted: _Wanted,
    found: _Vectors,
    cache: VectorCache,
    model: LocatedModel,
    reading: EncoderSettings,
    to: EmbedCallbacks,
) -> dict[str, Any]:
    """Read what is missing, shard by shard; return notes on how."""
    folder = model.folder or download_model(model.name, model.revision, to.say)
    check_weights(folder, model.name)
    to.tell(f"Loading {model.name} on {reading.device}")
    n_texts = len(wanted.places)
    with TextEncoder(folder, model.name, reading, say=to.say) as encoder:
        tokens = encoder.tokens(
            wanted.passages, between=lambda: check_cancelled(to.cancelled)
        )
        batches = plan_batches(encoder, tokens)
        work = [encoder.rows(one.width) * one.width for one in batches]
        n_tokens = int((tokens.lengths + tokens.shared).sum())
        to.tell(
            f"{model.name} reads {n_texts:,} distinct texts "
            f"({n_tokens:,} tokens) on {reading.device}"
        )
        pace = _Pace(model.name, n_texts, sum(work))
        for start, stop in _shards(batches):
            keeping = _Keeping(cache)
            try:
                for number in range(start, stop):
                    check_cancelled(to.cancelled)
                    own = batches[number].texts
                    vectors = encoder.vectors([tokens[one] for one in own])
                    keeping.add(wanted.names[own], vectors)
                    found.put(wanted.places[own], vectors)
                    found.tell()
                    if sentence := pace.done(len(own), work[number]):
                        to.tell(sentence)
            finally:
                keeping.flush()
        return {"tokens": n_tokens, **encoder.notes}


class _Keeping:
    """Whole batches on their way to the cache, so that those to come stay the same."""

    def __init__(self, cache: VectorCache) -> None:
        self._cache, self._since = cache, time.monotonic()
        self._names: list[NDArray[np.void]] = []
        self._vectors: list[NDArray[np.float32]] = []

    def add(self, names: NDArray[np.void], vectors: NDArray[np.float32]) -> None:
        """Take a batch, and keep what is there once it has waited long."""
        self._names.append(names)
        self._vectors.append(vectors)
        if time.monotonic() - self._since >= _SHARD_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._names:
            names, vectors = np.concatenate(self._names), np.concatenate(self._vectors)
            self._names, self._vectors = [], []
            self._cache.write(names, vectors)
        self._since = time.monotonic()


class TextBatch(NamedTuple):
    """Texts that are read together.

    Parameters
    ----------
    width
        Tokens of each that are run.
    begins
        Whether what all texts begin with is taken from what is kept.
    texts
        Positions of the texts.
    """

    width: int
    begins: bool
    texts: NDArray[np.int64]


def plan_batches(encoder: TextEncoder, tokens: TokenStore) -> list[TextBatch]:
    """Return the batches in which texts are read: by shape, then by position."""
    widths, begins = encoder.shapes(tokens)
    shapes = 2 * widths + begins
    order = np.argsort(shapes, kind="stable")
    kinds, starts = np.unique(shapes[order], return_index=True)
    batches = []
    for shape, start, stop in zip(
        kinds.tolist(), starts, [*starts[1:], len(order)], strict=True
    ):
        width, kind = divmod(shape, 2)
        rows = encoder.rows(width)
        batches += [
            TextBatch(width, bool(kind), order[at : min(at + rows, stop)])
            for at in range(start, stop, rows)
        ]
    return batches


def _shards(batches: Sequence[TextBatch]) -> list[tuple[int, int]]:
    """Return runs of batches, a few each and never of two shapes."""
    bounds = [0]
    for number in range(1, len(batches) + 1):
        ends = number == len(batches) or batches[number][:2] != batches[number - 1][:2]
        if ends or number - bounds[-1] == _SHARD_BATCHES:
            bounds.append(number)
    return list(pairwise(bounds))


class _Pace:
    """How fast texts are read, and how long it will take."""

    def __init__(self, name: str, n_texts: int, work: int) -> None:
        self._name, self._n_texts, self._work = name, n_texts, work
        self._read = self._worked = self._batches = self._counted = 0
        self._began = self._said = 0.0

    def done(self, n_texts: int, work: int) -> str:
        """Return a sentence once in a while, else nothing."""
        now = time.monotonic()
        self._read += n_texts
        self._worked += work
        self._batches += 1
        if self._batches < _BATCHES_BEFORE_FORECAST:
            self._began, self._counted = now, self._worked
            return ""
        if self._batches > _BATCHES_BEFORE_FORECAST and (
            now - self._said < _SAY_SECONDS or self._worked == self._work
        ):
            return ""
        self._said = now
        rate = (self._worked - self._counted) / max(now - self._began, 1e-9)
        left = (self._work - self._worked) / rate
        return (
            f"{self._name} read {self._read:,} of {self._n_texts:,} distinct texts, "
            f"{rate:,.0f} tokens a second; about {duration_in_words(left)} left"
        )
