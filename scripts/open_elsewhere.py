"""Write results and open them with the programs that people go on with.

    python scripts/open_elsewhere.py write FOLDER     # with napari-semst[spatialdata]
    OTHER/bin/python scripts/open_elsewhere.py open FOLDER     # with the other programs

Both may be the same environment; napari-spatialdata needs a screen. A simulated section
is labelled and written as .h5ad and .zarr, as GeoJSON, as tables of SpatialData stores
that are there, and as such a store. Then every program must find each domain in as many
spots as it has. It prints one line for each program; the exit status is 1 if one found
something else.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Counts = dict[str, int]

DOMAIN = "semst_domain"
# SpatialData stores by what is in them, and the table with the domains.
STORES = {"circles": "semst", "labels": "semst", "converted": "table"}
_SIDE = 6  # pixels of a cell in the labels


def write(folder: Path, *, n_spots: int = 400, k: int = 4) -> Counts:
    """Write a section's results in every format; return the spots of each domain."""
    import napari_semst as semst

    folder.mkdir(parents=True, exist_ok=True)
    tissue = semst.simulated_cortex(n_spots=n_spots, n_genes=300)
    tissue = semst.find_domains(tissue, n_domains=k, preset="quick")
    for ending in ("h5ad", "zarr"):
        semst.write(tissue, folder / f"result.{ending}", overwrite=True)
    semst.convert(
        folder / "result.h5ad",
        folder / "converted.zarr",
        output_format="spatialdata",
        overwrite=True,
    )
    for shapes in ("regions", "spots"):
        semst.write_geojson(
            tissue, folder / f"{shapes}.geojson", shapes=shapes, overwrite=True
        )
    for kind in ("circles", "labels"):
        store = _store(tissue, folder / f"{kind}.zarr", kind)
        semst.write_spatialdata_table(tissue, store)
    found = _counted(tissue.obs[DOMAIN])
    (folder / "counts.json").write_text(json.dumps(found))
    return found


def _store(tissue: Any, place: Path, kind: str) -> Path:
    """Write a SpatialData store whose spots are circles or labels."""
    import pandas as pd
    import spatialdata
    from spatialdata.models import Labels2DModel, ShapesModel, TableModel

    n = tissue.n_obs
    if kind == "circles":
        places = np.asarray(tissue.obsm["spatial"])
        circles = ShapesModel.parse(
            places, geometry=0, radius=1.0, index=np.arange(1, n + 1)
        )
        elements = {"shapes": {kind: circles}}
    else:
        numbers = np.zeros(int(np.ceil(np.sqrt(n))) ** 2, np.int32)
        numbers[:n] = np.arange(1, n + 1)
        numbers = numbers.reshape(int(np.sqrt(len(numbers))), -1)
        raster = np.kron(numbers, np.ones((_SIDE, _SIDE), np.int32))
        elements = {"labels": {kind: Labels2DModel.parse(raster, dims=("y", "x"))}}
    obs = pd.DataFrame(
        {"region": pd.Categorical([kind] * n), "number": np.arange(1, n + 1)},
        index=tissue.obs_names,
    )
    table = type(tissue)(tissue.X, obs=obs, var=tissue.var[[]])
    table = TableModel.parse(
        table, region=kind, region_key="region", instance_key="number"
    )
    whole = spatialdata.SpatialData(**elements, tables={"table": table})
    whole.write(place, overwrite=True)
    return place


def _counted(labels: Iterable[object]) -> Counts:
    return {str(name): count for name, count in sorted(Counter(labels).items())}


def scanpy(folder: Path) -> list[Counts]:
    """Open the .h5ad and the .zarr, rank genes of the domains and draw them."""
    import anndata
    import scanpy as sc

    stored = anndata.read_zarr(folder / "result.zarr")
    tissue = sc.read_h5ad(folder / "result.h5ad")
    sc.pp.normalize_total(tissue)
    sc.pp.log1p(tissue)
    sc.tl.rank_genes_groups(tissue, DOMAIN)
    sc.pl.embedding(tissue, "spatial", color=DOMAIN, show=False)
    assert len(tissue.uns["rank_genes_groups"]["names"].dtype) > 1
    return [_counted(one.obs[DOMAIN]) for one in (tissue, stored)]


