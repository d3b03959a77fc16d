"""Files as repositories store them: the sample's name in front, packed by gzip."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_semst.errors import InputError
from napari_semst.io.alignment import share_inside
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format
from napari_semst.wording import for_shell
from tests.cohort.test_cohort import seen_of, tasks_of
from tests.io.outs import write_outs
from tests.io.readers.test_visium import assert_same

P = "GSM1_S1_"


def store(outs, place, prefix, *, flat=True, between="", packed=True):
    """Move a run's files as a repository keeps them, and return the folder."""
    for file in sorted(p for p in outs.rglob("*") if p.is_file()):
        inner = Path() if flat else file.parent.relative_to(outs)
        middle = between if file.parent.name == "spatial" else ""
        end = ".gz" if packed and file.suffix != ".gz" else ""
        to = place / inner / f"{prefix}{middle}{file.name}{end}"
        to.parent.mkdir(parents=True, exist_ok=True)
        held = file.read_bytes()
        to.write_bytes(gzip.compress(held) if end else held)
    shutil.rmtree(outs)
    return place


@pytest.fixture
def geo(tmp_path, tissue):
    """A function that writes a sample of a repository; others may follow."""

    def write(place="geo", prefix=P, matrix="mtx", positions="v1", scale=1, **how):
        counted = tissue.copy()
        counted.X = counted.X * scale
        outs = write_outs(
            tmp_path / "outs", counted, matrix=matrix, positions=positions
        )
        return store(outs, tmp_path / place, prefix, **how)

    return write


@pytest.mark.parametrize("matrix", ["h5", "mtx", "mtx-old"])
@pytest.mark.parametrize("positions", ["v1", "v2", "parquet"])
def test_prefixed_and_packed_files_are_read(geo, tissue, matrix, positions):
    folder = geo(matrix=matrix, positions=positions)
    assert detect_format(folder).name == "visium"
    found = read(folder)
    assert_same(found, tissue)
    library = "V1_Section" if matrix == "h5" else "GSM1_S1"
    assert {k: v.shape for k, v in found.uns["spatial"][library]["images"].items()} == {
        "hires": (750, 850, 3),
        "lowres": (225, 255, 3),
    }
    assert share_inside(found) == 1.0
    assert input_warnings(found) == []
    seen = preview(folder)
    assert (seen.n_spots, seen.n_genes) == tissue.shape
    assert seen.image == (750, 850)


@pytest.mark.parametrize(
    "how",
    [
        {"flat": False},
        {"between": "spatial_"},
        {"prefix": "GSM7-"},
        {"prefix": "V1.Human_"},
        {"prefix": "GSM1_filtered_feature_bc_matrix_"},
        {"prefix": ""},
        {"packed": False},
    ],
)
def test_other_layouts_of_repositories(geo, tissue, how):
    found = read(geo(**how))
    assert_same(found, tissue)
    assert share_inside(found) == 1.0
    assert input_warnings(found) == []


def test_folders_with_a_prefix(geo, tissue):
    folder = geo(flat=False, prefix="")
    for name in ("filtered_feature_bc_matrix", "spatial"):
        (folder / name).rename(folder / f"GSM3_{name}")
    found = read(folder)
    assert_same(found, tissue)
    assert share_inside(found) == 1.0


def test_files_with_the_sample_behind(geo, tissue):
    folder = geo(prefix="", matrix="h5", packed=False)
    for file in list(folder.iterdir()):
        file.rename(folder / f"{file.stem}_S9{file.suffix}")
    found = read(folder)
    assert_same(found, tissue)
    assert share_inside(found) == 1.0


