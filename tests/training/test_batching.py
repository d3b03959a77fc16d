"""Steps of training: how many spots they read, and fewer where memory ends."""

from __future__ import annotations

import pytest
import torch

from napari_semst.core.progress import Progress, run_to_end
from napari_semst.training.batching import StepSize, train_within_memory
from napari_semst.training.record import TrainingRecord

CPU = torch.device("cpu")
SIZES = [StepSize(0, 4), StepSize(4096, 4), StepSize(4096, 8)]


def trained(fits, sizes=SIZES):
    """Return what comes of a training that only some step sizes fit into memory."""

    def train(weight, size):
        yield Progress("train", 0, 1)
        if size not in fits:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return TrainingRecord({"loss": [weight]})

    steps = train_within_memory(sizes, lambda _: torch.rand(1).item(), train, 0, CPU)
    return run_to_end(steps)


def test_a_step_that_fits_is_told_as_it_was_wanted():
    assert trained(SIZES)[2] == "all spots"
    wanted = "4,096 spots drawn anew in 4 parts, with all their neighbours"
    assert trained(SIZES, SIZES[1:])[2] == wanted
    plain = "512 spots drawn anew, with all their neighbours"
    assert str(StepSize(512)) == plain


def test_smaller_steps_begin_with_the_same_weights_and_are_told():
    before = torch.get_rng_state()
    weight, record, told = trained(SIZES[2:])
    assert told == (
        "4,096 spots drawn anew in 8 parts, with all their neighbours; larger steps "
        "did not fit into the GPU's memory"
    )
    assert weight == trained(SIZES)[0] == record.losses["loss"][0]
    # The caller's random numbers stay as they are.
    assert torch.equal(torch.get_rng_state(), before)


def test_a_memory_too_small_for_any_step_is_told():
    with pytest.raises(torch.OutOfMemoryError):
        trained([])
