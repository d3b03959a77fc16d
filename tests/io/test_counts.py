from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import sparse

from napari_semst.errors import CountsError
from napari_semst.io import matrices
from napari_semst.io.counts import find_counts
from napari_semst.io.notes import input_warnings
from napari_semst.io.read import read


def normalised(counts: sparse.csr_matrix, total: float = 1e4) -> sparse.csr_matrix:
    sums = np.asarray(counts.sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags(total / sums) @ counts)


def logged(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    return normalised(counts).log1p()


def scaled(counts: sparse.csr_matrix) -> np.ndarray:
    dense = logged(counts).toarray()
    return (dense - dense.mean(axis=0)) / dense.std(axis=0)


FORMS = {
    "csr": lambda m: m,
    "csc": sparse.csc_matrix,
    "csr_array": sparse.csr_array,
    "dense": lambda m: m.toarray(),
    "int": lambda m: m.astype(np.int64),
    "uint8": lambda m: m.astype(np.uint8),
    "float64": lambda m: m.astype(np.float64),
    "nearly whole": lambda m: m.astype(np.float64) * (1 + 1e-9),
}


@pytest.mark.parametrize("form", FORMS)
def test_counts_are_found_in_every_form(tissue, form):
    expected = tissue.X.toarray()
    tissue.X = FORMS[form](tissue.X)
    before = tissue.X.copy()
    found = find_counts(tissue)
    assert found.where == "X"
    assert isinstance(found.matrix, sparse.csr_matrix)
    assert found.matrix.dtype == np.float32
    assert found.matrix.has_canonical_format
    np.testing.assert_array_equal(found.matrix.toarray(), expected)
    assert type(tissue.X) is type(before)
    assert abs(tissue.X - before).max() == 0


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_np_matrix_and_dask_are_taken(tissue):
    expected = tissue.X.toarray()
    tissue.layers["matrix"] = expected
    assert np.array_equal(
        matrices.as_csr(np.asmatrix(expected)).toarray(),
        expected,  # type: ignore[arg-type]
    )
    array = pytest.importorskip("dask.array")
    tissue.X = array.from_array(expected, chunks=(50, 60))
    np.testing.assert_array_equal(find_counts(tissue).matrix.toarray(), expected)


@pytest.mark.parametrize("dense", [False, True])
def test_matrices_on_disk_are_taken(tmp_path, tissue, dense):
    import anndata

    expected = tissue.X.toarray()
    if dense:
        tissue.X = expected
    tissue.write_h5ad(tmp_path / "backed.h5ad")
    backed = anndata.read_h5ad(tmp_path / "backed.h5ad", backed="r")
    np.testing.assert_array_equal(find_counts(backed).matrix.toarray(), expected)
    backed.file.close()


def test_user_arrays_are_never_written(tissue):
    messy = tissue.X.astype(np.float64)
    messy.data[:3] = [0.0, -1e-8, 2 + 1e-8]
    # The same entry twice, and columns out of order.
    messy = sparse.csr_matrix(
        (
            np.concatenate([messy.data, [1.0, 1.0]]),
            np.concatenate([messy.indices, [5, 3]]).astype(np.int32),
            np.concatenate([messy.indptr[:-1], [messy.nnz + 2]]).astype(np.int32),
        ),
        shape=messy.shape,
    )
    tissue.X = messy
    before = [part.copy() for part in (messy.data, messy.indices, messy.indptr)]
    found = find_counts(tissue).matrix
    assert (found.data > 0).all()
    assert found.has_canonical_format
    for part, old in zip(
        (messy.data, messy.indices, messy.indptr), before, strict=True
    ):
        np.testing.assert_array_equal(part, old)


def _with(value: float):
    def put(counts: sparse.csr_matrix) -> sparse.csr_matrix:
        counts = counts.copy()
        counts.data[7] = value
        return counts

    return put


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (logged, r"log \(log1p\) of counts normalised to 10,000 per spot"),
        (lambda m: normalised(m).sqrt(), "probably log-normalised|not whole numbers"),
        (normalised, "normalised to 10,000 per spot"),
        (lambda m: normalised(m, 1.0), "fractions that sum to 1"),
        (scaled, "negative values .* scaled or centred"),
        (lambda m: m * 0, "nothing but zeros"),
        (lambda m: sparse.csr_matrix(m.shape, dtype=np.float32), "nothing but zeros"),
        (_with(np.nan), "1 values that are NaN or infinite"),
        (_with(np.inf), "1 values that are NaN or infinite"),
        (_with(1e12), "too large"),
        (_with(-1), "negative values"),
        (_with(100.25), "not whole numbers, such as 100.2"),
        (lambda m: m > 0, "type bool"),
        (lambda m: m.astype(np.complex64), "type complex64"),
    ],
)
def test_what_is_no_counts_is_refused_by_its_likely_kind(tissue, make, words):
    tissue.X = make(tissue.X)
    with pytest.raises(CountsError, match=f"Expected raw counts in X; found .*{words}"):
        find_counts(tissue)


def test_a_table_without_matrix_is_refused():
    with pytest.raises(CountsError, match="no matrix"):
        find_counts(AnnData(obs=pd.DataFrame(index=["a"])))


