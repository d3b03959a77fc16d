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
    import numpy as np
    from anndata import AnnData
    from napari.layers import Layer, Points
    from napari.types import LayerData
    from numpy.typing import NDArray
    from pandas import DataFrame

    from napari_semst.io.alignment import Placement

TISSUE = "adata"
"""Key of a layer's metadata that holds its tissue, as napari-spatialdata has it."""

COLOUR_BY = "semst_colour_by"
"""Key of a layer's metadata that remembers what its colours show."""

UNSAVED = "semst_unsaved"
"""Key of a layer's metadata that tells which results are not yet in a file."""

COORDINATES = "semst_coordinates"
"""Key of a layer's metadata that tells which coordinates its spots stand at."""

SPOT_OPACITY = 0.85
"""Leaves the stain visible through the spots."""


def layers_of(tissue: AnnData, name: str = "") -> list[LayerData]:
    """Return a tissue as layers: its image, where there is one, below its spots.

    Parameters
    ----------
    tissue
        The section; the spots' layer carries it in its metadata.
    name
        What users call the section.
    """
    name = name or "Section"
    return [*image_layers(tissue, name), spots_layer(tissue, name)]


def spots_layer(tissue: AnnData, name: str) -> LayerData:
    """Return the spots as the data of a Points layer, at their true diameter."""
    key = coordinates_key(tissue)
    positions, diameter = spot_places(tissue, key)
    colouring = columns.first_colouring(tissue)
    options: dict[str, Any] = {
        "name": name,
        "size": diameter,
        "face_color": paint_of(tissue, colouring).rgba,
        # A border or antialiasing of a pixel turns small spots solid grey.
        "border_width": 0,
        "border_color": "transparent",
        "antialiasing": 0,
        "opacity": SPOT_OPACITY,
        "features": features_of(tissue),
        "metadata": {
            TISSUE: tissue,
            "name": name,
            COLOUR_BY: colouring.key,
            COORDINATES: key,
        },
    }
    return positions, options, "points"


def spot_places(tissue: AnnData, key: str | None) -> tuple[NDArray[np.float64], float]:
    """Return the spots' positions (y, x) at some coordinates, and their diameter.

    Raises
    ------
    InputError
        If the coordinates are not two finite numbers for each spot.
    """
    from napari_semst.io.alignment import spot_positions, spot_size

    positions = spot_positions(tissue, key)
    size = spot_size(tissue, key=key)
    if size.source != "spot_diameter_fullres" or key == keys.SPATIAL:
        return positions, size.diameter
    # The diameter stated is in pixels; other coordinates can have another unit.
    usual, own = _spread(tissue.obsm.get(keys.SPATIAL)), _spread(positions)
    return positions, size.diameter * (own / usual if usual and own else 1.0)


def _spread(places: Any) -> float:
    """Return how far places lie apart, 0 where that cannot be told."""
    import numpy as np

    if places is None:
        return 0.0
    variances = np.var(np.asarray(places, dtype=np.float64)[:, :2], axis=0)
    return float(np.sqrt(variances.sum())) if np.isfinite(variances).all() else 0.0


def move_spots(layer: Points, key: str) -> None:
    """Move a layer's spots to other coordinates of its tissue, and size them.

    Raises
    ------
    InputError
        If the coordinates are not two finite numbers for each spot; nothing is moved.
    """
    tissue = tissue_of(layer)
    if tissue is None or tissue.n_obs != len(layer.data):
        return
    positions, diameter = spot_places(tissue, key)
    layer.data = positions
    layer.size = diameter
    layer.metadata[COORDINATES] = key


def image_layers(tissue: AnnData, name: str) -> list[LayerData]:
    """Return the histology images as the data of Image layers, finest resolution.

    An image that cannot be placed is left out, and the tissue is noted to warn of it.
    """
    from napari_semst.io.notes import warn
    from napari_semst.io.sections import libraries

    found = []
    for library in libraries(tissue):
        placement, problem = _placed(tissue, library)
        if placement is not None:
            found.append(placement)
        elif problem:
            warn(tissue, f"The image of {library!r} is left out. {problem}")
    layers: list[LayerData] = []
    for placement in found:
        which = f" {placement.library}" if len(found) > 1 else ""
        options = {
            "name": f"{name}{which} image",
            "scale": placement.scale,
            "translate": placement.translate,
            "rgb": placement.image.ndim == 3,
            "metadata": {"name": name},
        }
        layers.append((placement.image, options, "image"))
    return layers


def _placed(tissue: AnnData, library: str) -> tuple[Placement | None, str]:
    """Return a section's image, where it can be placed, or else why it cannot be."""
    from napari_semst.errors import InputError
    from napari_semst.io.alignment import image_placement

    try:
        return image_placement(tissue, library), ""
    except InputError as error:
        return None, str(error)


def share_on_image(tissue: AnnData, key: str | None) -> float | None:
    """Return the share of spots whose centre lies on the image, None without one.

    Of several sections in one tissue the worst counts; an image that cannot be placed
    is none.

    Raises
    ------
    InputError
        If there is an image, and the coordinates cannot be used.
    """
    from napari_semst.io.alignment import share_inside
    from napari_semst.io.sections import libraries

    placed = [one for one in libraries(tissue) if _placed(tissue, one)[0] is not None]
    shares = [share_inside(tissue, library, key) for library in placed]
    return min((share for share in shares if share is not None), default=None)


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
    if tissue.X is not None:
        table[columns.TOTAL_COUNTS] = columns.total_counts(tissue)
    return DataFrame(table)


def coordinates_key(tissue: AnnData) -> str | None:
    """Return the key of the coordinates to open with, or None to look for them.

    The usual one where it can be used, else the first that can.
    """
    from napari_semst.errors import InputError
    from napari_semst.io.coordinates import find_coordinates

    for key in coordinate_keys(tissue):
        try:
            find_coordinates(tissue, key)
        except InputError:
            continue
        return key
    return None


def coordinate_keys(tissue: AnnData) -> list[str]:
    """Return the obsm keys that can be coordinates, the usual one first."""
    found = [key for key in tissue.obsm if is_coordinates(tissue, key)]
    return sorted(found, key=lambda key: (key != keys.SPATIAL, key))


def is_coordinates(tissue: AnnData, key: str) -> bool:
    """Return whether an obsm key can hold places: two or three numbers per spot.

    Embeddings (``X_...``) of two dimensions, such as a UMAP, are no places.
    """
    if key not in tissue.obsm or key.startswith(("X_", "semst_")):
        return False
    shape = tuple(getattr(tissue.obsm[key], "shape", ()))
    return len(shape) == 2 and shape[-1] in (2, 3)


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

    raw = tissue.raw
    return AnnData(
        X=tissue.X,
        obs=tissue.obs.copy(),
        var=tissue.var.copy(),
        uns=dict(tissue.uns),
        obsm=dict(tissue.obsm),
        varm=dict(tissue.varm),
        layers=dict(tissue.layers),
        obsp=dict(tissue.obsp),
        varp=dict(tissue.varp),
        # As parts: another tissue's raw is not accepted whole.
        raw=None if raw is None else {"X": raw.X, "var": raw.var, "varm": raw.varm},
    )
