"""Published methods as hosts of semantics, file by file and seed by seed.

    python benchmarks/hosts.py FOLDER CELLS.jsonl [--sections NAME ...]
        [--methods NAME ...] [--fusions none fsm ...] [--readouts own kmeans consensus]
        [--seeds 5] [--semantics builtin] [--set training.epochs=50 ...] [--table]

FOLDER holds .h5ad files with raw counts and an annotation in obs["ground_truth"]. A
cell is a file, method, fusion and seed; it is trained once, in a process of its own,
and read by every readout: ``own`` is the method's. The fusion ``none`` is the method
alone, ``shuffled`` is FSM with gene names permuted, the control. Each cell is a line of
CELLS.jsonl, written when it is finished: a benchmark that was killed goes on with what
is missing, and a line cut short counts as missing. ``--table`` prints what is there.

Every spot is clustered, the number of domains is that of the annotation, which enters
nothing but the score. Seconds are those of the processor, from file to domains of the
first readout; memory is the peak of the process.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from napari_semst.config.method_registry import METHODS

TRUTH = "ground_truth"
HOSTS = [name for name, place in METHODS.items() if ".hosts." in place]
KEY = ("section", "method", "fusion", "seed", "semantics", "settings")


def settings(texts):
    """Return settings by stage from texts like ``training.epochs=50``."""
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        stage, _, setting = name.partition(".")
        with contextlib.suppress(ValueError):
            value = json.loads(value)
        found.setdefault(stage, {})[setting] = value
    return found


def request_of(method, fusion, seed, k, semantics, overrides):
    """Return the request of a cell."""
    from napari_semst.config import Request

    source = "none" if fusion == "none" else semantics
    request = (
        Request("auto", overrides)
        .with_settings("model", method=method)
        .with_settings("domains", n_domains=k)
        .with_settings("training", seed=seed, device="cpu")
        .with_settings("semantics", source=source)
    )
    if fusion == "shuffled":
        return request.with_settings("semantics", control="shuffled")
    return (
        request if fusion == "none" else request.with_settings("model", fusion=fusion)
    )


def measured(path, method, fusion, seed, semantics, overrides, readouts):
    """Return one cell: scores and labels of every readout, seconds and memory."""
    import torch
    from _machine import peak_mib

    from napari_semst.core.device import choose_device
    from napari_semst.core.progress import RunControl, run_to_end
    from napari_semst.domains.cluster import assign_domains
    from napari_semst.io.read import read
    from napari_semst.methods.spec import method_spec
    from napari_semst.pipeline.run import prepared
    from napari_semst.pipeline.spot_semantics import spot_embedding

    torch.set_num_threads(1)
    start, control = time.process_time(), RunControl()
    tissue = read(path)
    k = int(tissue.obs[TRUTH].nunique())
    request = request_of(method, fusion, seed, k, semantics, overrides)
    config, section, _ = run_to_end(prepared(tissue, request, control))
    embedding, _, _ = run_to_end(spot_embedding(tissue, section, config, control))
    fit = run_to_end(
        method_spec(method).load_fit()(
            section, embedding, config, choose_device("cpu"), control
        )
    )
    found, seconds = {}, None
    for readout in readouts:
        domains = config.domains
        if readout != "own":
            domains = config.with_overrides({"domains": {"readout": readout}}).domains
        codes = run_to_end(assign_domains(fit, section, domains, seed, control)).codes
        seconds = seconds or time.process_time() - start
        found[readout] = {**scored(codes, tissue.obs[TRUTH]), "codes": codes.tolist()}
    strength = None if fit.modulation is None else float(fit.modulation.strength.mean())
    losses = {name: curve[-1] for name, curve in fit.record.losses.items()}
    return {
        "section": path.stem, "method": method, "fusion": fusion, "seed": seed,
        "semantics": semantics, "settings": overrides, "k": k,
        "epochs": fit.record.epochs, "cpu_seconds": round(seconds, 2),
        "peak_mib": round(peak_mib()), "strength": strength, "losses": losses,
        "readouts": found,
    }  # fmt: skip


def scored(codes, truth):
    """Return ARI and NMI of the annotated spots."""
    from napari_semst.domains.metrics import truth_scores

    score = truth_scores(codes, truth)
    return {"ari": round(score["ari"], 4), "nmi": round(score["nmi"], 4)}


def finished(place):
    """Return the cells that are there; a line cut short by the end is left out."""
    cells = []
    for line in (
        place.read_text(encoding="utf-8").splitlines() if place.exists() else ()
    ):
        try:
            cells.append(json.loads(line))
        except ValueError:
            continue
    return cells


def keep(place, cell):
    """Append a cell on a line of its own, and see that it is on the disk."""
    with place.open("a+b") as file:
        file.seek(0, os.SEEK_END)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(json.dumps(cell).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def table(cells):
    """Return rows of mean, deviation and agreement, as Markdown."""
    from sklearn.metrics import adjusted_rand_score

    groups = defaultdict(list)
    for cell in cells:
        changed = [
            f" {stage}.{name}={value}"
            for stage, values in cell["settings"].items()
            for name, value in values.items()
        ]
        method = cell["method"] + "".join(changed)
        for readout in cell["readouts"]:
            groups[cell["section"], method, cell["fusion"], readout].append(cell)
    rows = [
        "| section | method | fusion | readout | ARI | NMI | agreement | seeds | CPU s "
        "| MiB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key, own in groups.items():
        read = [cell["readouts"][key[3]] for cell in own]
        ari = [one["ari"] for one in read]
        pairs = itertools.combinations([one["codes"] for one in read], 2)
        agreement = [adjusted_rand_score(*two) for two in pairs]
        same = f"{np.mean(agreement):.2f}" if agreement else ""
        rows.append(
            f"| {' | '.join(key)} | {np.mean(ari):.3f} ± {np.std(ari):.3f} "
            f"| {np.mean([one['nmi'] for one in read]):.3f} | {same} | {len(own)} "
            f"| {np.median([cell['cpu_seconds'] for cell in own]):.0f} "
            f"| {max(cell['peak_mib'] for cell in own)} |"
        )
    return "\n".join(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("cells", type=Path)
    parser.add_argument("--sections", nargs="+")
    parser.add_argument("--methods", nargs="+", default=HOSTS)
    parser.add_argument("--fusions", nargs="+", default=["none", "fsm", "shuffled"])
    parser.add_argument("--readouts", nargs="+", default=["own", "kmeans", "consensus"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--semantics", default="builtin")
    parser.add_argument("--set", nargs="+", default=[], dest="settings")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    there = finished(options.cells)
    if options.table:
        print(table(there))
        return
    overrides = settings(options.settings)
    done = {json.dumps([cell[name] for name in KEY]) for cell in there}
    paths = [
        path
        for path in sorted(options.folder.glob("*.h5ad"))
        if not options.sections or path.stem in options.sections
    ]
    # Seeds last: a benchmark that is ended early has each method once before any twice.
    for seed, path, method, fusion in itertools.product(
        range(options.seeds), paths, options.methods, options.fusions
    ):
        asked = (path, method, fusion, seed, options.semantics, overrides)
        if json.dumps([path.stem, *asked[1:]]) in done:
            continue
        # A process of its own, so that the peak of memory is this cell's.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            cell = pool.submit(measured, *asked, options.readouts).result()
        keep(options.cells, cell)
        shown = {name: one["ari"] for name, one in cell["readouts"].items()}
        print(*asked[1:4], path.stem, shown, cell["cpu_seconds"], flush=True)


if __name__ == "__main__":
    main()
