"""From a tissue to viewer layers and back; the tissue is the truth, layers show it.

World coordinates are those of the tissue, for Visium full-resolution pixels, with y
running down as on the screen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari_semst import keys
from napari_semst.io.export.linked import own_obs, own_uns
from napari_semst.io.matrices import named_layers
from napari_semst.io.places.on_image import placed_image
from napari_semst.viewer import colourings, spots
from napari_semst.viewer.arrange import arrange
from napari_semst.viewer.canvas.drawn import DRAWN, drawn
from napari_semst.viewer.canvas.for_others import metadata_for_others
from napari_semst.viewer.canvas.own_features import OWN_FEATURES, put_own_features
from napari_semst.viewer.colour import paint_of
from napari_semst.viewer.histology_image import image_data
from napari_semst.viewer.hover_features import features_of
from napari_semst.viewer.spots import PAIR, TISSUE, tissue_of
from napari_semst.viewer.spots_as_image import raster_for, raster_layer

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer
    from napari.types import LayerData

    from napari_semst.viewer.arrange import CanvasArrangement

"""Key of a layer's metadata that holds its tissue, as napari-spatialdata has it."""

COLOUR_BY = "semst_colour_by"
"""Key of a layer's metadata that remembers what its colours show."""

UNSAVED = "semst_unsaved"
"""Key of a layer's metadata for which results are not yet in a file."""

COORDINATES = "semst_coordinates"
"""Key of a layer's metadata for which coordinates its spots stand at."""

SECTIONS_BY = "semst_sections_by"
"""Key of a layer's metadata for the obs column that tells its sections apart."""

SECTIONS = "semst_sections"
"""Key of a layer's metadata for its sections, where there are several: names, each with
the library of its image."""

SECTION_SHOWN = "semst_section_shown"
"""Key of a layer's metadata for the section shown alone, empty for all."""

"""Key of the metadata that spots and their images have in common."""

PLACEMENT = "semst_placement"
"""Key of an image's metadata for its place among its section's own coordinates."""

HIDDEN_NAMES = "semst_hidden"
"""Key of an image's metadata that marks that it was hidden with its section."""

# What napari-spatialdata looks for beside the table. A layer that is of no element of a
# SpatialData object has no name there: it would raise when the layer is removed.
_NO_ELEMENT = {
    "name": None,
    "region_key": None,
    "instance_key": None,
    "table_names": None,
}

SPOT_OPACITY = 0.85
"""Leaves the stain visible through the spots."""


def layers_of(tissue: AnnData, name: str = "") -> list[LayerData]:
    """Return a tissue as layers: its image, where there is one, below its spots.

    Several sections stand side by side, each with its image.

    Parameters
    ----------
    tissue
        The section; the spots' layer carries it in its metadata.
    name
        What users call the section.
    """
    name = name or "Section"
    key, column = coordinates_key(tissue), _opening_column(tissue)
    arrangement = arrange(tissue, key, column)
    pair = uuid4().hex
    images = image_layers(tissue, name, arrangement)
    spots = spots_layer(tissue, name, arrangement, column, key)
    for _, options, _ in (*images, spots):
        options["metadata"][PAIR] = pair
    spots[1]["metadata"][COORDINATES] = key
    return [*images, spots]


def prepare_layers(tissue: AnnData, name: str = "") -> list[LayerData]:
    """Return a tissue as `layers_of` does, with what takes time done; for a worker.

    Of spots that are an image the levels that show the whole section are drawn.
    """
    layers = layers_of(tissue, name)
    for _, options, _ in layers:
        raster = options["metadata"].get(spots.RASTER)
        if raster is not None:
            raster.warm()
    return layers


def sections_metadata(arrangement: CanvasArrangement, column: str) -> dict[str, Any]:
    """Return a layer's metadata on the sections that it shows."""
    libraries = dict(zip(arrangement.names, arrangement.libraries, strict=True))
    return {SECTIONS_BY: column, SECTIONS: libraries if len(libraries) > 1 else {}}


def _opening_column(tissue: AnnData) -> str:
    """Return the column by which a tissue opens in sections, empty for one section."""
    from napari_semst.errors import InputError
    from napari_semst.io.notes import warn
    from napari_semst.io.sections import section_column
    from napari_semst.io.split_sections import shown_section_key

    column = shown_section_key(tissue)
    try:
        return column and str(section_column(tissue, column))
    except InputError as error:
        warn(tissue, f"Its sections are shown as one. {error}")
        return ""


