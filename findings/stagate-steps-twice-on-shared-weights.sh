#!/bin/sh
# stagate-modern 1.0.0.post1 with torch 2.13.0: an optimiser's step moves tied weights twice.

# Expected: encoder and decoder share their weights, so that one step of Adam at rate 0.01
# moves none of them by more than 0.01, along the sum of both gradients.
# Seen: the decoder's weights are parameters of their own over the encoder's memory. Each
# has its own gradient and its own state in Adam, and both steps go to the same numbers:
# they move by twice the rate where the two gradients agree in sign, and stay where they
# do not, whichever of them is the larger.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/python -m pip install -q stagate-modern==1.0.0.post1 torch==2.13.0 \
    torch-geometric==2.8.1 numpy==2.4.6
venv/bin/python - <<'P'
import torch
from STAGATE_pyG.STAGATE import STAGATE

torch.set_num_threads(1)
torch.manual_seed(0)
model = STAGATE([12, 6, 3])
spots = torch.rand(20, 12)
links = torch.stack([torch.arange(20).repeat(3), torch.randint(0, 20, (60,))])
rate = 0.01
optimiser = torch.optim.Adam(model.parameters(), lr=rate)
_, again = model(spots, links)
((spots - again) ** 2).mean().backward()

encoder, decoder = model.conv2.lin_src, model.conv3.lin_src
assert encoder is not decoder, "they are one parameter now"
assert encoder.data_ptr() == decoder.data_ptr(), "they share no memory now"
agree = torch.sign(encoder.grad) == torch.sign(decoder.grad.T)
before = encoder.detach().clone()
optimiser.step()
moved = (encoder.detach() - before).abs()
print(f"gradients agree in sign: moved by {moved[agree].min():.4f} to {moved[agree].max():.4f}")
print(f"they do not: moved by {moved[~agree].min():.4f} to {moved[~agree].max():.4f}")
assert agree.any() and not agree.all()
assert torch.allclose(moved[agree], torch.tensor(2 * rate), atol=1e-5)
assert torch.allclose(moved[~agree], torch.tensor(0.0), atol=1e-5)
P
