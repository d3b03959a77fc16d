"""A comparison: done, left and gone on with, cancelled, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import psutil
import pytest

from napari_semst import RunControl, compare_methods
from napari_semst.bench import here
from napari_semst.bench.cell import plan_cells
from napari_semst.bench.here import Limits, settle_here
from napari_semst.bench.inputs import NamedDigests, read_facts
from napari_semst.bench.measure import measure_cell
from napari_semst.bench.oracle import BestEpoch
from napari_semst.bench.process import CellOutcome, CellProcess
from napari_semst.bench.results import COLUMNS
from napari_semst.bench.store import CellStore
from napari_semst.core.device import DeviceChoice
from napari_semst.core.memory import GIB
from napari_semst.core.progress import Progress, run_to_end
from napari_semst.errors import Cancelled, ConfigError, InputError
from tests.bench.cases import SHORT, Inside, planned, saved


@pytest.fixture
def path(tissue, tmp_path):
    return saved(tissue, tmp_path)


def test_results_are_one_tidy_table(path, tmp_path, inside):
    result = compare_methods(planned(path, seeds=2), tmp_path / "out", jobs=1)
    assert (result.done, result.skipped, result.failed) == (6, 0, ())
    table = result.table
    assert list(table) == list(COLUMNS)
    assert len(table) == 6 * 2
    assert set(table.readout) == {"kmeans", "consensus"}
    assert set(zip(table.fusion, table.control, strict=True)) == {
        ("none", "none"), ("fsm", "none"), ("fsm", "shuffled"),
    }  # fmt: skip
    assert table.ari.between(-1, 1).all()
    assert table.seconds.gt(0).all()
    assert table.cpu_seconds.gt(0).all()
    assert table.peak_memory_mb.gt(50).all()
    assert table.oracle_ari.isna().all()
    assert table.settings_hash.nunique() == 3
    assert table.alpha_sd.notna().equals(table.fusion.eq("fsm"))
    parquet = pd.read_parquet(tmp_path / "out" / "results.parquet")
    pd.testing.assert_frame_equal(parquet, table, check_dtype=False)
    assert len(pd.read_csv(tmp_path / "out" / "results.csv")) == 12


def test_finished_cells_are_not_done_again(path, tmp_path, inside):
    plan, folder = planned(path, seeds=2), tmp_path / "out"
    compare_methods(planned(path), folder)
    cells = sorted((folder / "cells").iterdir())
    before = [cell.stat().st_mtime_ns for cell in cells]
    inside.clear()
    result = compare_methods(plan, folder)
    assert (result.done, result.skipped) == (3, 3)
    assert all(cell.endswith("seed 1") for cell in inside)
    assert [cell.stat().st_mtime_ns for cell in cells] == before
    # One more readout needs what was learnt, which is not kept.
    cells[0].write_bytes(cells[0].read_bytes()[:-20])
    result = compare_methods(plan, folder)
    assert (result.done, result.skipped) == (1, 5)
    result = compare_methods(planned(path, readouts=("kmeans", "own")), folder)
    assert (result.done, result.skipped) == (3, 0)


def test_the_annotation_reaches_scores_only(tissue, path, tmp_path):
    """Names of domains dealt at random change the score, and no domain."""
    plan = planned(path, methods=("graphst",), controls=("none",))
    found = []
    for turn in range(2):
        facts = run_to_end(read_facts(plan, RunControl()))
        cell = plan_cells(plan, facts, NamedDigests()).cells[1]
        found.append(run_to_end(measure_cell(cell, RunControl())))
        dealt = np.random.default_rng(turn).permutation(tissue.obs["ground_truth"])
        tissue.obs["ground_truth"] = pd.Categorical(dealt)
        saved(tissue, tmp_path)
    for name, labels in found[0].arrays.items():
        assert np.array_equal(labels, found[1].arrays[name]), name
    scores = [one.record["readouts"]["consensus"]["ari"] for one in found]
    assert scores[0] != scores[1]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"version": "0.0.1"}, r"Expected napari-semst 0\.0\.1"),
        ({"sha256": "0" * 64}, "its content differs"),
        ({"named": "0" * 64}, "files that settings name"),
    ],
)
def test_a_cell_of_other_files_or_another_version_is_not_done(path, changed, told):
    plan = planned(path, fusions=("none",))
    facts = run_to_end(read_facts(plan, RunControl()))
    (cell,) = plan_cells(plan, facts, NamedDigests()).cells
    with pytest.raises(InputError, match=told):
        run_to_end(measure_cell(replace(cell, **changed), RunControl()))


def test_modulation_is_kept_as_pictures_need_it(path):
    plan = planned(path)
    facts = run_to_end(read_facts(plan, RunControl()))
    cell = plan_cells(plan, facts, NamedDigests()).cells[1]
    found = run_to_end(measure_cell(cell, RunControl()))
    spots = facts[str(path)].n_spots
    for name in ("alpha", "beta"):
        counts = found.arrays[f"{name}_counts"]
        assert counts.sum() % spots == 0
        assert len(found.arrays[f"{name}_edges"]) == len(counts) + 1
    for name in ("modulation_before", "modulation_after"):
        assert found.arrays[name].shape == (spots,)
        assert set(found.arrays[name]) == {0, 1, 2}


def test_a_cell_that_fails_is_told_and_the_rest_is_done(path, tmp_path, inside):
    plan = planned(
        path,
        methods=("graphst", "sedr"),
        fusions=("none",),
    )

    def failing(cell, folder):
        if cell.variant.method == "sedr":
            raised = Inside(cell, folder)
            raised.heard = lambda: iter([CellOutcome(cell, "failed", "no loss")])
            return raised
        return Inside(cell, folder)

    here.CellProcess = failing
    notes = []
    result = compare_methods(
        plan,
        tmp_path / "out",
        on_progress=lambda event: notes.append(event.message) if event.notice else None,
    )
    assert result.done == 1
    assert result.failed == (("A sedr, seed 0", "no loss"),)
    assert notes == ["A sedr, seed 0: no loss"]
    assert set(result.table.method) == {"graphst"}


def test_cancelling_keeps_what_is_finished(path, tmp_path, inside):
    control = RunControl()

    def listen(event):
        if event.message.endswith("seed 0: done"):
            control.cancel()

    folder = tmp_path / "out"
    with pytest.raises(Cancelled, match="1 of 3 cells are finished and kept"):
        compare_methods(
            planned(path), folder, jobs=1, on_progress=listen, control=control
        )
    assert len(pd.read_csv(folder / "results.csv")) == 2
    assert compare_methods(planned(path), folder).skipped == 1


def settled(cells, needs, limits):
    """Return the most cells that ran at one time, and the outcomes."""
    running, most, outcomes = set(), [], []

    class Counted(Inside):
        def __init__(self, cell, folder):
            running.add(cell.key)
            most.append(len(running))
            self.cell = cell

        def heard(self):
            yield CellOutcome(self.cell, "done")

    here.CellProcess = Counted
    for said in settle_here(cells, needs, None, limits, RunControl()):
        if isinstance(said, CellOutcome):
            running.discard(said.cell.key)
            outcomes.append(said)
    return max(most, default=0), outcomes


@pytest.mark.parametrize(
    ("limits", "most"),
    [(Limits(2, 8), 2), (Limits(3, 8), 3), (Limits(6, 2.5), 2), (Limits(6, 1), 1)],
)
def test_as_many_at_one_time_as_memory_and_cores_allow(path, inside, limits, most):
    plan = planned(path, seeds=2)
    facts = run_to_end(read_facts(plan, RunControl()))
    cells = plan_cells(plan, facts, NamedDigests()).cells
    found, outcomes = settled(cells, {cell.key: GIB for cell in cells}, limits)
    assert found == most
    assert len(outcomes) == 6


def test_a_cell_larger_than_allowed_is_refused_and_no_other(path, inside):
    plan = planned(path)
    facts = run_to_end(read_facts(plan, RunControl()))
    cells = plan_cells(plan, facts, NamedDigests()).cells
    needs = {cell.key: (3 if n else 9) * GIB for n, cell in enumerate(cells)}
    _, outcomes = settled(cells, needs, Limits(2, 4))
    refused = [one for one in outcomes if one.status == "failed"]
    assert [one.cell for one in refused] == [cells[0]]
    assert "at most 4 GiB" in refused[0].message
    assert len(outcomes) == 3
    with pytest.raises(ConfigError, match="0 or more"):
        Limits(-1)


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_a_gpu_does_one_cell_at_one_time(path, inside, monkeypatch, device):
    plan = planned(path)
    facts = run_to_end(read_facts(plan, RunControl()))
    cells = plan_cells(plan, facts, NamedDigests()).cells
    found = DeviceChoice(device, "told")
    monkeypatch.setattr("napari_semst.core.device.choose_device", lambda _: found)
    monkeypatch.setattr("napari_semst.core.threads.threads_wanted", lambda *_, **__: 3)
    most, _ = settled(cells, {cell.key: 0 for cell in cells}, Limits())
    assert most == (3 if device == "cpu" else 1)


KILLED = """
import json, sys
from napari_semst import BenchFile, BenchPlan, compare_methods

