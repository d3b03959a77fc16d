from __future__ import annotations

import numpy as np
import pytest

from napari_semst.core.sections import Sections
from napari_semst.io.places.on_image import few_on_image, share_on_image
from napari_semst.io.read import read
from napari_semst.wording import for_shell, for_window


def with_image(tissue, width=1600, height=1400):
    entry = {
        "images": {"hires": np.zeros((height // 10, width // 10, 3), np.uint8)},
        "scalefactors": {"tissue_hires_scalef": 0.1},
    }
    tissue.uns["spatial"] = {"A": entry}
    return tissue


@pytest.mark.parametrize(
    ("shift", "begins"),
    [(0, ""), (1200, "Only "), (5000, "No spot lies on the image. It may be")],
)
def test_an_image_with_few_spots_is_told(tissue, shift, begins):
    tissue = with_image(tissue)
    told = few_on_image(tissue, tissue.obsm["spatial"] + [shift, 0])
    assert bool(told) == bool(begins)
    assert told.startswith(begins)
    if told:
        assert "--image FILE" in for_shell(told)
        assert "Open data" in for_window(told)


def test_of_several_sections_the_worst_is_named(tissue):
    tissue = with_image(tissue)
    tissue.uns["spatial"]["B"] = tissue.uns["spatial"]["A"]
    sections = Sections((np.arange(196) >= 98).astype(np.int32), ("A", "B"))
    places = np.asarray(tissue.obsm["spatial"]) + np.where(
        sections.codes[:, None] == 1, 4000, 0
    )
    told = few_on_image(tissue, places, sections)
    assert told.startswith("No spot lies on the image of 'B'")


def test_real_images_are_judged(shared_data):
    folder = shared_data / "instruments"
    if not folder.is_dir():
        pytest.skip("no outputs of instruments")
    for name, off in (("visium_cropped_sfe", True), ("visium_seurat", False)):
        tissue = read(folder / name)
        assert (share_on_image(tissue, "spatial") == 0) == off
        told = few_on_image(tissue, tissue.obsm["spatial"])
        assert told.startswith("No spot lies" if off else "")
