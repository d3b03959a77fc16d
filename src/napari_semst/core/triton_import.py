"""Triton, loaded so that another LLVM in the process does not end it.

Torch with CUDA loads triton, whose compiler brings an LLVM of its own. In a window that
Mesa draws without a graphics card, the names of Mesa's LLVM would take the place of
those of triton's, and the process ends with all that was not saved: triton 3.8.0 of
torch 2.14.1 beside LLVM 15 of Mesa 22.3. Bound to its own names it does not. Whoever
imports it first: torch's optimisers do, and models of transformers.
"""

from __future__ import annotations

import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_NAME = "triton"
_MAPPED = Path("/proc/self/maps")
_LLVM = "libLLVM"


class _Apart(Loader):
    """Load a module, and the libraries that it loads, bound to their own names."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        flags = sys.getdlopenflags()
        sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
        try:
            self._loader.exec_module(module)
        finally:
            sys.setdlopenflags(flags)


class _Guard(MetaPathFinder):
    """Find triton where another LLVM is loaded; nothing else, and nowhere else."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != _NAME or not renders_with_llvm():
            return None
        # A torch without CUDA comes without triton.
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and found.loader is not None:
            found.loader = _Apart(found.loader)
        return found


def guard_triton_import() -> None:
    """Let triton be bound to its own LLVM whenever it is imported from now on."""
    known = any(isinstance(one, _Guard) for one in sys.meta_path)
    if hasattr(os, "RTLD_DEEPBIND") and not known:
        sys.meta_path.insert(0, _Guard())


def renders_with_llvm() -> bool:
    """Return whether the shared library of LLVM is loaded, as Mesa loads it."""
    try:
        return _LLVM in _MAPPED.read_text(encoding="utf-8", errors="replace")
    except OSError:  # another system than Linux
        return False
