"""How many spots a training step reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_semst.config import TrainingConfig


# Up to this many spots a step reads the whole section; above, a sample of them.
WHOLE_SPOTS = 20_000


BATCH_SPOTS = 4096


def batch_spots(config: TrainingConfig, n_spots: int) -> int:
    """Return how many spots a step reads, 0 for all.

    Parameters
    ----------
    config
        ``batch_spots`` is read: -1 chooses by the size of the section.
    n_spots
        Size of the section.
    """
    if config.batch_spots >= 0:
        return config.batch_spots if config.batch_spots < n_spots else 0
    return BATCH_SPOTS if n_spots > WHOLE_SPOTS else 0
