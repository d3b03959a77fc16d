"""Which code computes the ZINB's elementwise part, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from napari_semst.nn.zinb.torch_kernels import as_positives, as_zeros

if TYPE_CHECKING:
    from collections.abc import Callable


_WORTH_COMPILING = 5e10


@dataclass(frozen=True, slots=True)
class Engine:
    """The code that computes the ZINB's elementwise part.

    Parameters
    ----------
    name
        ``numba``: one pass over memory, compiled for this processor; ``compiled``:
        the torch form as kernels of torch.compile; ``torch``: the torch form.
    reason
        One sentence for users.
    """

    name: str
    reason: str


def elementwise_engine(
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    entries: float = math.inf,
) -> Engine:
    """Return the code that computes the ZINB there, and why it is this one.

    The first call for a kind of device compiles, or loads what was compiled before.

    Parameters
    ----------
    entries
        Values that the whole training reconstructs, counted in every step: a GPU's
        kernels are compiled for much work only, since that takes ten seconds or more.
    """
    kind = torch.device(device).type
    if kind != "cpu" and entries < _WORTH_COMPILING:
        return Engine(
            "torch",
            f"Plain torch computes the ZINB loss on {kind}: compiling for so little "
            "work would take longer than it saves.",
        )
    return _engine(kind, dtype)


@cache
def _engine(kind: str, dtype: torch.dtype) -> Engine:
    if kind == "cpu" and dtype == torch.float32:
        failure = _failure_of(fused_kernels)
        if failure:
            return Engine(
                "torch",
                "Plain torch computes the ZINB loss, several passes instead of one: "
                f"numba cannot compile it here ({failure}).",
            )
        return Engine(
            "numba", "One pass compiled by numba computes the ZINB loss on this CPU."
        )
    if kind == "cpu":
        return Engine(
            "torch",
            f"Plain torch computes the ZINB loss in {dtype}; the pass compiled by "
            "numba is for torch.float32.",
        )
    failure = _failure_of(lambda: try_compiled(kind, dtype))
    if failure:
        return Engine(
            "torch",
            f"Plain torch computes the ZINB loss on {kind}: torch.compile does not "
            f"work there ({failure}).",
        )
    return Engine("compiled", f"torch.compile computes the ZINB loss on {kind}.")


def fused_kernels() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the sum of log(x!) and the pass over rows, both compiled by numba.

    The first call compiles or loads them.
    """
    from napari_semst.nn.zinb.numba_kernels import log_factorials, rows_to_gradients

    return log_factorials, rows_to_gradients


@cache
def compiled_forms() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the torch forms for zeros and for positives, compiled at first use.

    Chunks differ in rows and in positives: sizes stay variables of the kernels.
    """
    return (
        torch.compile(as_zeros, dynamic=True),
        torch.compile(as_positives, dynamic=True),
    )


def try_compiled(kind: str, dtype: torch.dtype) -> None:
    """Run the compiled forms on a few numbers, to see whether they work there."""
    zeros, positives = compiled_forms()
    with torch.no_grad():
        zeros(torch.zeros(3, 4, 5, device=kind, dtype=dtype), 0.05).item()
        few = torch.ones(3, 6, device=kind, dtype=dtype)
        positives(few, few[0], 0.05)[1].item()


def _failure_of(attempt: Callable[[], object]) -> str:
    """Return why something does not work, in one line, or nothing if it does."""
    try:
        attempt()
    except Exception as error:  # noqa: BLE001 - a compiler may fail in any way
        lines = str(error).strip().splitlines()
        return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return ""
