"""Functions compiled by numba, and kept for the processes to come where that can be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from napari_semst.core.threads import settle_threads

if TYPE_CHECKING:
    from collections.abc import Callable


def compiled_once(*signature: str, **options: Any) -> Callable[[Any], Any]:
    """Return `numba.njit` that keeps what it compiles, beside the file or the user's.

    Where neither folder can be written, for instance in a container that is read only,
    numba refuses to compile at all: the function is then compiled in every process.

    Parameters
    ----------
    signature
        One, with which it compiles at once; else at the first call.
    options
        Of `numba.njit`, but for ``cache``.
    """
    import numba

    if "torch" in sys.modules:
        settle_threads()
    # Its types know a signature that is there or not, and no other number of them.
    njit: Any = numba.njit

    def compiling(function: Any) -> Any:
        try:
            return njit(*signature, cache=True, **options)(function)
        except (OSError, RuntimeError):  # nowhere to keep it
            return njit(*signature, **options)(function)

    return compiling
