"""Spots of a matrix joined with their positions by barcode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.notes import note, warn

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

_OBS = ("in_tissue", "array_row", "array_col")


def join_positions(matrix: AnnData, positions: pd.DataFrame) -> AnnData:
    """Return the spots in tissue with their positions, in the matrix's order.

    Parameters
    ----------
    matrix
        Counts of barcodes, shape ``(n_barcodes, n_genes)``.
    positions
        The table of `napari_semst.io.formats.tissue_positions.read_positions`.

    Returns
    -------
    anndata.AnnData
        With ``obs`` in_tissue, array_row and array_col, and ``obsm["spatial"]`` of
        shape ``(n_spots, 2)``: (x, y) = (pxl_col, pxl_row).

    Raises
    ------
    InputError
        If no barcode has a position, or no spot is in tissue.
    """
    rows = positions.index.get_indexer(matrix.obs_names)
    placed = rows >= 0
    if not placed.any():
        raise InputError(
            "Expected the matrix and the positions file to share barcodes; they share "
            f"none. The matrix has {abbreviate(list(matrix.obs_names), 2)}, the "
            f"positions {abbreviate(list(positions.index), 2)}. The files may belong "
            "to different runs."
        )
    in_tissue_all = positions["in_tissue"].to_numpy() == 1
    in_tissue = placed & in_tissue_all[rows]
    if not in_tissue.any():
        raise InputError(
            "Expected spots in tissue; the positions file marks none of the matrix's "
            f"{len(rows):,} barcodes with in_tissue = 1. The files may belong to "
            "different runs."
        )
    spots = matrix[in_tissue].copy()
    chosen = positions.iloc[rows[in_tissue]]
    for column in _OBS:
        spots.obs[column] = chosen[column].to_numpy().astype(np.int64)
    spots.obsm["spatial"] = chosen[["pxl_col", "pxl_row"]].to_numpy(dtype=np.float64)
    note(spots, coordinates="positions file")
    warn(spots, *_doubts(matrix.n_obs, placed, in_tissue, int(in_tissue_all.sum())))
    return spots


def _doubts(
    n_barcodes: int,
    placed: np.ndarray[tuple[int], np.dtype[np.bool_]],
    in_tissue: np.ndarray[tuple[int], np.dtype[np.bool_]],
    n_expected: int,
) -> list[str]:
    """Return what hints at files of different runs."""
    doubts = []
    without = n_barcodes - int(placed.sum())
    if without:
        doubts.append(
            f"{without:,} of {n_barcodes:,} barcodes of the matrix have no position "
            "and are left out: does the positions file belong to this run?"
        )
    # All slides share their barcodes, so that a positions file of another run joins
    # without complaint; but a filtered matrix holds just the spots in tissue, and a
    # raw one holds all of these.
    missing = n_expected - int(in_tissue.sum())
    outside = int((placed & ~in_tissue).sum())
    if missing and outside:
        doubts.append(
            f"{outside:,} barcodes of the matrix lie outside the tissue and "
            f"{missing:,} spots in tissue are not in the matrix: does the positions "
            "file belong to this run?"
        )
    elif missing > 0.05 * n_expected:
        doubts.append(
            f"{missing:,} of {n_expected:,} spots in tissue are not in the matrix."
        )
    return doubts
