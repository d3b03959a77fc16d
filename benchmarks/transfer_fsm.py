"""Whether a network with FSM names another panel's spots better than no training does.

    python benchmarks/transfer_fsm.py FOLDER [--seeds 3] [--epochs 100]

All ordered pairs of the folder's annotated cortex sections, no gene in common. A spot
is what its averaged profile means: its genes' vectors, summed and whitened by the
panel's second moment, each dimension standardised inside the section. A network learns
the reference's layers from it (64 hidden units, drop-out of a half, weight decay,
Adam), with FSM between its layers and without, and is applied to the target as it is.
Printed are shares of all annotated spots that are named rightly, mean and deviation
over seeds, beside those of the training-free estimator.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transfer import PARTS, SECTIONS, left_with, read_section, shares_right

from napari_semst import FSM
from napari_semst.transfer.balance import LEAST_EXPLAINED, semantic_weight
from napari_semst.transfer.kernel import predict_signature

HIDDEN = 64


class Namer(nn.Module):
    """Layers from what spots mean, modulated by it or not."""

    def __init__(self, width: int, n_labels: int, modulated: bool) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(0.5)
        )
        self.fsm = FSM(HIDDEN, width) if modulated else None
        self.head = nn.Linear(HIDDEN, n_labels)

    def forward(self, meaning: torch.Tensor) -> torch.Tensor:
        """Return scores of labels, ``(n_spots, n_labels)``."""
        hidden = self.encoder(meaning)
        return self.head(hidden if self.fsm is None else self.fsm(hidden, meaning))


def meaning_of(dense: np.ndarray, features: np.ndarray) -> torch.Tensor:
    """Return what profiles mean, each dimension standardised."""
    moment = features.T @ features
    spread, axes = np.linalg.eigh(moment)
    white = axes / np.sqrt(np.maximum(spread, 0) + spread.mean()) @ axes.T
    meaning = dense @ (features @ white)
    meaning -= meaning.mean(axis=0)
    meaning /= np.maximum(meaning.std(axis=0), 1e-9)
    return torch.from_numpy(meaning.astype(np.float32))


def taught(meaning, codes, n_labels: int, modulated: bool, seed: int, epochs: int):
    """Return a network that was taught the reference's layers."""
    torch.manual_seed(seed)
    network = Namer(meaning.shape[1], n_labels, modulated)
    adam = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.1)
    for _ in range(epochs):
        adam.zero_grad()
        nn.functional.cross_entropy(network(meaning), codes).backward()
        adam.step()
    return network.eval()


def named_rightly(reference, target, labels, kept, options) -> dict[str, np.ndarray]:
    """Return the shares of the target named rightly, by each network and seed."""
    features = np.where(kept[:, None], reference.own.features, 0.0)
    known = np.isin(reference.truth, labels)
    codes = torch.from_numpy(np.searchsorted(labels, reference.truth[known]))
    taught_by = meaning_of(reference.dense[known], features)
    asked = meaning_of(target.dense, target.target.features)
    found = {}
    for way, modulated in (("FSM", True), ("no FSM", False)):
        shares = []
        for seed in range(options.seeds):
            of = taught_by, codes, len(labels), modulated, seed, options.epochs
            best = taught(*of)(asked).detach().argmax(dim=1).numpy()
            pairs = zip(best, target.truth, strict=True)
            shares.append(
                np.mean([bool(PARTS[labels[a]] & PARTS[b]) for a, b in pairs])
            )
        found[way] = np.array(shares)
    return found


def main() -> None:
    """Print a line for each pair, and means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args()
    places: dict[str, int] = {}
    read = {
        name: read_section(options.folder / f"{name}.h5ad", places) for name in SECTIONS
    }
    print("| reference → target | estimator | FSM | no FSM |\n|---|---|---|---|")
    rows = []
    for a in SECTIONS:
        for b in SECTIONS:
            if a == b:
                continue
            signature, genes = left_with(read[a], read[b], 0, np.random.default_rng(0))
            expected = predict_signature(signature, genes, read[b].target)
            weights = expected.joint(semantic_weight(expected, read[b].sample, 0))[0]
            own = shares_right(signature.labels, weights, read[b])[0]
            kept = np.isin(read[a].own.symbols, genes.symbols)
            labels = np.array(sorted(signature.labels))
            found = named_rightly(read[a], read[b], labels, kept, options)
            rows.append([own, *(one.mean() for one in found.values())])
            told = [f"{one.mean():.3f} ± {one.std():.3f}" for one in found.values()]
            silent = " (refused)" if expected.explained < LEAST_EXPLAINED else ""
            print(f"| {a} → {b} | {own:.3f}{silent} | {' | '.join(told)} |", flush=True)
    print(
        "| mean | " + " | ".join(f"{one:.3f}" for one in np.mean(rows, axis=0)) + " |"
    )


if __name__ == "__main__":
    main()
