"""Where a run computes, and that a quick one imports nothing that it does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from napari_semst.config import Config
from napari_semst.errors import DeviceError
from napari_semst.methods.run_device import run_device


def test_nothing_is_asked_of_torch_where_nothing_is_trained():
    quick = Config().with_overrides({"model": {"method": "quick"}})
    assert run_device(quick).name == "cpu"
    assert "no network" in run_device(quick).reason
    assert "no network" not in run_device(Config()).reason


def test_a_device_that_was_named_must_be_there_all_the_same():
    wrong = {"model": {"method": "quick"}, "training": {"device": "cuda:99"}}
    with pytest.raises(DeviceError):
        run_device(Config().with_overrides(wrong))


def test_a_quick_run_imports_nothing_that_trains_or_draws(tissue, tmp_path):
    tissue.write_h5ad(tmp_path / "section.h5ad")
    code = (
        "import sys; from napari_semst.cli.main import app\n"
        "try: app(['run', 'section.h5ad', '-k', '3', '--method', 'quick'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'torch', 'scanpy', 'sklearn', 'numba', 'scipy.stats', 'matplotlib',\n"
        "    'napari', 'qtpy', 'transformers'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "section_semst.h5ad").exists()
