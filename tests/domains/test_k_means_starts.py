import numpy as np
from sklearn.cluster import KMeans

from napari_semst.domains.k_means_starts import _nearest_sums, k_means_starts
from napari_semst.domains.mixture import one_hot, scaled
from napari_semst.domains.tied_steps import sums_of, with_ones


def _points(n_spots=300, width=6, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(5, width)) * 1.5
    return scaled(
        centres[random.integers(5, size=n_spots)] + random.normal(size=(n_spots, width))
    )


def test_every_start_is_that_of_scikit_learn():
    points, states = _points(), [3, 2**31 - 1, 11, 12]
    for iterations in (1, 20):
        sums, sound = k_means_starts(points, 6, states, iterations)
        assert sound.all()
        for start, state in enumerate(states):
            search = KMeans(6, n_init=1, max_iter=iterations, random_state=state)
            expected = sums_of(points, one_hot(search.fit_predict(points), 6))
            np.testing.assert_array_equal(sums.size[start], expected.size[0])
            np.testing.assert_allclose(sums.total[start], expected.total[0], atol=1e-9)


def test_a_start_does_not_depend_on_those_beside_it():
    points = _points(seed=1)
    together, _ = k_means_starts(points, 4, [5, 6, 7], 20)
    alone, _ = k_means_starts(points, 4, [7], 20)
    np.testing.assert_array_equal(together.size[2:], alone.size)
    np.testing.assert_allclose(together.total[2:], alone.total, atol=1e-9)


def test_starts_with_clusters_that_are_empty_or_alike_are_told():
    alike = scaled(np.repeat(np.eye(3), 8, axis=0))
    _, sound = k_means_starts(alike, 5, [0, 1], 20)
    assert not sound.any()
    _, sound = k_means_starts(np.zeros((12, 2)), 3, [0], 20)
    assert not sound.any()
    _, sound = k_means_starts(alike, 3, [0, 1], 20)
    assert sound.all()


def test_a_spot_between_two_centres_is_of_the_first():
    points = np.array([[-1.0], [0.0], [1.0]] * 4)
    sums = _nearest_sums(with_ones(points, np.float32), np.array([[[-1.0], [1.0]]]))
    np.testing.assert_array_equal(sums.size, [[8.0, 4.0]])
    np.testing.assert_array_equal(sums.total[..., 0], [[-4.0, 4.0]])


def test_starts_in_single_precision_are_those_in_double():
    points = _points(seed=5)
    double, _ = k_means_starts(points, 5, [1, 2, 3, 4], 20)
    single, sound = k_means_starts(points, 5, [1, 2, 3, 4], 20, np.float32)
    assert sound.all()
    np.testing.assert_allclose(single.size, double.size, atol=1)
    np.testing.assert_allclose(single.total, double.total, atol=5)
