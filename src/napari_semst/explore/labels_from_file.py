"""Labels that a file of regions, or of spots, gives a section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.explore.labels import read_labels

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.explore.labels import Labels

_COLUMN = "semst_brought"


def labels_from_file(tissue: AnnData, path: Path, **where: Any) -> tuple[Labels, str]:
    """Return labels for a section's spots, and what is to be said of them.

    Parameters
    ----------
    tissue
        The section; it is not changed.
    path
        A ``.csv`` of spots as `add_labels` reads it, else GeoJSON as for `add_regions`.
    **where
        ``section``, ``section_key`` and ``coordinates``, as `add_regions` takes them.

    Raises
    ------
    InputError
        If the file cannot be read, or is of no spot of the section.
    """
    from anndata import AnnData

    from napari_semst.io.geojson import add_regions
    from napari_semst.io.import_labels import add_labels

    # Regions ask for places and images, never for genes.
    own = AnnData(
        obs=tissue.obs.copy(), obsm=dict(tissue.obsm), uns=dict(tissue.uns.items())
    )
    added: Any
    if path.suffix.lower() == ".csv":
        added = add_labels(own, path, _COLUMN, overwrite=True)
    else:
        added = add_regions(own, path, _COLUMN, overwrite=True, **where)
    return read_labels(own, _COLUMN), added.words()
