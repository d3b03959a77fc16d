"""What the world's tables look like: odd, empty, tiny, badly named."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse

from napari_semst.errors import CountsError, InputError, SemanticsError
from tests.small import WAYS, found, named, short


def empty_spots(tissue):
    counts = tissue.X.toarray()
    counts[[0, 7, 195]] = 0
    tissue.X = sparse.csr_matrix(counts)
    return tissue


def five_genes(tissue):
    return tissue[:, [0, 1, 16, 31, 46]].copy()


def one_gene(tissue):
    return tissue[:, [0]].copy()


def twelve_spots(tissue):
    return tissue[::16][:12].copy()


def constant_genes(tissue):
    counts = tissue.X.toarray()
    counts[:, :20] = 3
    tissue.X = sparse.csr_matrix(counts)
    return tissue


def nothing_but_constants(tissue):
    tissue.X = sparse.csr_matrix(np.full(tissue.shape, 2, dtype=np.float32))
    return tissue


def same_places(tissue):
    places = tissue.obsm["spatial"].copy()
    places[::2] = places[1::2]
    tissue.obsm["spatial"] = places
    return tissue


def nearly_all_in_one_place(tissue):
    places = np.zeros_like(tissue.obsm["spatial"])
    places[0] = 1
    tissue.obsm["spatial"] = places
    return tissue


def in_a_line(tissue):
    n_spots = tissue.n_obs
    tissue.obsm["spatial"] = np.column_stack([np.arange(n_spots), np.zeros(n_spots)])
    return tissue


def twin_spots(tissue):
    counts = tissue.X.toarray()
    counts[::2] = counts[1::2]
    tissue.X = sparse.csr_matrix(counts)
    return tissue


def dense(tissue):
    tissue.X = tissue.X.toarray()
    return tissue


def whole_numbers(tissue):
    tissue.X = tissue.X.astype(np.int32)
    return tissue


def small_dense_numbers(tissue):
    tissue.X = tissue.X.toarray().astype(np.uint16)
    return tissue


def by_column(tissue):
    tissue.X = sparse.csc_matrix(tissue.X)
    return tissue


def huge_counts(tissue):
    tissue.X = tissue.X * np.float32(1e5)
    return tissue


ODD = (
    empty_spots,
    five_genes,
    one_gene,
    twelve_spots,
    constant_genes,
    nothing_but_constants,
    same_places,
    nearly_all_in_one_place,
    in_a_line,
    twin_spots,
    huge_counts,
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("odd", ODD)
def test_odd_sections_get_domains(tissue, odd, way):
    section = odd(named(tissue))
    result = found(section, short(way))
    assert result.codes.shape == (section.n_obs,)
    assert 0 <= result.codes.min() <= result.codes.max() < 3
    for values in (result.latent, result.confidence, result.modulation, result.scale):
        assert values is None or np.isfinite(values).all()


def test_spots_without_counts_are_told(tissue):
    warnings_of_run = found(empty_spots(named(tissue)), short()).warnings
    assert any(text.startswith("3 of 196 spots") for text in warnings_of_run)


def test_as_many_domains_as_spots(tissue):
    section = twelve_spots(named(tissue))
    result = found(section, short("dlpfc", k=12))
    assert len(result.names) == 12


@pytest.mark.parametrize("n_spots", [1, 9])
def test_too_few_spots_are_refused(tissue, n_spots):
    with pytest.raises(InputError, match=f"at least 10 spots; found {n_spots}"):
        found(named(tissue)[:n_spots].copy(), short(k=1))


@pytest.mark.parametrize("same", [dense, whole_numbers, small_dense_numbers, by_column])
def test_the_matrix_type_does_not_matter(tissue, same):
    want = found(named(tissue.copy()), short())
    have = found(same(named(tissue)), short())
    assert have.latent.tobytes() == want.latent.tobytes()
    assert np.array_equal(have.codes, want.codes)
    assert have.provenance["input_hash"] == want.provenance["input_hash"]


def test_repeated_gene_names_are_accepted(tissue):
    names = list(named(tissue).var_names)
    names[5:9] = [names[4]] * 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tissue.var_names = names
    assert not tissue.var_names.is_unique
    assert found(tissue, short()).modulation is not None


def test_ensembl_ids_with_a_column_of_symbols(tissue):
    want = found(named(tissue), short())
    tissue.var["gene_symbols"] = list(tissue.var_names)
    tissue.var_names = list(tissue.var["gene_ids"])
    have = found(tissue, short())
    assert have.latent.tobytes() == want.latent.tobytes()
    assert have.provenance["semantics"]["coverage"] > 0.9


def test_ensembl_ids_without_symbols_are_refused_or_run_without(tissue):
    tissue.var_names = [f"ENSG{990000000 + i:011d}" for i in range(tissue.n_vars)]
    with pytest.raises(SemanticsError, match="Ensembl"):
        found(tissue, short())
    assert len(found(tissue, short(semantics={"source": "none"})).codes) == 196


def test_normalised_values_are_refused_and_the_counts_layer_named(tissue):
    want = found(named(tissue), short())
    tissue.layers["umis"] = tissue.X.copy()
    tissue.X = tissue.X.log1p()
    with pytest.raises(CountsError, match=r"raw counts in X.*'umis'"):
        found(tissue, short())
    have = found(tissue, short(prepare={"counts_layer": "umis"}))
    assert have.latent.tobytes() == want.latent.tobytes()


def test_a_layer_that_is_not_there_is_named(tissue):
    with pytest.raises(CountsError, match="'umis'"):
        found(tissue, short(prepare={"counts_layer": "umis"}))


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_impossible_counts_are_refused(tissue, value):
    tissue.X.data[0] = value
    with pytest.raises(CountsError):
        found(tissue, short())


def test_missing_coordinates_are_told(tissue):
    del tissue.obsm["spatial"]
    del tissue.obs["array_row"]
    with pytest.raises(InputError, match=r"expected obsm\['spatial'\]"):
        found(tissue, short())


def test_coordinates_can_be_named(tissue):
    want = found(named(tissue), short())
    tissue.obs["east"], tissue.obs["north"] = tissue.obsm.pop("spatial").T
    have = found(tissue, short(prepare={"coordinates": "east,north"}))
    assert np.array_equal(have.codes, want.codes)


def test_spots_without_place_are_named(tissue):
    tissue.obsm["spatial"][3] = np.nan
    with pytest.raises(InputError, match=tissue.obs_names[3]):
        found(tissue, short())


@pytest.mark.parametrize("way", WAYS)
def test_units_and_place_of_coordinates_do_not_matter(tissue, way):
    want = found(named(tissue), short(way))
    tissue.obsm["spatial"] = tissue.obsm["spatial"] * 0.001 + 1e4
    assert np.array_equal(found(tissue, short(way)).codes, want.codes)
