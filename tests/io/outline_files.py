"""Writes outlines of cells as instruments do, beside the folders of `folders`."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

# An arrow head: concave, closed, of 40 to each side of its cell.
ARROW = np.array([(-40, -40), (0, -15), (40, -40), (0, 40), (-40, -40)], float)


def arrows(tissue: AnnData) -> np.ndarray:
    """Return an arrow head around each cell, (n_cells, 5, 2)."""
    return np.asarray(tissue.obsm["spatial"])[:, None, :2] + ARROW


def save_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a table as parquet or text, packed where its name ends in .gz."""
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
        return path
    text = table.to_csv(index=False).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def write_xenium_outlines(
    folder: Path,
    tissue: AnnData,
    name: str = "cell_boundaries.parquet",
    *,
    moved: float = 0.0,
) -> Path:
    """Write arrow heads, the last cell first; ids are bytes in parquet."""
    corners = arrows(tissue)[::-1] + moved
    ids = np.repeat(tissue.obs_names.to_numpy(object)[::-1], corners.shape[1])
    x, y = corners.reshape(-1, 2).T
    table = pd.DataFrame({"cell_id": ids, "vertex_x": x, "vertex_y": y})
    if name.endswith("parquet"):
        table["cell_id"] = table["cell_id"].str.encode("ascii")
    return save_table(table, folder / name)


def write_cosmx_outlines(
    folder: Path,
    tissue: AnnData,
    name: str = "S1-polygons.csv.gz",
    *,
    places: str = "global",
    cell: str = "cellID",
) -> Path:
    """Write arrow heads of a slide that `folders.write_cosmx` wrote."""
    n = tissue.n_obs
    fov = np.where(np.arange(n) < n // 2, 1, 2)
    number = np.where(fov == 1, np.arange(n), np.arange(n) - n // 2) + 1
    corners = arrows(tissue)
    if places == "local":
        corners = (
            corners
            - np.stack([np.where(fov == 1, 0, 1000), np.full(n, -5)], 1)[:, None]
        )
    x, y = corners.reshape(-1, 2).T
    table = pd.DataFrame({"fov": np.repeat(fov, 5), cell: np.repeat(number, 5)})
    table[f"x_{places}_px"], table[f"y_{places}_px"] = x, y
    return save_table(table, folder / name)


def wkb_polygon(*rings: np.ndarray) -> bytes:
    """Return a polygon in well-known binary: its border, then its holes."""
    head = struct.pack("<BII", 1, 3, len(rings))
    return head + b"".join(
        struct.pack("<I", len(ring)) + np.asarray(ring, "<f8").tobytes()
        for ring in rings
    )


def wkb_multipolygon(*polygons: bytes) -> bytes:
    """Return several polygons as one shape in well-known binary."""
    return struct.pack("<BII", 1, 6, len(polygons)) + b"".join(polygons)


def write_merscope_table(
    folder: Path, tissue: AnnData, name: str = "cell_boundaries.parquet"
) -> Path:
    """Write arrow heads in three planes, those of the outer two ten times as small."""
    names = [10**18 + 7 * i for i in range(tissue.n_obs)]
    rows = []
    for plane in (0, 1, 2):
        grown = 1.0 if plane == 1 else 0.1
        for entity, place in zip(names, tissue.obsm["spatial"], strict=True):
            shape = wkb_multipolygon(wkb_polygon(place + grown * ARROW))
            rows.append((entity, plane, shape))
    table = pd.DataFrame(rows, columns=["EntityID", "ZIndex", "Geometry"])
    return save_table(table.sample(frac=1, random_state=0), folder / name)


def write_merscope_fields(folder: Path, tissue: AnnData) -> Path:
    """Write arrow heads of two fields of view, in the middle one of three planes."""
    (folder / "cell_boundaries").mkdir()
    half = tissue.n_obs // 2
    for field, cells in enumerate((range(half), range(half, tissue.n_obs))):
        path = folder / "cell_boundaries" / f"feature_data_{field}.hdf5"
        with h5py.File(path, "w") as file:
            for cell in cells:
                group = file.create_group(f"featuredata/{10**18 + 7 * cell}")
                group["z_coordinates"] = [0.0, 1.5, 3.0]
                for plane in (0, 1, 2):
                    grown = 1.0 if plane == 1 else 0.1
                    corners = tissue.obsm["spatial"][cell] + grown * ARROW
                    piece = group.create_group(f"zIndex_{plane}/p_0")
                    piece["coordinates"] = corners[None]
    return folder / "cell_boundaries"