def test_the_only_layer_with_counts_is_named_not_taken(tissue):
    counts = tissue.X
    tissue.layers["raw_counts"] = counts
    tissue.layers["log"] = tissue.X = logged(counts)
    with pytest.raises(
        CountsError, match=r"layers\['raw_counts'\] holds counts: choose"
    ):
        find_counts(tissue)
    found = find_counts(tissue, "raw_counts")
    assert found.where == "layers['raw_counts']"
    assert (found.matrix != counts).nnz == 0
    with pytest.raises(
        CountsError, match=r"in layers\['log'\].*layers\['raw_counts'\]"
    ):
        find_counts(tissue, "log")


def test_raw_is_named_and_gives_the_genes_of_x(tissue):
    counts = tissue.X.copy()
    raw = tissue.copy()
    tissue = tissue[:, ::-1][:, :40].copy()
    tissue.raw = raw
    tissue.X = logged(tissue.X)
    with pytest.raises(CountsError, match="raw holds counts: choose 'raw' as"):
        find_counts(tissue)
    found = find_counts(tissue, "raw")
    assert found.where == "raw"
    assert (found.matrix != counts[:, ::-1][:, :40]).nnz == 0
    # Genes renamed by symbol are found in .raw by the ids kept beside.
    tissue.raw.var.index = tissue.raw.var["gene_ids"].to_numpy()
    assert (find_counts(tissue, "raw").matrix != found.matrix).nnz == 0


def test_raw_without_the_genes_is_refused(tissue):
    tissue.raw = tissue[:, :10].copy()
    with pytest.raises(CountsError, match="50 are not in it"):
        find_counts(tissue, "raw")
    tissue.X = logged(tissue.X)
    with pytest.raises(CountsError, match=r"50 of the 60 genes of X are not in it by"):
        find_counts(tissue)


def test_raw_of_genes_of_other_names_is_no_lack_of_counts(tissue):
    counts = tissue.copy()
    counts.var_names = [f"ENSG{i:011d}" for i in range(counts.n_vars)]
    tissue.raw = counts
    tissue.X, tissue.var = logged(tissue.X), tissue.var[[]]
    with pytest.raises(CountsError, match=r"in \.raw: ENSG0+, ENSG0+1 and 58 more"):
        find_counts(tissue)


def test_several_holders_are_all_named(tissue):
    tissue.layers["a"] = tissue.layers["b"] = tissue.X
    tissue.X = logged(tissue.X)
    with pytest.raises(CountsError, match=r"layers\['a'\] and layers\['b'\]"):
        find_counts(tissue)


def test_an_unknown_layer_is_refused_with_those_there_are(tissue):
    tissue.layers["a"] = tissue.X
    with pytest.raises(CountsError, match=r"'z'; found layers a. Pick"):
        find_counts(tissue, "z")
    assert find_counts(tissue, "X").where == "X"


def test_all_values_are_looked_at_in_chunks(tissue, monkeypatch):
    monkeypatch.setattr(matrices, "CHUNK", 100)
    assert find_counts(tissue).where == "X"
    tissue.X.data[-1] = 0.5
    with pytest.raises(CountsError):
        find_counts(tissue)
    tissue.X = tissue.X.toarray()
    with pytest.raises(CountsError):
        find_counts(tissue)


shapes = st.tuples(st.integers(1, 12), st.integers(1, 9))
whole = npst.arrays(np.int64, shapes, elements=st.integers(0, 5000))
kinds = st.sampled_from(list(FORMS.values())[:5])


@settings(deadline=None)
@given(whole, kinds)
def test_any_counts_come_back_the_same(values, form):
    adata = AnnData(form(sparse.csr_matrix(values)))
    if values.max() == 0:
        with pytest.raises(CountsError, match="zeros"):
            find_counts(adata)
    else:
        np.testing.assert_array_equal(find_counts(adata).matrix.toarray(), values)


@settings(deadline=None)
@given(
    whole.filter(lambda v: v.max() > 0),
    st.floats(-1e6, 1e6).filter(lambda v: abs(v - round(v)) > 1e-4 or v < -0.5),
    st.data(),
)
def test_a_single_value_that_is_no_count_is_seen(values, wrong, data):
    spoilt = values.astype(np.float64)
    spoilt[tuple(data.draw(st.integers(0, n - 1)) for n in values.shape)] = wrong
    with pytest.raises(CountsError, match="Expected raw counts in X"):
        find_counts(AnnData(sparse.csr_matrix(spoilt)))


def test_whole_numbers_beside_counts_are_told(tmp_path, tissue):
    tissue.layers["counts"] = tissue.X.copy()
    tissue.write_h5ad(tmp_path / "same.h5ad")
    assert not input_warnings(read(tmp_path / "same.h5ad"))
    # As SCTransform corrects counts: whole numbers, and fewer.
    tissue.X = (tissue.X * 0.5).rint()
    tissue.write_h5ad(tmp_path / "corrected.h5ad")
    (told,) = input_warnings(read(tmp_path / "corrected.h5ad"))
    assert told.startswith("X and layers['counts'] both hold whole numbers")
    assert "choose 'counts' as counts layer" in told
    chosen = read(tmp_path / "corrected.h5ad", counts="counts")
    assert not input_warnings(chosen)
