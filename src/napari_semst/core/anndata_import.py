"""AnnData, loaded without what a run in a shell has no use for.

Where dask and xarray are installed, as napari and SpatialData bring them, anndata loads
both: a third of a second of a first look that takes four. Without them it works as it
does where they are not installed, and takes no lazy arrays.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

_NAME = "anndata"
_HEAVY = ("dask", "xarray")


class _Alone(Loader):
    """Load a module as if the heavy ones were not installed."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with _hidden():
            self._loader.exec_module(module)


class _Guard(MetaPathFinder):
    """Find anndata, and nothing else."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != _NAME:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and found.loader is not None:
            found.loader = _Alone(found.loader)
        return found


@contextmanager
def _hidden() -> Iterator[None]:
    """Say that the heavy modules are not there, until the end of the block."""
    hidden = [name for name in _HEAVY if name not in sys.modules]
    for name in hidden:
        # What Python itself has for a module that is not to be imported.
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name) is None:
                del sys.modules[name]


def import_anndata_alone() -> None:
    """Let anndata be loaded without dask and xarray, in a process of one's own.

    Nothing happens where it is loaded already. Not for processes that others share,
    nor for those that open SpatialData by its package, which needs both.
    """
    known = any(isinstance(one, _Guard) for one in sys.meta_path)
    if _NAME not in sys.modules and not known:
        sys.meta_path.insert(0, _Guard())
