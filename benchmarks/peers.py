"""The project's recipes beside other methods, on one section, each in its own process.

    python benchmarks/peers.py SECTION.h5ad --truth COLUMN -k 7 --work FOLDER
        [--only NAME ...] [--times 3] [--threads 1] [--limit 30] [--memory 16] [--again]

SECTION holds raw counts, obsm["spatial"] and an annotation in obs[COLUMN], which is
only scored: the runners drop it before a peer sees the section. Every peer gets a
virtual environment under FOLDER, with pinned versions from the Python package index,
kept between runs. Peers run one after the other with the settings that they document
for such a section, on the CPU, on as many cores as they may have threads. Seconds are
those of the whole process, from the start of Python to the labels; installing is not
counted. With --times all of them run once before any runs twice, and medians are told;
ours keep no checkpoint, as no peer does. Peers whose authors read their result out with
mclust (R) get scikit-learn's mixture with one covariance. What a run gave is kept until
its files change or --again is given; the project's own recipes are always run. One that
fails stops no other. It needs Linux or macOS.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib.util
import json
import os
import platform
import re
import signal
import sys
import time
from pathlib import Path

from peers import install, measure, report
from peers.listing import PEERS

HERE = Path(__file__).resolve().parent / "peers"
GIB = 1024**3


def digest(*paths):
    """Return what tells these files from others."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def key_of(peer, options):
    """Return what a kept result has to agree with."""
    return {
        "section": options.digest,
        "truth": options.truth,
        "k": options.domains,
        "threads": options.threads,
        "limits": [options.limit, options.memory],
        "packages": [*peer.packages, *peer.bare],
        "runner": digest(HERE / "runner.py", HERE / peer.script),
    }


def scored(labels_file, truth):
    """Return the scores of a file of labels against the annotation."""
    import pandas as pd

    from napari_semst.domains.metrics import truth_scores

    with labels_file.open(newline="") as stream:
        found = {row["barcode"]: row["domain"] for row in csv.DictReader(stream)}
    labels = pd.Series(found).reindex(truth.index)
    if labels.isna().any():
        raise ValueError(f"{int(labels.isna().sum())} spots have no domain")
    scores = truth_scores(pd.factorize(labels)[0], truth)
    own = {name: round(scores[name], 4) for name in ("ari", "nmi")}
    return {**own, "domains": int(labels.nunique()), "scored": int(scores["n_scored"])}


def command_of(peer, python, options, labels, facts):
    """Return the command that runs a peer, or one of the project's recipes."""
    k = str(options.domains)
    if peer.ours:
        own = [sys.executable, "-m", "napari_semst", "run", str(options.section)]
        recipe = ["-k", k, "--preset", *peer.options, "--device", "cpu"]
        alone = ["--no-checkpoint", "--json", "--quiet", "--overwrite"]
        return [*own, *recipe, *alone, "--csv", str(labels)]
    script = [str(python), str(HERE / peer.script), str(options.section), k]
    return [*script, str(labels), str(facts), *peer.options]


def stem_of(peer, time_of_it):
    """Return the beginning of the names of the files of one time a peer is run."""
    words = re.findall(r"[a-z0-9]+", peer.name.lower())
    return "-".join([*words, *([str(time_of_it)] if time_of_it > 1 else [])])


def variables_of(peer, options, python):
    """Return the variables that a run of a peer has."""
    cache = install.cache_of(python) if python else options.work / "caches"
    variables = measure.environment(options.threads, cache)
    if peer.ours:
        # The package that this process scores with, wherever another is installed.
        home = Path(importlib.util.find_spec("napari_semst").origin).parents[1]
        variables["PYTHONPATH"] = str(home)
    return variables


