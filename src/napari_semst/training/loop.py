"""Training as a generator of progress, with cancel and early stop."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from napari_semst.core.process_group import current_group
from napari_semst.core.progress import Progress
from napari_semst.errors import TrainingError
from napari_semst.training.adam import Adam
from napari_semst.training.record import TrainingRecord
from napari_semst.training.resume import KeptTraining

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_semst.config import TrainingConfig
    from napari_semst.core.progress import RunControl


# Of the first learning rate, after the last epoch.
_LAST_SHARE = 1 / 20


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

    def current_latent(self, *, averaged: bool = True) -> NDArray[np.float32]:
        """Return the latent as it is now; nothing is changed by it.

        Parameters
        ----------
        averaged
            Whether over neighbours, which shows people domains that single spots hide.
        """
        ...


def train(
    model: Trainable,
    config: TrainingConfig,
    control: RunControl,
    name: str = "network",
) -> Generator[Progress, None, TrainingRecord]:
    """Train with Adam for a fixed number of epochs, or until told to stop.

    No annotation and no best epoch: the state after the last epoch is the result.
    Where the control has a store of states, and the model is
    `napari_semst.training.resume.Resumable`, training begins with what is kept there.

    Parameters
    ----------
    name
        Of this training among those of the run, for the store.

    Raises
    ------
    TrainingError
        If the loss is no longer a number.
    Cancelled
        If the run is cancelled.
    """
    groups = model.parameter_groups()
    optimizer = Adam(groups, config.learning_rate, config.weight_decay)
    record = TrainingRecord()
    shared = not _is_alone(model.n_parts)
    kept = KeptTraining(control.states, name, model, optimizer, shared=shared)
    yield from kept.restored(record, config.epochs)
    for epoch in range(record.epochs, config.epochs):
        control.check()
        if control.stopping:
            record.stopped_early = True
            break
        with _tiny_numbers_as_zero():
            values = _step(model, optimizer, epoch, config)
            if config.schedule == "cosine":
                least = config.learning_rate * _LAST_SHARE
                optimizer.slow_down(epoch + 1, config.epochs, least)
        record.add(values)
        if not math.isfinite(values["loss"]):
            raise TrainingError(
                f"Expected a finite loss; at epoch {epoch + 1} it is {values['loss']}. "
                "Lower the learning rate, or check the counts for extreme values."
            )
        yield from kept.keep(record, config.epochs)
        latent = control.snapshot(model.current_latent)
        yield Progress("train", epoch + 1, config.epochs, "", values, latent)
    return record


def _is_alone(n_parts: int) -> bool:
    """Return whether this process does all parts of a step for itself."""
    group = current_group()
    return group.size == 1 or n_parts < group.size


@contextmanager
def _tiny_numbers_as_zero() -> Iterator[None]:
    """Flush numbers below the smallest normal one to 0 on this thread.

    Weight decay takes unused weights there, and many processors then compute a hundred
    times slower. Outside a step the thread is the caller's, as it was.
    """
    import torch

    # There is no way to ask but to try.
    was = (torch.tensor(1e-310, dtype=torch.float64) * 1).item() == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(was)


@contextmanager
def _own_numbers(place: torch.device, *numbers: int) -> Iterator[None]:
    """Draw torch's random numbers of one part of a step from the seed alone.

    Between steps other code runs, and may draw too: neither is to change what the
    other finds.
    """
    import numpy as np
    import torch

    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _step(
    model: Trainable,
    optimizer: Adam,
    epoch: int,
    config: TrainingConfig,
) -> dict[str, float]:
    """Do one step; gradients and values are added up in the order of the parts."""
    import torch

    group, n_parts = current_group(), model.n_parts
    # What cannot be shared out is done by every process for itself.
    alone = _is_alone(n_parts)
    learnt = optimizer.learnt
    rows: list[Tensor] = []
    values: dict[str, Tensor] = {}
    optimizer.zero_grad()
    for part in range(n_parts) if alone else group.own(n_parts):
        with _own_numbers(learnt[0].device, config.seed, epoch, part):
            terms = _part_step(model, epoch, part)
        if alone:
            values = {k: values[k] + v if values else v for k, v in terms.items()}
            continue
        values = terms
        rows.append(_flat(learnt, terms))
        optimizer.zero_grad()
    if rows:
        values = _shared(learnt, group.ordered_sum(torch.stack(rows), n_parts), values)
    if config.largest_gradient:
        torch.nn.utils.clip_grad_norm_(learnt, config.largest_gradient)
    optimizer.step()
    return {name: value.item() for name, value in values.items()}


def _part_step(model: Trainable, epoch: int, part: int) -> dict[str, Tensor]:
    """Add the gradient of one part's share of the loss; return its terms."""
    terms = model.step_losses(epoch, part)
    shares = {name: value / model.n_parts for name, value in terms.items()}
    total = sum(shares.values())
    total.backward()  # type: ignore[union-attr]
    named = {"loss": total, **shares}
    return {name: value.detach() for name, value in named.items()}  # type: ignore[union-attr]


def _flat(learnt: list[Tensor], values: dict[str, Tensor]) -> Tensor:
    """Return all gradients, then the terms, as one row."""
    import torch

    gradients = [
        (torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in learnt
    ]
    return torch.cat([*gradients, torch.stack(list(values.values())).to(gradients[0])])


def _shared(
    learnt: list[Tensor], row: Tensor, values: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Give every parameter its gradient of a summed row; return the summed terms."""
    start = 0
    for parameter in learnt:
        stop = start + parameter.numel()
        parameter.grad = row[start:stop].view_as(parameter).clone()
        start = stop
    return dict(zip(values, row[start:], strict=True))
