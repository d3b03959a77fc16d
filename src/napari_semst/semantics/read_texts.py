"""Vectors of many texts: from the cache where they are there, else from the model.

Texts are read in an order of their own (by length, then by name), and kept in shards of
whole batches. What was cut off half-way goes on at the next shard, and every batch that
is still to be read is the one that would have been read.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.semantics.encoder import Encoder, Reading
from napari_semst.semantics.model_files import Located, check_weights, download
from napari_semst.semantics.protocol import (
    CancelCheck,
    ProgressCallback,
    check_cancelled,
)
from napari_semst.semantics.vector_cache import VectorCache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_semst.semantics.prompts import Passage
    from napari_semst.semantics.tokens import Tokens

    Say = Callable[[str], None]

# Few enough that little is lost when a run is killed, and files do not become many.
_SHARD_BATCHES = 4
_SAY_SECONDS = 1.0
# The first batch starts kernels and allocators; time is told from the second on.
_BATCHES_BEFORE_FORECAST = 2


@dataclass(frozen=True, slots=True)
class Listeners:
    """Whom to tell, and whom to ask.

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
        """Say something, if anybody listens."""
        if self.say is not None:
            self.say(sentence)


@dataclass(frozen=True, slots=True)
class Texts:
    """Vectors of texts and how they came about.

    Parameters
    ----------
    vectors
        Shape ``(n_texts, n_dimensions)``, float32.
    notes
        Plain values for the record of a run.
    warnings
        Sentences for users.
    """

    vectors: NDArray[np.float32]
    notes: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def read_texts(
    passages: Sequence[Passage], model: Located, reading: Reading, to: Listeners
) -> Texts:
    """Return one vector per text; the model is loaded only if one is not in the cache.

    Parameters
    ----------
    passages
        Texts of one template, at least one.
    model
        The model that reads them.
    reading
        How it reads.
    to
        Whom to tell of progress.

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
    first: dict[bytes, int] = {}
    place = np.array(
        [first.setdefault(passage.key, len(first)) for passage in passages]
    )
    keys = list(first)
    cache = VectorCache(
        {
            "identity": model.identity,
            "pooling": reading.pooling,
            "dtype": reading.dtype,
        },
        {"model": model.name, "revision": model.revision},
    )
    known, places = cache.read(keys)
    found = _Vectors(len(keys), to)
    found.put(places, known)
    missing = sorted(set(range(len(keys))) - set(places))
    notes: dict[str, Any] = {
        "texts": len(keys),
        "from_cache": len(places),
        "dtype": reading.dtype,
    }
    if missing:
        last = {passage.key: passage for passage in passages}
        wanted = [last[keys[one]] for one in missing]
        notes |= _read(wanted, missing, found, cache, model, reading, to)
    assert found.array is not None
    return Texts(found.array[place], notes, cache.warnings)


class _Vectors:
    """The vectors found so far; how wide they are is known with the first."""

    def __init__(self, n_texts: int, to: Listeners) -> None:
        self.array: NDArray[np.float32] | None = None
        self._n_texts, self._done, self._to = n_texts, 0, to

    def put(self, places: Sequence[int], vectors: NDArray[np.float32]) -> None:
        if not len(places):
            return
        if self.array is None:
            shape = (self._n_texts, vectors.shape[1])
            self.array = np.zeros(shape, dtype=np.float32)
        self.array[places] = vectors
        self._done += len(places)
        if self._to.progress is not None:
            self._to.progress(self._done, self._n_texts)


def _read(
    passages: list[Passage],
    places: list[int],
    found: _Vectors,
    cache: VectorCache,
    model: Located,
    reading: Reading,
    to: Listeners,
) -> dict[str, Any]:
    """Read what is missing, shard by shard; return notes on how."""
    folder = model.folder or download(model.name, model.revision, to.say)
    check_weights(folder, model.name)
    to.tell(f"Loading {model.name} on {reading.device}")
    with Encoder(folder, model.name, reading, say=to.say) as encoder:
        tokens = encoder.tokens(passages)
        keys = [passage.key for passage in passages]
        batches = _plan(encoder, tokens, keys)
        work = [encoder.rows(w) * w for w, _ in batches]
        n_tokens = sum(len(one.ids) for one in tokens)
        to.tell(
            f"{model.name} reads {len(passages):,} distinct texts "
            f"({n_tokens:,} tokens) on {reading.device}"
        )
        pace = _Pace(model.name, len(passages), sum(work))
        for start, stop in _shards([width for width, _ in batches]):
            parts: list[NDArray[np.float32]] = []
            read: list[bytes] = []
            try:
                for number in range(start, stop):
                    check_cancelled(to.cancelled)
                    own = batches[number][1]
                    parts.append(encoder.vectors([tokens[one] for one in own]))
                    read += [keys[one] for one in own]
                    found.put([places[one] for one in own], parts[-1])
                    if sentence := pace.done(len(own), work[number]):
                        to.tell(sentence)
            finally:
                # Whole batches, so that those to come stay as they are.
                if parts:
                    cache.write(read, np.concatenate(parts))
        return {"tokens": n_tokens, **encoder.notes}


def _plan(
    encoder: Encoder, tokens: list[Tokens], keys: list[bytes]
) -> list[tuple[int, list[int]]]:
    """Return batches: a width, and the positions of the texts read together."""
    by_width: dict[int, list[int]] = defaultdict(list)
    for position, one in enumerate(tokens):
        by_width[encoder.width(one)].append(position)
    batches = []
    for width in sorted(by_width):
        own = sorted(by_width[width], key=lambda position: keys[position])
        rows = encoder.rows(width)
        batches += [(width, own[i : i + rows]) for i in range(0, len(own), rows)]
    return batches


def _shards(widths: list[int]) -> list[tuple[int, int]]:
    """Return runs of batches, a few each and never of two widths."""
    bounds = [0]
    for number in range(1, len(widths) + 1):
        ends = number == len(widths) or widths[number] != widths[number - 1]
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
            f"{rate:,.0f} tokens a second; about {_duration(left)} left"
        )


def _duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
