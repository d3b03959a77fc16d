from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from napari_semst.errors import InputError
from napari_semst.explore import markers, spot_values
from napari_semst.explore.compare import compare
from napari_semst.explore.labels import Labels
from napari_semst.explore.markers import marker_table, neighbouring_spots
from napari_semst.explore.split import connected_parts, latent_parts
from napari_semst.explore.umap import umap_of
from tests.widgets.stand_in import small_tissue


def test_a_genes_values_are_as_scanpy_normalises_them():
    import scanpy

    tissue = small_tissue()
    own = spot_values.gene_values(tissue, "GENE7")
    other = tissue.copy()
    scanpy.pp.normalize_total(other, target_sum=1e4)
    scanpy.pp.log1p(other)
    np.testing.assert_allclose(own, other[:, "GENE7"].X.toarray().ravel(), rtol=1e-5)
    # Values that are no counts are not normalised a second time.
    np.testing.assert_allclose(spot_values.gene_values(other, "GENE7"), own, rtol=1e-5)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_matrix, sparse.csr_matrix])
def test_a_column_is_the_same_from_every_kind_of_matrix(kind, monkeypatch):
    monkeypatch.setattr(spot_values, "_ROWS", 7)
    dense = small_tissue().X.toarray()
    np.testing.assert_array_equal(spot_values.dense_column(kind(dense), 3), dense[:, 3])


def test_an_unknown_gene_is_told():
    with pytest.raises(InputError, match="'gene7'"):
        spot_values.gene_values(small_tissue(), "gene7")


def test_embeddings_offer_their_columns():
    tissue = small_tissue()
    tissue.obsm["X_pca"] = np.arange(tissue.n_obs * 3.0).reshape(-1, 3)
    assert spot_values.embedding_columns(tissue) == {"spatial": 2, "X_pca": 3}
    assert spot_values.embedding_values(tissue, "X_pca", 2)[1] == 5
    with pytest.raises(InputError):
        spot_values.embedding_values(tissue, "X_pca", 3)


def test_two_labellings_are_matched_one_to_one():
    one = Labels(np.array([0, 0, 0, 1, 1, 2, -1]), ("a", "b", "c"), ("#000000",) * 3)
    other = Labels(np.array([1, 1, 0, 0, 0, 0, 0]), ("x", "y"), ("#000000",) * 2)
    found = compare(one, other)
    assert found.table.tolist() == [[1, 2], [2, 0], [1, 0]]
    assert found.partner.tolist() == [1, 0, -1]
    assert found.agree.tolist() == [True, True, False, True, True, False, False]
    assert found.share == pytest.approx(4 / 6)
    assert compare(one, one).ari == 1
    with pytest.raises(InputError):
        compare(one, Labels(np.full(7, -1), (), ()))


def test_a_planted_marker_comes_first_and_last_from_the_other_side():
    # That the test itself is scanpy's is tested where it is, in explanation.
    tissue = small_tissue()
    inside = tissue.obsm["spatial"][:, 1] < 500
    counts = tissue.X.toarray()
    counts[inside, 4] += 6
    tissue.X = sparse.csr_matrix(counts)
    table = marker_table(tissue, inside, ~inside)
    assert table.gene[0] == "GENE4"
    assert table.p_adjusted[0] < 1e-6
    assert table.log2_fold_change[0] > 1
    assert (table.p_adjusted[1:] > 0.05).all()
    assert marker_table(tissue, ~inside, inside).gene.iloc[-1] == "GENE4"


def test_of_many_spots_some_are_drawn_on_both_sides(monkeypatch):
    monkeypatch.setattr(markers, "MOST_SPOTS", 40)
    inside = np.arange(120) < 30
    spots, codes = markers._chosen(inside, ~inside, 0)
    assert np.bincount(codes).tolist() == [10, 30]
    assert inside[spots].tolist() == (codes == 0).tolist()


def test_too_few_spots_are_not_compared():
    tissue = small_tissue()
    two = np.arange(tissue.n_obs) < 2
    with pytest.raises(InputError, match="at least 3"):
        marker_table(tissue, two, ~two)


def test_neighbours_are_the_domains_along_the_border():
    x, y = np.meshgrid(np.arange(9.0), np.arange(6.0))
    places, codes = (
        np.column_stack([x.ravel(), y.ravel()]),
        (x.ravel() // 3).astype(int),
    )
    found = neighbouring_spots(places, codes == 0, codes)
    assert np.array_equal(found, codes == 1)


def test_pieces_that_do_not_touch_come_apart():
    x, y = np.meshgrid(np.arange(8.0), np.arange(5.0))
    places = np.column_stack([x.ravel(), y.ravel()])
    places = places[places[:, 0] != 5]  # 25 spots, a gap, 10 spots
    assert np.bincount(connected_parts(places)).tolist() == [25, 10]
    assert np.bincount(connected_parts(places, least_spots=11)).tolist() == [35]


def test_a_latent_splits_what_it_tells_apart():
    tissue = small_tissue()
    with pytest.raises(InputError, match="latent"):
        latent_parts(tissue, np.ones(tissue.n_obs, bool))
    tissue.obsm["X_semst"] = np.repeat([[0.0, 0], [9, 9]], tissue.n_obs // 2, axis=0)
    parts = latent_parts(tissue, np.ones(tissue.n_obs, bool))
    assert len(set(parts[:60])) == len(set(parts[60:])) == 1
    assert parts[0] != parts[-1]


def test_a_sections_own_umap_is_taken():
    tissue = small_tissue()
    tissue.obsm["X_umap"] = np.full((tissue.n_obs, 2), 1.0)
    tissue.obsm["X_umap"][3] = np.nan
    found = umap_of(tissue)
    assert len(found.spots) == tissue.n_obs - 1
    assert "own" in found.source


@pytest.mark.slow
def test_a_umap_keeps_groups_apart_and_is_the_same_again():
    tissue = small_tissue(60)
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 30)
    tissue.obsm["X_semst"] = rng.normal(size=(60, 5)) + 20 * group[:, None]
    found, again = umap_of(tissue), umap_of(tissue)
    np.testing.assert_array_equal(found.places, again.places)
    centres = [found.places[group == g].mean(axis=0) for g in (0, 1)]
    spread = max(found.places[group == g].std() for g in (0, 1))
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * spread
