"""Random connected domains."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from napari_semst.core.sections import Sections
from napari_semst.explanation.random_domains import make_patches, random_domains
from napari_semst.prepare.graphs import nearest_graph


def lattice(rows, columns):
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.column_stack([column, row]).astype(float)


@pytest.fixture
def square():
    places = lattice(20, 20)
    sections = Sections.one(len(places))
    return make_patches(places, sections, nearest_graph(places, 4))


def spots_of(patches, wanted, n_draws, seed=0):
    """Return the spots of each domain of each draw: sums over an identity matrix."""
    each = np.eye(len(patches.size), dtype=np.float32)
    return np.concatenate(list(random_domains(patches, each, wanted, n_draws, seed)))


def test_every_spot_is_in_one_domain_and_sizes_are_as_wanted(square):
    wanted = np.array([[100, 250, 50]])
    inside = spots_of(square, wanted, 30)
    assert (inside.sum(axis=1) == 1).all()
    assert (inside.sum(axis=2) == wanted).all()


def test_most_of_a_domain_hangs_together(square):
    wanted = np.array([[100, 250, 50]])
    for draw in spots_of(square, wanted, 10):
        for domain in draw:
            spots = np.flatnonzero(domain)
            graph = square.touching[spots][:, spots]
            _, piece = connected_components(graph, directed=False)
            # Spots strewn at random would leave no piece of a quarter.
            assert np.bincount(piece).max() > 0.4 * len(spots)


def test_the_same_seed_gives_the_same_domains_and_another_does_not(square):
    wanted = np.array([[200, 200]])
    one, again, other = (spots_of(square, wanted, 5, seed) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one[0], one[1])


def test_domains_keep_their_sizes_inside_every_section():
    places = np.vstack([lattice(10, 10), lattice(8, 10)])
    codes = np.repeat([0, 1], [100, 80]).astype(np.int32)
    sections = Sections(codes, ("a", "b"))
    touching, _ = sections.inside(lambda s: (nearest_graph(places[s], 4), ""))
    patches = make_patches(places, sections, touching)
    wanted = np.array([[30, 70, 0], [10, 0, 70]])
    inside = spots_of(patches, wanted, 5)
    for section, sizes in enumerate(wanted):
        assert (inside[:, :, codes == section].sum(axis=2) == sizes).all()


def test_many_spots_are_gathered_into_patches_of_neighbours():
    places = lattice(60, 60)
    codes = np.repeat([0, 1], 1800).astype(np.int32)
    sections = Sections(codes, ("a", "b"))
    touching, _ = sections.inside(lambda s: (nearest_graph(places[s], 4), ""))
    patches = make_patches(places, sections, touching, most=200)
    n = len(patches.size)
    assert 100 < n < 400
    assert patches.size.sum() == 3600
    assert (patches.section[patches.of_spot] == codes).all()
    assert patches.touching.diagonal().sum() == 0
    for patch in range(0, n, 17):
        spread = np.ptp(places[patches.of_spot == patch], axis=0)
        assert (spread < 12).all()
    wanted = np.array([[900, 900], [900, 900]])
    sums = np.asarray(patches.size, np.float32)[:, None]
    (inside,) = random_domains(patches, sums, wanted, 20, 0)
    assert (inside.sum(axis=1) == 3600).all()
    # As near as whole patches allow.
    assert np.abs(inside[..., 0] - 1800).max() <= 4 * patches.size.max()
