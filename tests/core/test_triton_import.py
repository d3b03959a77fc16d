from __future__ import annotations

import importlib.util
import os
import sys

import pytest

from napari_semst.core import triton_import
from napari_semst.core.device import choose_device
from napari_semst.core.triton_import import guard_triton_import, renders_with_llvm

MESA = "/usr/lib/x86_64-linux-gnu/libLLVM-15.so.1"
OTHERS = "/venv/llvmlite/binding/libllvmlite.so"

pytestmark = pytest.mark.skipif(
    not hasattr(os, "RTLD_DEEPBIND"), reason="Linux binds so"
)


@pytest.fixture
def mapped(monkeypatch, tmp_path):
    """The file in which the system lists what is loaded, with lines of a test."""

    def write(*libraries):
        place = tmp_path / "maps"
        place.write_text("".join(f"7f00-7f10 r-xp 0 08:01 7 {x}\n" for x in libraries))
        monkeypatch.setattr(triton_import, "_MAPPED", place)

    others = [x for x in sys.meta_path if not isinstance(x, triton_import._Guard)]
    monkeypatch.setattr(sys, "meta_path", others)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    return write


@pytest.fixture
def flags(tmp_path, monkeypatch):
    """The flags for loading libraries that a stand-in for triton finds."""
    told = tmp_path / "flags"
    (tmp_path / "triton.py").write_text(
        "import pathlib, sys\n"
        f"pathlib.Path({str(told)!r}).write_text(str(sys.getdlopenflags()))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda: int(told.read_text())
    # Not by monkeypatch, which would put the stand-in back.
    sys.modules.pop("triton", None)


@pytest.mark.parametrize(("library", "apart"), [(MESA, True), (OTHERS, False)])
def test_triton_is_bound_to_its_own_llvm_beside_another(mapped, flags, library, apart):
    mapped("/usr/lib/libc.so.6", library)
    assert renders_with_llvm() == apart
    before = sys.getdlopenflags()
    guard_triton_import()
    import triton

    assert flags() == (before | os.RTLD_DEEPBIND if apart else before)
    assert sys.getdlopenflags() == before
    assert triton.__file__.endswith("triton.py")


def test_one_guard_is_enough_and_finds_nothing_else(mapped):
    mapped(MESA)
    for _ in range(2):
        guard_triton_import()
    guards = [x for x in sys.meta_path if isinstance(x, triton_import._Guard)]
    assert len(guards) == 1
    assert guards[0].find_spec("numpy", None) is None


def test_where_triton_is_not_installed_it_is_not_found(mapped, monkeypatch, tmp_path):
    mapped(MESA)
    guard_triton_import()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert importlib.util.find_spec("triton") is None
    with pytest.raises(ModuleNotFoundError):
        import triton  # noqa: F401


def test_a_system_without_such_a_list_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setattr(triton_import, "_MAPPED", tmp_path / "none")
    assert not renders_with_llvm()


def test_docks_and_runs_put_the_guard_up(mapped):
    from napari_semst.widgets.shared.state import ViewerState

    for put_up in (ViewerState, lambda: choose_device("cpu")):
        sys.meta_path[:] = [
            x for x in sys.meta_path if not isinstance(x, triton_import._Guard)
        ]
        put_up()
        assert isinstance(sys.meta_path[0], triton_import._Guard)
