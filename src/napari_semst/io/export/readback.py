"""Files read back, and compared with the tissue that was written into them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_semst import keys
from napari_semst.errors import SaveError
from napari_semst.io.matrices import named_layers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from anndata import AnnData

_BLOCK = 4_000_000


_OURS = ("semst_", "X_semst", "ig_")


def check_readback(
    adata: AnnData, path: Path, sums: Mapping[str, float] | None = None
) -> None:
    """Raise unless a file holds the tissue.

    Compared are the shape, the names of spots and genes, the columns of obs and var,
    the keys of every other part, the sum of X, and the results in full.

    Parameters
    ----------
    sums
        Of matrices that the tissue itself does not hold, by their places in the file.

    Raises
    ------
    SaveError
        Naming the first part that differs.
    """
    from anndata.io import read_elem

    with _opened(path) as file:
        obs, var = read_elem(file["obs"]), read_elem(file["var"])
        _same("the shape", (len(obs), len(var)), adata.shape)
        _same("the spots", list(obs.index.astype(str)), list(map(str, adata.obs_names)))
        _same("the genes", list(var.index.astype(str)), list(map(str, adata.var_names)))
        _same("obs", list(obs.columns), list(adata.obs.columns))
        _same("var", list(var.columns), list(adata.var.columns))
        for part in ("obsm", "varm", "obsp", "varp", "uns"):
            _same(part, sorted(file.get(part, {})), sorted(getattr(adata, part)))
        _same("layers", sorted(file.get("layers", {})), sorted(named_layers(adata)))
        for column in [c for c in obs if str(c).startswith(_OURS)]:
            _same_values(f"obs[{column!r}]", obs[column], adata.obs[column])
        for key in [k for k in adata.obsm if str(k).startswith(_OURS)]:
            _same_values(
                f"obsm[{key!r}]", read_elem(file["obsm"][key]), adata.obsm[key]
            )
        if keys.RUNS in adata.uns and hasattr(adata.uns[keys.RUNS], "keys"):
            runs = sorted(adata.uns[keys.RUNS])
            _same(f"uns[{keys.RUNS!r}]", sorted(file["uns"][keys.RUNS]), runs)
        expected = dict(sums or {})
        if "X" not in expected and adata.X is not None:
            expected["X"] = _sum(adata.X)
        for where, total in expected.items():
            _same_sum(where, stored_sum(file[where]), total)


def _same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise _differs(what)


def _same_values(what: str, found: Any, expected: Any) -> None:
    """Compare two columns or matrices; values missing in both are the same."""
    import pandas as pd
    from scipy import sparse

    if sparse.issparse(found) and sparse.issparse(expected):
        # Counts of all genes would not fit into memory dense.
        if found.shape != expected.shape or (found != expected).nnz:
            raise _differs(what)
        return
    one, other = _plain(found), _plain(expected)
    if one.shape != other.shape:
        raise _differs(what)
    if one.dtype.kind in "fc" or other.dtype.kind in "fc":
        same = np.array_equal(one.astype(float), other.astype(float), equal_nan=True)
    else:
        there = np.asarray(pd.notna(one))
        same = np.array_equal(there, np.asarray(pd.notna(other))) and bool(
            (one[there].astype(str) == other[there].astype(str)).all()
        )
    if not same:
        raise _differs(what)


def _plain(values: Any) -> np.ndarray[Any, np.dtype[Any]]:
    if hasattr(values, "toarray"):
        values = values.toarray()
    return np.asarray(values)


def _same_sum(where: str, found: float, expected: float) -> None:
    same = np.isclose(found, expected, rtol=1e-9, atol=0.0, equal_nan=True)
    if not same and not np.isinf(expected):
        raise _differs(f"the sum of {where} ({found:g}, not {expected:g})")


def _differs(what: str) -> SaveError:
    return SaveError(
        f"Expected the file to read back the same; {what} differs. Nothing was "
        "changed; save again, or to another disk."
    )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file, or a store, for reading."""
    if path.is_dir():
        import zarr

        yield zarr.open_group(path, mode="r")
        return
    import h5py

    with h5py.File(path, "r") as file:
        yield file


def stored_sum(stored: Any) -> float:
    """Return the sum of a matrix in the file, block by block."""
    return _block_sum(stored if hasattr(stored, "shape") else stored["data"])


def _sum(matrix: Any) -> float:
    from scipy import sparse

    if hasattr(matrix, "to_memory"):
        matrix = matrix.to_memory()
    if hasattr(matrix, "compute"):
        matrix = matrix.compute()
    return _block_sum(cast("Any", matrix).data if sparse.issparse(matrix) else matrix)


def _block_sum(values: Any) -> float:
    width = int(np.prod(values.shape[1:])) or 1
    step = max(1, _BLOCK // width)
    return float(
        sum(
            np.asarray(values[start : start + step]).sum(dtype=np.float64)
            for start in range(0, values.shape[0], step)
        )
    )
