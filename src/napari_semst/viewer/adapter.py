"""From a tissue to viewer layers and back; the tissue is the truth, layers show it.

World coordinates are those of the tissue, for Visium full-resolution pixels, with y
running down as on the screen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.viewer import columns
from napari_semst.viewer.colour import paint_of

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer, Points
    from napari.types import LayerData
    from numpy import ndarray
    from pandas import DataFrame

TISSUE = "adata"
"""Key of a layer's metadata that holds its tissue, as napari-spatialdata has it."""

COLOUR_BY = "semst_colour_by"
"""Key of a layer's metadata that remembers what its colours show."""

UNSAVED = "semst_unsaved"
"""Key of a layer's metadata that says its tissue has results not yet in a file."""

SPOT_OPACITY = 0.85
"""Leaves the stain visible through the spots."""

# Spots of a section without a known diameter nearly touch at this share of their
# distance.
_SHARE_OF_PITCH = 0.85


def layers_of(tissue: AnnData, name: str = "") -> list[LayerData]:
    """Return a tissue as layers: its image, if it has one, below its spots.

    Parameters
    ----------
    tissue
        The section; the spots' layer carries it in its metadata.
    name
        What users call the section.
    """
    name = name or "Section"
    image = image_layer(tissue, f"{name} image")
    spots = spots_layer(tissue, name)
    return [spots] if image is None else [image, spots]


def spots_layer(tissue: AnnData, name: str) -> LayerData:
    """Return the spots as the data of a Points layer, at their true diameter."""
    colouring = columns.first_colouring(tissue)
    options: dict[str, Any] = {
        "name": name,
        "size": spot_diameter(tissue),
        "face_color": paint_of(tissue, colouring).rgba,
        # A border or antialiasing of a pixel turns small spots solid grey.
        "border_width": 0,
        "border_color": "transparent",
        "antialiasing": 0,
        "opacity": SPOT_OPACITY,
        "features": features_of(tissue),
        "metadata": {TISSUE: tissue, "name": name, COLOUR_BY: colouring.key},
    }
    return coordinates(tissue)[:, ::-1].copy(), options, "points"


def image_layer(tissue: AnnData, name: str) -> LayerData | None:
    """Return the histology image as the data of an Image layer, or None."""
    from napari_semst.io.alignment import image_placement

    placement = image_placement(tissue)
    if placement is None:
        return None
    options = {
        "name": name,
        "scale": placement.scale,
        "translate": placement.translate,
        "metadata": {"name": name},
    }
    return placement.image, options, "image"


def share_on_image(tissue: AnnData, key: str = keys.SPATIAL) -> float | None:
    """Return the share of spots whose centre lies on the image, None without one."""
    import numpy as np

    from napari_semst.io.alignment import image_placement

    placement = image_placement(tissue)
    if placement is None or not is_coordinates(tissue, key) or not tissue.n_obs:
        return None
    pixels = (coordinates(tissue, key)[:, ::-1] - placement.translate) / placement.scale
    size = np.asarray(placement.image.shape[:2])
    return float(((pixels >= -0.5) & (pixels <= size - 0.5)).all(axis=1).mean())


def tissue_of(layer: Layer) -> AnnData | None:
    """Return the tissue that a Points layer shows, or None if it shows none."""
    from anndata import AnnData
    from napari.layers import Points

    tissue = layer.metadata.get(TISSUE) if isinstance(layer, Points) else None
    return tissue if isinstance(tissue, AnnData) else None


def refresh(layer: Points) -> None:
    """Bring a layer's features up to what its tissue holds now; colours stay."""
    tissue = tissue_of(layer)
    if tissue is not None and tissue.n_obs == len(layer.data):
        layer.features = features_of(tissue)


def features_of(tissue: AnnData) -> DataFrame:
    """Return what hovering over a spot shows: one row per spot."""
    from pandas import DataFrame

    table: dict[str, Any] = {"barcode": tissue.obs_names.to_numpy(dtype=object)}
    if keys.DOMAIN in tissue.obs:
        table["domain"] = tissue.obs[keys.DOMAIN].astype(str).to_numpy(dtype=object)
    for label, key in (
        ("modulation", keys.MODULATION),
        ("confidence", keys.CONFIDENCE),
    ):
        if key in tissue.obs:
            table[label] = tissue.obs[key].to_numpy()
    table[columns.TOTAL_COUNTS] = columns.total_counts(tissue)
    return DataFrame(table)


def coordinates(tissue: AnnData, key: str = keys.SPATIAL) -> ndarray:
    """Return the spots' places as (x, y), shape ``(n_spots, 2)``.

    Raises
    ------
    InputError
        If the tissue has no such coordinates.
    """
    import numpy as np

    from napari_semst.errors import InputError

    if not is_coordinates(tissue, key):
        found = ", ".join(sorted(tissue.obsm)) or "none"
        raise InputError(
            f"Expected coordinates (x, y) of every spot in obsm[{key!r}]; found obsm "
            f"keys: {found}. Store them there, or open a file that has them."
        )
    return np.asarray(tissue.obsm[key], dtype=np.float64)[:, :2]


def is_coordinates(tissue: AnnData, key: str) -> bool:
    """Return whether an obsm key can hold places: two or three numbers per spot.

    Embeddings (``X_...``) of two dimensions, such as a UMAP, are no places.
    """
    if key not in tissue.obsm or (key != keys.SPATIAL and key.startswith("X_")):
        return False
    shape = getattr(tissue.obsm[key], "shape", ())
    return len(shape) == 2 and shape[1] in (2, 3)


def spot_diameter(tissue: AnnData) -> float:
    """Return the spots' diameter in the units of the coordinates.

    Where the tissue does not say, spots nearly touch: a share of the median distance
    between nearest spots.
    """
    import numpy as np

    for library in tissue.uns.get("spatial", {}).values():
        factors = library.get("scalefactors", {}) if hasattr(library, "get") else {}
        diameter = float(factors.get("spot_diameter_fullres", 0) or 0)
        if diameter > 0:
            return diameter
    if tissue.n_obs < 2:
        return 1.0
    from scipy.spatial import cKDTree

    places = np.unique(coordinates(tissue), axis=0)
    if len(places) < 2:
        return 1.0
    distances, _ = cKDTree(places).query(places, k=2)
    return _SHARE_OF_PITCH * float(np.median(distances[:, 1]))


def section_name(path: str | Path) -> str:
    """Return what to call a section that was read from a path."""
    path = Path(path)
    # Space Ranger calls every result folder "outs"; the sample's name is above it.
    if path.name in {"outs", "spatial"} and path.resolve().parent.name:
        return path.resolve().parent.name
    return path.stem if path.suffix in {".h5ad", ".h5"} else path.name


def snapshot(tissue: AnnData) -> AnnData:
    """Return a tissue that shares the arrays but not the tables of names.

    It can be written to a file in another thread while results are attached to the
    original here.
    """
    from anndata import AnnData

    copy = AnnData(
        X=tissue.X,
        obs=tissue.obs.copy(),
        var=tissue.var.copy(),
        uns=dict(tissue.uns),
        obsm=dict(tissue.obsm),
        varm=dict(tissue.varm),
        layers=dict(tissue.layers),
        obsp=dict(tissue.obsp),
        varp=dict(tissue.varp),
    )
    copy.raw = tissue.raw
    return copy
