"""Arrays in files are read if they are what they declare."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_semst.core.numpy_files import load_numpy


def loaded(path):
    with path.open("rb") as stream:
        found = load_numpy(stream)
        return found if isinstance(found, np.ndarray) else dict(found)


def with_shape(shape):
    """Return the bytes of an array of 24 numbers whose header says another shape."""
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + np.arange(24.0).tobytes()


def test_whole_files_are_read(tmp_path):
    values = np.arange(24.0).reshape(6, 4)
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(loaded(tmp_path / "a.npy"), values)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", values=values, zeros=np.zeros((3000, 3000)))
        found = loaded(tmp_path / "a.npz")
        np.testing.assert_array_equal(found["values"], values)
        assert found["zeros"].shape == (3000, 3000)


def test_more_than_the_file_holds_is_not_read(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(with_shape((10**7, 10**5)))
    with pytest.raises(ValueError, match="declares 8,000,000"):
        loaded(path)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("values.npy", with_shape((10**7, 10**5)))
    with pytest.raises(ValueError, match="declares 8,000,000"):
        loaded(tmp_path / "a.npz")


def test_objects_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        loaded(tmp_path / "a.npy")


@given(st.integers(0, 127), st.integers(0, 7))
def test_a_bit_that_flipped_in_a_header_is_told(tmp_path_factory, place, bit):
    content = bytearray(with_shape((6, 4)))
    content[place] ^= 1 << bit
    path = tmp_path_factory.mktemp("flipped") / "a.npy"
    path.write_bytes(bytes(content))
    try:
        found = loaded(path)
    except (ValueError, OSError):
        return
    assert isinstance(found, np.ndarray)
