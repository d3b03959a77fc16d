"""How a training went."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class TrainingRecord:
    """How training went.

    Parameters
    ----------
    losses
        Name of each weighted term, and ``loss`` for their sum, to one value per
        epoch.
    stopped_early
        Whether the user ended training before the last epoch.
    resumed_after
        Epochs that an earlier process had done.
    """

    losses: dict[str, list[float]] = field(default_factory=dict)
    stopped_early: bool = False
    resumed_after: int = 0

    @property
    def epochs(self) -> int:
        """The number of epochs done."""
        return len(self.losses.get("loss", ()))

    def add(self, values: dict[str, float]) -> None:
        """Append one epoch's values."""
        for name, value in values.items():
            self.losses.setdefault(name, []).append(value)
