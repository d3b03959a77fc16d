"""Writes what Space Ranger writes: a run's folder, in all its versions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
from PIL import Image
from scipy import io as scipy_io
from scipy import sparse

if TYPE_CHECKING:
    from anndata import AnnData

HEADER = (
    "barcode",
    "in_tissue",
    "array_row",
    "array_col",
    "pxl_row_in_fullres",
    "pxl_col_in_fullres",
)
SCALES = {"hires": 0.5, "lowres": 0.15}


def write_outs(
    folder: Path,
    tissue: AnnData,
    *,
    positions: str = "v2",
    matrix: str = "h5",
    images: tuple[str, ...] = ("hires", "lowres"),
    n_outside: int = 5,
) -> Path:
    """Write a run's folder with a few spots outside the tissue, and return it."""
    spatial = folder / "spatial"
    spatial.mkdir(parents=True)
    write_positions(spatial, positions_table(tissue, n_outside), positions)
    write_matrix(folder, tissue, matrix)
    for resolution in images:
        write_image(spatial / f"tissue_{resolution}_image.png", SCALES[resolution])
    factors = {f"tissue_{name}_scalef": scale for name, scale in SCALES.items()}
    factors |= {"spot_diameter_fullres": 55.5, "fiducial_diameter_fullres": 80.0}
    (spatial / "scalefactors_json.json").write_text(json.dumps(factors))
    return folder


def positions_table(tissue: AnnData, n_outside: int = 5) -> pd.DataFrame:
    """Return all spots of the slide, shuffled, those outside the tissue too."""
    x, y = np.asarray(tissue.obsm["spatial"]).T
    inside = pd.DataFrame(
        dict(
            zip(
                HEADER,
                (
                    tissue.obs_names,
                    1,
                    tissue.obs["array_row"].to_numpy(),
                    tissue.obs["array_col"].to_numpy(),
                    y.round().astype(int),
                    x.round().astype(int),
                ),
                strict=True,
            )
        )
    )
    outside = inside.iloc[:n_outside].assign(
        in_tissue=0, barcode=[f"OUTSIDE{i}-1" for i in range(n_outside)]
    )
    return pd.concat([inside, outside]).sample(frac=1, random_state=1)


def write_positions(spatial: Path, table: pd.DataFrame, version: str) -> None:
    if version == "v1":
        path = spatial / "tissue_positions_list.csv"
        table.to_csv(path, header=False, index=False)
    elif version == "v2":
        table.to_csv(spatial / "tissue_positions.csv", index=False)
    else:
        table.to_parquet(spatial / "tissue_positions.parquet", index=False)


def write_matrix(folder: Path, tissue: AnnData, kind: str) -> None:
    """Write the filtered matrix: h5, h5 of version 2, mtx.gz, mtx or old mtx."""
    name = "filtered_feature_bc_matrix"
    if kind == "h5":
        write_10x_h5(folder / f"{name}.h5", tissue)
    elif kind == "h5-v2":
        write_10x_h5_v2(folder / f"{name}.h5", tissue)
    else:
        write_mtx(folder / name, tissue, kind)


def write_10x_h5(
    path: Path, tissue: AnnData, *, antibody: bool = False, library: str = "V1_Section"
) -> None:
    """Write the layout of version 3, with an antibody as last feature if asked."""
    counts = sparse.csr_matrix(tissue.X).astype(np.int32)
    types = [b"Gene Expression"] * tissue.n_vars
    names, ids = list(tissue.var_names), list(tissue.var["gene_ids"])
    if antibody:
        column = sparse.csr_matrix(np.full((tissue.n_obs, 1), 7, dtype=np.int32))
        counts = sparse.csr_matrix(sparse.hstack([counts, column]))
        types, names, ids = [*types, b"Antibody Capture"], [*names, "CD3"], [*ids, "x"]
    with h5py.File(path, "w") as file:
        file.attrs["library_ids"] = np.array([library.encode()])
        group = file.create_group("matrix")
        _write_sparse(group, counts, tissue)
        features = group.create_group("features")
        features["id"] = np.array(ids, dtype="S")
        features["name"] = np.array(names, dtype="S")
        features["feature_type"] = np.array(types)
        features["genome"] = np.array([b"GRCh38"] * len(names))


