"""Transcripts of chosen genes: reading them, the first tile, and moving about.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/transcripts.py
        [--molecules 20000000] [--genes 300] [--repeats 10] [--csv] [--json FILE]

A section of 100,000 cells, and a table of molecules of many genes as Xenium writes it
(parquet, by row groups of fields), or as text. For a gene, five, and the five most
frequent: "first tile" runs from the tick to the first molecules on the canvas, "read"
to all of them, in a worker while the window goes on; its longest silence is told. Then
steps of a tenth of the window and zooming in, each until the new tile is drawn. Times
are seconds on the wall; memory is what the process grew by.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from canvas import Window, camera_of, made
from outlines import rounded

CELLS, SIDE, SPACING = 100_000, 20, 10.0


def written(folder, n_molecules, genes, text):
    """Write a table of molecules field by field; return the file."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    random = np.random.default_rng(0)
    length = SPACING * np.ceil(np.sqrt(CELLS))
    # As in a real panel a few genes have most of the molecules.
    shares = random.gamma(0.6, 1.0, len(genes))
    shares = np.sort(shares / shares.sum())[::-1]
    file = folder / f"transcripts.{'csv' if text else 'parquet'}"
    writer, per_field = None, n_molecules // SIDE**2
    for field in range(SIDE**2):
        corner = np.array(divmod(field, SIDE)) * length / SIDE
        places = corner + random.uniform(0, length / SIDE, (per_field, 2))
        names = pa.DictionaryArray.from_arrays(
            random.choice(len(genes), per_field, p=shares).astype(np.int32), genes
        ).cast(pa.string())
        part = pa.table(
            {
                "transcript_id": np.arange(per_field),
                "cell_id": np.zeros(per_field, np.int32),
                "feature_name": names,
                "x_location": places[:, 0],
                "y_location": places[:, 1],
                "z_location": np.zeros(per_field),
                "qv": random.choice([15.0, 30.0, 40.0], per_field),
            }
        )
        if writer is None:
            kind = csv.CSVWriter if text else parquet.ParquetWriter
            writer = kind(file, part.schema)
        writer.write_table(part)
    writer.close()
    return file


def waited(part, done, at_most=600):
    """Let the window live until something is done; return seconds, longest silence."""
    from qtpy.QtWidgets import QApplication

    began, longest = time.perf_counter(), 0.0
    while not done():
        start = time.perf_counter()
        if start - began > at_most:
            raise TimeoutError(part.message.text())
        QApplication.processEvents()
        longest = max(longest, time.perf_counter() - start)
        time.sleep(0.002)
    return time.perf_counter() - began, longest


def is_settled(shown):
    """Return whether what is looked at is drawn."""
    busy = shown.reading.busy or shown.looking.busy or shown._timer.isActive()
    return shown.view is not None and not busy


def measured(window, dock, layer, genes, repeats):
    """Return the times of some genes."""
    from napari_semst.viewer import sections, spots

    part, before = dock.transcripts, peak()
    part.box.setChecked(False)
    sections.zoom_to(window.viewer, sections.visible_box(window.viewer, layer))
    window.settle()
    part.genes.setText(", ".join(genes))
    start = time.perf_counter()
    part.box.setChecked(True)
    shown = part.shown
    found = {}
    _, first = waited(part, lambda: shown.points is not None and len(shown.points.data))
    found["first tile"] = time.perf_counter() - start
    _, silence = waited(part, lambda: is_settled(shown))
    found["read"] = time.perf_counter() - start
    found["longest silence"] = max(first, silence)
    found["kept"] = len(shown.molecules)
    found["whole"] = [shown.view.n_drawn, shown.view.n_there]
    camera = camera_of(window.viewer)
    middle = spots.positions(layer).mean(axis=0)
    size = np.array(window.viewer.window._qt_viewer.canvas.size)
    for pixels in (4, 10, 40):
        camera.zoom = pixels / SPACING
        camera.center = (0, *middle)
        taken, silent = waited(part, lambda: is_settled(shown))
        steps = [[taken, silent]]
        for _ in range(repeats):
            step = np.array([0, 0.02 * size[0], 0.1 * size[1]]) / camera.zoom
            camera.center = np.array(camera.center) + step
            window.frame()
            steps.append(waited(part, lambda: is_settled(shown)))
        taken, silent = np.array(steps[1:]).T
        found[f"{pixels} pixels a cell"] = {
            "in view": [shown.view.n_drawn, shown.view.n_there],
            "zoomed to": steps[0],
            "pan": float(np.median(taken)),
            "pan, worst": float(taken.max()),
            "longest silence": float(silent.max()),
        }
    found["memory, MiB"] = (peak() - before) // 1024
    return found


def peak():
    """Return the most memory that the process held so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--molecules", type=int, default=20_000_000)
    arguments.add_argument("--genes", type=int, default=300)
    arguments.add_argument("--repeats", type=int, default=10)
    arguments.add_argument("--csv", action="store_true", help="a table of text")
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    from napari.layers import Layer

    from napari_semst.io.transcripts.read import sources_at
    from napari_semst.io.transcripts.sources import remember_transcripts
    from napari_semst.viewer import adapter
    from napari_semst.widgets.explore.widget import ExploreDomains

    window = Window()
    tissue = made(CELLS)[:, : given.genes].copy()
    side = int(np.ceil(np.sqrt(CELLS)))
    tissue.obsm["spatial"] = np.stack(np.divmod(np.arange(CELLS), side), 1) * SPACING
    names = list(tissue.var_names)
    with tempfile.TemporaryDirectory() as folder:
        file = written(Path(folder), given.molecules, names, given.csv)
        remember_transcripts(tissue, *sources_at(file))
        layers = [Layer.create(*data) for data in adapter.layers_of(tissue, "Section")]
        for layer in layers:
            window.viewer.add_layer(layer)
        dock = ExploreDomains(window.viewer)
        window.viewer.window.add_dock_widget(dock)
        window.settle()
        report = {
            "molecules": given.molecules,
            "file, MB": file.stat().st_size // 10**6,
            "cores": os.cpu_count(),
            "load_1_min": round(os.getloadavg()[0], 2),
            "canvas": tuple(map(int, window.viewer.window._qt_viewer.canvas.size)),
        }
        for title, chosen in (
            ("one gene", names[60:61]),
            ("five genes", names[60:65]),
            ("the five most frequent", names[:5]),
        ):
            report[title] = measured(window, dock, layers[-1], chosen, given.repeats)
    print(json.dumps(rounded(report), indent=1))
    if given.json:
        given.json.write_text(json.dumps(rounded(report), indent=1))
    window.viewer.close()


if __name__ == "__main__":
    main()
