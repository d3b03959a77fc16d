"""Unsaved work kept for the case of a crash."""

from __future__ import annotations

import json
import os
import stat

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.explore import recovery
from napari_semst.explore.annotate import Annotator
from napari_semst.explore.recovery import UnsavedWork
from napari_semst.pipeline.result import attach
from tests.conftest import banded_tissue


def kept(tissue, name="Slice", **about):
    """Keep a section's work as a program would that ended since."""
    file = recovery.recovery_folder() / f"{name}.h5ad"
    about = recovery.keep_work(
        *recovery.work_of(tissue, UnsavedWork(name, file=file, **about))
    )
    return about


def ended(monkeypatch):
    monkeypatch.setattr(recovery, "process_runs", lambda mark: False)


def edited():
    """Return a section with names given by hand and other colours."""
    tissue = banded_tissue()
    annotator = Annotator(tissue)
    spots = np.zeros(tissue.n_obs, bool)
    spots[:30] = True
    annotator.edit("layers", lambda x: x.assigned(spots, "= L1 / ü"), begin=True)
    annotator.edit("empty", lambda x: x.assigned(~spots & spots, None), begin=True)
    annotator.recolour("ground_truth", "band 0", "#123456")
    return tissue


def same(one, other):
    pd.testing.assert_frame_equal(one.obs, other.obs, check_like=True)
    assert sorted(one.obsm) == sorted(other.obsm)
    for key in one.obsm:
        np.testing.assert_array_equal(one.obsm[key], other.obsm[key])
    assert sorted(one.uns) == sorted(other.uns)
    for key in one.uns:
        if key.endswith(keys.COLORS_SUFFIX):
            assert list(one.uns[key]) == list(other.uns[key])


def test_edits_come_back_as_they_were(monkeypatch):
    tissue = edited()
    kept(tissue, colour_by="layers")
    ended(monkeypatch)
    (work,) = recovery.find_unsaved_work()
    assert (work.name, work.colour_by, work.n_spots) == ("Slice", "layers", 196)
    again = banded_tissue()
    assert recovery.restore_work(again, work) == []
    same(again, tissue)
    # And they can be edited on: they are no run's.
    annotator = Annotator(again)
    assert annotator.edit("layers", lambda x: x.renamed("= L1 / ü", "L1")) == "layers"
    recovery.discard_work(work.file)
    assert recovery.find_unsaved_work() == []


def test_what_was_measured_of_labels_by_hand_comes_back(monkeypatch):
    tissue, fresh = edited(), banded_tissue()
    tissue.obs["layers_probability"] = np.linspace(0, 1, tissue.n_obs)
    tissue.obs["layers_border_distance"] = np.linspace(9, 0, tissue.n_obs)
    tissue.obs["other_probability"] = 1.0
    kept(tissue)
    ended(monkeypatch)
    (work,) = recovery.find_unsaved_work()
    recovery.restore_work(fresh, work)
    for column in ("layers_probability", "layers_border_distance"):
        np.testing.assert_array_equal(fresh.obs[column], tissue.obs[column])
    assert "other_probability" not in fresh.obs


def test_results_come_back_and_those_that_were_replaced_go(monkeypatch, result_of):
    result = result_of("quick")
    tissue = banded_tissue()
    attach(tissue, result, "one", inplace=True)
    old = banded_tissue()
    # The file has what a run of another method left under the bare keys.
    attach(old, result, "before", inplace=True)
    old.obs[keys.DISCORDANCE] = 0.5
    old.obsm[keys.EXPECTED] = np.zeros((old.n_obs, 2))
    ended(monkeypatch)
    kept(tissue)
    recovery.restore_work(old, recovery.find_unsaved_work()[0])
    same(old, tissue)
    assert old.uns[keys.LATEST] == "one"
    assert list(old.uns[keys.RUNS]) == ["one"]


