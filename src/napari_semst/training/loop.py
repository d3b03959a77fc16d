"""Full-batch training as a generator of progress, with cancel and early stop."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from napari_semst.errors import TrainingError
from napari_semst.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import torch
    from torch import Tensor

    from napari_semst.config import TrainingConfig
    from napari_semst.progress import RunControl


class Trainable(Protocol):
    """What the loop trains: parameters, and weighted loss terms of one step."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what is learnt, as the groups of an optimizer."""
        ...

    @property
    def n_parts(self) -> int:
        """In how many parts the spots of a step come."""
        ...

    def step_losses(self, epoch: int, part: int) -> dict[str, Tensor]:
        """Return the weighted loss terms of one part of a step.

        Their sum, averaged over parts, is minimised.
        """
        ...


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
    """

    losses: dict[str, list[float]] = field(default_factory=dict)
    stopped_early: bool = False

    @property
    def epochs(self) -> int:
        """The number of epochs done."""
        return len(self.losses.get("loss", ()))

    def add(self, values: dict[str, float]) -> None:
        """Append one epoch's values."""
        for name, value in values.items():
            self.losses.setdefault(name, []).append(value)


def train(
    model: Trainable, config: TrainingConfig, control: RunControl
) -> Generator[Progress, None, TrainingRecord]:
    """Train with Adam for a fixed number of epochs, or until told to stop.

    No annotation and no best epoch: the state after the last epoch is the result.

    Raises
    ------
    TrainingError
        If the loss is no longer a number.
    Cancelled
        If the run is cancelled.
    """
    import torch

    optimizer = torch.optim.Adam(
        model.parameter_groups(),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    slowing = _schedule(optimizer, config)
    record = TrainingRecord()
    for epoch in range(config.epochs):
        control.check()
        if control.stopping:
            record.stopped_early = True
            break
        with _tiny_numbers_as_zero():
            values = _step(model, optimizer, epoch)
            slowing.step()
        record.add(values)
        if not math.isfinite(values["loss"]):
            raise TrainingError(
                f"Expected a finite loss; at epoch {epoch + 1} it is {values['loss']}. "
                "Lower the learning rate, or check the counts for extreme values."
            )
        yield Progress("train", epoch + 1, config.epochs, "", values)
    return record


def _schedule(
    optimizer: torch.optim.Optimizer, config: TrainingConfig
) -> torch.optim.lr_scheduler.LRScheduler:
    from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR

    if config.schedule == "constant":
        return ConstantLR(optimizer, factor=1.0)
    least = config.learning_rate / 20
    return CosineAnnealingLR(optimizer, config.epochs, eta_min=least)


@contextmanager
def _tiny_numbers_as_zero() -> Iterator[None]:
    """Flush numbers below the smallest normal one to 0 on this thread.

    Weight decay takes unused weights there, and many processors then compute a hundred
    times slower. Outside a step the thread is the caller's, as it was.
    """
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _step(
    model: Trainable, optimizer: torch.optim.Optimizer, epoch: int
) -> dict[str, float]:
    """Do one step; gradients and values are added up part by part."""
    optimizer.zero_grad()
    values: dict[str, Tensor] = {}
    for part in range(model.n_parts):
        terms = {
            k: v / model.n_parts for k, v in model.step_losses(epoch, part).items()
        }
        total = sum(terms.values())
        total.backward()  # type: ignore[union-attr]
        for name, value in {"loss": total, **terms}.items():
            values[name] = values.get(name, 0) + value.detach()  # type: ignore[union-attr]
    optimizer.step()
    return {name: value.item() for name, value in values.items()}
