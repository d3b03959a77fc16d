"""The results as a plain table, for spreadsheets and other viewers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.errors import SaveError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from pandas import DataFrame


def results_table(tissue: AnnData) -> DataFrame:
    """Return one row per spot: its barcode, its place and every result it has."""
    from pandas import DataFrame

    from napari_semst.viewer.adapter import coordinates

    places = coordinates(tissue)
    table = DataFrame({"x": places[:, 0], "y": places[:, 1]}, index=tissue.obs_names)
    table.index.name = "barcode"
    results = [c for c in tissue.obs.columns if str(c).startswith("semst_")]
    return table.join(tissue.obs[results])


def write_table(tissue: AnnData, path: Path) -> None:
    """Write the results as comma-separated values.

    Raises
    ------
    SaveError
        If the file cannot be written.
    """
    try:
        results_table(tissue).to_csv(path)
    except OSError as error:
        raise SaveError(
            f"Expected to write {path.name}; {error}. Choose another folder or name."
        ) from error
