from __future__ import annotations

import numpy as np
import pytest

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.explore import umap
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def laid_out(monkeypatch):
    """Lay features out by their first two columns: quick, and to be checked."""

    def first_two(features, seed):
        return features[:, :2]

    monkeypatch.setattr(umap, "plane_of", first_two)


def test_a_map_that_the_section_has_is_taken_without_its_holes():
    tissue = small_tissue()
    places = np.random.default_rng(0).normal(size=(tissue.n_obs, 2))
    places[5] = np.nan
    tissue.obsm["X_umap"] = places
    view = umap.umap_of(tissue)
    assert view.spots.tolist() == [i for i in range(tissue.n_obs) if i != 5]
    assert np.allclose(view.places, places[view.spots])
    assert "X_umap" in view.source


def test_its_own_map_can_be_left_aside(laid_out):
    tissue = small_tissue()
    tissue.obsm["X_umap"] = np.zeros((tissue.n_obs, 2))
    assert "counts" in umap.umap_of(tissue, own=False).source


def test_the_latent_comes_before_the_counts(laid_out):
    tissue = small_tissue()
    assert "counts" in umap.umap_of(tissue).source
    latent = np.random.default_rng(0).normal(size=(tissue.n_obs, 8))
    tissue.obsm[keys.LATENT] = latent
    view = umap.umap_of(tissue)
    assert "latent" in view.source
    assert np.allclose(view.places, latent[:, :2])


def test_of_many_spots_some_are_drawn_and_told(laid_out, monkeypatch):
    monkeypatch.setattr(umap, "MOST_SPOTS", 50)
    tissue = small_tissue()
    latent = np.random.default_rng(0).normal(size=(tissue.n_obs, 8))
    tissue.obsm[keys.LATENT] = latent
    view = umap.umap_of(tissue)
    assert len(np.unique(view.spots)) == 50
    assert np.allclose(view.places, latent[view.spots, :2])
    assert "50 spots drawn" in view.source


def test_nothing_to_make_a_map_from_is_said():
    tissue = small_tissue()
    tissue.X = None
    with pytest.raises(InputError, match="Find domains first"):
        umap.umap_of(tissue)
