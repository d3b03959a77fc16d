"""What the spots of a figure are coloured by, from a name: a column or a gene."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.errors import CountsError, InputError
from napari_semst.io.checks import abbreviate

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# More categories than a legend can tell apart are names, not groups.
MOST_CATEGORIES = 60
_OBSM = re.compile(r"(.+):(\d+)")
_GENE = "gene:"
_COLORMAPS = {
    keys.CONFIDENCE: "cividis",
    keys.COVERAGE: "cividis",
    keys.MODULATION: "inferno",
    keys.MODULATION_SCALE: "inferno",
    keys.MODULATION_SHIFT: "inferno",
    keys.TRANSFER_Q: "magma_r",
}
_TITLES = {
    keys.DOMAIN: "Domains",
    keys.CONFIDENCE: "Confidence",
    keys.MODULATION: "Modulation by gene semantics",
    keys.COVERAGE: "Semantic coverage",
    keys.TRANSFER: "Names of spots",
    keys.TRANSFER_DOMAIN: "Names of domains",
    keys.TRANSFER_SCORE: "Likeness to a name",
    keys.TRANSFER_Q: "False discovery rate of names",
}


@dataclass(frozen=True)
class Categories:
    """A group for every spot.

    Parameters
    ----------
    codes
        Group of each spot, -1 for none, shape ``(n_spots,)``.
    names, colors
        Of the groups.
    hidden
        Spots that are not drawn, shape ``(n_spots,)``; None: all are.
    """

    title: str
    codes: NDArray[np.int64]
    names: list[str]
    colors: list[str]
    hidden: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Numbers:
    """A number for every spot.

    Parameters
    ----------
    values
        NaN for none, shape ``(n_spots,)``.
    colormap
        Name that matplotlib knows.
    unit
        What the numbers are, empty where the title says it.
    limits
        Values at the colormap's ends; None: the 2nd and 98th percentile.
    """

    title: str
    values: Floats
    colormap: str
    unit: str = ""
    limits: tuple[float, float] | None = None


def without_names(colouring: Categories, names: Collection[str]) -> Categories:
    """Return groups of which some are not drawn.

    Parameters
    ----------
    names
        Those that are hidden; others than the groups' are left out.
    """
    places = [at for at, name in enumerate(colouring.names) if name in set(names)]
    return replace(colouring, hidden=np.isin(colouring.codes, places))


def colouring_by_name(adata: AnnData, name: str) -> Categories | Numbers:
    """Return what a name stands for, or raise `InputError`.

    Parameters
    ----------
    name
        An obs column, else a gene, else an obsm key and the number of one of its
        columns, from 1, as ``"X_semst:1"``. ``"gene:NAME"`` is always the gene.
    """
    gene = name.removeprefix(_GENE)
    if name in adata.obs:
        return _of_column(adata, name)
    if gene in adata.var_names:
        return _of_gene(adata, gene)
    match = _OBSM.fullmatch(name)
    if match and match[1] in adata.obsm:
        return _of_obsm(adata, match[1], int(match[2]))
    near = [g for g in map(str, adata.var_names) if g.lower() == gene.lower()]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"Expected {name!r} to be an obs column, a gene or a column of obsm as "
        f"'X_semst:1'; found obs columns {abbreviate(list(adata.obs))}, obsm keys "
        f"{abbreviate(list(adata.obsm))} and {adata.n_vars:,} genes without it.{hint}"
    )


def domain_column(adata: AnnData, run: str | None) -> str:
    """Return the obs column of a run's domains, of the latest run where None.

    Raises
    ------
    InputError
        If the tissue has no such column.
    """
    column = keys.DOMAIN if run is None else keys.of_run(keys.DOMAIN, run)
    if column not in adata.obs:
        others = [str(c) for c in adata.obs if str(c).startswith(keys.DOMAIN)]
        raise InputError(
            f"Expected domains in obs[{column!r}]; found "
            f"{', '.join(others) or 'no domains'}. Find domains first, or name another "
            "run."
        )
    return column


def _of_column(adata: AnnData, name: str) -> Categories | Numbers:
    import pandas as pd

    column = adata.obs[name]
    number = pd.api.types.is_numeric_dtype(column)
    if number and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return _numbers(column_title(name), values, _COLORMAPS.get(name, "viridis"))
    return _categories(adata, name, column)


def _categories(adata: AnnData, name: str, column: pd.Series) -> Categories:
    import pandas as pd

    from napari_semst.core.column_colors import column_colors

    whole = pd.Categorical(column)
    colors = list(column_colors(adata, name).values())
    there = np.bincount(whole.codes[whole.codes >= 0], minlength=len(colors)) > 0
    if not 1 <= there.sum() <= MOST_CATEGORIES:
        raise InputError(
            f"Expected 1 to {MOST_CATEGORIES} groups in obs[{name!r}]; found "
            f"{int(there.sum()):,}. Choose a column of groups or of numbers."
        )
    order = np.append(np.cumsum(there) - 1, -1)
    kept = np.flatnonzero(there)
    names = [str(whole.categories[code]) for code in kept]
    codes = order[whole.codes].astype(np.int64)
    return Categories(column_title(name), codes, names, [colors[code] for code in kept])


def _of_gene(adata: AnnData, gene: str) -> Numbers:
    """Return a gene as log(1 + counts per 10,000), or as X has it without counts."""
    from napari_semst.io.counts import find_counts

    matches = np.flatnonzero(np.asarray(adata.var_names) == gene)
    if len(matches) > 1:
        raise InputError(
            f"Expected one gene {gene!r}; found {len(matches)}. Give genes unique "
            "names."
        )
    try:
        counts = find_counts(adata).matrix
    except CountsError:
        column = None if adata.X is None else adata.X[:, matches[0]]
        if column is None:
            raise
        dense = column.toarray() if hasattr(column, "toarray") else np.asarray(column)
        values = dense.ravel().astype(np.float64)
        return _numbers(gene, values, "viridis", "as in X")
    total = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    gene_counts = counts[:, matches[:1]].toarray().ravel().astype(np.float64)
    values = np.log1p(1e4 * gene_counts / np.maximum(total, 1.0))
    return _numbers(gene, values, "viridis", "log(1 + counts per 10,000)")


def _of_obsm(adata: AnnData, key: str, number: int) -> Numbers:
    values = adata.obsm[key]
    width = int(values.shape[1]) if np.ndim(values) == 2 else 0
    if not 1 <= number <= width:
        raise InputError(
            f"Expected a column from 1 to {width} of obsm[{key!r}]; got {number}."
        )
    if hasattr(values, "iloc"):
        column = values.iloc[:, number - 1].to_numpy()
    else:
        column = values[:, [number - 1]]
        column = column.toarray() if hasattr(column, "toarray") else column
    return _numbers(
        f"{key}, column {number}", np.asarray(column).ravel().astype(np.float64)
    )


def _numbers(
    title: str, values: Floats, colormap: str = "viridis", unit: str = ""
) -> Numbers:
    values = np.where(np.isfinite(values), values, np.nan)
    if not np.isfinite(values).any():
        raise InputError(f"Expected numbers in {title}; found none. Choose another.")
    return Numbers(title, values, colormap, unit)


def column_title(name: str) -> str:
    """Return what an obs column is called in a figure."""
    if name.startswith(f"{keys.DOMAIN}_"):
        return f"Domains, {name.removeprefix(f'{keys.DOMAIN}_')}"
    return _TITLES.get(name, name)