path, folder, settings = sys.argv[1:]
plan = BenchPlan(
    (BenchFile(path, "ground_truth"),), tables=("1",), figures=(), methods=("quick",),
    seeds=2, readouts=("kmeans",), settings=json.loads(settings),
)
compare_methods(
    plan, folder, jobs=1, on_progress=lambda event: print(event.message, flush=True)
)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_it_goes_on_without_redoing_finished_cells(path, tmp_path):
    import json

    folder = tmp_path / "out"
    words = [str(path), str(folder), json.dumps(SHORT)]
    killed = subprocess.Popen(
        [sys.executable, "-c", KILLED, *words], stdout=subprocess.PIPE, text=True
    )
    # In the middle of the second cell, whose process is then at work.
    for line in killed.stdout:
        if line.startswith("A quick, seed 1: "):
            break
    workers = psutil.Process(killed.pid).children()
    os.kill(killed.pid, signal.SIGKILL)
    killed.stdout.close()
    assert killed.wait() == -signal.SIGKILL
    assert len(workers) == 1
    psutil.wait_procs(workers, timeout=60)
    assert not workers[0].is_running()  # nobody waits for it: it ends as well
    kept = sorted((folder / "cells").iterdir())
    whole = [cell for cell in kept if cell.suffix == ".npz"]
    assert 1 <= len(whole) <= 2
    before = {cell: (cell.stat().st_mtime_ns, cell.read_bytes()) for cell in whole}
    plan = planned(
        path, tables=("1",), methods=("quick",), seeds=2, readouts=("kmeans",)
    )
    result = compare_methods(plan, folder, jobs=1)
    assert (result.done, result.skipped) == (2 - len(whole), len(whole))
    for cell, was in before.items():
        assert (cell.stat().st_mtime_ns, cell.read_bytes()) == was
    assert sorted(result.table.seed) == [0, 1]
    # Nothing of what was half written is left.
    assert {cell.suffix for cell in (folder / "cells").iterdir()} == {".npz"}


