"""How many threads there are after limits end, in whatever order."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from importlib import import_module
from types import ModuleType, SimpleNamespace

import pytest
import threadpoolctl
import torch

from napari_semst.core.threads import _loaded, keep_limits, threads_limited


@pytest.fixture
def four():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four")
def test_limits_inside_each_other_end_one_by_one():
    with threads_limited(2):
        with threads_limited(1):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four")
def test_a_limit_that_outlives_the_one_around_it_leaves_none():
    """As of a thread that a cancelled run leaves behind."""
    run, left_behind = threads_limited(1), threads_limited(1)
    run.__enter__()
    left_behind.__enter__()
    run.__exit__(None, None, None)
    left_behind.__exit__(None, None, None)
    assert torch.get_num_threads() == 4


def test_libraries_are_looked_for_anew_only_after_an_import(monkeypatch):
    looked = []
    usual = threadpoolctl.ThreadpoolController
    monkeypatch.setattr(
        threadpoolctl,
        "ThreadpoolController",
        lambda: looked.append(1) or usual(),
    )
    with threads_limited(1):
        pass
    looked.clear()
    for _ in range(3):
        with threads_limited(1):
            pass
    assert not looked
    monkeypatch.setitem(sys.modules, "a_library_with_threads", ModuleType("a"))
    with threads_limited(1):
        pass
    assert looked == [1]


def test_a_library_that_is_loaded_inside_a_limit_is_limited_and_freed(monkeypatch):
    """As OpenMP of scikit-learn, which a quick run does not import beforehand."""
    openmp = {"late": 4}

    class Limit:
        def __init__(self, limits):
            self.before = dict(openmp)
            openmp.update(dict.fromkeys(openmp, limits))

        def restore_original_limits(self):
            openmp.update(self.before)

    class Controller:
        def limit(self, *, limits, user_api=None):
            return Limit(limits) if "a_late_library" in sys.modules else Limit(4)

    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", Controller)
    monkeypatch.setattr("napari_semst.core.threads._controllers", [])
    keep_limits()
    assert openmp == {"late": 4}
    with threads_limited(1):
        monkeypatch.setitem(sys.modules, "a_late_library", ModuleType("a"))
        keep_limits()
        assert openmp == {"late": 1}
        keep_limits()
    assert openmp == {"late": 4}


def test_every_thread_is_limited_by_itself(monkeypatch):
    """OpenMP counts for each thread: that one has a limit says nothing of another."""
    numbers = threading.local()

    class Limit:
        def __init__(self, limits):
            self.before = getattr(numbers, "late", 4)
            numbers.late = limits

        def restore_original_limits(self):
            numbers.late = self.before

    class Controller:
        def limit(self, *, limits, user_api=None):
            return Limit(limits if "a_late_library" in sys.modules else 4)

    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", Controller)
    monkeypatch.setattr("napari_semst.core.threads._controllers", [])
    with threads_limited(1):
        monkeypatch.setitem(sys.modules, "a_late_library", ModuleType("a"))
        other = threading.Thread(target=keep_limits)
        other.start()
        other.join()
        keep_limits()
        assert numbers.late == 1
    assert numbers.late == 4


def test_a_module_that_another_thread_imports_is_waited_for(tmp_path, monkeypatch):
    module = tmp_path / "slow_to_import.py"
    module.write_text(
        "import threading, sys\n"
        "begun, go_on = sys.modules['import_events'].events\n"
        "begun.set()\n"
        "go_on.wait(60)\n"
        "whole = True\n"
    )
    events = (threading.Event(), threading.Event())
    monkeypatch.setitem(sys.modules, "import_events", SimpleNamespace(events=events))
    monkeypatch.syspath_prepend(tmp_path)
    first = threading.Thread(target=import_module, args=("slow_to_import",))
    first.start()
    assert events[0].wait(60)
    found = []
    second = threading.Thread(target=lambda: found.append(_loaded("slow_to_import")))
    second.start()
    assert not found
    events[1].set()
    for thread in (first, second):
        thread.join(60)
    assert found[0].whole
    monkeypatch.delitem(sys.modules, "slow_to_import")
    assert _loaded("slow_to_import") is None


def test_torch_loaded_inside_a_limit_is_limited():
    code = (
        "from napari_semst.core.threads import _loaded, keep_limits, threads_limited\n"
        "import sys\n"
        "with threads_limited(1):\n"
        "    assert 'torch' not in sys.modules\n"
        "    import torch\n"
        "    torch.set_num_threads(3)\n"
        "    keep_limits()\n"
        "    assert torch.get_num_threads() == 1\n"
        "assert torch.get_num_threads() == 2, torch.get_num_threads()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    assert done.returncode == 0, done.stderr
