"""Where a table keeps the coordinates of its spots."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.places.column_names import (
    order_columns,
    place_pairs,
    turned_names,
    unfold_array,
)
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

OBSM_KEYS = ("spatial", "X_spatial", "spatial_xy", "spatial_coords", "X_spatial_coords")
NAME_PLACES = Way(
    "Name the right ones: --coordinates KEY, or two columns of obs: X,Y.",
    "Name the right ones as coordinates (positions where a file is read): a key of "
    "obsm, or two columns of obs as 'x,y'.",
    "Pick the right ones under Coordinates.",
)
"""What to do where places are missing or wrong."""

# What tables of text write where there is no number.
_GAPS = ("", "na", "n/a", "nan", "none", "null", "<na>")

# A kilometre in nanometres; no instrument counts smaller units.
_FARTHEST = 1e12


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Coordinates and where they were found.

    Parameters
    ----------
    xy
        Shape ``(n_spots, 2)``, float64, in the table's own unit.
    where
        As ``obsm['spatial']``.
    remarks
        What was mended, for the user to know.
    """

    xy: NDArray[np.float64]
    where: str
    remarks: tuple[str, ...] = ()


def find_coordinates(adata: AnnData, key: str | None = None) -> NDArray[np.float64]:
    """Return the spots' coordinates (x, y), shape ``(n_spots, 2)``.

    Parameters
    ----------
    adata, key
        As for `locate_coordinates`.

    Raises
    ------
    InputError
        If there are none, or they are not two finite numbers for each spot.
    """
    return locate_coordinates(adata, key).xy


def locate_coordinates(
    adata: AnnData, key: str | None = None, *, allow_missing: bool = False
) -> Coordinates:
    """Return the spots' coordinates and where they stand; nothing is changed.

    Parameters
    ----------
    adata
        The table.
    key
        An obsm key, or two obs columns as ``"x,y"``; None looks through `OBSM_KEYS`,
        then for `napari_semst.io.places.column_names.place_pairs` in obs. Columns of a
        table in obsm are ordered by their names.
    allow_missing
        Whether spots may lack coordinates (NaN).

    Raises
    ------
    InputError
        If there are none, or they are not two finite numbers for each spot.
    """
    where, values = _usual(adata) if key is None else _named(adata, key)
    names: tuple[str, str] = ("", "")
    told: tuple[str, ...] = ()
    if hasattr(values, "columns"):
        values, names, told = _by_name(values, where, chosen=key is not None)
    numbers = _as_numbers(values, where)
    xy, remarks = _two_columns(numbers, where, adata.n_obs)
    _check_values(xy, where, adata, allow_missing)
    xy, unfolded = unfold_array(xy, *names)
    return Coordinates(xy, where, (*told, *remarks, *unfolded))


def _usual(adata: AnnData) -> tuple[str, Any]:
    """Return the first of the usual places."""
    for found in _all_candidates(adata):
        return found
    raise InputError(
        Worded(
            "No coordinates: expected obsm['spatial'], found obsm keys "
            f"{abbreviate(list(adata.obsm))}. ",
            NAME_PLACES,
        )
    )


def _all_candidates(adata: AnnData) -> Iterator[tuple[str, Any]]:
    for key in OBSM_KEYS:
        if key in adata.obsm:
            yield f"obsm[{key!r}]", adata.obsm[key]
    for x, y in place_pairs(list(adata.obs)):
        yield f"obs[{x!r}], obs[{y!r}]", adata.obs[[x, y]]


def _named(adata: AnnData, key: str) -> tuple[str, Any]:
    if key in adata.obsm:
        return f"obsm[{key!r}]", adata.obsm[key]
    columns = [part.strip() for part in key.split(",")]
    if len(columns) == 2 and all(column in adata.obs for column in columns):
        x, y = columns
        return f"obs[{x!r}], obs[{y!r}]", adata.obs[[x, y]]
    usual = [where for where, _ in _all_candidates(adata)]
    hint = f" There are coordinates in {usual[0]}." if usual else ""
    raise InputError(
        Worded(
            f"No coordinates: expected obsm[{key!r}], found obsm keys "
            f"{abbreviate(list(adata.obsm))}.{hint} ",
            NAME_PLACES,
        )
    )


