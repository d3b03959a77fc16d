from __future__ import annotations

import json
import os
import warnings

import anndata
import numpy as np
import pytest

from napari_semst.errors import InputError
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format


def saved(tissue, path, zarr_format=3):
    with warnings.catch_warnings():
        # The second format is announced to be no longer the default.
        warnings.simplefilter("ignore")
        with anndata.settings.override(zarr_write_format=zarr_format):
            tissue.write_zarr(path)
    return path


@pytest.fixture(params=[2, 3])
def store(request, tmp_path, tissue):
    return saved(tissue, tmp_path / "section.zarr", request.param)


def test_a_store_is_read_as_the_file_is(store, tmp_path, tissue):
    tissue.write_h5ad(tmp_path / "section.h5ad")
    found, want = read(store), read(tmp_path / "section.h5ad")
    assert (found.X != want.X).nnz == 0
    assert list(found.obs_names) == list(want.obs_names)
    assert list(found.obs["ground_truth"]) == list(want.obs["ground_truth"])
    np.testing.assert_array_equal(found.obsm["spatial"], want.obsm["spatial"])
    assert found.uns["semst_input"]["kind"] == "zarr"


def test_a_layer_can_be_chosen(tmp_path, tissue):
    tissue.layers["counts"] = tissue.X.copy()
    tissue.X = tissue.X * 0.5
    found = read(saved(tissue, tmp_path / "section.zarr"), counts="counts")
    assert (tissue.layers["counts"] != found.X).nnz == 0


def test_other_folders_and_stores_are_declined(tmp_path):
    import zarr

    (tmp_path / "plain").mkdir()
    zarr.open_group(tmp_path / "image.zarr", mode="w").create_array(
        "0", data=np.zeros((4, 4))
    )
    for name in ("plain", "image.zarr"):
        assert detect_format(tmp_path / name) is None


def test_a_store_that_leads_out_of_its_folder_is_refused(store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink(outside, store / "obsm" / "secret")
    with pytest.raises(InputError, match=r"secret leads to .*outside"):
        read(store)


def test_links_inside_the_folder_are_followed(store, tissue):
    place, moved = store / "obsm" / "spatial", store / "moved"
    place.rename(moved)
    place.symlink_to(moved)
    np.testing.assert_array_equal(read(store).obsm["spatial"], tissue.obsm["spatial"])


@pytest.mark.parametrize("written", ["pickle", "p\\u0069ckle"])
def test_a_pickled_array_is_refused_before_it_is_read(store, written):
    metadata = store / "obsm" / "spatial" / ".zarray"
    name = ".zarray" if metadata.exists() else "zarr.json"
    metadata = store / "obsm" / "spatial" / name
    held = json.loads(metadata.read_text(encoding="utf-8"))
    held["filters"] = [{"id": "pickle", "protocol": 5}]
    text = json.dumps(held).replace("pickle", written)
    metadata.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="is pickled, which can run code"):
        read(store)


def test_a_damaged_store_is_told_in_words(store):
    spatial = store / "obsm" / "spatial"
    for chunk in spatial.rglob("*"):
        if chunk.is_file() and chunk.name not in (".zarray", ".zattrs", "zarr.json"):
            chunk.write_bytes(b"no such chunk")
    # Of a chunk within a shard zarr says that it ends too soon.
    with pytest.raises(InputError, match=r"could not be read|it is cut short"):
        read(store)
