"""Time and memory of naming a million cells, each step by itself.

    python benchmarks/transfer_scale.py [--cells 1000000] [--genes 300]

A simulated mouse section: bands of cells with counts of genes of the signature that
ships, about 30 each, and the bands as domains. Steps as `semst transfer` takes them, in
order: signature, scores, names of domains, names of cells, then the result written into
the section. Memory is this process's peak beyond what it held with the section read.
"""

from __future__ import annotations

import argparse
import time
from unittest import mock

import numpy as np
from _machine import facts, peak_mib
from anndata import AnnData
from scipy import sparse

import napari_semst.transfer.steps as steps
from napari_semst.core.progress import run_to_end
from napari_semst.transfer.builtin_signatures import builtin_signature
from napari_semst.transfer.references import references_from
from napari_semst.transfer.result import attach_transfer
from napari_semst.transfer.target import TargetOptions

PER_CELL = 30


def section(n_cells: int, n_genes: int) -> AnnData:
    """Return a section of seven bands."""
    random, signature = (
        np.random.default_rng(0),
        builtin_signature("builtin:cortex-mouse", "mouse"),
    )
    side = int(np.sqrt(n_cells))
    places = np.column_stack([np.arange(n_cells) % side, np.arange(n_cells) // side])
    band = np.minimum(places[:, 0] * 7 // side, 6)
    chosen = np.sort(random.permutation(len(signature.genes))[:n_genes])
    rates = np.exp(signature.scores[:, chosen])
    rates /= rates.sum(axis=1, keepdims=True)
    columns = np.empty(n_cells * PER_CELL, np.int32)
    for one in range(7):
        of_band = np.repeat(band == one, PER_CELL)
        columns[of_band] = random.choice(n_genes, int(of_band.sum()), p=rates[one])
    rows = np.repeat(np.arange(n_cells, dtype=np.int32), PER_CELL)
    ones = np.ones(len(rows), np.float32)
    counts = sparse.csr_matrix((ones, (rows, columns)), shape=(n_cells, n_genes))
    tissue = AnnData(counts)
    tissue.var_names = np.array(signature.genes)[chosen]
    tissue.obsm["spatial"] = places + random.random((n_cells, 2)) / 2
    tissue.obs["band"] = np.array([f"band {one}" for one in range(7)])[band]
    tissue.obs["band"] = tissue.obs["band"].astype("category")
    return tissue


def timed(name: str, function, spent: dict):
    """Return a step that adds what it takes to `spent`."""

    def step(*given, **named):
        started = time.perf_counter()
        result = yield from function(*given, **named)
        spent[name] = time.perf_counter() - started, peak_mib()
        return result

    return step


def main() -> None:
    """Print seconds and memory of every step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--genes", type=int, default=300)
    options = parser.parse_args()
    tissue, spent = section(options.cells, options.genes), {}
    before, started, processor = peak_mib(), time.perf_counter(), time.process_time()
    parts = ("name_spots", "name_groups", "name_each_spot")
    wrapped = {name: timed(name, getattr(steps, name), spent) for name in parts}
    with mock.patch.multiple(steps, **wrapped):
        references = references_from("builtin:cortex-mouse", "")
        wanted = TargetOptions(domains="band")
        found = run_to_end(steps.transfer_steps(references, tissue, wanted))
    tissue = attach_transfer(tissue, found, inplace=True)
    print(facts())
    for name, (seconds, most) in spent.items():
        print(f"{name}: {seconds:.1f} s, up to {(most - before) / 1024:.2f} GiB beyond")
    print(
        f"in all: {time.perf_counter() - started:.1f} s, "
        f"{time.process_time() - processor:.1f} s of processor, "
        f"{(peak_mib() - before) / 1024:.2f} GiB beyond the section; "
        f"{(tissue.obs['semst_transfer'].notna()).mean():.0%} of cells named"
    )


if __name__ == "__main__":
    main()