@pytest.mark.skipif(os.name == "nt", reason="a script of the shell")
def test_words_that_break_off_are_no_words(path, tmp_path, monkeypatch):
    plan = planned(path, fusions=("none",))
    facts = run_to_end(read_facts(plan, RunControl()))
    (cell,) = plan_cells(plan, facts, NamedDigests()).cells
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\necho '{}'\nprintf '{\"sta'\necho why >&2\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    heard = list(CellProcess(cell, tmp_path).heard())
    assert heard[0] == {}
    assert heard[1].message == "its process ended with 3: why"


@pytest.mark.slow
def test_a_process_that_dies_is_told(path, tmp_path):
    plan = planned(path, fusions=("none",))
    facts = run_to_end(read_facts(plan, RunControl()))
    (cell,) = plan_cells(plan, facts, NamedDigests()).cells
    store = CellStore(tmp_path)
    store.make()
    process = CellProcess(cell, tmp_path)
    heard = process.heard()
    assert next(heard)["stage"] == "read"
    process.end()
    assert "signal 9" in list(heard)[-1].message
    assert not store.finished(cell)


@pytest.mark.parametrize("method", ["graphst", "semst", "sedr"])
def test_the_best_epoch_is_told_apart_and_changes_nothing(path, method):
    settings = {**SHORT, "training": {"epochs": 4, "device": "cpu"}}
    found = []
    for oracle in (0, 2):
        plan = planned(
            path, methods=(method,), tables=("1",), oracle=oracle, settings=settings
        )
        facts = run_to_end(read_facts(plan, RunControl()))
        (cell,) = plan_cells(plan, facts, NamedDigests()).cells
        found.append((cell.key, run_to_end(measure_cell(cell, RunControl()))))
    (key, without), (other, looked) = found
    assert key == other
    assert without.record["oracle"] is None
    assert looked.record["oracle"]["epoch"] in (2, 4)
    assert -1 <= looked.record["oracle"]["ari"] <= 1
    assert without.arrays.keys() == looked.arrays.keys()
    for name, values in without.arrays.items():
        assert np.array_equal(values, looked.arrays[name]), name


def test_the_best_epoch_is_the_best():
    truth = pd.Series(["a", "a", "b", "b", None])
    best = BestEpoch(truth, 2, 1, 0)
    latents = [[0, 1, 0, 1, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 0]]

    def steps():
        for epoch, latent in enumerate(latents, start=1):
            values = np.array(latent, np.float32)[:, None]
            yield Progress("train", epoch, 3, latent=values)

    run_to_end(best.watching(steps(), RunControl()))
    assert best.found == {"ari": 1.0, "epoch": 2}