def test_large_vectors_are_left_out_and_it_is_said(monkeypatch, result_of):
    tissue = banded_tissue()
    attach(tissue, result_of("quick"), "one", inplace=True)
    # As in the file: the same run wrote them, they stay.
    as_file, other = tissue.copy(), banded_tissue()
    monkeypatch.setattr(recovery, "_MOST_BYTES", 10)
    ended(monkeypatch)
    kept(tissue)
    (work,) = recovery.find_unsaved_work()
    assert keys.LATENT in work.left_out
    assert recovery.restore_work(as_file, work) == []
    same(as_file, tissue)
    other.obsm[keys.LATENT] = np.ones((other.n_obs, 3))
    (note,) = recovery.restore_work(other, work)
    assert keys.LATENT in note
    assert keys.LATENT not in other.obsm
    assert list(other.obs[keys.DOMAIN]) == list(tissue.obs[keys.DOMAIN])


def test_work_of_a_program_that_runs_is_its_own():
    kept(edited())
    assert recovery.find_unsaved_work() == []


def test_work_of_another_machine_is_offered_once_it_is_silent(monkeypatch):
    work = kept(edited())
    monkeypatch.setattr(recovery, "process_runs", lambda mark: None)
    assert recovery.find_unsaved_work() == []
    os.utime(work.file, (0, 0))
    assert [x.file for x in recovery.find_unsaved_work()] == [work.file]
    recovery.give_sign(work.file)
    assert recovery.find_unsaved_work() == []


def test_other_spots_are_refused_and_nothing_is_changed(monkeypatch):
    kept(edited())
    ended(monkeypatch)
    (work,) = recovery.find_unsaved_work()
    other = banded_tissue()
    other.obs_names = [f"other {i}" for i in range(other.n_obs)]
    columns = list(other.obs)
    with pytest.raises(InputError, match="other names"):
        recovery.restore_work(other, work)
    with pytest.raises(InputError, match="found 10 spots"):
        recovery.restore_work(other[:10].copy(), work)
    assert list(other.obs) == columns
    assert work.file.exists()


def test_a_file_that_changed_since_is_told(monkeypatch, tmp_path):
    path = tmp_path / "slice.h5ad"
    banded_tissue().write_h5ad(path)
    kept(edited(), path=str(path))
    ended(monkeypatch)
    (work,) = recovery.find_unsaved_work()
    assert recovery.restore_work(banded_tissue(), work) == []
    path.write_bytes(path.read_bytes() + b"x")
    (note,) = recovery.restore_work(banded_tissue(), work)
    assert "slice.h5ad has changed since" in note


@pytest.mark.parametrize("damage", [b"", b"no HDF5", None])
def test_damaged_work_is_left_where_it_is(monkeypatch, damage):
    good, bad = kept(edited(), "good"), kept(edited(), "bad")
    ended(monkeypatch)
    whole = bad.file.read_bytes()
    bad.file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert [x.file for x in recovery.find_unsaved_work()] == [good.file]
    assert bad.file.exists()


def test_a_part_that_is_missing_is_refused_before_anything_is_put_back(monkeypatch):
    import h5py

    work = kept(edited())
    with h5py.File(work.file, "a") as file:
        facts = json.loads(file["uns/recovery"][()])
        facts["columns"].append("another")
        del file["uns/recovery"]
        file["uns/recovery"] = json.dumps(facts)
    ended(monkeypatch)
    (work,) = recovery.find_unsaved_work()
    tissue = banded_tissue()
    with pytest.raises(InputError, match="another"):
        recovery.restore_work(tissue, work)
    assert "layers" not in tissue.obs


@pytest.mark.skipif(os.name == "nt", reason="permissions are of POSIX")
def test_only_the_user_can_look_into_it():
    work = kept(edited())
    assert stat.S_IMODE(work.file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("name", "value"),
    [("changed", 3), ("program", 1), ("n_spots", "9"), ("columns", 5), ("other", "")],
)
def test_facts_of_other_types_are_left_where_they_are(tissue, monkeypatch, name, value):
    ended(monkeypatch)
    good = kept(tissue, "Good")
    damaged = kept(tissue, "Damaged")
    with h5py.File(damaged.file, "r+") as file:
        facts = json.loads(file["uns/recovery"][()]) | {name: value}
        del file["uns/recovery"]
        file["uns/recovery"] = json.dumps(facts)
    assert [work.name for work in recovery.find_unsaved_work()] == [good.name]
    assert damaged.file.exists()
