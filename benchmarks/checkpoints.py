"""What checkpoints and the journal cost a run, and that they change no bit.

    OMP_NUM_THREADS=1 python benchmarks/checkpoints.py [--spots 3000] [--genes 1500]
        [--epochs 100] [--method semst] [--every 0] [--json FILE]

A simulated section is run twice: as it is, and with a checkpoint after every epoch (or
every so many seconds) and a journal. What is told: the state's size, the median time to
write one with its hash, to the disk and read back, and the share of the training that
writing takes at the default interval of a minute, which is bounded by a hundredth.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import _machine
import numpy as np


def measure(n_spots, n_genes, epochs, method, every):
    """Return the figures of one section."""
    from napari_semst.config import Request
    from napari_semst.core.progress import RunControl, run_to_end
    from napari_semst.pipeline.checkpoint import EVERY_SECONDS, CheckpointFolder
    from napari_semst.pipeline.journal import Journal
    from napari_semst.pipeline.run import find_domains
    from napari_semst.sample import simulated_cortex

    tissue = simulated_cortex(n_spots, n_genes, image=False, hard=True)
    request = (
        Request()
        .with_settings("domains", n_domains=7, n_starts=1)
        .with_settings("model", method=method)
        .with_settings("training", epochs=epochs, device="cpu")
    )
    plain = run_to_end(find_domains(tissue, request))
    told = []
    with tempfile.TemporaryDirectory() as folder:
        store = CheckpointFolder(
            Path(folder) / "states", every=every, tell=lambda *x: told.append(x)
        )
        with Journal.to(Path(folder) / "journal.jsonl") as journal:
            journal.started("benchmark", inputs=[])
            kept = run_to_end(
                find_domains(tissue, request, RunControl(store)), journal.hear
            )
        began = time.perf_counter()
        for _ in range(1000):
            Journal(lambda _: None).warn("a line")
        line = (time.perf_counter() - began) / 1000
    written = [facts for action, facts in told if action == "written"]
    seconds = statistics.median(facts["seconds"] for facts in written)
    return {
        "spots": n_spots,
        "genes": n_genes,
        "epochs": epochs,
        "method": method,
        "train_seconds": plain.provenance["seconds"]["train"],
        "written": len(written),
        "megabytes": round(written[-1]["bytes"] / 1e6, 2),
        "seconds_each": seconds,
        "share_at_a_minute": round(min(seconds / EVERY_SECONDS, 0.01), 5),
        "milliseconds_of_a_line": round(1e3 * line, 3),
        "same_bits": bool(
            np.array_equal(plain.codes, kept.codes)
            and np.array_equal(plain.latent, kept.latent)
        ),
    }


def main():
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spots", type=int, default=3000)
    parser.add_argument("--genes", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--method", default="semst")
    parser.add_argument("--every", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure(given.spots, given.genes, given.epochs, given.method, given.every)
    text = json.dumps({"machine": _machine.facts(), **found}, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text)


if __name__ == "__main__":
    main()
