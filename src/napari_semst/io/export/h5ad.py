"""Results written so that they are whole, read back, and never silently replace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_semst import keys
from napari_semst.errors import SaveError
from napari_semst.io.export.atomic import estimated_bytes, write_atomically
from napari_semst.io.export.writable import writable
from napari_semst.io.matrices import named_layers

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData


def write(
    adata: AnnData,
    path: str | Path,
    *,
    overwrite: bool = False,
    compression: str | None = "gzip",
) -> Path:
    """Write a tissue as .h5ad, all of it, and read it back before it takes its place.

    Everything that the tissue holds is kept; the object itself is not changed. The
    file appears whole or not at all, and a file that stood there stays until then.

    Parameters
    ----------
    adata
        The tissue.
    path
        Where to, ending in ``.h5ad``.
    overwrite
        Whether a file that stands there may be replaced.
    compression
        ``"gzip"``, ``"lzf"``, or None: larger and faster.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SaveError
        If the place cannot be written, the tissue holds something that the format
        cannot, or the file did not read back the same.
    """
    import warnings

    def write_file(temporary: Path) -> None:
        with warnings.catch_warnings():
            # Of the format's history, nothing that a user can act on.
            warnings.simplefilter("ignore")
            writable(adata).write_h5ad(
                temporary,
                convert_strings_to_categoricals=False,
                compression=compression,
            )

    return write_atomically(
        path,
        write_file,
        lambda temporary: check_readback(adata, temporary),
        overwrite=overwrite,
        suffix=".h5ad",
        least_free=estimated_bytes(adata),
    )


def write_domains_csv(
    adata: AnnData,
    path: str | Path,
    *,
    coordinates: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write one row per spot: barcode, x, y, domain and the scores there are.

    Parameters
    ----------
    adata
        A tissue with domains.
    path
        Where to, ending in ``.csv``.
    coordinates
        As for `domains_table`.
    overwrite
        Whether a file that stands there may be replaced.

    Raises
    ------
    SaveError
        If there are no domains, or the place cannot be written.
    InputError
        If there are no such coordinates.
    """
    return write_table(domains_table(adata, coordinates), path, overwrite=overwrite)


def write_table(
    table: pd.DataFrame, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write a table as .csv, and read it back before it takes its place.

    Parameters
    ----------
    table
        Written without its index.
    path
        Where to, ending in ``.csv``.
    overwrite
        Whether a file that stands there may be replaced.

    Raises
    ------
    SaveError
        If the place cannot be written, or the table did not read back the same.
    """
    first = table.columns[0]

    def check(temporary: Path) -> None:
        import pandas as pd

        back = pd.read_csv(temporary, dtype=str, keep_default_na=False)
        same = list(back.columns) == list(table.columns) and len(back) == len(table)
        if not same or list(back[first]) != [str(value) for value in table[first]]:
            raise SaveError(
                f"Expected the table to read back the same; {len(back)} of "
                f"{len(table)} rows did. Nothing was changed; save again."
            )

    return write_atomically(
        path,
        lambda temporary: table.to_csv(temporary, index=False, lineterminator="\n"),
        check,
        overwrite=overwrite,
        suffix=".csv",
    )


def domains_table(adata: AnnData, coordinates: str | None = None) -> pd.DataFrame:
    """Return the results of a tissue as a table, one row per spot.

    Parameters
    ----------
    adata
        A tissue with domains.
    coordinates
        Where x and y are: an obsm key, or two obs columns as ``"x,y"``; None looks
        through the usual places.

    Raises
    ------
    SaveError
        If the tissue has no domains.
    InputError
        If there are no such coordinates.
    """
    import pandas as pd

    from napari_semst.io.coordinates import locate_coordinates
    from napari_semst.io.split_sections import shown_section_key

    if keys.DOMAIN not in adata.obs:
        raise SaveError(
            f"Expected domains in obs[{keys.DOMAIN!r}]; there are none. Find domains "
            "first."
        )
    xy = locate_coordinates(adata, coordinates, allow_missing=True).xy
    columns: dict[str, Any] = {"barcode": adata.obs_names.astype(str)}
    if section := shown_section_key(adata):
        columns["section"] = adata.obs[section].to_numpy()
    columns |= {"x": xy[:, 0], "y": xy[:, 1]}
    first = [keys.DOMAIN, keys.CONFIDENCE, keys.MODULATION]
    known = [*first, keys.SECTION]
    more = [c for c in adata.obs if c.startswith(keys.RESULTS) and c not in known]
    for column in [c for c in first if c in adata.obs] + more:
        columns[column.removeprefix("semst_")] = adata.obs[column].to_numpy()
    return pd.DataFrame(columns)


_BLOCK = 4_000_000


_OURS = ("semst_", "X_semst", "ig_")


def check_readback(adata: AnnData, path: Path) -> None:
    """Raise unless a file holds the tissue.

    Compared are the shape, the names of spots and genes, the columns of obs and var,
    the keys of every other part, the sum of X, and the results in full.

    Raises
    ------
    SaveError
        Naming the first part that differs.
    """
    import h5py
    from anndata.io import read_elem

    with h5py.File(path, "r") as file:
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
        if adata.X is not None:
            _same_sum(_stored_sum(file["X"]), _sum(adata.X))


def _same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise _differs(what)


def _same_values(what: str, found: Any, expected: Any) -> None:
    """Compare two columns or matrices; values missing in both are the same."""
    import pandas as pd

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


def _same_sum(found: float, expected: float) -> None:
    same = np.isclose(found, expected, rtol=1e-9, atol=0.0, equal_nan=True)
    if not same and not np.isinf(expected):
        raise _differs(f"the sum of X ({found:g}, not {expected:g})")


def _differs(what: str) -> SaveError:
    return SaveError(
        f"Expected the file to read back the same; {what} differs. Nothing was "
        "changed; save again, or to another disk."
    )


def _stored_sum(stored: Any) -> float:
    """Return the sum of a matrix in the file, block by block."""
    import h5py

    values = stored["data"] if isinstance(stored, h5py.Group) else stored
    return _block_sum(values)


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