def _by_name(
    table: pd.DataFrame, where: str, *, chosen: bool
) -> tuple[pd.DataFrame, tuple[str, str], tuple[str, ...]]:
    """Return x and y of a table, what they are called, and what to tell of that."""
    names = list(map(str, table.columns))
    if where.startswith("obs["):
        x, y = names
        doubt = (
            f"{x!r} was named as x and {y!r} as y, though their names say otherwise."
        )
        told = (f"Coordinates: {doubt}",) if chosen and turned_names(x, y) else ()
        return table, (x, y), told
    if len(names) < 2:
        return table, ("", ""), ()
    order = order_columns(names)
    rest = [i for i in range(len(names)) if i not in order[:2]]
    # Only what can be a depth is looked at beside them; without names, all is.
    deep = [i for i in rest if re.search(r"(?i)(?<![a-z])z(?![a-z])|\d$", names[i])]
    kept = [order.x, order.y, *(rest if order.doubt else deep[:1])]
    told = (f"Coordinates in {where}: {order.doubt}",) if order.doubt else ()
    return table.iloc[:, kept], (names[order.x], names[order.y]), told


def _as_numbers(values: Any, where: str) -> NDArray[np.float64]:
    """Return values as numbers, NaN where they are missing, whatever their type."""
    dense = values.toarray() if hasattr(values, "toarray") else values
    kind = getattr(dense, "dtype", None)
    if kind is not None and kind.kind in "fiub":
        return np.array(dense, dtype=np.float64)
    import pandas as pd

    table = pd.DataFrame(dense)
    return np.column_stack(
        [_numbers(table.iloc[:, one], where) for one in range(table.shape[1])]
    )


def _numbers(column: pd.Series[Any], where: str) -> NDArray[np.float64]:
    """Return a column as numbers; refuse one that holds anything else."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(column.to_numpy(np.float64, na_value=np.nan))
    # Categories are taken as what they stand for.
    plain = column.astype(object)
    given = plain.notna() & ~plain.astype(str).str.strip().str.lower().isin(_GAPS)
    found = pd.to_numeric(plain.where(given, np.nan), errors="coerce")
    wrong = plain[given & found.isna()]
    if len(wrong):
        raise InputError(
            Worded(
                f"Expected numbers in {where}; found {wrong.iloc[0]!r}, and "
                f"{len(wrong) - 1:,} more that are none. ",
                NAME_PLACES,
            )
        )
    return np.asarray(found, dtype=np.float64)


def _two_columns(
    values: NDArray[np.float64], where: str, n_spots: int
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    if values.ndim != 2 or len(values) != n_spots or values.shape[1] not in (2, 3):
        raise InputError(
            Worded(
                f"Expected {where} to be of shape ({n_spots}, 2); found "
                f"{values.shape}. ",
                NAME_PLACES,
            )
        )
    if values.shape[1] == 2:
        return values, ()
    depth = values[:, 2]
    if len(np.unique(depth[np.isfinite(depth)])) > 1:
        raise InputError(
            Worded(
                f"Expected two coordinates for each spot in {where}; found three, the "
                f"third from {np.nanmin(depth):g} to {np.nanmax(depth):g}. Open one "
                "section at a time. ",
                NAME_PLACES,
            )
        )
    remark = f"The third coordinate in {where} is the same for all spots: left out."
    return values[:, :2].copy(), (remark,)


def _check_values(
    xy: NDArray[np.float64], where: str, adata: AnnData, allow_missing: bool
) -> None:
    placed = np.isfinite(xy).all(axis=1)
    if not placed.any():
        raise InputError(
            Worded(
                f"Expected numbers in {where}; no spot of {len(xy):,} has "
                "coordinates. ",
                NAME_PLACES,
            )
        )
    if not placed.all() and not allow_missing:
        names = list(adata.obs_names[~placed])
        raise InputError(
            f"Expected coordinates for every spot in {where}; {len(names):,} of "
            f"{len(xy):,} have none (first: {abbreviate(names, 3)}). Leave these spots "
            "out."
        )
    check_reach(xy, where, adata)
    if placed.sum() > 1 and (np.ptp(xy[placed], axis=0) == 0).all():
        raise InputError(
            Worded(
                f"Expected spots at different places in {where}; all are at "
                f"{tuple(xy[placed][0].tolist())}. ",
                NAME_PLACES,
            )
        )


def check_reach(xy: NDArray[np.float64], where: str, adata: AnnData) -> None:
    """Refuse spots that lie beyond any tissue, whatever its unit.

    Distances to them would be infinite.

    Parameters
    ----------
    xy
        Shape ``(n_spots, 2)``.
    where
        Their place, as a user says it.

    Raises
    ------
    InputError
        If there are such spots; missing coordinates are none.
    """
    far = (np.isfinite(xy) & (np.abs(xy) > _FARTHEST)).any(axis=1)
    if far.any():
        names = list(adata.obs_names[far])
        raise InputError(
            f"Expected coordinates of a tissue in {where}; {len(names):,} of "
            f"{len(xy):,} spots lie more than {_FARTHEST:g} from 0 (first: "
            f"{abbreviate(names, 3)}). Mend or leave out these spots."
        )
