"""Files of HDF5 that lead elsewhere, or declare what they do not hold."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pytest

from napari_semst import read
from napari_semst.errors import InputError
from napari_semst.io.formats.hdf5 import check_dataset, open_hdf5
from napari_semst.io.preview import preview

ELSEWHERE = "to hold all of its data itself"


@pytest.fixture
def own(tmp_path):
    """A file of the user's that another one names."""
    path = tmp_path / "own.h5"
    with h5py.File(path, "w") as file:
        file["secret"] = np.arange(12.0).reshape(6, 2)
        file.create_group("group")["inside"] = np.arange(6)
    return path


@pytest.fixture
def section(tmp_path):
    path = tmp_path / "section.h5ad"
    tissue = anndata.AnnData(
        np.ones((6, 4), "f4"), obsm={"spatial": np.arange(12.0).reshape(6, 2)}
    )
    tissue.write_h5ad(path)
    return path


def link(file, own):
    file["obsm/more"] = h5py.ExternalLink(own.name, "secret")


def group_link(file, own):
    file["uns/more"] = h5py.ExternalLink(str(own), "group")


def matrix_link(file, own):
    del file["X"]
    file["X"] = h5py.ExternalLink(str(own), "secret")


def kept_outside(file, own):
    file.create_dataset(
        "obsm/more", (6, 2), "f8", external=[(str(own), 0, h5py.h5f.UNLIMITED)]
    )


def virtual(file, own):
    layout = h5py.VirtualLayout((6, 2), "f8")
    layout[:] = h5py.VirtualSource(str(own), "secret", shape=(6, 2))
    file.create_virtual_dataset("obsm/more", layout)


@pytest.mark.parametrize("lead", [link, group_link, matrix_link, kept_outside, virtual])
def test_nothing_is_taken_from_another_file(section, own, lead):
    with h5py.File(section, "r+") as file:
        lead(file, own)
    for look in (read, preview):
        with pytest.raises(InputError, match=ELSEWHERE) as refused:
            look(section)
        assert "another file. Nothing was read." in str(refused.value)


def test_links_within_the_file_are_followed(section):
    with h5py.File(section, "r+") as file:
        file["uns/same"] = file["obsm/spatial"]
        file["uns/soft"] = h5py.SoftLink("/obsm/spatial")
    tissue = read(section)
    np.testing.assert_array_equal(tissue.uns["same"], tissue.obsm["spatial"])


def test_what_was_never_written_is_not_read(section):
    with h5py.File(section, "r+") as file:
        # Declared, and of no bytes at all.
        file.create_dataset("obsm/more", (10**5, 10**4), "f8", chunks=(100, 100))
    with pytest.raises(InputError, match=r"obsm/more declares 8,000 MB and holds 0.0"):
        read(section)


def test_other_kinds_are_looked_at_too(tmp_path, own):
    path = tmp_path / "matrix.h5"
    with h5py.File(path, "w") as file:
        file["matrix"] = h5py.ExternalLink(own.name, "group")
    with pytest.raises(InputError, match=ELSEWHERE):
        read(path)


@pytest.mark.parametrize("lead", [link, kept_outside, virtual])
def test_of_many_datasets_those_that_are_read_are_looked_at(section, own, lead):
    with h5py.File(section, "r+") as file:
        lead(file, own)

    def look():
        with open_hdf5(section, "the file", datasets=False) as file:
            check_dataset(file["obsm/spatial"], section, "the file")
            assert lead is not link, "a link is refused before"
            check_dataset(file["obsm/more"], section, "the file")

    with pytest.raises(InputError, match=ELSEWHERE):
        look()


def test_what_packs_well_is_read(section):
    with h5py.File(section, "r+") as file:
        zeros = np.zeros((20_000, 1000), "f4")
        held = file.create_dataset("uns/zeros", data=zeros, compression="gzip")
        held.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    assert read(section).uns["zeros"].shape == (20_000, 1000)