def measured(peer, options, folder, truth, time_of_it):
    """Run a peer and return its row."""
    stem = stem_of(peer, time_of_it)
    log, labels, facts = (
        folder / f"{stem}{end}" for end in (".log", ".csv", ".facts.json")
    )
    row = {"name": peer.name, "kind": peer.kind, "note": peer.note}
    for old in (log, labels, facts):
        old.unlink(missing_ok=True)
    try:
        python = None if peer.ours else install.installed(peer, options.work)
    except install.NotInstalledError as error:
        return {**row, "reason": f"not installed: {error}", "keep": False}
    load = os.getloadavg()[0]
    how = measure.run(
        command_of(peer, python, options, labels, facts),
        log=log,
        variables=variables_of(peer, options, python),
        seconds=options.limit * 60,
        memory=options.memory * GIB,
        threads=options.threads,
        folder=folder,
    )
    row |= {
        "wall_s": round(how.wall, 1),
        "cpu_s": round(how.cpu, 1),
        "peak_gib": round(how.peak / GIB, 2),
        "load_before": round(load, 2),
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "packages": [*peer.packages, *peer.bare],
        "installed": install.versions(python) if python else {},
        "keep": True,
    }
    if how.code:
        return {**row, "reason": how.limit or install.last_words(log)}
    settings = json.loads(facts.read_text())["settings"] if facts.exists() else ""
    return {**row, "settings": settings, **scored(labels, truth)}


def row_of(peer, options, folder, truth, time_of_it):
    """Return the row of a peer, from an earlier run where that still holds."""
    kept = folder / f"{stem_of(peer, time_of_it)}.row.json"
    key = None if peer.ours else key_of(peer, options)
    if key and kept.exists() and not options.again:
        old = json.loads(kept.read_text())
        if old["key"] == key:
            return {**old["row"], "from_before": True}
    try:
        row = measured(peer, options, folder, truth, time_of_it)
    # One peer's failure, of whatever kind, is that peer's row and stops no other.
    except Exception as error:  # noqa: BLE001
        row = {"name": peer.name, "kind": peer.kind, "note": peer.note, "keep": False}
        row["reason"] = f"{type(error).__name__}: {error}"
    if row.pop("keep") and key:
        kept.write_text(json.dumps({"key": key, "row": row}, indent=1) + "\n")
    return row


def annotation(path, column):
    """Return the annotation of the section, spots in order."""
    import anndata

    spots = anndata.read_h5ad(path, backed="r").obs
    if column not in spots:
        known = ", ".join(map(str, spots.columns)) or "none"
        raise SystemExit(
            f"Expected the annotation in obs[{column!r}] of {path.name}; found the "
            f"columns {known}. Choose one of them with --truth."
        )
    return spots[column]


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", type=Path)
    parser.add_argument("--truth", required=True, metavar="COLUMN")
    parser.add_argument("-k", "--domains", type=int, required=True)
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", choices=[p.name for p in PEERS])
    parser.add_argument("--times", type=int, default=1, help="runs of each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=float, default=30, help="minutes a run")
    parser.add_argument("--memory", type=float, default=16, help="GiB a run")
    parser.add_argument("--again", action="store_true", help="run those known too")
    options = parser.parse_args()
    options.section, options.work = options.section.resolve(), options.work.resolve()
    options.digest = digest(options.section)
    return options


def main():
    # Ended from outside, it ends the run that is under way too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended from outside."))
    options = parsed()
    truth = annotation(options.section, options.truth)
    folder = options.work / "results" / f"{options.section.stem}-k{options.domains}"
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "section": options.section.name,
        "spots": len(truth),
        "annotated": int(truth.notna().sum()),
        "k": options.domains,
        "threads": options.threads,
        "times": options.times,
        "limits": f"{options.limit:g} min, {options.memory:g} GiB",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
    }
    wanted = [p for p in PEERS if not options.only or p.name in options.only]
    rows = {peer.name: [] for peer in wanted}
    for time_of_it in range(1, options.times + 1):
        for peer in wanted:
            print(f"{time.strftime('%H:%M:%S')}  {peer.name}", flush=True)
            rows[peer.name].append(row_of(peer, options, folder, truth, time_of_it))
            print("          " + report.line(rows[peer.name][-1]), flush=True)
            report.write(folder, about, rows)
    print(f"\n{(folder / 'peers.md').read_text()}\nWritten to {folder}")


if __name__ == "__main__":
    main()
