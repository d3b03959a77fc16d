"""Adam with torch's fused steps, without what torch's optimizers import.

The first optimizer of a process loads torch's compiler, which takes longer than the
training of a small section. The steps are those of ``torch.optim.Adam(fused=True)``,
and the rates those of ``CosineAnnealingLR``, to the same bits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


class Adam:
    """Adam (Kingma and Ba 2015), weight decay added to gradients.

    Parameters
    ----------
    groups
        What is learnt: each has ``params`` and may have an ``lr`` and a
        ``weight_decay`` of its own.
    lr, weight_decay
        Of groups that have none.

    Attributes
    ----------
    groups
        Each with ``params``, ``lr``, ``initial_lr`` and ``weight_decay``.
    moments
        By the number of a parameter, those that had a gradient: ``step``, ``exp_avg``
        and ``exp_avg_sq``.
    """

    def __init__(
        self, groups: Sequence[Mapping[str, Any]], lr: float, weight_decay: float
    ) -> None:
        usual = {"lr": lr, "weight_decay": weight_decay}
        self.groups: list[dict[str, Any]] = [
            {**usual, **group, "params": list(group["params"])} for group in groups
        ]
        for group in self.groups:
            group["initial_lr"] = group["lr"]
        self.moments: dict[int, dict[str, Tensor]] = {}

    @property
    def learnt(self) -> list[Tensor]:
        """All parameters, in the order of their numbers."""
        return [parameter for group in self.groups for parameter in group["params"]]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.learnt:
            parameter.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        import torch

        number = 0
        with torch.no_grad():
            for group in self.groups:
                numbered = list(enumerate(group["params"], start=number))
                number += len(numbered)
                self._step_of(group, [one for one in numbered if _is_moved(one[1])])

    def _step_of(self, group: dict[str, Any], moved: list[tuple[int, Tensor]]) -> None:
        from torch.optim.adam import adam

        own = [self._moments_of(number, parameter) for number, parameter in moved]
        if not own:
            return
        adam(
            [parameter for _, parameter in moved],
            [parameter.grad for _, parameter in moved],  # type: ignore[misc]
            [each["exp_avg"] for each in own],
            [each["exp_avg_sq"] for each in own],
            [],
            [each["step"] for each in own],
            foreach=False,
            fused=True,
            amsgrad=False,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=_EPSILON,
            maximize=False,
        )

    def _moments_of(self, number: int, parameter: Tensor) -> dict[str, Tensor]:
        import torch

        if number not in self.moments:
            self.moments[number] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        return self.moments[number]

    def slow_down(self, epoch: int, epochs: int, least: float) -> None:
        """Lower the rates after an epoch, along half a cosine over all epochs.

        Parameters
        ----------
        epoch
            The one that has just ended, counted from 1, at most ``epochs``.
        least
            Rate after the last epoch.
        """
        now = 1 + math.cos(math.pi * epoch / epochs)
        before = 1 + math.cos(math.pi * (epoch - 1) / epochs)
        for group in self.groups:
            group["lr"] = now / before * (group["lr"] - least) + least


def _is_moved(parameter: Tensor) -> bool:
    return parameter.grad is not None
