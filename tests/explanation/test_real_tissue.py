"""Real cortex; skipped where the data is not there."""

from __future__ import annotations

import pytest

import napari_semst
from napari_semst.explanation.summary import FOUND


@pytest.mark.slow
def test_white_matter_of_a_real_section_is_about_myelin(shared_data):
    path = shared_data / "tissue" / "DLPFC_151673.h5ad"
    told = napari_semst.explain(path, labels="ground_truth")["domains"]
    wm = told["WM"]
    assert {"MBP", "PLP1"} & set(wm["genes"]["gene"])
    assert "myelin" in wm["terms"]["term"][0]
    assert wm["terms"]["q"][0] < 0.02
    # Nobody curated the layers: nothing is claimed of those in the middle.
    for layer in ("Layer3", "Layer4"):
        assert all(q > FOUND for q in told[layer]["terms"]["q"])
