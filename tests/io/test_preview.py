from __future__ import annotations

import anndata
import numpy as np
import pytest
from scipy import sparse

from napari_semst.errors import InputError
from napari_semst.io.preview import part_called, preview
from napari_semst.io.read import read
from tests.io.folders import save, table_of, write_cosmx, write_merscope, write_xenium
from tests.io.outs import write_10x_h5, write_outs
from tests.io.readers import test_gef_gem, test_spatialdata, test_tables
from tests.io.readers.test_visium_hd import run_of
from tests.io.readers.test_zarr import saved


def _h5ad(folder, tissue):
    tissue.write_h5ad(folder / "a.h5ad")
    return folder / "a.h5ad"


def _zarr2(folder, tissue):
    return saved(tissue, folder / "a.zarr", 2)


def _zarr3(folder, tissue):
    return saved(tissue, folder / "a.zarr", 3)


def _visium(folder, tissue):
    return write_outs(folder / "outs", tissue)


def _visium_mtx(folder, tissue):
    return write_outs(folder / "outs", tissue, matrix="mtx.gz")


def _visium_hd(folder, tissue):
    return run_of(folder / "outs", tissue, 2, 8)


def _xenium(folder, tissue):
    return write_xenium(folder / "run", tissue)


def _merscope(folder, tissue):
    return write_merscope(folder / "run", tissue)


def _cosmx(folder, tissue):
    return write_cosmx(folder / "run", tissue)


def _plain(folder, tissue):
    places = test_tables.places_table(tissue).assign(layer="L1", depth=3)
    save(places, folder / "places.csv")
    return save(table_of(tissue), folder / "counts.tsv.gz", sep="\t")


def _turned(folder, tissue):
    save(test_tables.places_table(tissue), folder / "places.csv", header=False)
    return save(table_of(tissue).T, folder / "counts.csv")


def _spatialdata(folder, tissue):
    store = folder / "whole.zarr"
    test_spatialdata.group(store, {"spatialdata_attrs": {}}, 3)
    test_spatialdata.write_table(store, "table", tissue, "spots", 3)
    own = np.asarray(tissue.obsm["spatial"]) / 10
    geometry = [test_spatialdata.point(*xy) for xy in own]
    test_spatialdata.write_shapes(store, "spots", geometry, 3, radius=1.0)
    test_spatialdata.write_image(store, 3)
    return store


def _gef_cells(folder, tissue):
    return test_gef_gem.write_cells(folder / "a.cellbin.gef")


WRITERS = [
    _h5ad,
    _zarr2,
    _zarr3,
    _visium,
    _visium_mtx,
    _visium_hd,
    _xenium,
    _merscope,
    _cosmx,
    _plain,
    _turned,
    _spatialdata,
    _gef_cells,
]


@pytest.mark.parametrize("write", WRITERS)
def test_a_preview_says_what_reading_finds(tmp_path, tissue, write):
    place = write(tmp_path, tissue)
    told, found = preview(place), read(place)
    assert told.kind == found.uns["semst_input"]["kind"]
    assert (told.n_spots, told.n_genes) == found.shape
    assert told.counts
    assert told.coordinates
    assert told.missing == ()
    held = found.uns.get("spatial", {}).values()
    images = [i for one in held for i in one["images"].values()]
    assert (told.image is None) == (not images)
    if images:
        assert told.image == max(image.shape[:2] for image in images)
    assert set(told.annotations) <= {*told.columns}
    assert all(text.endswith((".", "?")) for text in told.sentences())


def test_the_sentences_of_a_file(tmp_path, tissue):
    assert preview(_h5ad(tmp_path, tissue)).sentences() == (
        "AnnData file (.h5ad): 196 spots x 60 genes.",
        "Raw counts: in X.",
        "Coordinates: obsm['spatial'].",
        "Image: none.",
        "Annotations: ground_truth.",
    )


