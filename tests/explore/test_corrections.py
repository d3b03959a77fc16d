"""Spots like those that were corrected follow them, and no others."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.explore import corrections
from napari_semst.explore.annotate import Annotator
from napari_semst.explore.corrections import (
    corrections_of,
    refine_column,
    refine_labels,
)
from napari_semst.explore.labels import Labels, write_labels

SIDE = 30


class Section:
    """A square of two halves by the latent, in domains that cut it across."""

    def __init__(self, seed=0, copies=1):
        random = np.random.default_rng(seed)
        y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
        self.places = np.stack([x, y], axis=1) * 100.0
        self.truth = (x >= SIDE // 2).astype(np.int32)
        # A domain of the upper third that is right, and one of the rest that is not.
        self.codes = np.where(y < SIDE // 3, 0, 1).astype(np.int32)
        self.truth[y < SIDE // 3] = 2
        means = random.normal(size=(3, 8))
        self.latent = means[self.truth] + random.normal(0, 0.15, (SIDE * SIDE, 8))
        self.wrong = (y >= SIDE // 3) & (self.truth == 0)
        self.random = random

    def before(self):
        return Labels(self.codes, ("top", "rest"), ("#000000", "#ffffff"))

    def corrected(self, count=12):
        """Some of the wrong spots get a name of their own."""
        spots = np.zeros(len(self.codes), bool)
        spots[self.random.choice(np.flatnonzero(self.wrong), count, False)] = True
        return self.before().assigned(spots, "left"), spots

    def refined(self, **more):
        now, spots = self.corrected()
        given = corrections_of(self.before(), now)
        return refine_labels(given, self.latent, self.places, **more), spots


def test_spots_like_the_corrected_ones_follow():
    section = Section()
    refined, spots = section.refined()
    codes = refined.labels.codes
    assert adjusted_rand_score(section.truth, section.codes) < 0.6
    assert adjusted_rand_score(section.truth, codes) > 0.9
    assert (codes[spots] == 2).all()
    assert not refined.changed[spots].any()
    assert refined.changed.sum() == (codes != section.codes).sum() - spots.sum()
    assert refined.labels.names == ("top", "rest", "left")


@pytest.mark.parametrize("width", [1, 3])
def test_the_only_correction_of_a_domain_does_not_take_all_of_it(width):
    section = Section()
    # All spots are alike: nothing but places says how far a correction reaches.
    section.latent = np.zeros_like(section.latent)
    section.latent[:, 0] = section.codes
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    painted = (x < width) & (y >= SIDE - width)
    now = section.before().assigned(painted, "left")
    given = corrections_of(section.before(), now)
    refined = refine_labels(given, section.latent, section.places)
    assert refined.changed.sum() < 0.2 * SIDE * SIDE
    far = x - y > SIDE // 3
    assert not refined.changed[far].any()


def test_a_domain_without_corrections_stays_as_it_is():
    section = Section()
    refined, _ = section.refined()
    top = section.codes == 0
    assert (refined.labels.codes[top] == 0).all()
    assert (refined.sure[top] == 1).all()
    assert refined.sure.min() > 0
    # On the border between what follows and what does not it is less sure.
    assert refined.sure[~top].min() < 0.9


def test_it_is_the_same_each_time_also_where_spots_are_drawn(monkeypatch):
    monkeypatch.setattr(corrections, "_MOST", 60)
    first, second = (Section().refined(seed=3)[0] for _ in range(2))
    np.testing.assert_array_equal(first.labels.codes, second.labels.codes)
    np.testing.assert_array_equal(first.sure, second.sure)
    section = Section()
    assert adjusted_rand_score(section.truth, first.labels.codes) > 0.85


@pytest.mark.parametrize("factor", [1e-4, 1.0, 1e5])
def test_units_and_places_on_the_canvas_do_not_matter(factor):
    section, other = Section(), Section()
    other.places = other.places * factor + 7
    other.latent = other.latent * 3 - 1
    same = section.refined()[0].labels.codes == other.refined()[0].labels.codes
    assert same.mean() > 0.995  # but for what rounding decides


def test_corrections_stay_in_their_section():
    section = Section()
    now, _ = section.corrected()
    n = len(section.codes)
    before = Labels(np.tile(section.codes, 2), now.names[:2], now.colors[:2])
    both = Labels(np.concatenate([now.codes, section.codes]), now.names, now.colors)
    refined = refine_labels(
        corrections_of(before, both),
        np.tile(section.latent, (2, 1)),
        np.tile(section.places, (2, 1)),
        np.repeat([0, 1], n),
    )
    assert refined.changed[:n].sum() > 100
    assert not refined.changed[n:].any()


def test_a_merge_or_a_new_name_for_all_is_taken_as_it_is():
    section = Section()
    merged = section.before().merged(["top", "rest"])
    renamed = section.before().renamed("rest", "white matter")
    for now in (merged, renamed):
        with pytest.raises(InputError, match="another name than the rest"):
            corrections_of(section.before(), now)
    spots = np.zeros(len(section.codes), bool)
    spots[np.flatnonzero(section.wrong)[::40]] = True
    given = corrections_of(section.before(), renamed.assigned(spots, "left"))
    np.testing.assert_array_equal(given.corrected, spots)
    refined = refine_labels(given, section.latent, section.places)
    assert set(refined.labels.names) >= {"white matter", "left"}


def test_spots_without_a_name_have_none_afterwards():
    section = Section()
    now, _ = section.corrected()
    bare = np.zeros(len(section.codes), bool)
    bare[::7] = True
    now = now.assigned(bare, None)
    refined = refine_labels(
        corrections_of(section.before(), now), section.latent, section.places
    )
    assert (refined.labels.codes[bare] == -1).all()


@pytest.mark.parametrize("width", [1, 2, 40])
def test_any_width_of_latent_and_a_flat_dimension(width):
    section = Section()
    latent = np.zeros((len(section.codes), width))
    latent[:, 0] = section.truth
    section.latent = latent
    refined, _ = section.refined()
    assert np.isfinite(refined.sure).all()
    assert adjusted_rand_score(section.truth, refined.labels.codes) > 0.9


class TestColumns:
    @pytest.fixture
    def tissue(self):
        section = Section()
        tissue = anndata.AnnData(np.ones((len(section.codes), 3), np.float32))
        tissue.obsm["spatial"] = section.places
        tissue.obsm[keys.LATENT] = section.latent.astype(np.float32)
        write_labels(tissue, "semst_domain_default", section.before())
        tissue.uns[keys.LATEST] = "default"
        self.section, self.spots = section, section.corrected()[1]
        return tissue

    def test_a_column_knows_what_it_began_as(self, tissue):
        column = Annotator(tissue).edit(
            "semst_domain_default", lambda labels: labels.assigned(self.spots, "left")
        )
        before = tissue.copy()
        refined = refine_column(tissue, column)
        codes = refined.labels.codes
        assert adjusted_rand_score(self.section.truth, codes) > 0.9
        assert list(tissue.obs) == list(before.obs)
        again = refine_column(tissue, column, "semst_domain_default")
        np.testing.assert_array_equal(again.labels.codes, codes)

    def test_what_cannot_be_refined_says_why(self, tissue):
        with pytest.raises(InputError, match="corrected copy"):
            refine_column(tissue, "semst_domain_default")
        column = Annotator(tissue).edit(
            "semst_domain_default", lambda labels: labels.assigned(self.spots, "left")
        )
        del tissue.obsm[keys.LATENT]
        with pytest.raises(InputError, match="Find domains first"):
            refine_column(tissue, column)
