"""The reader and the sample as the viewer asks for them."""

from __future__ import annotations

import pytest

from napari_semst._reader import get_reader
from napari_semst._sample_data import simulated_cortex
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


@pytest.mark.parametrize("make", [_text, _foreign_hdf5, _foreign_folder, _missing])
def test_foreign_paths_are_declined_without_a_word(tmp_path, make):
    assert get_reader(str(make(tmp_path))) is None


def test_odd_questions_are_declined_without_a_word():
    assert get_reader([]) is None
    assert get_reader(None) is None
    assert get_reader("https://example.org/slice.h5ad") is None


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
