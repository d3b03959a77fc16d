from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from napari_semst.core import chunks
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.domains.consensus import (
    agreed,
    consensus_posterior,
    pairwise_agreement,
)
from napari_semst.domains.mixture import fit_many_starts, fit_tied, one_hot, scaled
from napari_semst.errors import Cancelled
from napari_semst.methods.base import View
from napari_semst.prepare.components import neighbour_average


def blobs(seed=0, n_spots=300, spread=1.0):
    random = np.random.default_rng(seed)
    truth = random.integers(3, size=n_spots)
    centres = np.array([[0.0, 0, 0, 0], [6, 0, 2, 0], [0, 6, 0, 2]])
    return centres[truth] + spread * random.normal(size=(n_spots, 4)), truth


def test_the_tied_mixture_is_scikit_learns():
    values, truth = blobs(spread=2.0)
    points = scaled(values)
    start = one_hot(truth, 3)
    ours = fit_tied(points, start, tolerance=1e-12, steps=2000)
    theirs = GaussianMixture(
        3,
        covariance_type="tied",
        means_init=(start.T @ points) / start.sum(0)[:, None],
        weights_init=start.mean(0),
        tol=1e-12,
        max_iter=2000,
        reg_covar=1e-6,
        random_state=0,
    ).fit(points)
    assert ours.log_likelihood == pytest.approx(theirs.score(points), abs=1e-4)
    np.testing.assert_allclose(ours.posterior, theirs.predict_proba(points), atol=1e-2)


def test_the_likelihood_never_falls():
    values, _ = blobs(3, spread=3.0)
    points = scaled(values)
    start = one_hot(np.random.default_rng(0).integers(3, size=len(points)), 3)
    curve = [fit_tied(points, start, steps).log_likelihood for steps in range(1, 25)]
    assert (np.diff(curve) > -1e-9).all()


def test_more_starts_are_never_less_likely():
    values, _ = blobs(5, spread=4.0)
    found = [
        fit_many_starts(scaled(values), 6, n, np.random.default_rng(1)).log_likelihood
        for n in (1, 8)
    ]
    assert found[1] >= found[0] - 1e-3


def test_pairwise_agreement_is_the_adjusted_rand_index():
    random = np.random.default_rng(2)
    labels = [random.integers(4, size=200) for _ in range(4)]
    labels.append((labels[0] + 1) % 4)
    table = pairwise_agreement([one_hot(label, 4) for label in labels])
    for i, one in enumerate(labels):
        for j, other in enumerate(labels):
            assert table[i, j] == pytest.approx(adjusted_rand_score(one, other))


def test_agreement_ignores_the_members_numbering():
    random = np.random.default_rng(4)
    truth = random.integers(5, size=400)
    members = []
    for _ in range(9):
        noisy = np.where(
            random.uniform(size=400) < 0.3, random.integers(5, size=400), truth
        )
        members.append(one_hot(random.permutation(5)[noisy], 5))
    mean = agreed(members)
    assert adjusted_rand_score(truth, mean.argmax(1)) > 0.95
    assert adjusted_rand_score(truth, members[0].argmax(1)) < 0.7
    np.testing.assert_allclose(mean.sum(1), 1)
    right = (
        mean.argmax(1)
        == np.bincount(truth * 5 + mean.argmax(1), minlength=25)
        .reshape(5, 5)
        .argmax(1)[truth]
    )
    assert mean.max(1)[right].mean() > mean.max(1)[~right].mean() or right.all()


def section_of_bands():
    points = np.argwhere(np.ones((20, 20))).astype(float)
    truth = (points[:, 0] // 7).astype(int)
    random = np.random.default_rng(6)
    values = np.eye(3)[truth] * 1.5 + random.normal(size=(400, 3))
    noise = random.normal(size=(400, 27)) * 0.3
    return points, truth, np.hstack([values, noise]).astype(np.float32)


def run(view, points, control=None, seed=0):
    average = neighbour_average(points, 4)
    return consensus_posterior([view], average, 1, 3, 2, seed, control or RunControl())


def test_views_are_averaged_in_space_only_where_asked():
    points, truth, values = section_of_bands()
    smooth = run_to_end(run(View(values, smooth=True), points))
    plain = run_to_end(run(View(values, smooth=False), points))
    found = [adjusted_rand_score(truth, p.argmax(1)) for p in (smooth, plain)]
    assert found[0] > 0.7
    assert found[0] > found[1] + 0.1


def test_the_same_seed_gives_the_same_posterior():
    points, _, values = section_of_bands()
    first, second = (
        run_to_end(run(View(values, smooth=True), points)) for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_cancel_ends_it_between_members():
    points, _, values = section_of_bands()
    control = RunControl()
    steps = run(View(values, smooth=True), points, control)
    next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(steps)


def test_a_sample_of_spots_gives_nearly_the_same_domains(monkeypatch):
    points, truth, values = section_of_bands()
    whole = run_to_end(run(View(values, smooth=True), points))
    monkeypatch.setattr(chunks, "FITTED_SPOTS", 150)
    part = run_to_end(run(View(values, smooth=True), points))
    assert part.shape == whole.shape
    assert not np.array_equal(part, whole)
    assert adjusted_rand_score(part.argmax(1), whole.argmax(1)) > 0.6
    assert adjusted_rand_score(truth, part.argmax(1)) > 0.6


def test_predicting_the_fitted_spots_repeats_their_posterior():
    values, truth = blobs(7, spread=2.0)
    points = scaled(values)
    member = fit_tied(points, one_hot(truth, 3))
    np.testing.assert_allclose(member.predict(points), member.posterior, atol=1e-5)
