from __future__ import annotations

import pytest

from napari_semst.errors import InputError
from napari_semst.io.alignment import share_inside
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format
from tests.io.outs import write_outs
from tests.io.readers.test_visium import assert_same


def run_of(folder, tissue, *sizes):
    """Write a run whose bins of each size hold as many spots as its number says."""
    for size in sizes:
        write_outs(
            folder / "binned_outputs" / f"square_{size:03}um",
            tissue[: 20 * size],
            positions="parquet",
            images=("hires",),
        )
    return folder


@pytest.fixture
def run(tmp_path, tissue):
    return run_of(tmp_path / "S1" / "outs", tissue, 2, 8, 16)


@pytest.mark.parametrize("given", [".", "..", "binned_outputs"])
def test_bins_of_8_micrometres_unless_told(run, tissue, given):
    place = run / given
    assert detect_format(place).name == "visium_hd"
    found = read(place)
    assert_same(found, tissue[:160])
    assert share_inside(found) == 1.0
    assert found.uns["semst_input"]["bin_size"] == 8
    assert found.uns["semst_input"]["other_bin_sizes"] == [2, 16]


@pytest.mark.parametrize("part", ["2", 2, "002", "2um", "square_002um", "bin2"])
def test_a_bin_size_can_be_asked_for(run, tissue, part):
    assert_same(read(run, part=part), tissue[:40])


def test_one_bin_size_opens_by_itself(run, tissue):
    folder = run / "binned_outputs" / "square_016um"
    assert detect_format(folder).name == "visium"
    assert_same(read(folder), tissue)


def test_without_8_the_next_larger_is_taken(tmp_path, tissue):
    assert read(run_of(tmp_path / "a", tissue, 2, 16)).n_obs == tissue.n_obs
    assert read(run_of(tmp_path / "b", tissue, 2)).n_obs == 40


@pytest.mark.parametrize(
    ("part", "message"),
    [("4", "found bins of 2, 8, 16"), ("fine", "Expected a bin size"), ("-8", "-8")],
)
def test_other_bin_sizes_are_refused(run, part, message):
    with pytest.raises(InputError, match=message):
        read(run, part=part)


def test_a_run_with_broken_bins_says_what_is_wrong(run):
    for matrix in run.rglob("*.h5"):
        matrix.write_text("no matrix")
    assert detect_format(run) is None
    with pytest.raises(InputError, match="10x matrix"):
        read(run)
