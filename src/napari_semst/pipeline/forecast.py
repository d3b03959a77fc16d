"""How long a run will take and how much memory it needs, told before it starts.

The figures are those of docs/benchmarks.md brought to the size of the section and, by a
short measurement, to the speed of the machine.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from napari_semst.core.chunks import FITTED_SPOTS, spots_at_once
from napari_semst.core.memory import GIB, free_memory, held_memory
from napari_semst.core.progress import duration_in_words
from napari_semst.errors import ConfigError
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from napari_semst.config import Config

# Seconds on the machine of docs/benchmarks.md, of which `_probe` took `_PROBE_SECONDS`.
_PROBE_SECONDS = 3.9e-3
_START_SECONDS = 3.0  # imports, the gene table
_COUNT_SECONDS = 3.3e-7  # each stored count: read, scaled, ranked, saved
_SPOT_SECONDS = 1.0e-4  # each spot: graphs, semantics, neighbours, assignment
_FIT_SECONDS = 4.0e-4  # each spot that mixtures are fitted to, at 12 starts
_PATCH_SECONDS = 5.0e-3  # each spot whose patches are cut, and measured
# Each spot whose patches a network of 90 million weights reads; on GPUs it is a guess.
_NETWORK_SECONDS, _NETWORK_GPU_SECONDS = 0.6, 5.0e-3
# Above the spots that mixtures are fitted to: what searches by pieces hold, and chunks
# that are passed through.
_LARGE_BYTES, _CHUNK_BYTES = 0.22 * GIB, 2000.0
_SEMANTIC_WIDTH = 256


class _Held(NamedTuple):
    """Bytes: what is imported, each spot besides its semantic vector, each count."""

    base: float
    spot: float
    # `count` is a method of tuples.
    value: float


_TRAINED = _Held(0.7 * GIB, spot=1900.0, value=20.0)
# Of methods that look through counts some spots at a time.
_TRAINED_BY_ROWS = _Held(0.7 * GIB, spot=2300.0, value=9.0)
_BY_ROWS = _Held(0.36 * GIB, spot=1200.0, value=9.0)
# Each feature of a spot's image is held about four times; blocks of patches besides.
_FEATURE_BYTES, _BLOCK_BYTES = 16.0, 0.4 * GIB
_BUILTIN_FEATURES, _NETWORK_FEATURES = 90, 2560
# With more of the free memory than this a run is likely to end without a result.
_SAFE_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will need.

    Parameters
    ----------
    seconds
        From file to domains on this machine, within a factor of about two.
    memory
        Bytes held at most.
    free
        Bytes of memory that are free now.
    """

    seconds: float
    memory: float
    free: float

    def __str__(self) -> str:
        return (
            f"about {duration_in_words(self.seconds)}, "
            f"{self.memory / GIB:.1f} GiB of memory ({self.free / GIB:.1f} GiB free)"
        )


def forecast(
    n_spots: int, n_genes: int, n_counts: int, config: Config, *, on_disk: bool = False
) -> Forecast:
    """Return what a run on this machine will need; ``n_counts`` are not zero.

    Parameters
    ----------
    on_disk
        As for `memory_needed`.
    """
    relative = _probe() / _PROBE_SECONDS
    seconds = relative * _seconds(
        n_spots, min(n_genes, config.prepare.n_top_genes), config
    )
    seconds += relative * n_counts * _COUNT_SECONDS
    memory = memory_needed(n_spots, n_counts, config, on_disk=on_disk)
    return Forecast(seconds, memory, free_memory())


def memory_needed(
    n_spots: int,
    n_counts: int,
    config: Config,
    semantic_width: int = _SEMANTIC_WIDTH,
    *,
    on_disk: bool = False,
) -> float:
    """Return the bytes that a run holds at most.

    Parameters
    ----------
    semantic_width
        Numbers of a spot's semantic vector; the built-in table's unless given.
    on_disk
        Whether counts stay in their file for methods that read them by rows.
    """
    from napari_semst.methods.spec import method_spec
    from napari_semst.pipeline.spot_semantics import vectors_are_made

    allowed = config.training.max_memory * GIB
    spec, each = method_spec(config.model.method), _TRAINED
    if spec.counts_by_rows(config):
        each = _TRAINED_BY_ROWS if spec.networks != "none" else _BY_ROWS
        n_counts = 0 if on_disk else n_counts
    memory = each.base + n_counts * each.value + n_spots * each.spot
    if n_spots > FITTED_SPOTS:
        at_once = min(n_spots, spots_at_once(allowed=allowed))
        memory += _LARGE_BYTES + at_once * _CHUNK_BYTES
    if vectors_are_made(n_spots, config):
        memory += n_spots * 4.0 * config.semantics.n_genes
    elif config.semantics.source != "none":
        copies = 1 + (spec.smooths_semantics and config.semantics.smoothing_rounds != 0)
        memory += copies * n_spots * 4.0 * semantic_width
    memory += spec.training_bytes(config, n_spots)
    return memory + _image_bytes(n_spots, config.morphology.encoder)


