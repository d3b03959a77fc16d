"""Many rounds in one process, and what they keep: memory, threads, open files.

    python benchmarks/rounds.py [--find 100] [--dock 50] [--spots 200] [--json FILE]
        [--figure FILE.png]

A round of `find_domains` takes the next of eight ways in turn: the three methods, and
every readout of the latent. A round of the dock opens a viewer with "Find domains" and
a section, starts a run of the default recipe, cancels it in training, and closes the
viewer, as a user does (real windows; Xvfb is started where there is no screen). napari
itself keeps something of every viewer that was closed: as many rounds of the same
layers in a viewer without the dock say how much, and that is taken off.

Flat means: from round 12 on, the memory of the process (its own resident pages) rises
by no more than 4 MiB, as the difference of the medians of the first and the last eight
rounds and as the slope (Theil-Sen) times the rounds; threads and open files are not
more at the end than they ever were by round 12. Pages that are free but still the
process's are given back before each look, so that what is counted is what is kept: how
many the C library holds at a moment changes by tens of MiB. It needs Linux and glibc.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import psutil

FIRST = 12
MOST_MIB = 4.0
# As many as there are ways: every window holds each of them once.
_WINDOW = 8
_DOCK, _NAPARI = "open, run, cancel, close", "napari alone: open, close"


def measured(begun):
    """Return memory in MiB, threads and open files of this process."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    process = psutil.Process()
    memory = process.memory_full_info()
    return {
        "mib": memory.uss / 2**20,
        "threads": process.num_threads(),
        "files": process.num_fds(),
        "seconds": time.monotonic() - begun,
    }


def ways():
    """Return name, method and readout of each way."""
    found = [("semst", "semst", "consensus"), ("quick", "quick", "consensus")]
    found += [("image-guided", "image-guided", "consensus")]
    found += [(f"semst, {x}", "semst", x) for x in ("gmm", "gmm-full", "kmeans")]
    found += [("image-guided, gmm", "image-guided", "gmm")]
    try:
        import igraph  # noqa: F401
    except ImportError:
        return [*found, ("quick, kmeans", "quick", "kmeans")]
    return [*found, ("semst, leiden", "semst", "leiden")]


def find_rounds(count, n_spots):
    """Find domains again and again; return what each round left."""
    from napari_semst.config import Request
    from napari_semst.core.progress import run_to_end
    from napari_semst.pipeline.run import find_domains
    from napari_semst.sample import simulated_cortex

    tissue = simulated_cortex(n_spots, 150)
    records = []
    for number in range(count):
        begun = time.monotonic()
        name, method, readout = ways()[number % _WINDOW]
        preset = "quick" if method == "quick" else "auto"
        settings = {
            "domains": {"n_domains": 4, "n_starts": 1, "readout": readout},
            "training": {"epochs": 2, "device": "cpu"},
        }
        if method != "quick":
            settings["model"] = {"method": method}
        if method == "image-guided":
            small = {"contrastive_epochs": 2, "clustering_epochs": 2}
            settings["image_guided"] = {**small, "permutations": 3, "folds": 2}
        result = run_to_end(find_domains(tissue, Request(preset, settings)))
        assert len(set(result.codes)) > 1
        del result
        records.append({"round": number + 1, "way": name, **measured(begun)})
        print(json.dumps(records[-1]), flush=True)
    return records


def window_rounds(name, count, n_spots, one_round):
    """Open and close a viewer again and again; return what each round left."""
    import napari
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    from napari_semst.sample import simulated_cortex

    napari.Viewer().close()
    records = []
    for number in range(count):
        begun = time.monotonic()
        one_round(simulated_cortex(n_spots, 150, seed=number))
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        records.append({"round": number + 1, "way": name, **measured(begun)})
        records[-1]["viewers"] = _viewers()
        print(json.dumps(records[-1]), flush=True)
    return records


def _show(viewer, tissue):
    import napari

    from napari_semst.viewer.adapter import layers_of

    for layer in layers_of(tissue, "Section"):
        viewer.add_layer(napari.layers.Layer.create(*layer))


def napari_round(tissue):
    """Open a viewer with the section's layers, and close it."""
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer()
    _show(viewer, tissue)
    QApplication.processEvents()
    viewer.close()


def dock_round(tissue):
    """Open a viewer with the dock and a section, run, cancel, and close it."""
    import napari

    from napari_semst.widgets.find.widget import FindDomains

    viewer = napari.Viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-semst", "Find domains")
    assert isinstance(dock, FindDomains)
    _show(viewer, tissue)
    dock.settings.n_domains.setValue(4)
    dock.settings.epochs.setValue(500)
    training = []
    dock.controller.updated.connect(
        lambda update: training.append(update.progress.stage)
    )
    dock.run_box.run_button.click()
    _until(lambda: "train" in training, "training")
    dock.run_box.cancel_button.click()
    _until(lambda: not dock.running.busy, "cancelling")
    _workers_end()
    viewer.close()


