"""Make the pictures of outlined cells, and of molecules, from the real window.

Run it where there is no screen as
``xvfb-run -a -s "-screen 0 1600x1100x24" python docs/screenshots_outlines.py``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
from napari.layers import Layer
from qtpy.QtCore import Qt
from screenshots import picture, settle, wait_for
from screenshots_explore import DOCK, WIDTH, fold

from napari_semst import find_domains

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.io.outlines.cell_outlines import Rings
    from napari_semst.widgets.explore.widget import ExploreDomains

HEIGHT, CELLS_ACROSS = 900, 30
# Outlines of the simulated cells: how far from a cell at most, in spacings, how much
# of the way to the neighbours, and corners.
REACH, SHARE, CORNERS = 0.75, 0.93, 24


def drawn_outlines(places: np.ndarray) -> Rings:
    """Return an outline around each cell, up to half the way to its neighbours."""
    from scipy.spatial import cKDTree

    from napari_semst.io.outlines.cell_outlines import Rings

    near, which = cKDTree(places).query(places, k=16)
    spacing = np.median(near[:, 1:7])
    angles = np.linspace(0, 2 * np.pi, CORNERS)
    spokes = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # Along a spoke the nearest of the lines halfway to the neighbours ends the cell.
    way = places[which[:, 1:]] - places[:, None]
    along = np.einsum("nkd,sd->nsk", way, spokes)
    half = (way**2).sum(axis=2)[:, None] / 2
    ends = np.where(along > 0, half / np.maximum(along, 1e-9), np.inf).min(axis=2)
    radius = np.minimum(SHARE * ends, REACH * spacing)
    corners = places[:, None] + radius[..., None] * spokes
    n = len(places)
    offsets = np.arange(n + 1) * CORNERS
    return Rings(corners.reshape(-1, 2), offsets, np.arange(n))


def outlined_sample() -> tuple[AnnData, Rings]:
    """Return simulated cells with domains and outlines."""
    from napari_semst.io.outlines.sources import remember_outlines
    from napari_semst.sample import simulated_cortex

    tissue = find_domains(
        simulated_cortex(10_000, 500, platform="cells"), n_domains=7, method="quick"
    )
    rings = drawn_outlines(np.asarray(tissue.obsm["spatial"], float))
    remember_outlines(tissue, Path("simulated"), lambda: rings)
    return tissue, rings


def write_molecules(tissue: AnnData, rings: Rings, file: Path) -> list[str]:
    """Write molecules of the genes that differ most between domains; name these."""
    import pandas as pd

    random = np.random.default_rng(0)
    domains = tissue.obs["semst_domain"].cat.codes.to_numpy()
    counts = tissue.X.tocsc()
    means = np.stack([counts[domains == d].mean(axis=0).A1 for d in range(7)])
    highest = (means.max(axis=0) - means.mean(axis=0)) * (means.max(axis=0) > 1)
    chosen = [int(np.argmax(highest * (means.argmax(axis=0) == d))) for d in range(4)]
    parts = []
    for gene in chosen:
        column = counts[:, gene].toarray().ravel().astype(int)
        cell = np.repeat(np.arange(tissue.n_obs), column)
        corner = rings.vertices[cell * CORNERS + random.integers(0, CORNERS, len(cell))]
        middle = np.asarray(tissue.obsm["spatial"])[cell]
        places = middle + (corner - middle) * np.sqrt(random.random((len(cell), 1)))
        name = tissue.var_names[gene]
        parts.append(pd.DataFrame({"feature_name": name, "x_location": places[:, 0]}))
        parts[-1]["y_location"] = places[:, 1]
    pd.concat(parts).to_parquet(file)
    return [str(tissue.var_names[gene]) for gene in chosen]


def show_molecules(dock: ExploreDomains, tissue: AnnData, rings: Rings) -> None:
    """Show molecules over the cells that are looked at."""
    from napari_semst.io.transcripts.read import sources_at
    from napari_semst.io.transcripts.sources import remember_transcripts

    part = dock.transcripts
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "transcripts.parquet"
        genes = write_molecules(tissue, rings, file)
        remember_transcripts(tissue, *sources_at(file))
        dock.context.section_changed.emit()
        part.genes.setText(", ".join(genes))
        part.box.setChecked(True)
        wait_for(
            lambda: part.shown.view is not None and not part.shown.reading.busy, 60
        )
    settle()


def main() -> None:
    """Open cells, look at some of them closely, and take the pictures."""
    from napari_semst.viewer import adapter, sections, spots
    from napari_semst.viewer.outlines.load_outlines import read_outlines_when_wanted

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    given = parser.parse_args()
    tissue, rings = outlined_sample()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(WIDTH, HEIGHT)
    for data in adapter.layers_of(tissue, name="Simulated cells"):
        layer = Layer.create(*data)
        viewer.add_layer(layer)
        read_outlines_when_wanted(layer)
    window, dock = viewer.window.add_plugin_dock_widget(
        "napari-semst", "Explore domains"
    )
    settle()
    window.parentWidget().resizeDocks([window], [DOCK], Qt.Orientation.Horizontal)
    fold(dock)
    places = spots.positions(layer)
    middle = np.quantile(places, [0.3, 0.5], axis=0)[[0, 1], [0, 1]]
    wide = CELLS_ACROSS * np.median(spots.diameters(layer))
    sections.zoom_to(viewer, np.stack([middle - wide / 2, middle + wide / 2]))
    wait_for(lambda: spots.raster_of(layer).outlines is not None, 60)
    picture(viewer, given.out / "explore-outlines.png")
    sections.zoom_to(viewer, np.stack([middle - wide / 4, middle + wide / 4]))
    layer.opacity = 0.5
    show_molecules(dock, tissue, rings)
    picture(viewer, given.out / "explore-transcripts.png")
    viewer.close()


if __name__ == "__main__":
    main()
