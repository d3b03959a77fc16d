"""A session beside napari-spatialdata, napari-harpy and spatiato, in one viewer.

Each of them shows an element of one SpatialData object; each layer is taken over as a
section; the results of one go back into the store, where all of them read them; and
napari-spatialdata's View colours a layer of ours. In an environment of its own:

    python3.12 -m venv beside && . beside/bin/activate
    pip install "napari-semst[all,spatialdata]" napari-spatialdata==0.7.2 \
        napari-harpy==0.1.3 spatiato==0.2.1
    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/beside.py pictures
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
SIDE, STEP = 12, 10


def store(folder: Path):
    """Return a SpatialData object of cells as labels and as circles, on disk."""
    import anndata
    import pandas as pd
    import spatialdata
    from scipy import sparse
    from spatialdata.models import Labels2DModel, ShapesModel, TableModel

    n = SIDE * SIDE
    cells = np.arange(1, n + 1).reshape(SIDE, SIDE)
    labels = np.kron(cells, np.ones((STEP, STEP), int)).astype(np.int32)
    labels[::STEP] = labels[:, ::STEP] = 0
    y, x = np.divmod(np.arange(n), SIDE)
    places = np.stack([x, y], axis=1) * STEP + 5.0
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.where(x < SIDE / 2, 1, 4)[:, None], (n, 50))
    obs = pd.DataFrame({"cell": np.arange(1, n + 1), "region": "cells"})
    obs["side"] = pd.Categorical(np.where(x < SIDE / 2, "left", "right"))
    table = anndata.AnnData(sparse.csr_matrix(counts.astype(np.float32)), obs.copy())
    table.var_names = [f"G{number}" for number in range(50)]
    table.obs_names = [str(number) for number in range(1, n + 1)]
    link = {"region": "cells", "region_key": "region", "instance_key": "cell"}
    whole = spatialdata.SpatialData(
        labels={"cells": Labels2DModel.parse(labels, dims=("y", "x"))},
        shapes={
            "circles": ShapesModel.parse(
                places, geometry=0, radius=4, index=np.arange(1, n + 1)
            )
        },
        tables={"table": TableModel.parse(table, **link)},
    )
    circles = table.copy()
    circles.obs["region"] = "circles"
    del circles.uns["spatialdata_attrs"]
    whole["of_circles"] = TableModel.parse(
        circles, region="circles", region_key="region", instance_key="cell"
    )
    whole.write(folder / "section.zarr")
    return spatialdata.read_zarr(folder / "section.zarr")


def settle():
    from qtpy.QtWidgets import QApplication

    for _ in range(20):
        QApplication.processEvents()


def shown_by_registry(plugin, viewer, whole):
    """Let spatiato or napari-harpy show labels and circles; return their layers."""
    state = importlib.import_module(f"{plugin}._app_state").get_or_create_app_state(
        viewer
    )
    state.set_sdata(whole)
    loaded = [
        state.viewer_adapter.ensure_labels_loaded(whole, "cells", "global"),
        state.viewer_adapter.ensure_shapes_loaded(whole, "circles", "global"),
    ]
    return [one.layer for one in loaded]


def taken_over(layer):
    """Take a layer over as the dock does; return the section and its layers."""
    from napari_semst.viewer.foreign_layers import (
        adoptable,
        read_foreign_layer,
        section_from_layer,
    )

    assert adoptable([layer]) == [layer], f"{layer.name} is not offered"
    section = section_from_layer(read_foreign_layer(layer))
    assert section.n_obs == SIDE * SIDE
    y, x = np.divmod(section.obs["cell"].to_numpy() - 1, SIDE)
    expected = np.stack([x, y], axis=1) * STEP + 5.0
    away = np.abs(section.obsm["spatial"] - expected).max()
    assert away <= 1, f"{layer.name}: spots lie {away} beside their cells"
    return section


def main() -> None:
    pictures = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    pictures.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp())
    os.environ["SEMST_SETTINGS"] = str(folder / "settings")
    whole = store(folder)

    from napari.layers import Layer
    from napari_spatialdata import Interactive
    from napari_spatialdata._view import QtAdataViewWidget
    from qtpy.QtWidgets import QApplication, QListWidget

    from napari_semst.io.export.spatialdata import write_spatialdata_table
    from napari_semst.viewer.adapter import layers_of

    theirs = Interactive(whole, headless=True)
    viewer = theirs._viewer
    theirs.add_element("cells", "global", view_element_system=True)
    while not len(viewer.layers):
        settle()  # it reads in a thread
    found = {"napari-spatialdata": [viewer.layers[-1]]}
    for plugin in ("spatiato", "napari_harpy"):
        found[plugin] = shown_by_registry(plugin, viewer, whole)
    sections = {}
    for plugin, layers in found.items():
        for layer in layers:
            sections[plugin, layer.name] = taken_over(layer)
            print(f"{plugin}: {type(layer).__name__} {layer.name!r} is a section")

    section = sections["spatiato", found["spatiato"][0].name]
    section.obs["semst_domain"] = section.obs["side"].to_numpy()
    section.obs["semst_domain"] = section.obs["semst_domain"].astype("category")
    write_spatialdata_table(section, folder / "section.zarr", region="cells")
    again = type(whole).read(folder / "section.zarr")
    assert set(again.tables["semst"].obs["semst_domain"]) == {"left", "right"}
    print("the results are a table of the store")

    viewer.window.resize(1400, 900)
    dock = viewer.window.add_plugin_dock_widget(
        "napari-semst", "Explore domains", tabify=True
    )[1]
    for name, one in (("ours", sections[next(iter(sections))]),):
        for data in layers_of(one, name):
            layer = viewer.add_layer(Layer.create(*data))
    layer = next(x for x in viewer.layers if x.name.startswith("ours"))
    viewer.layers.selection.active = layer
    settle()
    views = [x for x in QApplication.allWidgets() if isinstance(x, QtAdataViewWidget)]
    lists = views[0].findChildren(QListWidget)
    box = next(
        b for b in lists if any(b.item(i).text() == "side" for i in range(b.count()))
    )
    item = next(box.item(i) for i in range(box.count()) if box.item(i).text() == "side")
    box.itemDoubleClicked.emit(item)
    settle()
    colours = np.unique(np.round(layer.face_color, 3), axis=0)
    assert len(colours) == 2, "View has not coloured our layer"
    print(
        "View of napari-spatialdata coloured our layer; legend:",
        dock.notice.text.text(),
    )
    assert layer.features["barcode"].notna().all()
    viewer.screenshot(pictures / "beside-view.png", canvas_only=False, flash=False)
    dock.colour_by("side")
    settle()
    assert not dock.notice.breaks_colours
    assert not dock.legend.isHidden()
    viewer.screenshot(pictures / "beside-ours.png", canvas_only=False, flash=False)
    viewer.close()
    print("all of it works")


if __name__ == "__main__":
    main()
