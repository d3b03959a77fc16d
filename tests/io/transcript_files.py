"""Writes tables of molecules as instruments do, beside the folders of `folders`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from tests.io.outline_files import save_table
from tests.io.stores import MOVED, group, transforms

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

GENES = ("GENE0", "GENE7", "GENE12", "NegControlProbe_00004")


def molecules(tissue: AnnData, n: int = 4000) -> pd.DataFrame:
    """Return molecules near cells, one in four of low quality: gene, x, y, qv, cell."""
    rng = np.random.default_rng(3)
    cell = rng.integers(0, tissue.n_obs, n)
    places = np.asarray(tissue.obsm["spatial"])[cell] + rng.normal(0, 5, (n, 2))
    return pd.DataFrame(
        {
            "gene": rng.choice(GENES, n),
            "x": places[:, 0].round(3),
            "y": places[:, 1].round(3),
            "qv": np.where(rng.random(n) < 0.25, 12.5, 31.0),
            "cell": cell,
        }
    )


def write_xenium_molecules(
    folder: Path, found: pd.DataFrame, name: str = "transcripts.parquet", **options
) -> Path:
    """Write them as Xenium does; genes are bytes in parquet, as in older runs."""
    table = pd.DataFrame(
        {
            "transcript_id": np.arange(len(found)),
            "feature_name": found["gene"],
            "x_location": found["x"],
            "y_location": found["y"],
            "qv": found["qv"],
        }
    )
    if name.endswith("parquet"):
        table["feature_name"] = table["feature_name"].str.encode("ascii")
        made = pa.Table.from_pandas(table, preserve_index=False)
        parquet.write_table(made, folder / name, **options)
        return folder / name
    return save_table(table, folder / name)


def write_merscope_molecules(
    folder: Path, found: pd.DataFrame, name: str = "detected_transcripts.csv"
) -> Path:
    """Write them as MERSCOPE does: a column without a name, places in two frames."""
    table = pd.DataFrame(
        {
            "": np.arange(len(found)),
            "barcode_id": 5,
            "global_x": found["x"],
            "global_y": found["y"],
            "global_z": 1.0,
            "x": 1.0,
            "y": 2.0,
            "fov": 3,
            "gene": found["gene"],
        }
    )
    return save_table(table, folder / name)


def write_cosmx_molecules(
    folder: Path,
    found: pd.DataFrame,
    n_cells: int,
    name: str = "S1_tx_file.csv.gz",
    places: str = "global",
) -> Path:
    """Write them as CosMx does, of the fields that `folders.write_cosmx` has."""
    fov = np.where(found["cell"] < n_cells // 2, 1, 2)
    table = pd.DataFrame({"fov": fov, "cell_ID": 1, "target": found["gene"]})
    if places == "global":
        table["x_global_px"], table["y_global_px"] = found["x"], found["y"]
    else:
        table["x_local_px"] = found["x"] - np.where(fov == 1, 0.0, 1000.0)
        table["y_local_px"] = found["y"] + 5
    return save_table(table, folder / name)


def write_points(
    store: Path,
    found: pd.DataFrame,
    zarr_format: int = 3,
    name: str = "transcripts",
    *,
    parts: int = 2,
    key: str = "feature_name",
) -> Path:
    """Write them as points in parts, a tenth as far apart and moved as `MOVED` has."""
    place = store / "points" / name
    about = {
        "coordinateTransformations": transforms(*MOVED),
        "spatialdata_attrs": {"feature_key": key, "version": "0.2"},
    }
    group(place, about, zarr_format)
    table = pd.DataFrame({"x": found["x"] / 10 + 3, "y": found["y"] / 10 + 4})
    table[key] = pd.Categorical(found["gene"])
    table["qv"] = found["qv"]
    folder = place / "points.parquet"
    folder.mkdir()
    for part, rows in enumerate(np.array_split(np.arange(len(table)), parts)):
        table.iloc[rows].to_parquet(folder / f"part.{part}.parquet")
    return place