@pytest.mark.parametrize("matrix", ["h5", "mtx"])
def test_one_of_several_samples_must_be_named(geo, tissue, matrix):
    geo(matrix=matrix)
    geo(matrix=matrix, prefix="GSM2_S2_", scale=2)
    folder = geo(matrix=matrix, prefix="GSM10_S1b_", scale=3)
    assert detect_format(folder).name == "visium"
    with pytest.raises(InputError, match="GSM10_S1b, GSM1_S1, GSM2_S2") as refused:
        read(folder)
    assert "--part GSM10_S1b" in for_shell(refused.value)
    total = tissue.X.sum()
    for part, scale in {"GSM1_S1": 1, "GSM1": 1, "S2": 2, "gsm10": 3}.items():
        found = read(folder, part=part)
        assert found.X.sum() == scale * total
        assert share_inside(found) == 1.0
    with pytest.raises(InputError, match=r"'GSM' in .*found GSM10_S1b, GSM1_S1"):
        read(folder, part="GSM")
    seen = preview(folder)
    assert (seen.part, seen.parts) == ("", ("GSM10_S1b", "GSM1_S1", "GSM2_S2"))
    assert seen.missing == ("choice of a sample",)
    told = [for_shell(line) for line in seen.sentences()]
    assert any("--part GSM10_S1b" in line for line in told)
    assert preview(folder, part="GSM2_S2").part == "GSM2_S2"


@pytest.mark.parametrize("name", ["filtered_feature_bc_matrix.h5", "matrix.mtx"])
def test_the_matrix_of_one_sample_can_be_opened(geo, tissue, name):
    kind = name.split(".")[1]
    geo(matrix=kind)
    folder = geo(matrix=kind, prefix="GSM2_S2_", scale=2)
    for prefix, scale in {P: 1, "GSM2_S2_": 2}.items():
        path = folder / f"{prefix}{name}.gz"
        assert detect_format(path).name == "10x_h5"
        found = read(path)
        assert found.X.sum() == scale * tissue.X.sum()
        assert share_inside(found) == 1.0


def test_files_of_two_samples_are_not_put_together(geo):
    folder = geo(matrix="h5", packed=False)
    for file in folder.glob("*tissue_positions*"):
        file.rename(folder / file.name.replace(P, "GSM2_S2_"))
    with pytest.raises(InputError, match=r"GSM1_S1_.*GSM2_S2_.*do not go together"):
        read(folder)
    with pytest.raises(InputError, match="of another sample"):
        read(folder / f"{P}filtered_feature_bc_matrix.h5")


def test_packed_folders_are_to_be_unpacked(geo):
    folder = geo(matrix="h5", packed=False)
    for file in folder.glob("*tissue*"):
        file.unlink()
    (folder / "GSM1_S1_spatial.tar.gz").write_bytes(b"\x1f\x8b packed")
    with pytest.raises(InputError, match=r"Unpack GSM1_S1_spatial\.tar\.gz there"):
        read(folder)
    with pytest.raises(InputError, match=r"Unpack GSM1_S1_spatial\.tar\.gz there"):
        read(folder / f"{P}filtered_feature_bc_matrix.h5")
    with pytest.raises(InputError, match="packed folder"):
        read(folder / "GSM1_S1_spatial.tar.gz")


def test_images_that_are_not_read_are_said(geo, tissue):
    folder = geo()
    image = folder / f"{P}tissue_hires_image.png.gz"
    image.rename(folder / f"{P}tissue_hires_image.png.bz2")
    found = read(folder)
    assert_same(found, tissue)
    assert "GSM1_S1_tissue_hires_image.png.bz2 is not read" in input_warnings(found)[0]
    assert any("is not read" in text for text in preview(folder).remarks)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("tissue_positions_list.csv", "formats.tissue_positions._LARGEST"),
        ("features.tsv", "formats.tenx._LARGEST_NAMES"),
        ("tissue_hires_image.png", "images._LARGEST_FILE"),
        ("filtered_feature_bc_matrix.h5", "formats.tenx._LARGEST"),
    ],
)
def test_what_unpacks_to_too_much_is_refused(geo, monkeypatch, name, limit):
    folder = geo(matrix="h5" if name.endswith("h5") else "mtx")
    path = folder / f"{P}{name}.gz"
    size = len(gzip.decompress(path.read_bytes()))
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(2**23)))
    assert path.stat().st_size < size + 2**15
    monkeypatch.setattr(f"napari_semst.io.{limit}", size + 2**15)
    with pytest.raises(InputError, match="MB once it is unpacked"):
        read(folder)


