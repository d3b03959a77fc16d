"""Cells over Dask: done beside workers, told, cancelled."""

from __future__ import annotations

import threading
import warnings

import pytest

from napari_semst import RunControl, compare_methods
from napari_semst.bench import dask
from napari_semst.bench.process import CellOutcome
from napari_semst.cohort.dask import connect
from napari_semst.errors import Cancelled
from tests.bench.cases import Inside, planned, saved

pytest.importorskip("distributed", reason="the extra napari-semst[dask]")


@pytest.fixture(scope="module")
def client():
    from distributed import LocalCluster

    # What Dask and its event loop warn of is not ours to mend.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            LocalCluster(
                n_workers=1,
                threads_per_worker=1,
                processes=False,
                protocol="tcp",
                dashboard_address=None,
            ) as cluster,
            connect(cluster.scheduler_address) as connected,
        ):
            yield connected


@pytest.fixture
def inside(monkeypatch):
    monkeypatch.setattr(dask, "CellProcess", Inside)
    Inside.began = []
    return Inside.began


def test_workers_do_the_cells(client, tissue, tmp_path, inside):
    plan, heard = planned(saved(tissue, tmp_path)), []
    result = compare_methods(
        plan,
        tmp_path / "out",
        client=client,
        on_progress=lambda event: heard.append(event.message),
    )
    assert (result.done, result.failed, len(result.table)) == (3, (), 6)
    assert "A graphst, seed 0: done" in heard
    assert "A graphst, seed 0: train 1/2" in heard
    again = compare_methods(plan, tmp_path / "out", client=client)
    assert (again.done, again.skipped) == (0, 3)
    assert len(inside) == 3


def test_a_cell_that_fails_on_a_worker_is_told(client, tissue, tmp_path, monkeypatch):
    class Failing(Inside):
        def heard(self):
            if self.cell.variant.fusion == "none":
                yield CellOutcome(self.cell, "failed", "Expected more.")
            else:
                raise RuntimeError("broken")

    monkeypatch.setattr(dask, "CellProcess", Failing)
    Inside.began = Failing.began = []
    plan = planned(saved(tissue, tmp_path), controls=("none",))
    result = compare_methods(plan, tmp_path / "out", client=client)
    assert dict(result.failed) == {
        "A graphst, seed 0": "Expected more.",
        "A graphst fsm builtin, seed 0": "unexpected RuntimeError on the worker: "
        "broken.",
    }


def test_cancelling_ends_what_workers_do(client, tissue, tmp_path, monkeypatch):
    over = threading.Event()

    class Endless(Inside):
        def heard(self):
            yield {"stage": "train", "step": 1, "steps": 2, "notice": "", "message": ""}
            assert over.wait(60)
            yield CellOutcome(self.cell, "failed", "ended")

        def end(self):
            over.set()

    monkeypatch.setattr(dask, "CellProcess", Endless)
    Inside.began = Endless.began = []
    control = RunControl()

    def listen(event):
        if event.message.endswith("train 1/2"):
            control.cancel()

    plan = planned(saved(tissue, tmp_path))
    with pytest.raises(Cancelled, match="0 of 3 cells"):
        compare_methods(
            plan, tmp_path / "out", client=client, on_progress=listen, control=control
        )
    assert over.wait(60)
    assert len(Endless.began) == 1
