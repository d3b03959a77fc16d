from __future__ import annotations

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from napari_semst.io.readers.registry import detect_format
from tests.io.outs import write_10x_h5, write_outs


def test_the_name_does_not_matter(tmp_path, tissue):
    table = tmp_path / "table.data"
    tissue.write_h5ad(table)
    matrix = tmp_path / "matrix.h5ad"
    write_10x_h5(matrix, tissue)
    assert detect_format(table).name == "h5ad"
    assert detect_format(str(table)).name == "h5ad"
    assert detect_format(matrix).name == "10x_h5"
    assert detect_format(write_outs(tmp_path / "any", tissue)).name == "visium"


def _keras(file: h5py.File) -> None:
    file.create_group("model_weights")


def _loom(file: h5py.File) -> None:
    file["matrix"] = np.zeros((3, 3))
    file.create_group("row_attrs")
    file.create_group("col_attrs")


def _mudata(file: h5py.File) -> None:
    file.attrs["encoding-type"] = "MuData"
    for name in ("obs", "var", "mod"):
        file.create_group(name)


def _half(file: h5py.File) -> None:
    file.create_group("obs")
    file.create_group("matrix")


def _molecules(file: h5py.File) -> None:
    file["barcodes"] = np.zeros(3)
    file.create_group("matrix")["data"] = np.zeros(3)


@pytest.mark.parametrize("fill", [_keras, _loom, _mudata, _half, _molecules])
@pytest.mark.parametrize("name", ["foreign.h5", "foreign.h5ad"])
def test_foreign_hdf5_is_declined(tmp_path, fill, name):
    with h5py.File(tmp_path / name, "w") as file:
        fill(file)
    assert detect_format(tmp_path / name) is None


def test_other_things_are_declined_without_raising(tmp_path, tissue):
    zarr = tmp_path / "image.zarr"
    zarr.mkdir()
    (zarr / ".zgroup").write_text("{}")
    (tmp_path / "text.h5ad").write_text("hello")
    (tmp_path / "empty.h5ad").touch()
    os.mkfifo(tmp_path / "pipe.h5ad")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    places = ["text.h5ad", "empty.h5ad", "pipe.h5ad", "loop", "missing", "image.zarr"]
    for place in [tmp_path / name for name in places]:
        assert detect_format(place) is None
    assert detect_format("\0") is None
    assert detect_format(tmp_path) is None
    assert detect_format(3) is None  # type: ignore[arg-type]


def test_a_folder_with_the_names_only_is_declined(tmp_path):
    spatial = tmp_path / "spatial"
    spatial.mkdir()
    (spatial / "tissue_positions.csv").write_text("barcode\n")
    (tmp_path / "filtered_feature_bc_matrix.h5").write_text("no matrix")
    assert detect_format(tmp_path) is None


def test_cut_short_file_is_declined(tmp_path, tissue):
    path = tmp_path / "table.h5ad"
    tissue.write_h5ad(path)
    path.write_bytes(path.read_bytes()[:4000])
    assert detect_format(path) is None


def test_looking_imports_no_heavy_library():
    code = (
        "import sys; from napari_semst.io.readers.registry import detect_format; "
        "detect_format('.'); "
        "heavy = {'scanpy', 'torch', 'anndata', 'napari', 'qtpy', 'sklearn'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