def spots_layer(
    tissue: AnnData,
    name: str,
    arrangement: CanvasArrangement,
    column: str = "",
    key: str | None = None,
) -> LayerData:
    """Return the spots as the data of a layer, at their true diameter.

    It is a Points layer, or an Image layer where there are more than
    `image_layer.MOST_POINTS` or outlines are known.
    """
    colouring = colourings.first_colouring(tissue)
    rgba = paint_of(tissue, colouring).rgba
    options: dict[str, Any] = {
        "name": name,
        "opacity": SPOT_OPACITY,
        "metadata": {
            TISSUE: tissue,
            **_NO_ELEMENT,
            COLOUR_BY: colouring.key,
            **sections_metadata(arrangement, column),
        },
    }
    raster = raster_for(tissue, arrangement, key)
    if raster is not None:
        raster.paint(rgba)
        return raster_layer(raster, options)
    several = column if len(arrangement.names) > 1 else ""
    features = features_of(tissue, several)
    as_points = {
        "size": arrangement.diameters,
        "face_color": rgba,
        # A border or antialiasing of a pixel turns small spots solid grey.
        "border_width": 0,
        "border_color": "transparent",
        "antialiasing": 0,
        "features": features,
    }
    options["metadata"].update(metadata_for_others(tissue))
    options["metadata"][DRAWN] = drawn(as_points, arrangement.positions)
    options["metadata"][OWN_FEATURES] = {name: name for name in features}
    return arrangement.positions, {**options, **as_points}, "points"


def image_layers(
    tissue: AnnData, name: str, arrangement: CanvasArrangement
) -> list[LayerData]:
    """Return the histology images as the data of Image layers, finest resolution.

    An image that cannot be placed is left out, one of none of the sections is hidden,
    and the tissue is noted to warn of it.
    """
    from napari_semst.io.notes import warn
    from napari_semst.io.sections import libraries

    found = []
    for library in libraries(tissue):
        placement, problem = placed_image(tissue, library)
        if placement is not None:
            found.append(placement)
            if arrangement.moved(placement) is None:
                names = ", ".join(arrangement.names)
                problem = f"hidden: it is of none of the sections {names}."
        elif problem:
            problem = f"left out. {problem}"
        if problem:
            warn(tissue, f"The image of {library!r} is {problem}")
    layers: list[LayerData] = []
    for placement in found:
        # The layer has the pixels; its metadata hold where they belong by themselves.
        pixels, kept, how = image_data(placement)
        moved = arrangement.moved(kept)
        scale, translate = moved or (kept.scale, kept.translate)
        which = f" {placement.library}" if len(found) > 1 else ""
        options = {
            "name": f"{name}{which} image",
            "scale": scale,
            "translate": translate,
            **how,
            "visible": moved is not None,
            "metadata": {PLACEMENT: kept, HIDDEN_NAMES: moved is None},
        }
        options["metadata"][DRAWN] = drawn(options)
        layers.append((pixels, options, "image"))
    return layers


def refresh(layer: Layer) -> None:
    """Bring our columns of a layer's features up to what its tissue holds now.

    Colours stay, and so does what users and other plugins put among the features.
    """
    tissue = tissue_of(layer)
    # Of spots that are an image the tissue is asked when the mouse is over one.
    if tissue is None or spots.raster_of(layer) is not None:
        return
    if spots.holds_its_spots(layer):
        put_own_features(layer, features_of(tissue, hover_sections_by(layer)))


def hover_sections_by(layer: Layer) -> str:
    """Return the column whose section hovering shows, empty for one section."""
    column = str(layer.metadata.get(SECTIONS_BY, ""))
    return column if layer.metadata.get(SECTIONS) else ""


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
    keys_found = [key for key in tissue.obsm if is_coordinates(tissue, key)]
    return sorted(keys_found, key=lambda key: (key != keys.SPATIAL, key))


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
    endings = {".h5ad", ".h5", ".gef", ".gem", ".csv", ".tsv", ".txt", ".zarr"}
    if path.suffix == ".xenium":
        return section_name(path.absolute().parent)
    bare = path.name.removesuffix(".gz")
    ending = Path(bare).suffix
    return bare.removesuffix(ending) if ending in endings else path.name


def snapshot(tissue: AnnData) -> AnnData:
    """Return a tissue that shares the arrays but not the tables of names.

    It can be written to a file in another thread while results are attached to the
    original here.
    """
    from anndata import AnnData

    raw = tissue.raw
    return AnnData(
        X=tissue.X,
        obs=own_obs(tissue).copy(),
        var=tissue.var.copy(),
        uns=own_uns(tissue),
        obsm=dict(tissue.obsm),
        varm=dict(tissue.varm),
        layers=named_layers(tissue),
        obsp=dict(tissue.obsp),
        varp=dict(tissue.varp),
        # As parts: another tissue's raw is not accepted whole.
        raw=None if raw is None else {"X": raw.X, "var": raw.var, "varm": raw.varm},
    )
