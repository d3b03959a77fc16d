"""Which patches are shown beside one, and that they are where the spots are."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.explanation.comparison_patches import (
    PatchBook,
    find_similar_spots,
    scale_in_words,
    trusted,
)
from tests.widgets.discordant_tissue import attach_discordance
from tests.widgets.stand_in import small_tissue

CALLED = np.arange(120) % 12 == 3
SPOT = 51  # called, in the middle


@pytest.fixture
def tissue():
    """Image: left half dark, right half bright; its layers are upper and lower."""
    found = attach_discordance(small_tissue(), CALLED)
    image = found.uns["spatial"]["one"]["images"]["hires"]
    image[:, :60] = 40
    return found


def test_alike_spots_are_trusted_apart_and_nearest(tissue):
    places = tissue.obsm["spatial"]
    latent = np.zeros((120, 2), np.float32)
    latent[:, 0] = np.abs(np.arange(120) - 80)
    tissue.obsm[keys.EXPRESSED] = latent
    tissue.obsm[keys.EXPECTED] = latent
    found = find_similar_spots(tissue, 80, places, apart=150.0).by_molecules
    good = trusted(tissue)
    assert len(found) == 4
    assert good[list(found)].all()
    assert 80 not in found
    everyone = places[[80, *found]]
    gaps = np.linalg.norm(everyone[:, None] - everyone, axis=2)
    assert gaps[~np.eye(5, dtype=bool)].min() >= 150
    # 79 and 81 are nearer, but touch; 82 lies 200 away and is alike.
    assert found[0] in (78, 82)


def test_molecules_and_image_are_asked_apart(tissue):
    n = tissue.n_obs
    by_molecules, by_image = np.full((n, 1), 9.0), np.full((n, 1), 9.0)
    by_molecules[[SPOT, 100, 104]] = 1.0
    by_image[[SPOT, 6, 10]] = 1.0
    tissue.obsm[keys.LATENT] = by_image
    tissue.obsm[keys.EXPRESSED] = by_molecules
    tissue.obsm[keys.EXPECTED] = by_image
    found = find_similar_spots(tissue, SPOT, tissue.obsm["spatial"], 100.0, n_alike=2)
    assert set(found.by_molecules) == {100, 104}
    assert set(found.by_image) == {6, 10}
    # An image that is not to be relied upon predicts nothing.
    by_image[SPOT] = np.nan
    found = find_similar_spots(tissue, SPOT, tissue.obsm["spatial"], 100.0, n_alike=2)
    assert set(found.by_molecules) == {100, 104}
    assert found.by_image == ()
    by_image[SPOT] = 1.0
    # What no run compared with images is told by the latent alone.
    del tissue.obsm[keys.EXPECTED]
    found = find_similar_spots(tissue, SPOT, tissue.obsm["spatial"], 100.0, n_alike=2)
    assert set(found.by_molecules) == {6, 10}
    assert found.by_image == ()
    del tissue.obsm[keys.LATENT]
    with pytest.raises(InputError, match="Find domains first"):
        find_similar_spots(tissue, SPOT, tissue.obsm["spatial"], 100.0)


def test_spots_that_were_only_just_not_called_are_no_comparison(tissue):
    before = trusted(tissue)
    assert before[100]
    tissue.obs.loc[tissue.obs_names[100], keys.DISCORDANCE_P] = 0.04
    after = trusted(tissue)
    assert np.flatnonzero(before != after).tolist() == [100]


def test_few_spots_give_few_patches(tissue):
    tissue.obs[keys.DISCORDANT] = True
    places = tissue.obsm["spatial"]
    assert find_similar_spots(tissue, SPOT, places, 100.0) == ((), ())


def test_patches_are_cut_where_the_spots_are(tissue):
    book = PatchBook(tissue, "default")
    left, right = book.look(49, 32), book.look(58, 32)
    assert left.pictures[49].shape == (32, 32, 3)
    assert np.median(left.close) == 40
    assert np.median(right.close) == 230
    assert set(left.pictures) == {49, *left.alike.by_molecules, *left.alike.by_image}
    assert left.share == pytest.approx(1 / 3)


def test_a_section_without_image_says_what_to_do():
    with pytest.raises(InputError, match="image of the section"):
        PatchBook(small_tissue(image=False))


def test_the_scale_is_told_in_micrometres_where_they_are_known():
    assert scale_in_words(110, 3, 0.5, 60) == (
        "Patches are 165 \N{MICRO SIGN}m wide; the ring is the spot, 55."
    )
    coarse = scale_in_words(80, 3, None, 8)
    assert "units of the coordinates" in coarse
    assert "8 pixels across a spot" in coarse