def _until(ready, what, limit=300.0):
    from qtpy.QtWidgets import QApplication

    until = time.monotonic() + limit
    while not ready():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} took over {limit:.0f} s")
        QApplication.processEvents()
        time.sleep(0.005)


def _workers_end():
    from superqt.utils import WorkerBase

    _until(lambda: not WorkerBase._worker_set, "the worker's end")


def _viewers():
    from napari.viewer import Viewer

    return sum(type(x) is Viewer for x in gc.get_objects())


def kept(records):
    """Return by how many MiB memory rises from round 12 on, of medians and by slope."""
    from scipy.stats import theilslopes

    memory = np.array([r["mib"] for r in records[FIRST - 1 :]])
    rise = float(np.median(memory[-_WINDOW:]) - np.median(memory[:_WINDOW]))
    return rise, float(theilslopes(memory)[0]) * len(memory)


def verdict(records, without=None):
    """Return how much was kept beyond rounds without us, and whether that is flat."""
    rise, slope = kept(records)
    told = {"rounds": len(records), "mib_rise": rise, "mib_slope": slope}
    if without:
        told["mib_rise_without"], told["mib_slope_without"] = kept(without)
        rise -= told["mib_rise_without"]
        slope -= told["mib_slope_without"]
    flat = max(rise, slope) <= MOST_MIB
    for name in ("threads", "files"):
        by_then = max(r[name] for r in records[:FIRST])
        at_end = max(r[name] for r in records[-_WINDOW:])
        told[name] = f"{by_then} by round {FIRST}, {at_end} at the end"
        flat &= at_end <= by_then
    return {**told, "flat": bool(flat)}


def draw(found, path):
    """Draw memory, threads and open files by round."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(found), figsize=(4.5 * len(found), 3.2), layout="constrained"
    )
    for axis, (title, records) in zip(np.atleast_1d(axes), found.items(), strict=True):
        rounds = [r["round"] for r in records]
        axis.plot(rounds, [r["mib"] for r in records], "k-", label="memory (MiB)")
        axis.axvline(FIRST, color="0.7", lw=1)
        axis.set_ylim(0, 1.25 * max(r["mib"] for r in records))
        axis.set(title=title, xlabel="round", ylabel="MiB")
        other = axis.twinx()
        other.plot(rounds, [r["threads"] for r in records], "C0-", label="threads")
        other.plot(rounds, [r["files"] for r in records], "C1-", label="open files")
        most = max(max(r["threads"], r["files"]) for r in records)
        other.set_ylim(0, 2 * most)
        lines = [*axis.lines[:1], *other.lines]
        # Between memory, which ends at four fifths, and the others, below a half.
        where = {"loc": "center", "bbox_to_anchor": (0.5, 0.64), "ncols": 3}
        names = [str(x.get_label()) for x in lines]
        axis.legend(lines, names, fontsize=7, frameon=False, **where)
    figure.savefig(path, dpi=110)


@contextlib.contextmanager
def screen():
    """Give a screen where there is none."""
    if os.environ.get("DISPLAY") or os.environ.get("QT_QPA_PLATFORM"):
        yield
        return
    from kills_window import Display

    with Display():
        yield


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--find", type=int, default=100)
    parser.add_argument("--dock", type=int, default=50)
    parser.add_argument("--spots", type=int, default=200)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    args = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder, screen():
        os.environ["SEMST_CACHE"] = f"{folder}/cache"
        os.environ["SEMST_SETTINGS"] = f"{folder}/settings"
        if args.find:
            found["find_domains"] = find_rounds(args.find, args.spots)
        if args.dock:
            for name, one in ((_NAPARI, napari_round), (_DOCK, dock_round)):
                found[name] = window_rounds(name, args.dock, args.spots, one)
    # napari's own rounds are no verdict on us.
    verdicts = {
        name: verdict(records, found[_NAPARI] if name == _DOCK else None)
        for name, records in found.items()
        if name != _NAPARI
    }
    print(json.dumps(verdicts, indent=1))
    if args.json:
        args.json.write_text(json.dumps({"rounds": found, "verdicts": verdicts}))
    if args.figure:
        draw(found, args.figure)
    sys.exit(not all(v["flat"] for v in verdicts.values()))


if __name__ == "__main__":
    main()
