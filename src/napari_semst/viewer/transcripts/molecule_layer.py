"""The layer of points that shows molecules, and where the window looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.viewer import spots
from napari_semst.viewer.canvas.units import canvas_per_layer, layer_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer, Points
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_semst.viewer.transcripts.tiles import MoleculeTile

    Floats = NDArray[np.float64]

MOLECULES_OF = "semst_molecules_of"
"""Key of a layer's metadata: the pair of the spots whose molecules it shows."""

GENE_COLORS = (
    "#ff2fd6", "#00b7eb", "#ffc400", "#2fd82f", "#ff6a00", "#9b6bff", "#e5323b",
    "#00c2a0",
)  # fmt: skip
"""Of the genes in their order; few colours of domains are as bright."""

_PIXELS = 6
# Of a spot's diameter; never smaller than the pixels above.
_SIZE = 0.09
_KEPT = ("opacity", "blending", "visible", "name")


def kept_look(points: Points) -> dict[str, Any]:
    """Return how a layer looks, to be given to the next one in its place."""
    return {name: getattr(points, name) for name in _KEPT} | {"size": _size(points)}


def add_molecule_layer(
    viewer: Viewer, layer: Layer, look: dict[str, Any] | None = None
) -> Points:
    """Add an empty layer for the molecules of a layer's section.

    Parameters
    ----------
    viewer
        Holds the layer; what is selected in it stays so.
    layer
        The spots.
    look
        Of a layer before it, see `kept_look`.
    """
    from napari.layers import Points as PointsLayer

    size = _SIZE * float(np.median(spots.diameters(layer)))
    options = {"name": f"{layer.name}: transcripts", "size": size, **(look or {})}
    points = PointsLayer(
        np.empty((0, 2)),
        ndim=2,
        border_width=0,
        border_color="transparent",
        antialiasing=0,
        canvas_size_limits=(_PIXELS, 10_000),
        affine=places_to_world(layer),
        metadata={MOLECULES_OF: layer.metadata.get(spots.PAIR)},
        **options,
        **layer_units(layer),
    )
    points.current_size = options["size"]
    points.current_border_color = "transparent"
    chosen, active = list(viewer.layers.selection), viewer.layers.selection.active
    viewer.add_layer(points)
    viewer.layers.selection.clear()
    viewer.layers.selection.update(x for x in chosen if x in viewer.layers)
    if active in viewer.layers:
        viewer.layers.selection.active = active
    return points


def draw_tile(points: Points, tile: MoleculeTile, genes: Sequence[str]) -> None:
    """Draw a tile in the place of the one before; how the layer looks stays."""
    import pandas as pd
    from napari.utils.colormaps.standardize_color import transform_color

    size = _size(points)
    colours = np.asarray(transform_color(list(gene_colours(genes))), np.float32)
    points.selected_data = set()
    with points.events.blocker_all():
        points.data = tile.places
        points.size = size
        # A border of no width is still drawn, in its colour.
        points.border_width, points.border_color = 0, "transparent"
    points.features = {"gene": pd.Categorical.from_codes(tile.codes, list(genes))}
    points.face_color = colours[tile.codes] if len(tile.codes) else "white"
    # What is done to them by hand would go with the next tile, and cannot be undone.
    # napari allows it again whenever dimensions change.
    points.editable = False
    points.refresh()


def clear_tile(points: Points) -> None:
    """Draw nothing until the next tile; how the layer looks stays."""
    size = _size(points)
    points.selected_data = set()
    with points.events.blocker_all():
        points.data = np.empty((0, 2))
    points.current_size = size
    points.refresh()


def gene_colours(genes: Sequence[str]) -> tuple[str, ...]:
    """Return a colour for each gene, as ``#rrggbb``."""
    return tuple(GENE_COLORS[at % len(GENE_COLORS)] for at in range(len(genes)))


def place_like(points: Points, layer: Layer) -> None:
    """Let molecules lie where the spots lie, also after these were moved by hand."""
    matrix = places_to_world(layer)
    if not np.allclose(np.asarray(points.affine.affine_matrix)[-3:, -3:], matrix):
        points.affine = matrix


def places_to_world(layer: Layer) -> Floats:
    """Return what takes places of spots, (y, x, 1), to their layer's world: (3, 3)."""
    corners = spots.to_world(layer, np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    matrix = np.eye(3)
    matrix[:2] = np.stack(
        [corners[1] - corners[0], corners[2] - corners[0], corners[0]], axis=1
    )
    return matrix


def view_box(viewer: Viewer, layer: Layer) -> tuple[Floats, Floats]:
    """Return what the window shows of the places of spots: least and largest (y, x).

    In 3D, in a grid and where the viewer does not tell its size all is taken to be
    shown.

    Parameters
    ----------
    viewer
        Holds the layer.
    layer
        The spots.
    """
    # The stand-in that plugins are handed hides what older versions keep to themselves.
    bare: Any = getattr(viewer, "__wrapped__", viewer)
    canvas = getattr(bare, "canvas", None)
    size = getattr(canvas, "size", None) or getattr(bare, "_canvas_size", None)
    grid = getattr(canvas, "grid", None) or bare.grid
    if size is None or grid.enabled or bare.dims.ndisplay != 2:
        return np.full(2, -np.inf), np.full(2, np.inf)
    camera = getattr(bare, "scene", bare).camera
    centre = np.asarray(camera.center, np.float64)[-2:]
    half = np.asarray(size, np.float64) / (2 * float(camera.zoom))
    signs = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    world = (centre + signs * half) / canvas_per_layer(bare.layers, layer)
    back = np.linalg.inv(places_to_world(layer))
    places = world @ back[:2, :2].T + back[:2, 2]
    return places.min(axis=0), places.max(axis=0)


def _size(points: Points) -> float:
    sizes = np.asarray(points.size)
    return float(sizes[0]) if len(sizes) else float(points.current_size)