@pytest.mark.parametrize(
    "name",
    ["tissue_positions_list.csv", "scalefactors_json.json", "tissue_hires_image.png"],
)
@pytest.mark.parametrize("how", ["cut", "noise"])
def test_damaged_packed_files_are_refused_in_plain_words(geo, name, how):
    folder = geo()
    path = folder / f"{P}{name}.gz"
    held = path.read_bytes()
    cut, noise = held[: len(held) // 2], gzip.compress(b"\x00\xff" * 400)
    path.write_bytes(cut if how == "cut" else noise)
    with pytest.raises(InputError, match=f"Expected.*{name}"):
        read(folder)


def test_a_change_of_any_file_is_noticed(geo, tmp_path):
    folder = geo()
    task = tasks_of([folder], tmp_path / "results")[0]
    first = seen_of(task)
    for name in ("features.tsv", "tissue_hires_image.png", "scalefactors_json.json"):
        path = folder / f"{P}{name}.gz"
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"\n"))
        second = seen_of(task)
        assert second["sha256"] != first["sha256"]
        first = second


def test_positions_as_r_and_seurat_write_them(geo, tissue):
    folder = geo(packed=False)
    path = folder / f"{P}tissue_positions_list.csv"
    rows = [line.split(",") for line in path.read_text().split()]
    usual = (
        "barcode in_tissue array_row array_col pxl_row_in_fullres pxl_col_in_fullres"
    )
    tables = {
        # Row numbers before the columns; barcodes as names of rows; a table without
        # a header read and written again; Seurat's names; another order.
        "numbers": ["", *usual.split()],
        "names": ["", *usual.split()[1:]],
        "short": usual.split()[1:],
        "again": ["", "V1", "V2", "V3", "V4", "V5", "V6"],
        "seurat": ["", "tissue", "row", "col", "imagerow", "imagecol"],
    }
    for name, header in tables.items():
        numbered = name in ("numbers", "again")
        body = [[str(i + 1), *row] if numbered else row for i, row in enumerate(rows)]
        for sep in ",\t":
            text = [sep.join(f'"{field}"' for field in header), *map(sep.join, body)]
            path.write_text("\n".join(text))
            assert_same(read(folder), tissue)
    turned = [[row[0], row[5], row[4], *row[1:4]] for row in rows]
    header = (
        "barcode,pxl_col_in_fullres,pxl_row_in_fullres,in_tissue,array_row,array_col"
    )
    path.write_text("\n".join([header, *map(",".join, turned)]))
    found = read(folder)
    assert_same(found, tissue)
    assert np.ptp(found.obsm["spatial"]) > 0


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_packed_images_of_other_kinds(geo, ending):
    folder = geo()
    image = Image.new("RGB", (90, 60), (200, 100, 50))
    for name in ("hires", "lowres"):
        (folder / f"{P}tissue_{name}_image.png.gz").unlink()
    image.save(folder / f"{P}tissue_hires_image.{ending}")
    path = folder / f"{P}tissue_hires_image.{ending}"
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    found = read(folder).uns["spatial"]["GSM1_S1"]["images"]
    assert {name: held.shape for name, held in found.items()} == {"hires": (60, 90, 3)}


def test_the_filtered_matrix_goes_before_the_raw_one(geo, tissue):
    geo(prefix="GSM1_S1_raw_", scale=5)
    folder = geo(prefix="GSM1_S1_filtered_")
    found = read(folder)
    assert found.X.sum() == tissue.X.sum()
    assert share_inside(found) == 1.0
