"""Small sections, short requests, and what a tissue holds, for tests of whole runs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from napari_semst.config import Request
from napari_semst.core.progress import run_to_end
from napari_semst.pipeline.run import find_domains
from napari_semst.sample.genes import panel_symbols

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.pipeline.result import DomainResult

# One way through each method and readout.
WAYS = ("auto", "quick", "dlpfc")


def named(tissue: AnnData) -> AnnData:
    """Return the tissue with symbols that the built-in gene table knows."""
    symbols, _ = panel_symbols(tissue.n_vars, "human")
    tissue.var_names = [str(symbol) for symbol in symbols]
    return tissue


def short(preset: str = "auto", k: int = 3, **stages: dict[str, Any]) -> Request:
    """Return a request of two epochs and few starts, with settings put over it."""
    settings: dict[str, dict[str, Any]] = {
        "domains": {"n_domains": k, "n_starts": 1},
        "training": {"epochs": 2, "device": "cpu"},
    }
    for stage, values in stages.items():
        settings.setdefault(stage, {}).update(values)
    return Request(preset, settings)


def found(
    tissue: AnnData, request: Request, control: RunControl | None = None
) -> DomainResult:
    """Return the result of a run."""
    return run_to_end(find_domains(tissue, request, control))


def walked(
    tissue: AnnData, request: Request, control: RunControl | None = None
) -> tuple[list[Progress], DomainResult]:
    """Return all events of a run, and its result."""
    events, steps = [], find_domains(tissue, request, control)
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


def fingerprint(tissue: AnnData) -> dict[str, Any]:
    """Return everything a tissue holds, so that two moments can be compared."""
    return {
        "X": _print(tissue.X),
        "raw": None if tissue.raw is None else _print(tissue.raw.X),
        **{
            part: _print(getattr(tissue, part))
            for part in ("obs", "var", "obsm", "varm", "obsp", "varp", "layers", "uns")
        },
    }


def _print(value: Any) -> Any:
    if isinstance(value, pd.DataFrame):
        columns = {str(n): _print(value[n].to_numpy()) for n in value}
        types = [str(kind) for kind in value.dtypes]
        return _print(value.index.to_numpy()), columns, types
    if sparse.issparse(value):
        parts = (value.data, value.indices, value.indptr)
        return value.format, value.shape, *map(_print, parts)
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return value.shape, [repr(item) for item in value.ravel()]
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return value.shape, str(value.dtype), digest
    if hasattr(value, "items"):
        return {str(key): _print(inner) for key, inner in value.items()}
    if hasattr(value, "to_numpy"):
        return _print(value.to_numpy())
    return type(value).__name__, repr(value)