def squidpy(folder: Path) -> list[Counts]:
    """Open the .h5ad, ask which domains are neighbours and draw them."""
    import anndata
    import squidpy as sq

    tissue = anndata.read_h5ad(folder / "result.h5ad")
    sq.gr.spatial_neighbors(tissue)
    sq.gr.nhood_enrichment(tissue, cluster_key=DOMAIN, show_progress_bar=False)
    sq.pl.spatial_scatter(tissue, color=DOMAIN, shape=None)
    enriched = tissue.uns[f"{DOMAIN}_nhood_enrichment"]["zscore"]
    assert len(enriched) == tissue.obs[DOMAIN].nunique()
    return [_counted(tissue.obs[DOMAIN])]


def spatialdata(folder: Path) -> list[Counts]:
    """Open the stores and join domains with the shapes and labels that they are of."""
    import spatialdata as sd

    found = []
    for name, table in STORES.items():
        whole = sd.read_zarr(folder / f"{name}.zarr")
        joined = sd.get_values(
            DOMAIN, sdata=whole, element_name=_element(whole), table_name=table
        )
        found.append(_counted(joined[DOMAIN]))
    return found


def _element(store: Any) -> str:
    """Return the only shapes or labels of a store."""
    (name,) = [*store.shapes, *store.labels]
    return str(name)


def napari_spatialdata(folder: Path) -> list[Counts]:
    """Show the stores' elements and colour them by the domains."""
    import napari
    import spatialdata as sd
    from napari_spatialdata import Interactive, QtAdataViewWidget

    found = []
    for name, table in STORES.items():
        whole = sd.read_zarr(folder / f"{name}.zarr")
        window = Interactive(whole, headless=True)
        viewer = napari.current_viewer()
        window.add_element(_element(whole), "global")
        layer = _awaited(viewer, _element(whole))
        viewer.layers.selection.active = layer
        view = QtAdataViewWidget(viewer)
        view.table_name_widget.setCurrentText(table)
        view.obs_widget._onAction([DOMAIN])
        found.append(_counted(layer.features[DOMAIN].dropna()))
        viewer.close()
    return found


def _awaited(viewer: Any, name: str) -> Any:
    """Return a layer that a thread of the plugin makes."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + 60
    while name not in viewer.layers and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)
    return viewer.layers[name]


def geopandas(folder: Path) -> list[Counts]:
    """Open both GeoJSON files; count detections, and those that lie in each region."""
    import geopandas as gpd

    spots = gpd.read_file(folder / "spots.geojson")
    regions = gpd.read_file(folder / "regions.geojson")
    for frame in (spots, regions):
        frame["domain"] = [_class_of(held) for held in frame["classification"]]
    middles = spots[["geometry"]].set_geometry(spots.centroid)
    inside = gpd.sjoin(middles, regions[["domain", "geometry"]], predicate="within")
    return [_counted(spots["domain"]), _counted(inside["domain"])]


def _class_of(held: Any) -> str:
    """Return the name of a class, which some releases leave as text."""
    return str((json.loads(held) if isinstance(held, str) else held)["name"])


PROGRAMS: dict[str, Callable[[Path], list[Counts]]] = {
    "scanpy": scanpy,
    "squidpy": squidpy,
    "spatialdata": spatialdata,
    "napari-spatialdata": napari_spatialdata,
    "geopandas": geopandas,
}


def open_all(folder: Path) -> int:
    """Open the results with every program; return how many found something else."""
    wanted = json.loads((folder / "counts.json").read_text())
    print("| program | release | domains |\n|---|---|---|")
    wrong = 0
    for name, opened in PROGRAMS.items():
        try:
            release = version(name)
        except PackageNotFoundError:
            print(f"| {name} | not installed | |")
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = opened(folder)
        same = all(counts == wanted for counts in found)
        wrong += not same
        print(f"| {name} | {release} | {'right' if same else found} |")
    packages = ("anndata", "pandas", "numpy", "zarr")
    print("With " + ", ".join(f"{name} {version(name)}" for name in packages))
    return wrong


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("step", choices=("write", "open"))
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    os.environ.setdefault("MPLBACKEND", "agg")
    if asked.step == "write":
        print(write(asked.folder))
        return 0
    return min(open_all(asked.folder), 1)


if __name__ == "__main__":
    sys.exit(main())
