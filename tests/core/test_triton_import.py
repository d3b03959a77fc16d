from __future__ import annotations

import importlib.util
import sys

import pytest

from napari_semst.core import triton_import
from napari_semst.core.triton_import import guard_triton_import, renders_with_llvm


@pytest.fixture
def mapped(monkeypatch, tmp_path):
    """The file in which the system lists what is loaded, with lines of a test."""

    def write(*libraries):
        place = tmp_path / "maps"
        place.write_text("".join(f"7f00-7f10 r-xp 0 08:01 7 {x}\n" for x in libraries))
        monkeypatch.setattr(triton_import, "_MAPPED", place)

    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    guard_triton_import()
    return write


def test_triton_is_refused_while_mesa_has_its_llvm_loaded(mapped):
    mapped("/usr/lib/libc.so.6", "/usr/lib/x86_64-linux-gnu/libLLVM-15.so.1")
    assert renders_with_llvm()
    # Those that only ask whether it is there are not surprised.
    assert importlib.util.find_spec("triton") is not None
    with pytest.raises(ImportError, match="software renderer"):
        import triton  # noqa: F401
    assert "triton" not in sys.modules


def test_elsewhere_the_guard_stays_out_of_the_way(mapped):
    mapped("/usr/lib/libc.so.6", "/venv/llvmlite/binding/libllvmlite.so")
    assert not renders_with_llvm()
    guards = [x for x in sys.meta_path if isinstance(x, triton_import._Guard)]
    assert len(guards) == 1
    assert guards[0].find_spec("triton", None) is None
    assert guards[0].find_spec("numpy", None) is None


def test_a_system_without_such_a_list_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setattr(triton_import, "_MAPPED", tmp_path / "none")
    assert not renders_with_llvm()


def test_a_dock_puts_the_guard_up(monkeypatch):
    from napari_semst.widgets.shared.state import ViewerState

    others = [x for x in sys.meta_path if not isinstance(x, triton_import._Guard)]
    monkeypatch.setattr(sys, "meta_path", others)
    ViewerState()
    assert isinstance(sys.meta_path[0], triton_import._Guard)
