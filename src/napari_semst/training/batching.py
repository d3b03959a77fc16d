"""How many spots a training step reads, and fewer where the GPU's memory ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    import torch

    from napari_semst.config import TrainingConfig
    from napari_semst.core.progress import Progress
    from napari_semst.training.record import TrainingRecord

Objective = TypeVar("Objective")

# Up to this many spots a step reads the whole section; above, a sample of them.
WHOLE_SPOTS = 20_000
BATCH_SPOTS = 4096


def batch_spots(config: TrainingConfig, n_spots: int) -> int:
    """Return how many spots a step reads, 0 for all.

    Parameters
    ----------
    config
        ``batch_spots`` is read: -1 chooses by the size of the section.
    """
    if config.batch_spots >= 0:
        return config.batch_spots if config.batch_spots < n_spots else 0
    return BATCH_SPOTS if n_spots > WHOLE_SPOTS else 0


class StepSize(NamedTuple):
    """What a training step reads.

    Parameters
    ----------
    n_spots
        Spots drawn anew for each step; 0 for all.
    n_parts
        In how many parts they are computed, one after the other; `None` for methods
        that know no parts.
    """

    n_spots: int
    n_parts: int | None = None

    def __str__(self) -> str:
        if not self.n_spots:
            return "all spots"
        parts = "" if self.n_parts is None else f" in {self.n_parts} parts"
        return f"{self.n_spots:,} spots drawn anew{parts}, with all their neighbours"


def train_within_memory(
    sizes: Sequence[StepSize],
    build: Callable[[StepSize], Objective],
    train: Callable[[Objective, StepSize], Generator[Progress, None, TrainingRecord]],
    seed: int,
    device: torch.device,
) -> Generator[Progress, None, tuple[Objective, TrainingRecord, str]]:
    """Train, with smaller steps where the GPU's memory ends, and say so.

    Parameters
    ----------
    sizes
        Of a step: the one wanted, then ever smaller ones.
    build
        Makes what is trained, its weights drawn from the seed.

    Returns
    -------
    tuple
        What was trained, its losses, and what a step read, in words.

    Raises
    ------
    torch.OutOfMemoryError
        If even the smallest step does not fit.
    """
    import torch

    for size in sizes:
        objective: Objective | None = None
        try:
            devices = [device] if device.type == "cuda" else []
            with torch.random.fork_rng(devices=devices):
                torch.manual_seed(seed)
                objective = build(size)
            record = yield from train(objective, size)
            if size == sizes[0] or not size.n_spots:
                return objective, record, str(size)
            why = "; larger steps did not fit into the GPU's memory"
            return objective, record, str(size) + why
        except torch.OutOfMemoryError:
            if size == sizes[-1]:
                raise
        # Its memory is to be free before the next attempt.
        del objective
        torch.cuda.empty_cache()
    raise AssertionError("the last attempt returns or raises")
