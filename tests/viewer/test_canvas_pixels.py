"""What is seen in the window: a spot lies on its pixel of the image."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer

from napari_semst.viewer import adapter, spots_as_image
from napari_semst.viewer.spots import paint_layer
from tests.widgets.stand_in import small_tissue

# Of a lattice of 12 x 10: in a corner, and inside.
SPOTS = (0, 67)


def marked(resolution, factor):
    """Return a section with a blue pixel of the image under each of some spots."""
    tissue = small_tissue()
    entry = tissue.uns["spatial"]["one"]
    size = np.ceil(np.array([1050, 1250]) * factor).astype(int)
    pixels = np.zeros((*size, 3), np.uint8)
    entry["images"] = {resolution: pixels}
    entry["scalefactors"] = {
        f"tissue_{resolution}_scalef": factor,
        "spot_diameter_fullres": 80.0,
    }
    for spot in SPOTS:
        # Onto the middle of a pixel of the image.
        x, y = np.floor(tissue.obsm["spatial"][spot] * factor).astype(int)
        tissue.obsm["spatial"][spot] = (np.array([x, y]) + 0.5) / factor - 0.5
        pixels[y, x] = [0, 0, 255]
    return tissue


def middle(picture, channel, half):
    """Return the middle of what is of one colour in the left or right half."""
    other = np.delete(picture[..., :3], channel, axis=-1).max(axis=-1)
    on = (picture[..., channel] > 200) & (other < 60)
    edge = on.shape[1] // 2
    on[:, slice(edge, None) if half == 0 else slice(edge)] = False
    assert on.any()
    return np.argwhere(on).mean(axis=0)


@pytest.mark.screen
@pytest.mark.parametrize("kind", ["points", "image"])
def test_spots_are_seen_on_their_pixels(make_napari_viewer, monkeypatch, kind):
    """To within half a spot's radius, for images of either resolution."""
    if kind == "image":
        monkeypatch.setattr(spots_as_image, "MOST_POINTS", 1)
    viewer = make_napari_viewer(show=True)
    camera = getattr(viewer, "scene", viewer).camera
    for resolution, factor in (("hires", 0.1), ("lowres", 0.03)):
        viewer.layers.clear()
        for data in adapter.layers_of(marked(resolution, factor)):
            viewer.add_layer(Layer.create(*data))
        viewer.reset_view()
        spots = viewer.layers[-1]
        rgba = np.zeros((120, 4), np.float32)
        rgba[list(SPOTS)] = [1, 0, 0, 1]
        paint_layer(spots, rgba)
        spots.opacity = 1
        on_top = viewer.screenshot(canvas_only=True, flash=False)
        spots.visible = False
        below = viewer.screenshot(canvas_only=True, flash=False)
        pixels = on_top.shape[0] / viewer.window._qt_viewer.canvas.size[0]
        radius = 40 * camera.zoom * pixels
        assert radius > 4
        for half in (0, 1):
            red, blue = middle(on_top, 0, half), middle(below, 2, half)
            assert np.linalg.norm(red - blue) < radius / 2
