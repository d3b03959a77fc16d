"""Triton, which torch imports where it is installed, kept from ending the program.

Triton brings an LLVM of its own. Where Mesa draws without a graphics card, as over
remote desktops and in virtual machines, that of Mesa is in the process already, and the
two do not bear each other: the program ends, with all that was not saved (Triton 3.8.0
of torch 2.14.1, Mesa 22.3 with LLVM 15). Nothing here compiles with Triton, and torch
does without it where it cannot be imported.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_NAME = "triton"
_MAPPED = Path("/proc/self/maps")
_LLVM = "libLLVM"


class _Refusal(Loader):
    """Refuse to load a module, as one that is not installed is refused."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        raise ImportError(
            "Expected to import Triton before Mesa's software renderer loads LLVM; "
            "with both the process would end. Import it before the window is opened, "
            "or do without.",
            name=_NAME,
        )

    def exec_module(self, module: ModuleType) -> None:
        """Never called: no module is made."""


class _Guard(MetaPathFinder):
    """Find a module that refuses to load in Triton's place, where it would end all."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname == _NAME and renders_with_llvm():
            return ModuleSpec(_NAME, _Refusal())
        return None


def guard_triton_import() -> None:
    """Refuse imports of Triton from now on while Mesa's LLVM is in the process."""
    if not any(isinstance(one, _Guard) for one in sys.meta_path):
        sys.meta_path.insert(0, _Guard())


def renders_with_llvm() -> bool:
    """Return whether the shared library of LLVM is loaded, as Mesa loads it."""
    try:
        return _LLVM in _MAPPED.read_text(encoding="utf-8", errors="replace")
    except OSError:  # another system than Linux
        return False
