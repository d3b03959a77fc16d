"""What files say, read by other means: csv, h5py and zarr, column by column.

Of a damaged file that can still be read this is the right answer: the reader's own is
compared with it. What these simple readers do not understand has no known answer.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from anndata import AnnData

# Features that the valid inputs have beside their genes.
NO_GENES = ("Blank-1", "Blank-12", "CD3")


@dataclass(frozen=True)
class Said:
    """Counts of each spot by gene, those that are not zero, and where spots lie."""

    counts: dict[str, dict[str, float]]
    places: dict[str, tuple[float, float]]


def differences(found: AnnData, said: Said) -> str:
    """Return how a section differs from what its files say, empty where it does not."""
    spots = set(said.counts) & set(said.places)
    names = list(map(str, found.obs_names))
    if set(names) != spots:
        return f"spots {sorted(set(names) ^ spots)[:5]}"
    genes = {gene for row in said.counts.values() for gene in row} - set(NO_GENES)
    own = list(map(str, found.var_names))
    if not genes <= set(own):
        return f"genes {sorted(genes - set(own))[:5]}"
    places = np.asarray(found.obsm["spatial"], np.float64)
    wanted = np.array([said.places[name] for name in names])
    if not np.allclose(places, wanted, rtol=1e-5, atol=1e-6):
        row = int(np.argmax(~np.isclose(places, wanted, rtol=1e-5).all(axis=1)))
        return f"{names[row]} at {places[row]}, said to be at {wanted[row]}"
    dense = np.asarray(found.X.toarray() if hasattr(found.X, "toarray") else found.X)
    told = np.array(
        [[said.counts[name].get(gene, 0.0) for gene in own] for name in names]
    )
    with np.errstate(over="ignore"):
        told = told.astype(np.float32)
    wrong = ~np.isclose(dense, told, rtol=1e-5, equal_nan=True)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        return (
            f"{dense[row, column]} of {own[column]} in {names[row]}, said to be "
            f"{told[row, column]}"
        )
    return ""


def _rows(path: Path) -> list[list[str]]:
    opened = gzip.open if path.read_bytes()[:2] == b"\x1f\x8b" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file, strict=True) if row]
    if len({len(row) for row in rows}) != 1:
        raise ValueError("ragged")
    return [[field.strip() for field in row] for row in rows]


def _once(names: Iterable[str]) -> list[str]:
    found = [str(name) for name in names]
    if len(set(found)) != len(found) or not all(found):
        raise ValueError("names")
    return found


def _number(text: str) -> float:
    found = float(text)
    if not np.isfinite(found):
        raise ValueError(text)
    return found


def _count_table(path: Path, title: str) -> dict[str, dict[str, float]]:
    """Return a table of cells x genes."""
    header, *rows = _rows(path)
    if header[0] != title:
        raise ValueError("no column of names")
    genes = _once(header[1:])
    names = _once(row[0] for row in rows)
    return {
        name: {g: _number(n) for g, n in zip(genes, row[1:], strict=True) if _number(n)}
        for name, row in zip(names, rows, strict=True)
    }


def _place_table(path: Path, names: str, x: str, y: str) -> dict[str, Any]:
    header, *rows = _rows(path)
    columns = [_once(header).index(name) for name in (names, x, y)]
    spots = _once(row[columns[0]] for row in rows)
    places = [tuple(_number(row[i]) for i in columns[1:]) for row in rows]
    return dict(zip(spots, places, strict=True))


def _matrix(
    values: Any, columns: Any, starts: Any, shape: tuple[int, int]
) -> list[dict[int, float]]:
    """Return the rows of a matrix in CSR."""
    values, columns, starts = map(np.asarray, (values, columns, starts))
    kinds = [part.dtype.kind for part in (values, columns, starts)]
    whole = len(values) == len(columns) == starts[-1] and not starts[0]
    if kinds[0] not in "iuf" or not set(kinds[1:]) <= set("iu") or not whole:
        raise ValueError("no matrix")
    if len(starts) != shape[0] + 1 or (np.diff(starts.astype(float)) < 0).any():
        raise ValueError("rows")
    if len(columns) and not 0 <= columns.min() <= columns.max() < shape[1]:
        raise ValueError("columns")
    rows: list[dict[int, float]] = []
    for first, last in pairwise(starts):
        row: dict[int, float] = {}
        for column, value in zip(columns[first:last], values[first:last], strict=True):
            row[int(column)] = row.get(int(column), 0.0) + _number(value)
        rows.append({column: value for column, value in row.items() if value})
    return rows


def _named(
    rows: list[dict[int, float]], spots: Iterable[str], genes: Iterable[str]
) -> dict[str, dict[str, float]]:
    names = _once(genes)
    return {
        spot: {names[column]: value for column, value in row.items()}
        for spot, row in zip(_once(spots), rows, strict=True)
    }


def _texts(values: Any) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in np.asarray(values)]


def _tenx(path: Path) -> dict[str, dict[str, float]]:
    with h5py.File(path) as file:
        group = file["matrix"]
        n_genes, n_spots = (int(n) for n in group["shape"][()])
        parts = [group[part][()] for part in ("data", "indices", "indptr")]
        rows = _matrix(*parts, (n_spots, n_genes))
        return _named(rows, _texts(group["barcodes"]), _texts(group["features/name"]))


def _positions(path: Path) -> dict[str, Any]:
    return _place_table(path, "barcode", "pxl_col_in_fullres", "pxl_row_in_fullres")


def _anndata(file: Any) -> Said:
    """Return what a file or store of anndata says, both have the same names."""
    obs, var, matrix = file["obs"], file["var"], file["X"]
    spots = _texts(obs[str(obs.attrs["_index"])][:])
    genes = _texts(var[str(var.attrs["_index"])][:])
    shape = tuple(int(n) for n in matrix.attrs["shape"])
    if shape != (len(spots), len(genes)) or matrix.attrs["encoding-type"] != (
        "csr_matrix"
    ):
        raise ValueError("shape")
    parts = [matrix[part][:] for part in ("data", "indices", "indptr")]
    xy = np.asarray(file["obsm/spatial"][:])
    if xy.shape != (len(spots), 2) or not np.isfinite(xy).all():
        raise ValueError("places")
    places = {
        name: (float(x), float(y)) for name, (x, y) in zip(spots, xy, strict=True)
    }
    return Said(_named(_matrix(*parts, shape), spots, genes), places)


def _h5ad(folder: Path) -> Said:
    with h5py.File(folder / "section.h5ad") as file:
        return _anndata(file)


def _zarr(folder: Path) -> Said:
    import zarr

    return _anndata(zarr.open_group(folder / "section.zarr", mode="r"))


def _plain(folder: Path) -> Said:
    counts = _count_table(folder / "counts.csv", "")
    return Said(counts, _place_table(folder / "places.csv", "barcode", "x", "y"))


def _visium(folder: Path) -> Said:
    outs = folder / "outs"
    counts = _tenx(outs / "filtered_feature_bc_matrix.h5")
    return Said(counts, _positions(outs / "spatial/tissue_positions.csv"))


def _matrix_10x(folder: Path) -> Said:
    counts = _tenx(folder / "matrix.h5")
    return Said(counts, _positions(folder / "tissue_positions.csv"))


def _market(folder: Path) -> Said:
    outs = folder / "outs"
    matrix = outs / "filtered_feature_bc_matrix"
    lines = (matrix / "matrix.mtx").read_text("ascii").split("\n")
    body = [line.split() for line in lines if line and not line.startswith("%")]
    n_genes, n_spots, n_entries = map(int, body[0])
    if lines[0].split()[1:] != ["matrix", "coordinate", "integer", "general"]:
        raise ValueError("header")
    rows: list[dict[int, float]] = [{} for _ in range(n_spots)]
    for gene, spot, value in body[1:]:
        if not (0 < int(gene) <= n_genes and 0 < int(spot) <= n_spots):
            raise ValueError("outside")
        row = rows[int(spot) - 1]
        row[int(gene) - 1] = row.get(int(gene) - 1, 0.0) + int(value)
    if len(body) != n_entries + 1:
        raise ValueError("entries")
    files = ("barcodes.tsv", "features.tsv")
    read = [(matrix / name).read_text("utf-8") for name in files]
    spots, features = (text.rstrip("\n").split("\n") for text in read)
    if len(features) != n_genes:
        raise ValueError("features")
    names = [line.split("\t")[1] for line in features]
    kept = [{c: v for c, v in row.items() if v} for row in rows]
    table = _rows(outs / "spatial/tissue_positions_list.csv")
    found = _once(row[0] for row in table)
    places = [(_number(row[5]), _number(row[4])) for row in table]
    if len(table[0]) != 6:
        raise ValueError("columns")
    return Said(_named(kept, spots, names), dict(zip(found, places, strict=True)))


def _xenium(folder: Path) -> Said:
    counts = _tenx(folder / "run/cell_feature_matrix.h5")
    table = folder / "run/cells.csv.gz"
    return Said(counts, _place_table(table, "cell_id", "x_centroid", "y_centroid"))


def _xenium_parquet(folder: Path) -> Said:
    from pyarrow import parquet

    counts = _tenx(folder / "run/cell_feature_matrix.h5")
    table = parquet.read_table(folder / "run/cells.parquet").to_pydict()
    spots = _once(_texts(np.array(table["cell_id"], dtype=object)))
    xy = zip(table["x_centroid"], table["y_centroid"], strict=True)
    places = [(_number(x), _number(y)) for x, y in xy]
    return Said(counts, dict(zip(spots, places, strict=True)))


def _merscope(folder: Path) -> Said:
    counts = _count_table(folder / "run/cell_by_gene.csv", "cell")
    table = folder / "run/cell_metadata.csv"
    return Said(counts, _place_table(table, "EntityID", "center_x", "center_y"))


SAID: dict[str, Callable[[Path], Said]] = {
    "10x": _matrix_10x,
    "h5ad": _h5ad,
    "merscope": _merscope,
    "plain": _plain,
    "visium": _visium,
    "visium-mtx": _market,
    "xenium": _xenium_parquet,
    "xenium-csv": _xenium,
    "zarr": _zarr,
}
