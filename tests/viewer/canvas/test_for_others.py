"""What other plugins look for in our layers is there, and in no file."""

from __future__ import annotations

import sys
import types

import anndata
import numpy as np
import pytest
from napari.layers import Layer

from napari_semst import keys
from napari_semst.io.export.h5ad import write
from napari_semst.viewer import adapter, colourings, hover
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def loaded(monkeypatch):
    """The plugin napari-spatialdata is there."""
    monkeypatch.setitem(
        sys.modules, "napari_spatialdata", types.ModuleType("napari_spatialdata")
    )


def drawn(tissue):
    return Layer.create(*adapter.layers_of(tissue)[-1])


def as_view_asks(layer, column):
    """Return a column by instance, as that plugin's View puts it on the points."""
    table = layer.metadata["adata"]
    key = table.uns["spatialdata_attrs"]["instance_key"]
    by_instance = table.obs.set_index(key)[column]
    return by_instance.loc[layer.metadata["indices"]].to_numpy()


def test_a_section_of_no_spatialdata_object_can_be_viewed(loaded):
    tissue = small_tissue()
    layer = drawn(tissue)
    shown = as_view_asks(layer, "ground_truth")
    np.testing.assert_array_equal(shown, tissue.obs["ground_truth"].to_numpy())
    assert layer.metadata["name"] is None


def test_a_section_of_a_store_keeps_its_own_links(loaded):
    tissue = small_tissue()
    tissue.obs["cell"] = np.arange(120)[::-1]
    links = {"region": "cells", "region_key": "ground_truth", "instance_key": "cell"}
    tissue.uns["spatialdata_attrs"] = dict(links)
    layer = drawn(tissue)
    assert tissue.uns["spatialdata_attrs"] == links
    assert layer.metadata["indices"] == list(range(120))[::-1]
    shown = as_view_asks(layer, "ground_truth")
    np.testing.assert_array_equal(shown, tissue.obs["ground_truth"].to_numpy())


def test_a_plugin_that_is_loaded_later_finds_it_too(monkeypatch):
    tissue = small_tissue()
    layer = drawn(tissue)
    assert "spatialdata_attrs" not in tissue.uns
    assert list(tissue.obs) == ["ground_truth"]
    monkeypatch.setitem(
        sys.modules, "napari_spatialdata", types.ModuleType("napari_spatialdata")
    )
    hover.carry_for_others(layer)
    assert len(as_view_asks(layer, "ground_truth")) == 120


def test_no_file_and_no_list_of_colourings_has_it(loaded, tmp_path):
    tissue = small_tissue()
    drawn(tissue)
    assert len(tissue.obs.columns) == 2
    path = write(tissue, tmp_path / "a.h5ad")
    read = anndata.read_h5ad(path)
    assert list(read.obs) == ["ground_truth"]
    assert "spatialdata_attrs" not in read.uns
    assert list(adapter.snapshot(tissue).obs) == ["ground_truth"]
    offered = [one.key for one in colourings.colourings(tissue)]
    assert offered == [colourings.TOTAL_COUNTS, "ground_truth"]
    assert keys.DOMAIN not in tissue.obs
