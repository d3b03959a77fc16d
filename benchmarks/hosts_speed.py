"""STAGATE and GraphST of this package beside the packages that people install.

    python benchmarks/hosts_speed.py SECTION.h5ad --truth COLUMN -k 7 --work FOLDER
        [--seeds 2] [--epochs 5 35] [--whole]

Without ``--whole`` a package is run for two small numbers of epochs, and its CPU
seconds at its own number of epochs lie on the line through both; what does not grow
with epochs (reading, neighbours, the mixture) is in the line's offset. Ours always run
whole, with as many epochs as the package's default. Each run is a process of its own
on one thread, from file to domains; installing is not counted. Environments are those
of peers.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from peers import install, measure
from peers.listing import PEERS

HERE = Path(__file__).resolve().parent / "peers"
# Name among the peers, ours, and the epochs of both.
PAIRS = (("STAGATE", "stagate", 1000), ("GraphST", "graphst", 600))


def timed(command, options, python):
    """Return the CPU seconds of a command."""
    log = options.work / "logs" / "hosts-speed.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    variables = measure.environment(1, install.cache_of(python))
    folder = {"threads": 1, "folder": options.work}
    how = measure.run(command, log=log, variables=variables, seconds=7200, **folder)
    if how.code:
        raise SystemExit(f"{how.limit or install.last_words(log)} (see {log})")
    return how.cpu


def theirs(peer, options, epochs):
    """Return CPU seconds and the agreement of a package after some epochs."""
    python = install.installed(peer, options.work)
    labels, facts = options.work / "labels.csv", options.work / "facts.json"
    script = [str(python), str(HERE / peer.script), str(options.section)]
    command = [*script, str(options.domains), str(labels), str(facts), str(epochs)]
    return timed(command, options, python), agreement(labels, options)


def ours(name, options, seed):
    """Return CPU seconds and the agreement of a method of this package."""
    labels = options.work / "ours.csv"
    run = [sys.executable, "-m", "napari_semst", "run", str(options.section)]
    how = ["-k", str(options.domains), "--method", name, "--seed", str(seed)]
    end = ["--device", "cpu", "--quiet", "--csv", str(labels), "--overwrite"]
    # One that was ended would be gone on with, and look fast.
    end.append("--no-checkpoint")
    seconds = timed([*run, *how, *end], options, Path(sys.executable))
    return seconds, agreement(labels, options)


def agreement(file, options):
    """Return the adjusted Rand index of a file of labels and the annotation."""
    import anndata
    import pandas as pd
    from sklearn.metrics import adjusted_rand_score

    truth = anndata.read_h5ad(options.section, backed="r").obs[options.truth].dropna()
    found = pd.read_csv(file, index_col=0, dtype=str).loc[truth.index, "domain"]
    return adjusted_rand_score(truth.astype(str), found)


def main():
    """Measure both pairs and print a line for each run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("section", type=Path)
    parser.add_argument("--truth", required=True)
    parser.add_argument("-k", dest="domains", type=int, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, nargs=2, default=[5, 35])
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    options.section, options.work = options.section.resolve(), options.work.resolve()
    peers = {peer.name: peer for peer in PEERS}
    for their_name, our_name, epochs in PAIRS:
        peer = peers[their_name]
        if options.whole:
            seconds, ari = theirs(peer, options, epochs)
            said = {"ari": round(ari, 3), "measured": True}
        else:
            few, many = options.epochs
            low, high = (theirs(peer, options, n)[0] for n in (few, many))
            each = (high - low) / (many - few)
            seconds = low + each * (epochs - few)
            said = {"epoch": round(each, 3), "measured": False}
        print(json.dumps({"name": their_name, "cpu": round(seconds), **said}))
        for seed in range(options.seeds):
            own, ari = ours(our_name, options, seed)
            line = {"name": our_name, "seed": seed, "cpu": round(own, 1)}
            more = {"ari": round(ari, 3), "faster": round(seconds / own, 1)}
            print(json.dumps({**line, **more}), flush=True)


if __name__ == "__main__":
    main()
