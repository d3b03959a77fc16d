"""A cohort over Dask: workers that die, clients that go away, schedulers not there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from contextlib import contextmanager

import pytest
from anndata import read_h5ad

from napari_semst import find_domains_cohort
from napari_semst.cohort.dask import connect, run_on_dask
from napari_semst.cohort.plan import plan_cohort
from napari_semst.cohort.worker import worker_threads
from napari_semst.config import Request
from napari_semst.errors import ConfigError, InputError
from napari_semst.pipeline.job import Scoring
from tests.small import named

pytest.importorskip("distributed", reason="the extra napari-semst[dask]")
pytestmark = pytest.mark.skipif(
    not hasattr(os, "mkfifo"), reason="workers wait at POSIX pipes"
)

NAMES = ("A", "B", "C")
QUICK = Request("quick", {"domains": {"n_domains": 3, "n_starts": 1}})


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    # What Dask and its event loop warn of is not ours to mend.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as started:
            yield started


@pytest.fixture
def client(cluster):
    with connect(cluster.scheduler_address) as connected:
        connected.wait_for_workers(2, timeout=60)
        yield connected


@pytest.fixture
def sections(tissue, tmp_path):
    paths = [tmp_path / f"{name}.h5ad" for name in NAMES]
    for path in paths:
        named(tissue).write_h5ad(path)
    return paths


@pytest.fixture
def gate(tmp_path):
    """Two pipes: a worker writes its number into one and waits at the other."""
    reached, opened = tmp_path / "reached", tmp_path / "opened"
    os.mkfifo(reached)
    os.mkfifo(opened)
    return reached, opened


def results(folder):
    return sorted(path.name for path in folder.iterdir())


def whole(folder):
    assert results(folder) == [f"{name}_semst.h5ad" for name in NAMES]
    for path in folder.iterdir():
        assert read_h5ad(path).obs["semst_domain"].nunique() == 3


def cohort(sections, folder, client, **options):
    return find_domains_cohort(
        sections, n_domains=3, preset=QUICK.preset, overrides=QUICK.overrides,
        output_dir=folder, client=client, **options,
    )  # fmt: skip


def wait_once(where, name, reached, opened):
    """In a worker: let the first section of that name wait at the gate."""
    from importlib import import_module

    module, _, attribute = where.rpartition(".")
    home = import_module(module)
    usual = getattr(home, attribute)

    def waiting(*words, **options):
        if any(name in str(word) for word in words) and os.path.exists(reached):
            try:
                os.close(os.open(f"{reached}.taken", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return usual(*words, **options)
            with open(reached, "w") as pipe:
                pipe.write(str(os.getpid()))
            with open(opened):
                pass
        return usual(*words, **options)

    setattr(home, attribute, waiting)


def at_the_gate(gate):
    """Return the number of the process that waits, once one does."""
    return int(gate[0].read_text())


@contextmanager
def meanwhile(do):
    """Do something in a thread beside the block."""
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    yield
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_sections_left_early_are_cancelled_and_write_nothing(
    client, sections, tmp_path, gate
):
    client.run(wait_once, "napari_semst.io.read.read", "A.h5ad", *map(str, gate))
    folder = tmp_path / "results"
    tasks = plan_cohort(
        sections, folder, QUICK, run="default", scoring=Scoring(None, False),
        overwrite=False,
    )  # fmt: skip
    heard = set()
    steps = run_on_dask(
        tasks, client, lambda name, event: heard.add((name, event.stage))
    )
    with meanwhile(lambda: at_the_gate(gate)):
        done = {next(steps).name for _ in range(2)}
    steps.close()

    def known(dask_worker):
        states = [task.state for task in dask_worker.state.tasks.values()]
        return [state for state in states if state != "cancelled"]

    while any(client.run(known).values()):
        pass
    gate[1].write_text("")
    assert done == {"B", "C"}
    assert ("A", "read") in heard
    outcomes = cohort(sections, folder, client)
    assert [o.status for o in outcomes] == ["done", "skipped", "skipped"]
    whole(folder)


CLIENT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from napari_semst.cli.main import main
main()
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_client_that_ends_is_taken_up_where_it_was(
    client, cluster, sections, tmp_path, gate, sent
):
    client.run(wait_once, "napari_semst.io.read.read", "C.h5ad", *map(str, gate))
    folder = tmp_path / "results"
    settings = tmp_path / "settings.toml"
    settings.write_text(QUICK.to_toml())
    words = ["run", *sections, "--config", settings, "--output-dir", folder]
    words += ["--seed", 0, "--dask", cluster.scheduler_address]
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    at_the_gate(gate)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == (130 if sent == signal.SIGINT else -sent), err
    assert ("not run: interrupted" in out) == (sent == signal.SIGINT)
    assert "Traceback" not in err
    assert "C_semst.h5ad" not in results(folder)
    gate[1].write_text("")
    outcomes = cohort(sections, folder, client)
    assert {outcome.status for outcome in outcomes} <= {"done", "skipped"}
    assert outcomes[2].status == "done"
    whole(folder)


def test_a_section_that_cannot_be_done_is_told_and_no_other_suffers(
    client, sections, tmp_path
):
    sections[1].write_text("no section")
    outcomes = cohort(sections, tmp_path / "results", client)
    assert [o.status for o in outcomes] == ["done", "failed", "done"]
    assert "no HDF5 file" in outcomes[1].message


def test_a_scheduler_that_is_not_there_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match="Expected a Dask scheduler at"):
            connect(address)
    with pytest.raises(InputError, match="a protocol, a host and a port"):
        connect("somewhere")


def test_another_server_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("napari_semst.cohort.dask._SECONDS_TO_ANSWER", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match="none answered"):
            connect(address)


def test_without_the_extra_the_line_to_install_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'napari-semst\[dask\]'"):
        connect("tcp://127.0.0.1:8786")


@pytest.mark.parametrize("given", [1, 2])
def test_a_section_has_the_threads_of_its_worker_and_no_more(given):
    import numba
    import torch
    from threadpoolctl import threadpool_info

    before = numba.get_num_threads(), torch.get_num_threads()
    most = min(given, numba.config.NUMBA_NUM_THREADS)
    with worker_threads(given):
        assert torch.get_num_threads() == numba.get_num_threads() == most
        assert all(pool["num_threads"] <= most for pool in threadpool_info())
    assert (numba.get_num_threads(), torch.get_num_threads()) == before


# Last: a worker that starts anew imports everything anew.
@pytest.mark.parametrize(
    ("where", "sign", "deaths"),
    [
        # The result is written and not yet in its place.
        ("napari_semst.io.export.h5ad.check_readback", ".C_semst.h5ad", 3),
        # The scheduler itself gives up at the first death.
        ("napari_semst.io.read.read", "C.h5ad", 0),
    ],
)
def test_a_worker_killed_in_the_middle_costs_nothing(
    client, sections, tmp_path, gate, where, sign, deaths
):
    def bear(dask_scheduler):
        dask_scheduler.allowed_failures = deaths

    client.run_on_scheduler(bear)
    client.run(wait_once, where, sign, *map(str, gate))
    folder = tmp_path / "results"
    left = []

    def kill():
        pid = at_the_gate(gate)
        left.extend(results(folder))
        os.kill(pid, signal.SIGKILL)

    with meanwhile(kill):
        outcomes = cohort(sections, folder, client)
    assert "C_semst.h5ad" not in left
    # What the worker had finished and not yet told is there when it is asked again.
    for name, outcome in zip("ABC", outcomes, strict=True):
        there = f"{name}_semst.h5ad" in left
        assert outcome.status in ({"done", "skipped"} if there else {"done"})
    half = [name for name in left if name.startswith(".C_semst.h5ad.")]
    assert bool(half) == sign.startswith(".")
    whole(folder)
