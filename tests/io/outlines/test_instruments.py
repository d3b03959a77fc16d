"""Outlines beside the tables of instruments, corner for corner."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_semst.errors import InputError
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.export.h5ad import write as write_h5ad
from napari_semst.io.outlines.cosmx_polygons import cosmx_file
from napari_semst.io.outlines.merscope_boundaries import merscope_file
from napari_semst.io.outlines.sources import has_outlines, read_outlines
from napari_semst.io.read import read
from tests.io import outline_files
from tests.io.folders import write_cosmx, write_merscope, write_xenium
from tests.io.outline_files import arrows
from tests.io.outs import write_segmented


def assert_arrows(outlines, tissue):
    """Each cell has its own arrow head, in the order of the cells."""
    corners = arrows(tissue)
    assert len(outlines) == len(corners)
    np.testing.assert_array_equal(outlines.n_corners, corners.shape[1])
    found = outlines.vertices.reshape(corners.shape)
    np.testing.assert_allclose(found, corners, atol=1e-3)
    assert outlines.vertices.dtype == np.float32


@pytest.mark.parametrize("end", ["parquet", "csv.gz", "csv"])
def test_xenium(tmp_path, tissue, end):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    outline_files.write_xenium_outlines(folder, tissue, f"cell_boundaries.{end}")
    assert_arrows(read_outlines(read(folder)), tissue)


@pytest.mark.parametrize("places", ["global", "local"])
@pytest.mark.parametrize(
    ("name", "cell"),
    [("S1-polygons.csv.gz", "cellID"), ("S1_polygons.csv", "cell_ID")],
)
def test_cosmx(tmp_path, tissue, places, name, cell):
    folder = write_cosmx(tmp_path / "slide", tissue, places=places)
    outline_files.write_cosmx_outlines(folder, tissue, name, places=places, cell=cell)
    assert_arrows(read_outlines(read(folder)), tissue)


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("", "cell_boundaries.parquet"),
        ("HuBreast_", "HuBreast_cell_boundaries.parquet"),
        ("", "cellpose2_micron_space.parquet"),
    ],
)
def test_merscope_takes_the_middle_plane_of_a_table(tmp_path, tissue, prefix, name):
    folder = write_merscope(tmp_path / "run", tissue, prefix=prefix, image=False)
    outline_files.write_merscope_table(folder, tissue, name)
    assert_arrows(read_outlines(read(folder)), tissue)


def test_merscope_takes_the_middle_plane_of_fields(tmp_path, tissue):
    folder = write_merscope(tmp_path / "run", tissue, image=False)
    outline_files.write_merscope_fields(folder, tissue)
    assert_arrows(read_outlines(read(folder)), tissue)


def touched(folder, *names):
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("S1-polygons.csv.gz", "S10-polygons.csv.gz"), "S1-polygons.csv.gz"),
        (("other-polygons.csv",), "other-polygons.csv"),
        (("S10-polygons.csv",), "S10-polygons.csv"),
        (("S10-polygons.csv", "S10_exprMat_file.csv"), None),
        (("S2-polygons.csv", "S3-polygons.csv"), None),
    ],
)
def test_outlines_of_another_cosmx_slide_are_not_taken(tmp_path, names, expected):
    folder = touched(tmp_path, "S1_exprMat_file.csv", *names)
    found = cosmx_file(folder / "S1_exprMat_file.csv", "exprMat_file.csv")
    assert (found and found.name) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("b_cell_boundaries.parquet",), None),
        (("cell_boundaries.parquet",), "cell_boundaries.parquet"),
        (("cell_boundaries.parquet", "b_cell_by_gene.csv"), None),
        (
            ("a_cell_boundaries.parquet", "b_cell_by_gene.csv"),
            "a_cell_boundaries.parquet",
        ),
    ],
)
def test_outlines_of_another_merscope_section_are_not_taken(tmp_path, names, expected):
    folder = touched(tmp_path, "a_cell_by_gene.csv", *names)
    found = merscope_file(folder / "a_cell_by_gene.csv", "cell_by_gene")
    assert (found and found.name) == expected


def test_a_section_without_outlines_has_none(tmp_path, tissue):
    found = read(write_xenium(tmp_path / "run", tissue, image=""))
    assert not has_outlines(found)
    assert read_outlines(found) is None


def test_outlines_are_read_when_asked_for_and_then_kept(tmp_path, tissue):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    file = outline_files.write_xenium_outlines(folder, tissue)
    whole = file.read_bytes()
    file.write_bytes(b"PAR1 no table PAR1")
    found = read(folder)
    assert has_outlines(found)
    with pytest.raises(InputError, match=r"outlines of the cells.*could not be read"):
        read_outlines(found)
    file.write_bytes(whole)
    assert_arrows(read_outlines(found), tissue)
    file.unlink()
    assert_arrows(read_outlines(found), tissue)


def test_cells_without_outline_are_empty_and_others_are_left_out(tmp_path, tissue):
    folder = write_xenium(tmp_path / "run", tissue[:100], image="")
    outline_files.write_xenium_outlines(folder, tissue[3:])
    outlines = read_outlines(read(folder))
    assert list(outlines.n_corners) == [0] * 3 + [5] * 97
    np.testing.assert_allclose(outlines.of(3), arrows(tissue)[3])
    least, most = outlines.boxes()
    assert np.isnan(least[:3]).all()
    np.testing.assert_allclose(most[3], arrows(tissue)[3].max(axis=0))


def test_pieces_of_a_cell_are_told_apart_by_their_label(tmp_path, tissue):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    file = outline_files.write_xenium_outlines(folder, tissue)
    table = pd.read_parquet(file)
    table["label_id"] = np.repeat(np.arange(tissue.n_obs), 5) + 1
    small = table[:5].assign(label_id=9999)
    small["vertex_x"] = small["vertex_x"] + 100
    pd.concat([table, small]).to_parquet(file, index=False)
    outlines = read_outlines(read(folder))
    n_corners = outlines.n_corners
    assert (n_corners[:-1] == 5).all()
    # Both are walked around, and the way between them there and back.
    last = arrows(tissue)[-1]
    beside = last + np.array([100, 0])
    way = np.concatenate([last, last[:1], beside, beside[:1], last[:1]])
    np.testing.assert_allclose(outlines.of(tissue.n_obs - 1), way)


def test_outlines_that_lie_elsewhere_are_refused(tmp_path, tissue):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    outline_files.write_xenium_outlines(folder, tissue, moved=5000.0)
    with pytest.raises(InputError, match=r"to lie on their cells; 196 of 196"):
        read_outlines(read(folder))


def test_outlines_of_other_cells_are_refused(tmp_path, tissue):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    other = tissue.copy()
    other.obs_names = [f"x{name}" for name in tissue.obs_names]
    outline_files.write_xenium_outlines(folder, other)
    with pytest.raises(InputError, match="none of the same names"):
        read_outlines(read(folder))


def test_a_table_without_corners_is_refused(tmp_path, tissue):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    table = pd.DataFrame({"cell_id": tissue.obs_names, "vertex_x": 1.0})
    table.to_parquet(folder / "cell_boundaries.parquet")
    with pytest.raises(InputError, match="missing: vertex_y"):
        read_outlines(read(folder))


def test_a_tissue_with_fewer_cells_keeps_their_outlines(tmp_path, tissue):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    outline_files.write_xenium_outlines(folder, tissue)
    found = read(folder)
    found._inplace_subset_obs(np.arange(10, 60))
    assert_arrows(read_outlines(found), tissue[10:60])


def test_joined_sections_have_the_outlines_of_each(tmp_path, tissue):
    with_outlines = write_xenium(tmp_path / "one", tissue, image="")
    outline_files.write_xenium_outlines(with_outlines, tissue)
    without = write_xenium(tmp_path / "two", tissue, image="")
    joined = join_sections(
        {"a": read(with_outlines), "b": read(without), "c": read(with_outlines)}
    )
    outlines = read_outlines(joined)
    n = tissue.n_obs
    assert len(outlines) == 3 * n
    assert not outlines.n_corners[n : 2 * n].any()
    for first in (0, 2 * n):
        assert_arrows(outlines.take(np.arange(first, first + n)), tissue)


def test_real_xenium(shared_data):
    folder = shared_data / "instruments" / "xenium_sfe"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    tissue = read(folder)
    outlines = read_outlines(tissue)
    by_hand = pd.read_csv(folder / "cell_boundaries.csv.gz")
    for cell in (0, 17, tissue.n_obs - 1):
        own = by_hand[by_hand["cell_id"] == tissue.obs_names[cell]]
        corners = own[["vertex_x", "vertex_y"]].to_numpy()
        np.testing.assert_allclose(outlines.of(cell), corners, atol=1e-3)
    assert len(outlines.vertices) == len(by_hand)


def test_real_merscope(shared_data):
    folder = shared_data / "instruments" / "merscope_sfe"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    tissue = read(folder)
    outlines = read_outlines(tissue)
    with h5py.File(folder / "cell_boundaries" / "feature_data_0a.hdf5") as file:
        for cell, name in enumerate(tissue.obs_names):
            corners = file[f"featuredata/{name}/zIndex_0/p_0/coordinates"][0]
            np.testing.assert_allclose(outlines.of(cell), corners, rtol=1e-6)


@pytest.mark.parametrize(("part", "half"), [("cells", 9), ("nuclei", 4)])
def test_visium_hd_segmented(tmp_path, tissue, part, half):
    write_segmented(tmp_path / "outs", tissue)
    found = read(tmp_path / "outs", part=part)
    outlines = read_outlines(found)
    assert (outlines.n_corners == 5).all()
    least, most = outlines.boxes()
    np.testing.assert_allclose(least, found.obsm["spatial"] - half)
    np.testing.assert_allclose(most, found.obsm["spatial"] + half)


def test_cosmx_cells_named_with_their_slide(tmp_path, tissue):
    folder = write_cosmx(tmp_path / "slide", tissue)
    file = outline_files.write_cosmx_outlines(folder, tissue, "S1-polygons.csv")
    table = pd.read_csv(file)
    whole = [f"c_1_{f}_{c}" for f, c in zip(table["fov"], table["cellID"], strict=True)]
    table.drop(columns=["fov", "cellID"]).assign(cell=whole).to_csv(file, index=False)
    assert_arrows(read_outlines(read(folder)), tissue)


def test_cosmx_corners_in_fields_that_count_y_upwards_are_turned(tmp_path, tissue):
    """Cells say where they lie on the slide and in their field, corners in that."""
    folder = write_cosmx(tmp_path / "slide", tissue)
    cells_file = folder / "S1_metadata_file.csv.gz"
    cells = pd.read_csv(cells_file)
    cells["CenterX_local_px"] = cells["CenterX_global_px"] - 70.0
    cells["CenterY_local_px"] = 4000.0 - cells["CenterY_global_px"]
    cells.to_csv(cells_file, index=False)
    file = outline_files.write_cosmx_outlines(folder, tissue, "S1-polygons.csv")
    corners = pd.read_csv(file)
    corners["x_local_px"] = corners.pop("x_global_px") - 70.0
    corners["y_local_px"] = 4000.0 - corners.pop("y_global_px")
    corners.to_csv(file, index=False)
    assert_arrows(read_outlines(read(folder)), tissue)


def test_cosmx_corners_in_fields_alone_need_cells_that_know_theirs(tmp_path, tissue):
    folder = write_cosmx(tmp_path / "slide", tissue)
    outline_files.write_cosmx_outlines(
        folder, tissue, "S1-polygons.csv", places="local"
    )
    with pytest.raises(InputError, match="x_global_px and y_global_px, or x_local_px"):
        read_outlines(read(folder))


KINDS = {
    "xenium": (write_xenium, outline_files.write_xenium_outlines),
    "cosmx": (write_cosmx, outline_files.write_cosmx_outlines),
    "merscope": (write_merscope, outline_files.write_merscope_fields),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["beside", "inside"])
def test_a_saved_section_finds_its_outlines_again(tmp_path, tissue, kind, where):
    write, write_outlines = KINDS[kind]
    folder = write(tmp_path / "run 1", tissue)
    write_outlines(folder, tissue)
    home = tmp_path if where == "beside" else folder
    first = write_h5ad(read(folder), home / "one.h5ad")
    # Also once it has been saved again.
    second = write_h5ad(read(first), home / "two.h5ad")
    found = read(second)
    assert_arrows(read_outlines(found), tissue)
    (tmp_path / "elsewhere").mkdir()
    alone = second.rename(tmp_path / "elsewhere" / "two.h5ad")
    assert not has_outlines(read(alone))


@pytest.mark.parametrize(
    ("folder", "file"),
    [("..", "secret.parquet"), ("link", "secret.parquet"), ("a/../..", "x"), ("", "x")],
)
def test_a_saved_section_leads_nowhere_else(tmp_path, tissue, folder, file):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "out").mkdir()
    for place in (tmp_path, tmp_path / "out"):
        outline_files.write_xenium_outlines(place, tissue, "secret.parquet")
    (home / "link").symlink_to(tmp_path / "out")
    about = {"kind": "xenium", "folder": folder, "file": file}
    tissue.uns["semst_input"] = {"outlines": about}
    tissue.write_h5ad(home / "one.h5ad")
    assert not has_outlines(read(home / "one.h5ad"))
