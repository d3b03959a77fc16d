from __future__ import annotations

import subprocess
import sys

import pytest

from napari_semst.core import anndata_import

_REST = """
import dask.array
import numpy as np
assert dask.array.ones(3).sum().compute() == 3
"""


def alone(code, *before):
    """Run code in a process of its own, and return its output."""
    lines = [*before, code]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_in_a_shell_loads_neither_dask_nor_xarray(tmp_path, tissue) -> None:
    pytest.importorskip("dask")
    tissue.write_h5ad(tmp_path / "a.h5ad")
    words = ["semst", "run", str(tmp_path / "a.h5ad"), "-k", "3", "--preset", "quick"]
    words += ["-o", str(tmp_path / "b.h5ad")]
    said = alone(
        f"""
import sys
sys.argv = {words!r}
from napari_semst.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert "anndata" in sys.modules
print(sorted({{"dask", "xarray"}} & set(sys.modules)))
{_REST}
"""
    )
    assert said.splitlines()[-1] == "[]"
    assert (tmp_path / "b.h5ad").is_file()


def test_what_is_loaded_already_stays_as_it_is() -> None:
    pytest.importorskip("dask")
    said = alone(
        """
import sys
import anndata
from napari_semst.core.anndata_import import import_anndata_alone
before = list(sys.meta_path)
import_anndata_alone()
print(sys.meta_path == before, "dask" in sys.modules)
"""
    )
    assert said.split() == ["True", "True"]


def test_a_failure_hides_nothing_afterwards(monkeypatch) -> None:
    name = "that_is_not_there"
    monkeypatch.setattr(anndata_import, "_HEAVY", (name,))

    class Failing:
        def exec_module(self, module):
            assert sys.modules[name] is None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        anndata_import._Alone(Failing()).exec_module(sys)
    assert name not in sys.modules
