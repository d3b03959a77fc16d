"""Where the state of a training is kept, for a run that goes on after it was ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

# What a training has learnt so far: tensors on the CPU by name.
State = dict[str, "Tensor"]


class StateStore(Protocol):
    """Keeps the states of the trainings of one run.

    Nothing that goes wrong with it ends a run: it is told, and the run goes on.
    """

    def begin(self, identity: Mapping[str, object]) -> list[str]:
        """Say what run this is; return what users are to know of states of others.

        Parameters
        ----------
        identity
            Everything that decides what is learnt. States of another are not read.
        """
        ...

    def due(self, *, finished: bool) -> bool:
        """Return whether enough was done since the last time to be kept now.

        Parameters
        ----------
        finished
            Whether the training is at its end.
        """
        ...

    def write(self, name: str, state: Mapping[str, Tensor]) -> str:
        """Keep the state of the training of a name; return what went wrong, or ""."""
        ...

    def read(self, name: str) -> tuple[State | None, str]:
        """Return the state of the training of a name, and what is to be told of it."""
        ...
