"""Who touches whom, area, thickness and distance to the border, on known shapes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.errors import InputError
from napari_semst.explore.labels import Labels
from napari_semst.explore.neighbourhoods import (
    border_zone,
    expression_along,
    near_border,
    neighbourhoods,
)

SIDE = 40


def named(codes):
    n = int(codes.max()) + 1
    names = tuple("abcdefgh"[:n])
    return Labels(np.asarray(codes, np.int32), names, ("#000000",) * n)


def square(pitch=10.0):
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    return x, y, np.stack([x, y], axis=1) * pitch


def hexagons(pitch=10.0):
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    places = np.stack([x + 0.5 * (y % 2), y * np.sqrt(3) / 2], axis=1) * pitch
    return x, y, places


def bands(y):
    """Four layers of ten rows."""
    return named(np.minimum(y // 10, 3))


@pytest.mark.parametrize("lattice", [square, hexagons])
def test_layers_touch_those_beside_them_and_no_others(lattice):
    _, y, places = lattice()
    found = neighbourhoods(bands(y), places)
    touch = found.contacts > 0
    beside = np.abs(np.subtract.outer(range(4), range(4))) <= 1
    np.testing.assert_array_equal(touch, beside)
    assert (found.p_more[touch & ~np.eye(4, dtype=bool)] < 0.01).sum() >= 4
    assert (found.p_more[~touch] > 0.9).all()
    assert {name for name, _, _ in found.touching("b")} == {"a", "c"}
    # A border of two layers on a square lattice is as long as the section is wide.
    if lattice is square:
        assert found.contacts[0, 1] == SIDE


@pytest.mark.parametrize("lattice", [square, hexagons])
@pytest.mark.parametrize("pitch", [1e-3, 55.0])
def test_area_and_thickness_are_those_of_the_layers(lattice, pitch):
    _, y, places = lattice(pitch)
    found = neighbourhoods(bands(y), places)
    row = pitch if lattice is square else pitch * np.sqrt(3) / 2
    tile = pitch * row
    np.testing.assert_allclose(found.area, 400 * tile)
    # The inner layers have a border on both sides.
    np.testing.assert_allclose(found.thickness[1:3], 10 * row, rtol=0.15)
    assert np.nanmin(found.distance) >= 0


def test_scattered_cells_have_the_area_that_they_cover():
    random = np.random.default_rng(0)
    places = random.uniform(0, 1000, (4000, 2))
    codes = (places[:, 0] > 300).astype(int)
    found = neighbourhoods(named(codes), places)
    assert found.area.sum() == pytest.approx(1e6, rel=0.25)
    assert found.area[0] / found.area.sum() == pytest.approx(0.3, abs=0.03)


def test_domains_that_lie_at_random_do_not_touch_more_than_by_chance():
    _, _, places = square()
    codes = np.random.default_rng(1).integers(0, 4, SIDE * SIDE)
    found = neighbourhoods(named(codes), places)
    others = ~np.eye(4, dtype=bool)
    ratio = found.contacts[others] / found.expected[others]
    assert ratio.std() < 0.1
    assert np.nanmedian(found.p_more) > 0.05


def test_it_is_the_same_each_time_and_symmetric():
    _, y, places = hexagons()
    first, second = (neighbourhoods(bands(y), places, seed=2) for _ in range(2))
    for name in ("contacts", "expected", "p_more"):
        one = getattr(first, name)
        np.testing.assert_array_equal(one, getattr(second, name))
        np.testing.assert_array_equal(one, one.T)


def test_spots_of_two_sections_do_not_touch():
    _, y, places = square()
    codes = np.where(y < 20, 0, 1)
    apart = neighbourhoods(named(codes), places, sections=np.where(y < 20, 0, 1))
    assert apart.contacts[0, 1] == 0
    assert np.isnan(apart.distance).all()
    assert np.isnan(apart.thickness).all()


def test_spots_without_a_name_are_no_tissue():
    _, y, places = square()
    codes = np.where(y < 15, 0, np.where(y < 25, -1, 1))
    found = neighbourhoods(named(codes), places)
    assert found.contacts[0, 1] == 0
    assert np.isnan(found.distance[codes < 0]).all()
    with pytest.raises(InputError, match="two domains"):
        neighbourhoods(named(np.where(codes < 1, -1, 1)), places)


def test_expression_along_the_distance_and_spots_at_the_border():
    _, y, places = square()
    labels = bands(y)
    found = neighbourhoods(labels, places)
    inside = labels.codes == 0
    values = np.where(found.distance < 20, 5.0, 1.0)
    away, mean, error = expression_along(values, found.distance, inside)
    assert (np.diff(away) >= 0).all()
    assert (mean[0], mean[-1]) == (5.0, 1.0)
    assert (error >= 0).all()
    near, rest = near_border(found, labels, "a", 20.0)
    assert near.sum() == 2 * SIDE
    assert (near | rest)[inside].all()
    assert not (near & rest).any()


def test_the_zone_at_a_border_is_a_share_of_the_domain():
    _, y, places = square()
    labels = bands(y)
    found = neighbourhoods(labels, places)
    own = labels.codes == 1
    near, rest = border_zone(found, labels, "b", 0.25)
    assert ((near | rest) == own).all()
    assert not (near & rest).any()
    assert near.sum() >= 0.25 * own.sum()
    assert found.distance[near].max() < found.distance[rest].min()
    with pytest.raises(InputError, match="one spot thick"):
        border_zone(found, labels, "b", 1.0)