def refuse_beyond_limit(
    n_spots: int,
    n_counts: int,
    config: Config,
    semantic_width: int = _SEMANTIC_WIDTH,
    *,
    settled: bool = False,
    on_disk: bool = False,
) -> None:
    """Refuse a run that needs more memory than the user allows, in whatever pieces.

    Parameters
    ----------
    settled
        Whether semantics and images are not the user's to choose, as with a model.
    on_disk
        As for `memory_needed`.

    Raises
    ------
    ConfigError
        With what it would need.
    """
    allowed = config.training.max_memory * GIB
    needed = memory_needed(n_spots, n_counts, config, semantic_width, on_disk=on_disk)
    if not allowed or needed <= allowed:
        return
    raise ConfigError(
        Worded(
            f"Expected a run that needs at most {allowed / GIB:.2g} GiB of memory; "
            f"{n_spots:,} spots with {n_counts:,} counts need about "
            f"{needed / GIB:.1f} GiB, in small pieces too. ",
            Way(
                f"Allow --max-memory {_rounded_up(needed)}",
                f"Set training.max_memory to {_rounded_up(needed)}",
                f"Allow {_rounded_up(needed)} GiB",
            ),
            ", open fewer spots or genes",
            *([] if settled else _what_takes_less(config)),
            ".",
        )
    )


def _rounded_up(n_bytes: float) -> str:
    """Return GiB that are enough: what is proposed is not refused again."""
    return f"{math.ceil(10 * n_bytes / GIB) / 10:.1f}"


def _what_takes_less(config: Config) -> list[str | Way]:
    """Return what of these settings can be left out, as ends of a sentence."""
    ways: list[str | Way] = []
    if config.semantics.source != "none":
        ways.append(
            Way(
                ", leave out semantics (--semantics none)",
                ", leave out semantics (semantics.source 'none')",
                ", leave out semantics",
            )
        )
    if config.morphology.encoder != "none":
        ways.append(
            Way(
                ", leave out images (--image-encoder none)",
                ", leave out images (morphology.encoder 'none')",
                ", leave out images",
            )
        )
    return ways


def _image_bytes(n_spots: int, encoder: str) -> float:
    if encoder == "none":
        return 0.0
    network = encoder.startswith(("hf:", "timm:"))
    width = _NETWORK_FEATURES if network else _BUILTIN_FEATURES
    return n_spots * width * _FEATURE_BYTES + _BLOCK_BYTES


def _image_seconds(n_spots: int, config: Config) -> float:
    """Return what reading images takes, where nothing of it is in the cache."""
    encoder = config.morphology.encoder
    if encoder == "builtin":
        return n_spots * _PATCH_SECONDS
    if not encoder.startswith(("hf:", "timm:")):
        return 0.0
    from napari_semst.core.device import choose_device
    from napari_semst.errors import DeviceError

    try:
        gpu = choose_device(config.training.device).name.startswith("cuda")
    except DeviceError:  # told of by the run itself
        gpu = False
    return n_spots * (_NETWORK_GPU_SECONDS if gpu else _NETWORK_SECONDS)


def memory_warning(
    n_spots: int,
    n_counts: int,
    config: Config,
    semantic_width: int = _SEMANTIC_WIDTH,
    *,
    on_disk: bool = False,
) -> str | None:
    """Return what to do where the memory that is free may not do, else `None`."""
    needed = memory_needed(n_spots, n_counts, config, semantic_width, on_disk=on_disk)
    free = free_memory()
    # What was read and imported is held already.
    if needed - held_memory() <= _SAFE_SHARE * free:
        return None
    return Worded(
        f"This run may need {needed / GIB:.1f} GiB of memory; {free / GIB:.1f} GiB "
        "were free when it began. Close other programs, open fewer spots or genes",
        *_what_takes_less(config),
        ".",
    )


def _seconds(n_spots: int, n_genes: int, config: Config) -> float:
    """Return what depends on spots, on the machine of the benchmarks."""
    from napari_semst.methods.spec import method_spec

    seconds = _START_SECONDS + n_spots * _SPOT_SECONDS
    seconds += _image_seconds(n_spots, config)
    if config.domains.readout == "consensus":
        starts = config.domains.n_starts / 12
        seconds += min(n_spots, FITTED_SPOTS) * _FIT_SECONDS * starts
    spec = method_spec(config.model.method)
    return seconds + spec.training_seconds(config, n_spots, n_genes)


def _probe() -> float:
    """Return how long a fixed piece of work takes here: the kinds a run is made of."""
    import numpy as np
    from scipy import sparse
    from threadpoolctl import threadpool_limits

    random = np.random.default_rng(0)
    dense = random.random((2000, 64), dtype=np.float32)
    columns = random.integers(2000, size=(2000, 16))
    pointers = np.arange(0, columns.size + 1, 16)
    graph = sparse.csr_matrix(
        (np.ones(columns.size, np.float32), columns.ravel(), pointers), (2000, 2000)
    )
    taken = []
    # One thread, the best of several: what else runs now is not the machine's speed.
    with threadpool_limits(limits=1):
        for _ in range(9):
            start = time.perf_counter()
            for _ in range(4):
                np.log1p(graph @ dense).T @ dense
            taken.append(time.perf_counter() - start)
    return min(taken)
