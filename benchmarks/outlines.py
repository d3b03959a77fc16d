"""Outlines of cells: reading them, and moving about and recolouring close by.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/outlines.py
        [--cells 500000] [--corners 13] [--repeats 5] [--json FILE]

Cells of 12 domains that fill the ground, with their outlines in a table as Xenium
writes it. "read" is from the file to outlines in the order of the cells, in a worker
while the window goes on. A frame runs from the order to what is drawn, on the window's
thread: the first look at a zoom at which nothing is drawn yet, then steps of a tenth of
the window. Times are seconds on the wall, and of the process's threads together.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from canvas import Window, camera_of, made

SPACING = 10.0


def outlined(n_cells, n_corners, file):
    """Return a section on a lattice with dents, its outlines written to a file."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    random = np.random.default_rng(0)
    tissue = made(n_cells)
    side = int(np.ceil(np.sqrt(n_cells)))
    rows, columns = np.divmod(np.arange(n_cells), side)
    places = np.stack([columns, rows], axis=1) * SPACING
    tissue.obsm["spatial"] = places + random.uniform(-1, 1, places.shape)
    bands = (columns * 12 // side).astype(int)
    tissue.obs["semst_domain"] = pd.Categorical((bands + 1).astype(str))
    tissue.uns["spatial"] = {
        "run": {"images": {}, "scalefactors": {"spot_diameter_fullres": 0.9 * SPACING}}
    }
    angles = np.linspace(0, 2 * np.pi, n_corners)
    spokes = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    radius = SPACING * random.uniform(0.42, 0.6, (n_cells, n_corners, 1))
    radius[:, -1] = radius[:, 0]
    corners = (tissue.obsm["spatial"][:, None] + radius * spokes).reshape(-1, 2)
    ids = np.repeat(tissue.obs_names.to_numpy(object), n_corners)
    parquet.write_table(
        pa.table({"cell_id": ids, "vertex_x": corners[:, 0], "vertex_y": corners.T[1]}),
        file,
    )
    return tissue


def wait_for_outlines(raster, at_most=600):
    """Let the window live until outlines are read and drawn.

    Returns when they were read, and the longest time between two beats of a timer that
    beats every five thousandths of a second.
    """
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    beats = [time.perf_counter()]
    timer = QTimer()
    timer.setInterval(5)
    timer.timeout.connect(lambda: beats.append(time.perf_counter()))
    timer.start()
    end, read = beats[0] + at_most, None
    while read is None or time.perf_counter() < read + 0.5:
        if time.perf_counter() > end:
            raise TimeoutError("outlines were not read")
        QApplication.processEvents()
        time.sleep(0.001)
        if read is None and raster.outlines is not None:
            read = time.perf_counter()
    timer.stop()
    return read, float(np.diff([*beats, time.perf_counter()]).max())


def measured(window, tissue, repeats):
    """Return the times of one section."""
    from napari.layers import Layer

    from napari_semst.viewer import adapter, colourings, sections, spots
    from napari_semst.viewer.colour import paint_numbers, paint_of
    from napari_semst.viewer.outlines.load_outlines import read_outlines_when_wanted

    (data,) = adapter.layers_of(tissue, "Section")
    layer = Layer.create(*data)
    window.viewer.add_layer(layer)
    window.viewer.reset_view()
    read_outlines_when_wanted(layer)
    window.settle()
    raster = spots.raster_of(layer)
    camera = camera_of(window.viewer)
    whole = camera.zoom
    middle = spots.positions(layer).mean(axis=0)
    found = {}

    def look(pixels):
        """Look at cells that are so many pixels of the screen wide."""
        camera.zoom = pixels / SPACING
        camera.center = (0, *middle)

    start, busy = time.perf_counter(), time.process_time()
    look(30)
    window.frame()
    read, silence = wait_for_outlines(raster)
    found["read"] = [read - start, time.process_time() - busy]
    found["longest silence meanwhile"] = silence
    domain = next(c for c in colourings.colourings(tissue) if c.key == "semst_domain")
    for pixels in (6, 10, 20, 40, 100):
        name = f"{pixels} pixels a cell"
        # Elsewhere, so that no tile is there yet.
        middle = middle + SPACING * 37
        start, busy = time.perf_counter(), time.process_time()
        look(pixels)
        window.frame()
        first = [time.perf_counter() - start, time.process_time() - busy]
        window.settle()
        size = np.array(window.viewer.window._qt_viewer.canvas.size)
        found[name] = {
            "outlined": raster.has_outlines_at(layer._data_level),
            "cells in view": int(np.prod(size / pixels)),
            "first": first,
        }

        def pan(turn, size=size):
            step = np.array([0, 0.02 * size[0], 0.1 * size[1]]) / camera.zoom
            camera.center = np.array(camera.center) + step

        found[name]["pan"] = window.seconds(pan, 5 * repeats)
        found[name]["pan, worst"] = window.worst

        def gene(turn):
            values = tissue.X[:, [turn % tissue.n_vars]].toarray().ravel()
            spots.paint_layer(layer, paint_numbers(values, "inferno").rgba)

        found[name]["gene"] = window.seconds(gene, repeats)
        found[name]["domain"] = window.seconds(
            lambda _: spots.paint_layer(layer, paint_of(tissue, domain).rgba), repeats
        )
    middle = middle + SPACING * 60
    look(4)
    window.settle()
    wheel = []
    for step in range(24):
        start, busy = time.perf_counter(), time.process_time()
        look(4 * 1.15**step)
        window.frame()
        wheel.append([time.perf_counter() - start, time.process_time() - busy])
    found["zooming in by the wheel, worst"] = np.max(wheel, axis=0).tolist()
    found["zooming in by the wheel"] = np.median(wheel, axis=0).tolist()
    camera.zoom = whole
    sections.zoom_to(window.viewer, sections.visible_box(window.viewer, layer))
    window.settle()
    found["the whole"] = window.seconds(
        lambda _: spots.paint_layer(layer, paint_of(tissue, domain).rgba), repeats
    )
    return found


def rounded(value):
    """Return times to the millisecond, however deep they stand."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return round(value, 3) if isinstance(value, float) else value


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--cells", type=int, default=500_000)
    arguments.add_argument("--corners", type=int, default=13)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    from napari_semst.io.outlines.sources import remember_outlines
    from napari_semst.io.outlines.xenium_vertices import xenium_rings

    window = Window()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cell_boundaries.parquet"
        tissue = outlined(given.cells, given.corners, file)
        names = tissue.obs_names
        remember_outlines(tissue, file, lambda: xenium_rings(file, names))
        report = {
            "cells": given.cells,
            "corners": given.corners,
            "cores": os.cpu_count(),
            "load_1_min": round(os.getloadavg()[0], 2),
            "canvas": tuple(map(int, window.viewer.window._qt_viewer.canvas.size)),
            **measured(window, tissue, given.repeats),
        }
    print(json.dumps(rounded(report), indent=1))
    if given.json:
        given.json.write_text(json.dumps(rounded(report), indent=1))
    window.viewer.close()


if __name__ == "__main__":
    main()
