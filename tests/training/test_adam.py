"""Adam and its rates, against torch's own."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from napari_semst.training.adam import Adam

EPOCHS, RATE = 12, 0.05


def _trained(build, slow):
    """Return three weights after some steps; the last has no gradient at times."""
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(4, 3).t()) for _ in range(3)]
    groups = [
        {"params": weights[:1]},
        {"params": weights[1:], "lr": 0.02, "weight_decay": 0.3},
    ]
    optimizer = build(groups)
    wanted = torch.randn(3, 4)
    for epoch in range(EPOCHS):
        optimizer.zero_grad()
        chosen = weights if epoch % 3 else weights[:2]
        sum((one - wanted).square().sum() for one in chosen).backward()
        optimizer.step()
        slow(optimizer, epoch)
    return [one.detach().clone() for one in weights]


def test_steps_and_rates_are_those_of_torch_to_the_bit():
    schedules = []

    def build(groups):
        adam = torch.optim.Adam(groups, lr=RATE, weight_decay=0.1, fused=True)
        schedules.append(CosineAnnealingLR(adam, EPOCHS, eta_min=RATE / 20))
        return adam

    expected = _trained(build, lambda adam, epoch: schedules[0].step())
    found = _trained(
        lambda groups: Adam(groups, RATE, 0.1),
        lambda adam, epoch: adam.slow_down(epoch + 1, EPOCHS, RATE / 20),
    )
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_no_compiler_is_loaded_for_it():
    code = (
        "import sys, torch; from napari_semst.training.adam import Adam\n"
        "weight = torch.nn.Parameter(torch.ones(2)); weight.sum().backward()\n"
        "Adam([{'params': [weight]}], 0.1, 0.0).step()\n"
        "assert weight[0] < 1\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
