"""The canvas: recolouring, panning, zooming and opening, in a real window.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/canvas.py
        [--spots 4000 100000 1000000] [--section FILE] [--repeats 5] [--json FILE]

Scattered spots with 12 domains and 200 genes, drawn as napari-semst draws them: points,
or above `MOST_POINTS` an image. A time runs from the order to the frame
that shows it, computing the colours included; medians, after one run to warm up, on
the wall and of the process's threads together ("cpu").
"prepare" makes the layers' data of a tissue in memory, which the dock does in a
worker; "add" is from there to the first frame. With ``--section`` a file is opened.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np

N_DOMAINS, N_GENES, DENSITY = 12, 200, 0.1


def made(n_spots):
    """Return a section of scattered spots with results."""
    import pandas as pd
    from anndata import AnnData
    from scipy import sparse

    from napari_semst import keys

    random = np.random.default_rng(0)
    per_spot = round(N_GENES * DENSITY)
    genes = random.integers(0, N_GENES, (n_spots, per_spot), dtype=np.int32)
    genes.sort(axis=1)
    X = sparse.csr_matrix(
        (
            random.integers(1, 9, n_spots * per_spot).astype(np.float32),
            genes.ravel(),
            np.arange(0, n_spots * per_spot + 1, per_spot),
        ),
        shape=(n_spots, N_GENES),
    )
    X.sum_duplicates()
    names = pd.Index([f"spot-{i}" for i in range(n_spots)])
    tissue = AnnData(X, obs=pd.DataFrame(index=names))
    side = 10 * np.sqrt(n_spots)
    tissue.obsm["spatial"] = random.random((n_spots, 2)) * side
    bands = tissue.obsm["spatial"][:, 0] * N_DOMAINS / side
    codes = np.minimum(bands, N_DOMAINS - 1).astype(int)
    levels = [str(i + 1) for i in range(N_DOMAINS)]
    tissue.obs[keys.DOMAIN] = pd.Categorical.from_codes(codes, levels)
    tissue.obs[keys.MODULATION] = random.random(n_spots).astype(np.float32)
    tissue.obs[keys.CONFIDENCE] = random.random(n_spots).astype(np.float32)
    return tissue


class Window:
    """A napari window, and the time that its frames take."""

    def __init__(self):
        import napari

        self.viewer = napari.Viewer()
        self.viewer.window.resize(1500, 950)
        self._qt = self.viewer.window._qt_viewer
        self.settle()

    def settle(self):
        """Let the window do what it still has to do, and draw."""
        from qtpy.QtWidgets import QApplication

        for _ in range(3):
            QApplication.processEvents()
        self.frame()

    def frame(self):
        """Draw one frame now and wait until it is drawn."""
        from vispy import gloo

        canvas = self._qt.canvas._scene_canvas
        canvas.native.repaint()
        canvas.set_current()
        gloo.gl.glFinish()

    def seconds(self, work, repeats):
        """Return the median time of some work and the frame that follows.

        Of the wall, and of all the process's threads together: the second is what
        an idle core would need at most.
        """
        walls, cores = [], []
        for turn in range(repeats + 1):
            start, busy = time.perf_counter(), time.process_time()
            work(turn)
            self.frame()
            cores.append(time.process_time() - busy)
            walls.append(time.perf_counter() - start)
        self.worst = [round(max(walls[1:]), 3), round(max(cores[1:]), 3)]
        both = statistics.median(walls[1:]), statistics.median(cores[1:])
        return [round(one, 3) for one in both]


def camera_of(viewer):
    """Return the camera, which has changed its place from napari 0.9 on."""
    return getattr(viewer, "scene", viewer).camera


def measured(window, tissue, repeats):
    """Return the times of one section."""
    from napari.layers import Layer

    from napari_semst.viewer import adapter, colourings, spots
    from napari_semst.viewer.colour import paint_numbers, paint_of
    from napari_semst.viewer.spots import paint_layer

    start = time.perf_counter()
    data = adapter.layers_of(tissue, "Section")
    prepared = time.perf_counter()
    for one in data:
        window.viewer.add_layer(Layer.create(*one))
    window.viewer.reset_view()
    window.frame()
    shown = time.perf_counter()
    layer = window.viewer.layers[-1]
    found = {
        "spots": tissue.n_obs,
        "drawn as": "image" if spots.raster_of(layer) else "points",
        "prepare": prepared - start,
        "add": shown - prepared,
    }
    window.settle()
    by_key = {c.key: c for c in colourings.colourings(tissue)}
    for name, key in (("domain", "semst_domain"), ("modulation", "semst_modulation")):
        if key in by_key:
            found[name] = window.seconds(
                lambda _, c=by_key[key]: paint_layer(layer, paint_of(tissue, c).rgba),
                repeats,
            )

    def gene(turn):
        column = tissue.X[:, [turn % tissue.n_vars]]
        values = column.toarray() if hasattr(column, "toarray") else column
        paint_layer(layer, paint_numbers(values.ravel(), "inferno").rgba)

    found["gene"] = window.seconds(gene, repeats)
    camera = camera_of(window.viewer)
    middle, zoom = np.array(camera.center), camera.zoom
    for name, factor in (("pan", 1), ("pan, 4 x", 4), ("pan, 32 x", 32)):
        camera.zoom = zoom * factor
        camera.center = middle
        window.settle()

        def pan(turn):
            step = np.array([0, 0, 25.0]) / camera.zoom
            camera.center = np.array(camera.center) + step

        found[name] = window.seconds(pan, 10 * repeats)
        found[f"{name}, worst"] = window.worst
    found["zoom"] = max(
        window.seconds(lambda t, z=2.0**i: setattr(camera, "zoom", zoom * z), 1)
        for i in range(6)
    )
    window.viewer.layers.clear()
    return found


def opened(window, path, repeats):
    """Return the seconds from a path to its painted spots, wall and cpu.

    The first time includes the imports that are not needed before.
    """

    def work(_):
        window.viewer.layers.clear()
        window.viewer.open(str(path), plugin="napari-semst")

    start, busy = time.perf_counter(), time.process_time()
    work(0)
    window.frame()
    first = [time.perf_counter() - start, time.process_time() - busy]
    again = window.seconds(work, repeats)
    window.viewer.layers.clear()
    return {"first": [round(one, 3) for one in first], "again": again}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--spots", type=int, nargs="*", default=[4000, 100_000, 10**6]
    )
    arguments.add_argument("--section", type=Path)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    window = Window()
    report = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_1_min": round(os.getloadavg()[0], 2),
        "canvas": tuple(map(int, window.viewer.window._qt_viewer.canvas.size)),
        "sections": [],
    }
    print(json.dumps(report))
    if given.section:
        report["opened"] = opened(window, given.section, given.repeats)
        print(json.dumps(report["opened"]))
    for n_spots in given.spots:
        report["sections"].append(measured(window, made(n_spots), given.repeats))
        print(json.dumps(report["sections"][-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))
    window.viewer.close()


if __name__ == "__main__":
    main()
