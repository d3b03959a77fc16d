"""A training that goes on from where a killed one was, to the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from napari_semst.core.process_group import current_group
from napari_semst.core.progress import NOTED, Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from torch import Tensor

    from napari_semst.core.state_store import State, StateStore
    from napari_semst.training.adam import Adam
    from napari_semst.training.record import TrainingRecord

_MODEL, _ADAM, _CURVE = "model.", "adam.", "curve."
_EPOCHS, _RATES, _FIRST_RATES = "epochs", "rates", "first_rates"


@runtime_checkable
class Resumable(Protocol):
    """What a trained object adds to be gone on with: all that its steps change.

    Random numbers of a step come from the seed, the epoch and the part alone, so that
    there is no state of a generator to keep.
    """

    def training_state(self) -> dict[str, Tensor]:
        """Return weights, buffers and what else was gathered over the epochs."""
        ...

    def restore_training(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `training_state` of another process returned."""
        ...


class KeptTraining:
    """The state of one training in a store: read once, written now and then.

    Parameters
    ----------
    store
        Where it is kept; `None` keeps nothing.
    name
        Of this training among those of the run.
    model
        What is trained; what is not `Resumable` is not kept.
    shared
        Whether several processes share the steps: the first one reads for all.
    """

    def __init__(
        self,
        store: StateStore | None,
        name: str,
        model: object,
        optimizer: Adam,
        *,
        shared: bool,
    ) -> None:
        self._store, self._name = store, name
        self._model = model if isinstance(model, Resumable) else None
        self._optimizer, self._shared = optimizer, shared
        self._said = ""

    def restored(
        self, record: TrainingRecord, epochs: int
    ) -> Generator[Progress, None, None]:
        """Take over a state that is kept, and fill the record of its epochs."""
        if self._store is None or self._model is None:
            return
        state, said = None, ""
        if not (self._shared and current_group().rank):
            state, said = self._store.read(self._name)
        if said:
            yield Progress("train", 0, epochs, said, notice=NOTED)
        if self._shared:
            state = _from_first(state)
        if state is None:
            return
        self._restore(self._model, state)
        curves = {k: v for k, v in state.items() if k.startswith(_CURVE)}
        for name, values in curves.items():
            record.losses[name.removeprefix(_CURVE)] = values.tolist()
        record.resumed_after = done = record.epochs
        text = f"Training goes on after epoch {done:,} of {epochs:,}, as it was kept."
        yield Progress("train", done, epochs, text, notice=NOTED)

    def keep(
        self, record: TrainingRecord, epochs: int
    ) -> Generator[Progress, None, None]:
        """Keep the state after the record's last epoch, if it is time to."""
        done = record.epochs
        if self._store is None or self._model is None or current_group().rank:
            return
        if not self._store.due(finished=done == epochs):
            return
        said = self._store.write(self._name, self._state(self._model, record))
        if said and said != self._said:
            self._said = said
            yield Progress("train", done, epochs, said, notice=NOTED)

    def _state(self, model: Resumable, record: TrainingRecord) -> State:
        import torch

        groups = self._optimizer.groups
        state = {f"{_MODEL}{k}": v for k, v in model.training_state().items()}
        for number, values in self._optimizer.moments.items():
            state.update({f"{_ADAM}{number}.{k}": v for k, v in values.items()})
        for name, curve in record.losses.items():
            state[f"{_CURVE}{name}"] = torch.tensor(curve, dtype=torch.float64)
        state[_EPOCHS] = torch.tensor([record.epochs])
        for name, key in ((_RATES, "lr"), (_FIRST_RATES, "initial_lr")):
            rates = [float(group[key]) for group in groups]
            state[name] = torch.tensor(rates, dtype=torch.float64)
        return {k: v.detach().cpu().clone().contiguous() for k, v in state.items()}

    def _restore(self, model: Resumable, state: State) -> None:
        learnt = self._optimizer.learnt
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith(_ADAM):
                number, key = name.removeprefix(_ADAM).split(".")
                held = _laid_out(value, learnt[int(number)])
                moments.setdefault(int(number), {})[key] = held
        self._optimizer.moments = moments
        for place, group in enumerate(self._optimizer.groups):
            group["lr"] = state[_RATES][place].item()
            group["initial_lr"] = state[_FIRST_RATES][place].item()
        model.restore_training(
            {k.removeprefix(_MODEL): v for k, v in state.items() if _is_model(k)}
        )


def _laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """Return a moment in the order in memory that its parameter has.

    Fused Adam walks through the memory of both, and takes no notice of strides: beside
    a transposed weight, a moment read from a file would be that of other entries.
    """
    import torch

    if value.shape != parameter.shape:
        return value.to(parameter.device)
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _is_model(name: str) -> bool:
    return name.startswith(_MODEL)


def _from_first(state: State | None) -> State | None:
    """Return the state that the first of several processes has read."""
    from safetensors.torch import load, save

    held = current_group().from_first(b"" if state is None else save(state))
    return load(held) if held else None