def test_what_is_missing_is_told(tmp_path, tissue):
    tissue.layers["counts"] = tissue.X.copy()
    tissue.X = sparse.csr_matrix(tissue.X.log1p())
    del tissue.obsm["spatial"], tissue.obs["array_row"]
    told = preview(_h5ad(tmp_path, tissue))
    assert told.missing == ("raw counts", "coordinates")
    assert "layers['counts'] may hold counts" in told.remarks[0]
    assert "Raw counts: missing." in told.sentences()
    tissue.obs["a"], tissue.obs["b"] = 1.0, 2.0
    tissue.write_h5ad(tmp_path / "a.h5ad")
    told = preview(tmp_path / "a.h5ad", positions="a,b")
    assert told.coordinates == "obs['a'], obs['b']"


def test_bins_of_stereo_seq_are_counted_when_they_are_read(tmp_path):
    molecules = test_gef_gem.molecules.__wrapped__()
    gem = preview(test_gef_gem.write_gem(tmp_path / "a.gem", molecules))
    assert gem.n_spots is None
    assert "known once it is read" in gem.sentences()[0]
    path = test_gef_gem.write_gef(tmp_path / "a.gef", molecules)
    gef = preview(path, part="20")
    assert gef.sentences()[0].endswith("an unknown number of spots x 3 genes.")
    assert gef.part == "bins of 20 x 20 spots of the chip"
    with pytest.raises(InputError, match="Expected a bin size"):
        preview(path, part="small")


def test_a_bin_size_is_told_with_the_others(tmp_path, tissue):
    told = preview(_visium_hd(tmp_path, tissue))
    assert told.n_spots == 160
    assert (
        "It is read as bins of 8 micrometres. There are also bins of 2 micro"
        in (told.sentences()[1])
    )
    assert preview(tmp_path / "outs", part="2").n_spots == 40


def test_a_bare_matrix_lacks_its_positions(tmp_path, tissue):
    write_10x_h5(tmp_path / "matrix.h5", tissue)
    told = preview(tmp_path / "matrix.h5")
    assert told.missing == ("coordinates",)
    assert told.n_spots == tissue.n_obs


def test_no_matrix_is_read(tmp_path, tissue, monkeypatch):
    places = [write(tmp_path / f"{i}", tissue) for i, write in _in_folders(tmp_path)]

    def refuse(*_, **__):
        raise AssertionError

    for name in ("read_h5ad", "read_zarr"):
        monkeypatch.setattr(anndata, name, refuse)
    monkeypatch.setattr("napari_semst.io.formats.tenx.read_matrix", refuse)
    for reader in ("cosmx", "merscope", "tables"):
        monkeypatch.setattr(f"napari_semst.io.readers.{reader}.read_wide", refuse)
    for place in places:
        assert preview(place).n_spots


def _in_folders(folder):
    for i, write in enumerate((_h5ad, _zarr3, _xenium, _merscope, _plain)):
        (folder / f"{i}").mkdir()
        yield i, write


def test_what_is_no_section_is_refused_as_in_reading(tmp_path):
    (tmp_path / "a.txt").write_text("nothing")
    with pytest.raises(InputError, match="Expected"):
        preview(tmp_path / "a.txt")


def test_the_places_of_counts_and_coordinates_that_can_be_chosen(tmp_path, tissue):
    tissue.layers["counts"] = tissue.X.copy()
    tissue.raw = tissue.copy()
    tissue.obsm["X_umap"] = tissue.obsm["aligned"] = tissue.obsm["spatial"] + 1
    tissue.obs["x"] = tissue.obs["y"] = 0.0
    found = preview(_h5ad(tmp_path, tissue))
    assert found.counts_places == ("X", "counts", "raw")
    assert found.coordinates_places[:3] == ("spatial", "aligned", "x,y")
    for place in found.coordinates_places[:2]:
        read(tmp_path / "a.h5ad", positions=place)


def test_a_part_is_called_as_reading_is_told(tmp_path, tissue):
    found = preview(_visium_hd(tmp_path, tissue))
    assert [part_called(part) for part in found.parts] == ["2", "8"]
    assert preview(tmp_path / "outs", part="2").part == found.parts[0]
    assert part_called("bins of 50 x 50 spots of the chip") == "50"
    assert part_called("the table cells") == "cells"
