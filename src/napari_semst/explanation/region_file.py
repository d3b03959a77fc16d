"""Discordant regions as a file of outlines, with what each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.explanation.region_list import region_labels
from napari_semst.wording import message

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.io.geojson.write import WrittenGeojson


def write_regions(tissue: AnnData, path: str | Path, **asked: Any) -> WrittenGeojson:
    """Write discordant regions as GeoJSON, with kind, size, q, genes and terms.

    Parameters
    ----------
    tissue
        With a result of the image-guided method; it is not changed.
    path
        Where to, ending in ``.geojson``.
    **asked
        As for `napari_semst.write_geojson`, but for the column.

    Raises
    ------
    InputError
        If no region was found, or there is no such section or coordinates.
    SaveError
        If the file cannot be written.
    """
    from napari_semst.explanation.discordance import explain_discordance
    from napari_semst.io.geojson.write import write_geojson

    about: dict[str, dict[str, Any]] | None = None
    notes: tuple[str, ...] = ()
    column = keys.DISCORDANT_REGION
    if column in tissue.obs and tissue.obs[column].notna().any():
        try:
            # Of regions however small: each is in the file.
            about = region_labels(explain_discordance(tissue, least_spots=3))
        except InputError as error:
            notes = (f"What regions are was not written with them. {message(error)}",)
    written = write_geojson(tissue, path, column=column, about=about, **asked)
    return written._replace(notes=(*written.notes, *notes))
