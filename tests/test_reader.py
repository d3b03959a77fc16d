"""The reader and the sample as the viewer asks for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_semst._reader import get_reader
from napari_semst._sample_data import simulated_cortex
from tests.io.folders import save, table_of, write_merscope
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def section(tmp_path):
    path = tmp_path / "slice.h5ad"
    small_tissue().write_h5ad(path)
    return path


def test_sections_are_read_as_layers(section):
    read = get_reader(str(section))
    layers = read(str(section))
    assert [kind for _, _, kind in layers] == ["image", "points"]
    assert layers[1][1]["name"] == "slice"


def test_several_files_at_once(section):
    assert len(get_reader([str(section)] * 2)([str(section)] * 2)) == 4


def test_folders_of_instruments_and_tables_are_read(tmp_path):
    tissue = small_tissue(image=False)
    places = pd.DataFrame(tissue.obsm["spatial"], tissue.obs_names, ["x", "y"])
    save(places, tmp_path / "places.csv")
    tables = save(table_of(tissue), tmp_path / "counts.csv")
    cells = write_merscope(tmp_path / "cells", tissue)
    for path, kinds in ((tables, ["points"]), (cells, ["image", "points"])):
        layers = get_reader(str(path))(str(path))
        assert [kind for _, _, kind in layers] == kinds
    spots, image = layers[1], layers[0]
    assert layers[1][1]["name"] == "cells"
    # World coordinates are (y, x), in micrometres; a cell of 8 x 12 is 10 wide.
    np.testing.assert_allclose(spots[0], tissue.obsm["spatial"][:, ::-1])
    assert spots[1]["size"] == 10
    # The first pixel, 2 wide, has its outer corner at (-20, -40).
    np.testing.assert_allclose(image[1]["translate"], [-19, -39])


def _table(folder):
    path = folder / "points.csv"
    path.write_text("index,axis-0,axis-1\n0,1.5,2.5\n1,3.5,4.5\n")
    return path


def _text(folder):
    path = folder / "notes.h5ad"
    path.write_text("not a table")
    return path


def _foreign_hdf5(folder):
    import h5py

    path = folder / "other.h5"
    with h5py.File(path, "w") as file:
        file["data"] = [1, 2, 3]
    return path


def _foreign_folder(folder):
    path = folder / "images"
    path.mkdir()
    (path / "photo.png").write_bytes(b"")
    return path


def _missing(folder):
    return folder / "missing.h5ad"


@pytest.mark.parametrize(
    "make", [_table, _text, _foreign_hdf5, _foreign_folder, _missing]
)
def test_foreign_paths_are_declined_without_a_word(tmp_path, make):
    assert get_reader(str(make(tmp_path))) is None


def test_odd_questions_are_declined_without_a_word():
    assert get_reader([]) is None
    assert get_reader(None) is None
    assert get_reader("https://example.org/slice.h5ad") is None


@pytest.mark.slow
def test_sample_has_an_image_and_spots():
    layers = simulated_cortex()
    assert [kind for _, _, kind in layers] == ["image", "points"]
    data, options, _ = layers[1]
    assert len(data) == options["metadata"]["adata"].n_obs


def test_viewer_opens_section_and_sample(make_napari_viewer, section):
    viewer = make_napari_viewer()
    viewer.open(str(section), plugin="napari-semst")
    assert [layer.name for layer in viewer.layers] == ["slice image", "slice"]
    viewer.open_sample("napari-semst", "simulated_cortex")
    assert viewer.layers[-1].name == "Simulated cortex"
