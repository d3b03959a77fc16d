"""Writes what imaging instruments write: folders of cells, in their versions."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import tifffile

from tests.io.outs import write_10x_h5

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

PIXEL = 5.0
AREA = 78.53981633974483  # of a disc with a diameter of 10


def table_of(tissue: AnnData) -> pd.DataFrame:
    """Return the counts as a dense table of whole numbers, cells x genes."""
    counts = np.asarray(tissue.X.toarray(), dtype=np.int64)
    return pd.DataFrame(counts, tissue.obs_names, tissue.var_names)


def save(table: pd.DataFrame, path: Path, **options: Any) -> Path:
    """Write a table, packed where its name ends in .gz."""
    text = table.to_csv(**options).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def gradient(height: int, width: int) -> NDArray[np.uint16]:
    """Return an image that tells rows from columns, and whose corner is dark."""
    rows, columns = np.mgrid[:height, :width]
    return (300 + 7 * rows + 3 * columns).astype(np.uint16)


def write_xenium(
    folder: Path,
    tissue: AnnData,
    *,
    cells: str = "cells.parquet",
    image: str = "morphology_focus/ch0000_dapi.ome.tif",
) -> Path:
    """Write a run: 10 micrometres a cell, 5 a pixel, one control."""
    folder.mkdir(parents=True)
    write_10x_h5(folder / "cell_feature_matrix.h5", tissue, antibody=True)
    x, y = np.asarray(tissue.obsm["spatial"]).T
    table = pd.DataFrame(
        {
            "cell_id": tissue.obs_names,
            "x_centroid": x,
            "y_centroid": y,
            "transcript_counts": 5,
            "cell_area": AREA,
        }
    ).sample(frac=1, random_state=1)
    if cells.endswith("parquet"):
        table["cell_id"] = table["cell_id"].str.encode("ascii")
        table.to_parquet(folder / cells, index=False)
    else:
        save(table, folder / cells, index=False)
    (folder / "experiment.xenium").write_text(
        json.dumps({"region_name": "Region_1", "pixel_size": PIXEL})
    )
    if image:
        (folder / image).parent.mkdir(exist_ok=True)
        write_pyramid(folder / image, gradient(340, 360))
    return folder


def write_pyramid(path: Path, image: NDArray[Any]) -> None:
    """Write an image with two smaller copies, in tiles."""
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(image, subifds=2, tile=(64, 64), photometric="minisblack")
        for step in (2, 4):
            file.write(
                image[::step, ::step],
                subfiletype=1,
                tile=(64, 64),
                photometric="minisblack",
            )


def write_merscope(
    folder: Path, tissue: AnnData, *, prefix: str = "", image: bool = True
) -> Path:
    """Write a section: ids of 19 digits, two blanks, cells of 8 x 12 micrometres."""
    folder.mkdir(parents=True)
    names = pd.Index([str(10**18 + 7 * i) for i in range(tissue.n_obs)], name="cell")
    counts = table_of(tissue).set_index(names)
    counts["Blank-1"] = 3
    counts["Blank-12"] = 0
    save(counts, folder / f"{prefix}cell_by_gene.csv")
    x, y = np.asarray(tissue.obsm["spatial"]).T
    cells = pd.DataFrame(
        {
            "fov": 1,
            "volume": 700.0,
            "center_x": x,
            "center_y": y,
            "min_x": x - 4,
            "max_x": x + 4,
            "min_y": y - 6,
            "max_y": y + 6,
        },
        index=pd.Index(names, name="EntityID"),
    )
    save(cells[::-1], folder / f"{prefix}cell_metadata.csv")
    if image:
        (folder / "images").mkdir()
        for z in range(3):
            tifffile.imwrite(
                folder / "images" / f"mosaic_DAPI_z{z}.tif", gradient(800, 900)
            )
        np.savetxt(
            folder / "images" / "micron_to_mosaic_pixel_transform.csv",
            [[0.5, 0, 20], [0, 0.5, 10], [0, 0, 1]],
        )
    return folder


def write_cosmx(
    folder: Path, tissue: AnnData, *, packed: bool = True, places: str = "global"
) -> Path:
    """Write a slide of two fields of view with background and negative probes."""
    folder.mkdir(parents=True)
    end = ".gz" if packed else ""
    n = tissue.n_obs
    views = pd.DataFrame({"fov": np.where(np.arange(n) < n // 2, 1, 2)})
    views["cell_ID"] = views.groupby("fov").cumcount() + 1
    counts = table_of(tissue).reset_index(drop=True)
    counts["NegPrb1"] = 1
    counts["SystemControl2"] = 1
    counts = pd.concat([views, counts], axis=1)
    outside = counts.iloc[:2].assign(fov=[1, 2], cell_ID=0)
    save(
        pd.concat([outside, counts]), folder / f"S1_exprMat_file.csv{end}", index=False
    )
    x, y = np.asarray(tissue.obsm["spatial"]).T
    cells = views.assign(Area=AREA, note="a/b")
    corner = np.where(views["fov"] == 1, 0.0, 1000.0)
    if places == "global":
        cells = cells.assign(CenterX_global_px=x, CenterY_global_px=y)
    else:
        cells = cells.assign(CenterX_local_px=x - corner, CenterY_local_px=y + 5)
        fields = pd.DataFrame(
            {"FOV": [1, 2], "x_global_px": [0.0, 1000.0], "y_global_px": [-5.0, -5.0]}
        )
        save(fields, folder / f"S1_fov_positions_file.csv{end}", index=False)
    save(cells[::-1], folder / f"S1_metadata_file.csv{end}", index=False)
    return folder
