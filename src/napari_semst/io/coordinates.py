"""Where a table keeps the coordinates of its spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from numpy.typing import NDArray

OBSM_KEYS = ("spatial", "X_spatial", "spatial_xy", "spatial_coords", "X_spatial_coords")
# (x, y) pairs; pixels and micrometres before the places on the array.
OBS_PAIRS = (
    ("x", "y"),
    ("X", "Y"),
    ("x_centroid", "y_centroid"),
    ("center_x", "center_y"),
    ("CenterX_global_px", "CenterY_global_px"),
    ("pxl_col_in_fullres", "pxl_row_in_fullres"),
    ("imagecol", "imagerow"),
    ("x_coord", "y_coord"),
    ("array_col", "array_row"),
)
_ADVICE = "Pick the key under Coordinates."


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
        then `OBS_PAIRS`.
    allow_missing
        Whether spots may lack coordinates (NaN).

    Raises
    ------
    InputError
        If there are none, or they are not two finite numbers for each spot.
    """
    where, values = _usual(adata) if key is None else _named(adata, key)
    xy, remarks = _two_columns(_as_numbers(values, where), where, adata.n_obs)
    _check_values(xy, where, adata, allow_missing)
    if where == "obs['array_col'], obs['array_row']" and _is_hexagonal(xy):
        # Rows of the array are sqrt(3) apart where columns count half distances.
        xy = xy * np.array([1.0, np.sqrt(3.0)])
        remarks = (*remarks, "Coordinates are places on the array, not pixels.")
    return Coordinates(xy, where, remarks)


def _usual(adata: AnnData) -> tuple[str, Any]:
    """Return the first of the usual places."""
    for found in _all_candidates(adata):
        return found
    raise InputError(
        "No coordinates: expected obsm['spatial'], found obsm keys "
        f"{abbreviate(list(adata.obsm))}. {_ADVICE}"
    )


def _all_candidates(adata: AnnData) -> Iterator[tuple[str, Any]]:
    for key in OBSM_KEYS:
        if key in adata.obsm:
            yield f"obsm[{key!r}]", adata.obsm[key]
    for x, y in OBS_PAIRS:
        if x in adata.obs and y in adata.obs:
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
        f"No coordinates: expected obsm[{key!r}], found obsm keys "
        f"{abbreviate(list(adata.obsm))}.{hint} {_ADVICE}"
    )


def _as_numbers(values: Any, where: str) -> NDArray[np.float64]:
    try:
        dense = values.toarray() if hasattr(values, "toarray") else values
        return np.array(dense, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Expected numbers in {where}; found something else ({error}). {_ADVICE}"
        ) from error


def _two_columns(
    values: NDArray[np.float64], where: str, n_spots: int
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    if values.ndim != 2 or len(values) != n_spots or values.shape[1] not in (2, 3):
        raise InputError(
            f"Expected {where} to be of shape ({n_spots}, 2); found {values.shape}. "
            f"{_ADVICE}"
        )
    if values.shape[1] == 2:
        return values, ()
    depth = values[:, 2]
    if len(np.unique(depth[np.isfinite(depth)])) > 1:
        raise InputError(
            f"Expected two coordinates for each spot in {where}; found three, the "
            f"third from {np.nanmin(depth):g} to {np.nanmax(depth):g}. Open one "
            "section at a time, or pick two columns under Coordinates."
        )
    remark = f"The third coordinate in {where} is the same for all spots: left out."
    return values[:, :2].copy(), (remark,)


def _check_values(
    xy: NDArray[np.float64], where: str, adata: AnnData, allow_missing: bool
) -> None:
    placed = np.isfinite(xy).all(axis=1)
    if not placed.any():
        raise InputError(
            f"Expected numbers in {where}; no spot of {len(xy):,} has coordinates. "
            f"{_ADVICE}"
        )
    if not placed.all() and not allow_missing:
        names = list(adata.obs_names[~placed])
        raise InputError(
            f"Expected coordinates for every spot in {where}; {len(names):,} of "
            f"{len(xy):,} have none (first: {abbreviate(names, 3)}). Leave these spots "
            "out."
        )
    if placed.sum() > 1 and (np.ptp(xy[placed], axis=0) == 0).all():
        raise InputError(
            f"Expected spots at different places in {where}; all are at "
            f"{tuple(xy[placed][0].tolist())}. {_ADVICE}"
        )


def _is_hexagonal(xy: NDArray[np.float64]) -> bool:
    """Return whether places on an array are those of Visium: row + column is even."""
    sums = xy.sum(axis=1)
    return len(xy) > 10 and bool((sums % 2 == 0).all())
