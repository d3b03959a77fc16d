"""Which spots of a region express what it is found by."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from napari_semst.core.progress import RunControl
from napari_semst.errors import Cancelled
from napari_semst.methods.image_guided import members
from napari_semst.methods.image_guided.gene_residuals import PearsonResiduals
from napari_semst.methods.image_guided.members import (
    _standing_out,
    _told_by_usual,
    chance_outside,
)
from napari_semst.methods.image_guided.regions import Evidence, RegionFound

SIDE, GENES = 30, 300
ROW, COLUMN = np.divmod(np.arange(SIDE * SIDE), SIDE)
EVERY = np.ones(SIDE * SIDE, bool)


def touching():
    line = sparse.diags([1.0, 1.0], [-1, 1], shape=(SIDE, SIDE))
    one = sparse.identity(SIDE)
    return sparse.csr_matrix(sparse.kron(line, one) + sparse.kron(one, line))


def disc(radius, row=15, column=15):
    return np.hypot(ROW - row, COLUMN - column) <= radius


def noise(seed=0):
    values = np.random.default_rng(seed).normal(0, 1, (SIDE * SIDE, GENES))
    return values.astype(np.float32)


def outside(apart, regions, codes=None, depth=None, usable=EVERY, control=None):
    """Return chances of spots of regions, by what averages over neighbours say."""
    codes = np.zeros(SIDE * SIDE, int) if codes is None else codes
    depth = np.ones((SIDE * SIDE, 1)) if depth is None else depth
    near = touching() + sparse.identity(SIDE * SIDE)
    score = near @ (near @ np.where(usable, np.abs(apart[:, :40].mean(axis=1)), 0))
    found = [
        RegionFound(np.flatnonzero(spots & usable), 1, 9.0, 0.0, 0.0)
        for spots in regions
    ]
    genes = SimpleNamespace(of_spots=lambda spots: apart[spots].copy())
    return chance_outside(
        found,
        (Evidence(score.astype(np.float32), np.zeros((0, len(score)), np.float32)),),
        touching(),
        genes,
        SimpleNamespace(usable=usable, depth=depth),
        SimpleNamespace(sections=SimpleNamespace(codes=codes)),
        control or RunControl(),
    )


@pytest.mark.parametrize("seed", range(4))
def test_spots_that_averages_reach_are_not_of_the_region(seed):
    planted, region = disc(4), disc(6.5)
    apart = noise(seed)
    apart[planted, :40] += 0.8
    found = outside(apart, [region])
    assert np.array_equal(np.isfinite(found), region)
    assert (found[planted] < 0.5).mean() > 0.9
    assert (found[region & ~planted] < 0.5).mean() < 0.1
    # Chances are what they say: of as many as are expected to lie outside do.
    called = region & (found < 0.5)
    assert (~planted[called]).mean() < found[called].mean() + 0.06


def test_where_spots_say_nothing_for_themselves_none_is_a_member():
    region = disc(6.5)
    found = np.stack([outside(noise(seed), [region])[region] for seed in range(5)])
    # Though the middle of the region stands out by the average.
    assert (found < 0.1).mean() < 0.02


def test_a_spot_does_not_tell_what_it_is_itself_asked_for():
    region, apart = disc(6.5), noise(9)
    alone = np.flatnonzero(region)[30]
    apart[alone] *= 4
    assert outside(apart, [region])[alone] > 0.5


def test_neighbours_help_where_spots_say_little():
    planted, region = disc(5), disc(7)
    apart = noise(1)
    apart[planted, :40] += 0.45
    found = outside(apart, [region])
    called = region & (found < 0.5)
    assert called[planted].mean() > 0.85
    assert planted[called].mean() > 0.85


def test_depth_is_left_out():
    region, random = disc(6.5), np.random.default_rng(0)
    size = np.where(disc(4), 1.0, 0.0) + random.normal(0, 0.7, SIDE * SIDE)
    depth = np.column_stack([EVERY, size])
    planted = noise(3) + np.outer(size, np.repeat([1.0, 0.0], 150)).astype(np.float32)
    told = outside(planted, [region], depth=depth)[region]
    assert (told < 0.5).mean() < 0.05
    # As it would be found if it were not.
    assert (outside(planted, [region])[region] < 0.5).mean() > 0.2


def test_regions_and_sections_do_not_tell_of_each_other():
    one, other, region = disc(4, 7, 7), disc(3, 24, 22), disc(6, 7, 7)
    codes, apart = (ROW > 15).astype(int), noise(4)
    apart[one, :40] += 0.8
    apart[other, :40] -= 0.8
    both = outside(apart, [region, disc(5, 24, 22)], codes)
    changed = apart.copy()
    changed[ROW > 15] = noise(5)[ROW > 15]
    again = outside(changed, [region], codes)
    np.testing.assert_allclose(both[region], again[region], atol=1e-6)
    assert (both[other] < 0.5).mean() > 0.9


def test_spots_without_an_image_have_no_say():
    planted, region = disc(4), disc(6.5)
    apart, usable = noise(6), np.arange(SIDE * SIDE) % 11 > 0
    apart[planted, :40] += 0.8
    found = outside(apart, [region], usable=usable)
    changed = apart.copy()
    changed[~usable] = 1e3
    again = outside(changed, [region], usable=usable)
    np.testing.assert_allclose(found, again, atol=1e-6)
    assert np.isnan(found[~usable]).all()


def counted(seed, raised):
    """Return residuals of counts, of 500 in 800 genes in one spot of a thousand."""
    mean = np.tile(np.repeat([0.3, 0.001], [300, 500]), (SIDE * SIDE, 1))
    mean[np.ix_(raised, np.arange(40))] *= 2.5
    counts = np.random.default_rng(seed).poisson(mean)
    section = SimpleNamespace(
        counts_in_memory=sparse.csr_matrix(counts),
        sections=SimpleNamespace(codes=np.zeros(len(counts), int), names=("one",)),
    )
    return PearsonResiduals(section)[np.arange(len(counts))]


def test_genes_that_are_hardly_ever_counted_do_not_outweigh_the_others():
    planted, region = disc(4), disc(6.5)
    found = np.stack([outside(counted(seed, planted), [region]) for seed in range(5)])
    assert (found[:, planted] < 0.5).mean() > 0.8
    assert (found[:, region & ~planted] < 0.5).mean() < 0.2
    nothing = [outside(counted(seed, ~EVERY), [region])[region] for seed in range(5)]
    assert (np.stack(nothing) < 0.1).mean() < 0.02


def few(n_spots):
    """Return a region of a few spots that touch."""
    return np.isin(np.arange(SIDE * SIDE), [465, 466, 435, 436, 467][:n_spots])


@pytest.mark.parametrize("n_spots", [1, 2, 3, 4])
def test_where_spots_are_too_few_to_be_told_apart_none_is_a_member(n_spots):
    found = [outside(noise(seed), [few(n_spots)])[few(n_spots)] for seed in range(10)]
    assert np.mean(np.stack(found) < 0.1) < 0.1


def test_a_region_of_few_spots_that_say_much_has_members():
    apart = noise(2)
    apart[few(5), :40] += 3
    for n_spots in (3, 4, 5):
        assert (outside(apart, [few(n_spots)])[few(n_spots)] < 0.1).all()
    # Two spots show no direction, however much they say.
    assert (outside(apart, [few(2)])[few(2)] == 1).all()


def test_a_section_of_a_few_spots_has_nothing_to_tell_them_from():
    codes = np.where(few(4), 1, 0)
    assert (outside(noise(2), [few(4)], codes)[few(4)] == 1).all()


def test_what_is_usual_of_a_section_is_told_once_for_all_its_regions(monkeypatch):
    apart = noise(3)
    regions, asked = [disc(4), few(5)], []

    def counted(*given):
        asked.append(given)
        return _told_by_usual(*given)

    monkeypatch.setattr(members, "_told_by_usual", counted)
    outside(apart, regions)
    assert len(asked) == 1


def test_no_second_array_of_spots_and_genes_is_made_of_a_large_region():
    import tracemalloc

    n_spots, n_genes = 6000, 500
    size = np.random.default_rng(0).normal(0, 1, n_spots)
    depth = np.column_stack([np.ones(n_spots), size])
    genes = SimpleNamespace(
        of_spots=lambda spots: np.ones((len(spots), n_genes), np.float32)
    )
    every, none = np.ones(n_spots, bool), np.zeros(n_spots, bool)
    tracemalloc.start()
    usual = _told_by_usual(every, none, genes, depth)
    found = _standing_out(np.arange(n_spots), usual, genes, depth)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1.6 * found.nbytes


def test_a_region_that_is_all_of_its_section_is_told_too():
    apart = noise(7)
    apart[disc(10), :40] += 0.8
    found = outside(apart, [EVERY])
    assert (found[disc(10)] < 0.5).mean() > 0.9
    assert (found[~disc(10)] < 0.5).mean() < 0.1


def test_it_is_the_same_each_time_and_can_be_given_up():
    apart = noise(8)
    apart[disc(4), :40] += 0.8
    one, other = (outside(apart, [disc(6)]) for _ in range(2))
    assert one.tobytes() == other.tobytes()
    control = RunControl()
    control.cancel()
    with pytest.raises(Cancelled):
        outside(apart, [disc(6)], control=control)
