"""Make the pictures of the dock "Open data" from the real window.

Run it where there is no screen as
``xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_open.py``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import napari
import numpy as np
import tifffile
from qtpy.QtCore import Qt

sys.path.insert(0, str(Path(__file__).parent))

from screenshots import DOCK, HEIGHT, WIDTH, _horizontal, picture, settle, wait_for

from napari_semst import write
from napari_semst.io.alignment import image_placement
from napari_semst.io.formats.tiff import read_section_image
from napari_semst.io.places.landmarks import write_landmarks
from napari_semst.registration.landmarks import landmarks_from
from napari_semst.registration.maps import LinearMap
from napari_semst.registration.warp import registered_image
from napari_semst.sample import simulated_cortex
from napari_semst.viewer.adapter import layers_of
from napari_semst.widgets.open import opening
from napari_semst.widgets.open.widget import OpenData
from napari_semst.widgets.shared.unsaved import add_layers

if TYPE_CHECKING:
    from anndata import AnnData


def turned_section(folder: Path) -> Path:
    """Write a simulated section whose image was turned, and return its file."""
    tissue = simulated_cortex(3000)
    images = tissue.uns["spatial"]["simulated_cortex"]["images"]
    images["hires"] = np.ascontiguousarray(np.rot90(images["hires"]))
    tissue.layers["counts"] = tissue.X.copy()
    return write(tissue, folder / "cortex.h5ad")


def askew_section(folder: Path) -> tuple[Path, Path]:
    """Write a section whose image was mirrored and turned by 25 degrees, and pairs."""
    tissue = simulated_cortex(3000)
    (library,) = tissue.uns["spatial"]
    whole = image_placement(tissue)
    middle = whole.bounds().mean(axis=0)[::-1]
    angle = np.deg2rad(25)
    away = np.eye(3)
    away[:2, :2] = [[-np.cos(angle), -np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    away[:2, 2] = middle - away[:2, :2] @ middle
    size = whole.image.shape[:2]
    askew = registered_image(LinearMap(away), whole.bounds(), size)
    images = tissue.uns["spatial"][library]["images"]
    images["hires"] = np.ascontiguousarray(askew.drawn(whole.image)[..., :3])
    spots = np.array(
        [
            [2400, 3300],
            [9900, 3100],
            [1900, 9700],
            [10300, 9800],
            [6200, 1700],
            [6000, 6400],
        ]
    )
    seen = spots @ away[:2, :2].T + away[:2, 2]
    pixels = (seen[:, ::-1] - askew.corner) / askew.unit
    image = (pixels * whole.scale - 0.5)[:, ::-1]
    image += np.random.default_rng(0).normal(0, 30, image.shape)
    pairs = write_landmarks(landmarks_from(image, spots), folder / "pairs.csv")
    tissue.layers["counts"] = tissue.X.copy()
    return write(tissue, folder / "askew.h5ad"), pairs


def register(dock: OpenData, file: Path, pairs: Path) -> None:
    """Open a section, and register its image by pairs."""
    dock.look([file])
    wait_for(lambda: bool(dock.inside.looks), 60)
    dock.open_button.click()
    wait_for(lambda: not dock.opener.busy, 120)
    panel = dock.alignment.landmarks
    dock.alignment.by_hand.collapse()
    dock.alignment.by_landmarks.expand()
    panel.set_button.click()
    panel.load(str(pairs))
    wait_for(lambda: not panel.judging.busy, 60)
    panel.register_button.click()
    wait_for(lambda: not panel.drawing.busy and not panel.judging.busy, 60)


def stained_section(folder: Path) -> AnnData:
    """Return simulated cells whose image is the first of three channels of a file."""
    from scipy.ndimage import gaussian_filter

    tissue = simulated_cortex(10_000, platform="cells")
    places = tissue.obsm["spatial"] - tissue.obsm["spatial"].min(axis=0)
    unit = float(places.max()) / 1400
    column, row = (places / unit).astype(int).T + 50
    layer = tissue.obs["ground_truth"].astype("category").cat.codes.to_numpy()
    rng = np.random.default_rng(0)
    drawn = []
    for weight, width in ((np.ones(len(row)), 2), (layer % 3 == 1, 4), (layer > 3, 4)):
        light = np.zeros((1500, 1500))
        np.add.at(light, (row, column), weight * rng.uniform(0.5, 1, len(row)))
        light = gaussian_filter(light, width) * width**2
        drawn.append((400 + 20_000 * light + rng.normal(0, 60, light.shape)).clip(0))
    channels = {"Name": ["DAPI", "18S", "Vimentin"]}
    tifffile.imwrite(
        folder / "stained.ome.tif",
        np.array(drawn).clip(0, 65535).astype(np.uint16),
        ome=True,
        photometric="minisblack",
        tile=(256, 256),
        metadata={"axes": "CYX", "Channel": channels},
    )
    least = tissue.obsm["spatial"].min(axis=0) - 50.5 * unit
    picture, _ = read_section_image(folder / "stained.ome.tif", 1 / unit)
    (library,) = tissue.uns["spatial"]
    entry = tissue.uns["spatial"][library]
    entry["images"] = {"hires": picture.image}
    entry.setdefault("scalefactors", {}).update(
        tissue_hires_scalef=1 / unit,
        tissue_hires_origin_x=least[0],
        tissue_hires_origin_y=least[1],
    )
    return tissue


def show_channels(viewer: napari.Viewer, dock: OpenData, folder: Path) -> None:
    """Open a section of several channels, and tick them."""
    add_layers(viewer, layers_of(stained_section(folder), "stained"))
    panel = dock.alignment.channels
    dock.alignment.by_landmarks.collapse()
    wait_for(lambda: panel.list.count() == 3, 60)
    for number in range(3):
        panel.list.item(number).setCheckState(Qt.CheckState.Checked)
    wait_for(lambda: not panel.opening.busy, 60)
    viewer.layers[-1].opacity = 0.15
    viewer.reset_view()


def main() -> None:
    """Look inside a file, open it, and turn its image back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--theme", default="dark")
    arguments = parser.parse_args()
    stem = "open" if arguments.theme == "dark" else f"open-{arguments.theme}"
    with TemporaryDirectory() as folder:
        # Not the list of whoever makes the pictures.
        opening.recent_file = lambda: Path(folder) / "recent.json"
        file = turned_section(Path(folder))
        viewer = napari.Viewer(show=True)
        viewer.theme = arguments.theme
        dock = OpenData(viewer)
        window = viewer.window.add_dock_widget(dock, name="Open data (SemST)")
        viewer.window.resize(WIDTH, HEIGHT)
        settle()
        window.parentWidget().resizeDocks([window], [DOCK], _horizontal())
        dock.look([file])
        wait_for(lambda: bool(dock.inside.looks), 60)
        picture(viewer, arguments.out / f"{stem}-inside.png")
        dock.open_button.click()
        wait_for(lambda: not dock.opener.busy, 120)
        dock.forget.click()
        dock.alignment.by_hand.expand()
        picture(viewer, arguments.out / f"{stem}-turned.png")
        dock.alignment.buttons["rotate"].click()
        picture(viewer, arguments.out / f"{stem}-aligned.png")
        viewer.layers.clear()
        register(dock, *askew_section(Path(folder)))
        dock.forget.click()
        viewer.reset_view()
        dock._area.ensureWidgetVisible(dock.alignment.landmarks.take_back_button)
        picture(viewer, arguments.out / f"{stem}-landmarks.png")
        dock.alignment.landmarks.set_button.setChecked(False)
        viewer.layers.clear()
        show_channels(viewer, dock, Path(folder))
        dock._area.ensureWidgetVisible(dock.alignment.channels.list)
        picture(viewer, arguments.out / f"{stem}-channels.png")
        viewer.close()


if __name__ == "__main__":
    main()
