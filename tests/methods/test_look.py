"""Looking at a latent while it is learnt changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.pipeline.run import find_domains


@pytest.mark.parametrize("batch", [0, 60])
def test_a_run_that_is_looked_at_gives_the_same_bits(tissue, batch):
    request = Request().with_settings("domains", n_domains=3)
    request = request.with_settings(
        "training", epochs=4, device="cpu", batch_spots=batch
    )
    unseen = run_to_end(find_domains(tissue, request))
    control = RunControl()
    control.snapshot_every(0.0)
    steps, latents = find_domains(tissue, request, control), []
    while True:
        try:
            event = next(steps)
        except StopIteration as end:
            seen = end.value
            break
        if event.latent is not None:
            latents.append(event.latent)
    assert latents
    assert latents[0].shape == unseen.latent.shape
    assert not np.array_equal(latents[0], latents[-1]) or len(latents) == 1
    np.testing.assert_array_equal(seen.latent, unseen.latent)
    np.testing.assert_array_equal(seen.codes, unseen.codes)
    np.testing.assert_array_equal(seen.confidence, unseen.confidence)


def test_looks_keep_their_distance(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("napari_semst.core.progress.time.monotonic", lambda: now[0])
    control, latent = RunControl(), np.zeros((2, 2), np.float32)

    def slow():
        now[0] += 2.0
        return latent

    assert control.snapshot(slow) is None
    control.snapshot_every(3.0)
    assert control.snapshot(slow) is latent
    # A look of two seconds is worth twenty of training.
    now[0] += 19.0
    assert control.snapshot(slow) is None
    now[0] += 1.5
    assert control.snapshot(lambda: latent) is latent
    now[0] += 2.9
    assert control.snapshot(slow) is None
    now[0] += 0.2
    assert control.snapshot(lambda: latent) is latent
    control.snapshot_every(None)
    now[0] += 100.0
    assert control.snapshot(slow) is None