def write_10x_h5_v2(path: Path, tissue: AnnData) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("GRCh38")
        _write_sparse(group, sparse.csr_matrix(tissue.X).astype(np.int32), tissue)
        group["genes"] = np.array(list(tissue.var["gene_ids"]), dtype="S")
        group["gene_names"] = np.array(list(tissue.var_names), dtype="S")


def _write_sparse(group: Any, counts: sparse.csr_matrix, tissue: AnnData) -> None:
    # Barcodes x features by row is features x barcodes by column, as 10x stores it.
    group["barcodes"] = np.array(list(tissue.obs_names), dtype="S")
    group["data"], group["indices"] = counts.data, counts.indices.astype(np.int64)
    group["indptr"] = counts.indptr.astype(np.int64)
    group["shape"] = np.array(counts.shape[::-1], dtype=np.int32)


def write_mtx(folder: Path, tissue: AnnData, kind: str) -> None:
    folder.mkdir()
    plain = folder / "matrix.mtx"
    scipy_io.mmwrite(plain, sparse.coo_matrix(tissue.X.T).astype(np.int32))
    genes = pd.DataFrame({"id": tissue.var["gene_ids"], "name": tissue.var_names})
    if kind != "mtx-old":
        genes["type"] = "Gene Expression"
    features = folder / ("genes.tsv" if kind == "mtx-old" else "features.tsv")
    genes.to_csv(features, sep="\t", header=False, index=False)
    (folder / "barcodes.tsv").write_text("\n".join(tissue.obs_names) + "\n")
    if kind == "mtx.gz":
        for path in list(folder.iterdir()):
            Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()


def write_image(path: Path, scale: float) -> None:
    """Write a picture of a tissue of 1700 x 1500 full-resolution pixels."""
    size = (round(1500 * scale), round(1700 * scale), 3)
    pixels = np.random.default_rng(2).integers(0, 255, size, dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_segmented(
    outs: Path,
    tissue: AnnData,
    *,
    parts: tuple[str, ...] = ("cell", "nucleus"),
    image: str = "segmented_outputs/spatial",
) -> Path:
    """Write the cells of a run as Space Ranger 4 does, and return their folder.

    Cell 1 is the first of the tissue. Outlines are squares of 18 (nuclei: 8) pixels,
    of which nuclei lie 2 pixels to the right.
    """
    folder = outs / "segmented_outputs"
    folder.mkdir(parents=True)
    named = tissue.copy()
    named.obs_names = [f"cellid_{i + 1:09d}-1" for i in range(tissue.n_obs)]
    write_10x_h5(folder / "filtered_feature_cell_matrix.h5", named)
    for part in parts:
        half, shift = (9, 0) if part == "cell" else (4, 2)
        features = [
            square_of_cell(number + 1, x + shift, y, half)
            for number, (x, y) in enumerate(np.asarray(tissue.obsm["spatial"]))
        ]
        text = json.dumps({"type": "FeatureCollection", "features": features[::-1]})
        (folder / f"{part}_segmentations.geojson").write_text(text)
    if image:
        (outs / image).mkdir(parents=True, exist_ok=True)
        write_image(outs / image / "tissue_hires_image.png", SCALES["hires"])
        factors = {"tissue_hires_scalef": SCALES["hires"], "microns_per_pixel": 0.27}
        if "binned" in image:
            factors |= {"spot_diameter_fullres": 29.0, "bin_size_um": 8.0}
        (outs / image / "scalefactors_json.json").write_text(json.dumps(factors))
    return folder


def square_of_cell(number: int, x: float, y: float, half: float) -> dict[str, Any]:
    """Return the outline of one cell as GeoJSON."""
    signs = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    ring = [[x + half * right, y + half * down] for right, down in signs]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"cell_id": number, "classification": {"name": "Cluster 1"}},
    }
