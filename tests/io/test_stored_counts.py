from __future__ import annotations

import anndata
import h5py
import numpy as np
import pytest
from anndata.io import sparse_dataset
from scipy import sparse

from napari_semst.errors import CountsError, InputError
from napari_semst.io import stored_counts as module
from napari_semst.io.counts import find_counts, other_counts
from napari_semst.io.stored_counts import StoredCounts, counts_open, stored_counts


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_VALUES", 40)


def untidy(kind=np.float32):
    """Counts with zeros that are stored, genes in no order and one of them twice."""
    random = np.random.default_rng(0)
    matrix = sparse.random(30, 12, 0.5, "csr", random_state=random)
    matrix.data = random.integers(0, 5, matrix.nnz).astype(kind)
    for row in range(30):
        own = slice(matrix.indptr[row], matrix.indptr[row + 1])
        matrix.indices[own] = matrix.indices[own][::-1]
        matrix.data[own] = matrix.data[own][::-1]
    matrix.indices[1] = matrix.indices[0]
    matrix.has_sorted_indices = matrix.has_canonical_format = False
    return matrix


@pytest.fixture
def on_disk(tmp_path):
    """Return a tissue of a matrix, X on disk; the file is closed at the end."""
    files = []

    def made(matrix, change=lambda file: None):
        path = tmp_path / f"{len(files)}.h5ad"
        anndata.AnnData(matrix).write_h5ad(path)
        with h5py.File(path, "r+") as file:
            change(file["X"])
        files.append(h5py.File(path, "r"))
        return anndata.AnnData(sparse_dataset(files[-1]["X"]))

    yield made
    for file in files:
        file.close()


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, np.uint16])
def test_rows_are_those_of_counts_in_memory(on_disk, kind) -> None:
    matrix = untidy(kind)
    expected = find_counts(anndata.AnnData(matrix.copy())).matrix
    found = stored_counts(on_disk(matrix))
    parts = list(found.blocks())
    assert len(parts) > 3
    whole = sparse.vstack([rows for _, rows in parts], format="csr")
    assert whole.dtype == expected.dtype
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(expected, name))
    chosen = np.array([0, 3, 4, 17, 29])
    assert (found.take(chosen) != expected[chosen]).nnz == 0
    genes = np.array([1, 5, 11])
    assert (found.of_genes(genes)[4:19] != expected[4:19][:, genes]).nnz == 0
    some = found.of_genes(genes).summary
    np.testing.assert_array_equal(some.totals, expected[:, genes].sum(axis=1).A1)
    np.testing.assert_array_equal(some.of_genes, expected[:, genes].sum(axis=0).A1)
    np.testing.assert_array_equal(some.seen, (expected[:, genes] > 0).sum(axis=0).A1)
    assert some.lengths.sum() == some.seen.sum()


def test_a_spot_of_many_genes_is_a_block_of_its_own(on_disk, monkeypatch) -> None:
    monkeypatch.setattr(module, "BLOCK_VALUES", 1)
    found = stored_counts(on_disk(untidy()))
    assert [spots.stop - spots.start for spots, _ in found.blocks()] == [1] * 30


def test_large_counts_are_read_as_long_numbers(on_disk) -> None:
    matrix = untidy(np.float64)
    matrix.data[5] = 2**24 + 1
    found = stored_counts(on_disk(matrix))
    assert found.dtype is np.float64
    assert found.of_genes(np.array([0])).dtype is np.float64
    assert found[0:30].max() == 2**24 + 1


@pytest.mark.parametrize("wrong", [0.5, -1.0, np.nan])
def test_what_is_no_count_is_refused(on_disk, wrong) -> None:
    matrix = untidy()
    matrix.data[-1] = wrong
    found = stored_counts(on_disk(matrix))
    with pytest.raises(CountsError, match="Expected raw counts in X"):
        _ = found.summary
    with pytest.raises(CountsError, match="Expected raw counts in X"):
        found.long_rows(slice(29, 30))


def test_nothing_but_zeros_is_refused(on_disk) -> None:
    matrix = untidy()
    matrix.data[:] = 0
    with pytest.raises(CountsError, match="nothing but zeros"):
        _ = stored_counts(on_disk(matrix)).summary


@pytest.mark.parametrize(("name", "value"), [("indices", 12), ("indptr", 10**6)])
def test_what_points_elsewhere_is_refused(on_disk, name, value) -> None:
    def damage(group):
        group[name][-1] = value

    tissue = on_disk(untidy(), damage)
    with pytest.raises(InputError, match="damaged"):
        _ = stored_counts(tissue).summary


def test_counts_in_memory_or_asked_for_elsewhere_are_not_stored(on_disk) -> None:
    tissue = on_disk(untidy())
    assert isinstance(stored_counts(tissue, "X"), StoredCounts)
    assert stored_counts(tissue, "counts") is None
    assert stored_counts(anndata.AnnData(untidy())) is None


def test_pointers_without_sign_that_fall_are_refused(on_disk) -> None:
    def damage(group):
        pointers = group["indptr"][:].astype(np.uint32)
        pointers[3] = pointers[2] - 1
        del group["indptr"]
        group["indptr"] = pointers

    with pytest.raises(InputError, match="follow each other"):
        stored_counts(on_disk(untidy(), damage))


def test_genes_that_are_missing_at_the_end_are_refused(on_disk) -> None:
    def damage(group):
        indices = group["indices"][:-3]
        del group["indices"]
        group["indices"] = indices

    with pytest.raises(InputError, match="damaged"):
        stored_counts(on_disk(untidy(), damage))


@pytest.mark.parametrize(("kind", "part"), [(np.int8, 100), (np.uint8, 200)])
def test_parts_of_a_count_add_up_beyond_a_short_type(on_disk, kind, part) -> None:
    matrix = untidy(kind)
    matrix.data[:2] = part, 127
    memory = find_counts(anndata.AnnData(matrix.copy())).matrix
    disk = stored_counts(on_disk(matrix))
    assert memory.max() == disk[0:30].max() == part + 127


def test_values_that_cannot_be_read_are_told_in_words(on_disk) -> None:
    found = stored_counts(on_disk(untidy()))
    found.matrix.group.file.close()
    with pytest.raises(InputError, match="Expected the counts at"):
        _ = found.summary


def test_what_is_no_count_points_to_the_layer_that_is(on_disk) -> None:
    matrix = untidy()
    tissue = on_disk(matrix * 0.37)
    tissue.layers["counts"] = matrix
    with pytest.raises(CountsError, match="choose 'counts' as counts layer"):
        _ = stored_counts(tissue).summary


def test_corrected_counts_beside_raw_ones_are_noticed(on_disk) -> None:
    matrix = untidy()
    tissue = on_disk(matrix)
    tissue.layers["counts"] = matrix * 2
    assert other_counts(tissue).startswith("X and layers['counts'] both hold whole")
    tissue.layers["counts"] = matrix
    assert not other_counts(tissue)


def test_a_file_is_closed_in_the_end_and_changes_are_told(on_disk, tmp_path) -> None:
    tissue = on_disk(untidy())
    with counts_open(tissue) as check_unchanged:
        check_unchanged()
        with (tmp_path / "0.h5ad").open("ab") as file:
            file.write(b"more")
        with pytest.raises(InputError, match="it was changed"):
            check_unchanged()
    assert not tissue.X.group


def test_damaged_rows_are_refused_where_all_are_read(on_disk) -> None:
    def damage(group):
        group["indices"][-1] = 10**6

    with pytest.raises(InputError, match="damaged"):
        find_counts(on_disk(untidy(), damage))
