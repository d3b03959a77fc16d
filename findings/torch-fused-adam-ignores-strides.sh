#!/bin/sh
# torch 2.13.0's fused Adam takes moments for laid out as the parameter is.

# Expected: an optimiser's state that is loaded with equal values gives equal steps,
# however it lies in memory; safetensors hands back contiguous tensors, and a weight
# that was transposed or tied is none.
# Seen: for a transposed parameter, Adam(fused=True) on the CPU gives other values from
# contiguous moments than from moments laid out as the parameter, and says nothing;
# Adam(fused=False) gives the same.
# To do: copy each loaded moment into torch.empty_like(parameter).
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/python -m pip install -q torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'P'
import torch

START = torch.arange(6.0).reshape(3, 2)
FIRST = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
SECOND = torch.tensor([[-3.0, -2.0, -1.0], [0.0, 1.0, 2.0]])


def step(parameter, optimiser, gradient):
    parameter.grad = torch.empty_like(parameter).copy_(gradient)
    optimiser.step()


def two_steps(fused, contiguous):
    """Take a step, bring the state back into a new optimiser, take another."""
    parameter = torch.nn.Parameter(START.clone().T)
    optimiser = torch.optim.Adam([parameter], lr=0.1, fused=fused)
    step(parameter, optimiser, FIRST)
    state = optimiser.state_dict()
    if contiguous:
        for name in ("exp_avg", "exp_avg_sq"):
            state["state"][0][name] = state["state"][0][name].contiguous()
    again = torch.optim.Adam([parameter], lr=0.1, fused=fused)
    again.load_state_dict(state)
    step(parameter, again, SECOND)
    return parameter.detach()


off = {
    fused: float((two_steps(fused, True) - two_steps(fused, False)).abs().max())
    for fused in (False, True)
}
print(f"torch {torch.__version__}, largest difference: {off}")
if off[False] != 0 or off[True] < 1e-3:
    raise SystemExit("fused Adam follows the strides of its state now")
print("Seen: fused Adam, given contiguous moments of a transposed weight, is wrong.")
P
