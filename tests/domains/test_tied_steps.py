import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from napari_semst.domains import tied_steps
from napari_semst.domains.k_means_starts import k_means_starts
from napari_semst.domains.mixture import (
    LONG_STEPS,
    SHORT_STEPS,
    TOLERANCE,
    fit_many_starts,
    one_hot,
    scaled,
)
from napari_semst.domains.tied_steps import climbed, component_logits, normalise_logits

_RIDGE = 1e-6


def _points(n_spots=240, width=4, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(4, width)) * 2
    return scaled(
        centres[random.integers(4, size=n_spots)] + random.normal(size=(n_spots, width))
    )


def _plain_fit(points, posterior, steps, tolerance):
    """Expectation maximisation as its textbook has it, by scipy's densities."""
    last = -np.inf
    for _ in range(steps):
        size = posterior.sum(axis=0)
        means = (posterior.T @ points) / size[:, None]
        covariance = _RIDGE * np.eye(points.shape[1])
        for k, mean in enumerate(means):
            apart = points - mean
            covariance += (posterior[:, k, None] * apart).T @ apart / len(points)
        logs = np.column_stack(
            [multivariate_normal(mean, covariance).logpdf(points) for mean in means]
        ) + np.log(size / len(points))
        evidence = logsumexp(logs, axis=1)
        posterior, likelihood = np.exp(logs - evidence[:, None]), evidence.mean()
        if likelihood - last < tolerance:
            break
        last = likelihood
    return posterior, likelihood


def _plain_winner(points, k, n_starts, random):
    runs = []
    for _ in range(n_starts):
        state = int(random.integers(2**31))
        search = KMeans(k, n_init=1, max_iter=20, random_state=state)
        start = one_hot(search.fit_predict(points), k)
        runs.append(_plain_fit(points, start, SHORT_STEPS, -np.inf))
    best = max(runs, key=lambda run: run[1])
    return _plain_fit(points, best[0], LONG_STEPS, TOLERANCE)


@pytest.mark.parametrize("k", [3, 6])
def test_the_winner_of_many_starts_is_that_of_the_plain_form(k):
    points = _points()
    found = fit_many_starts(points, k, 5, np.random.default_rng(7))
    posterior, likelihood = _plain_winner(points, k, 5, np.random.default_rng(7))
    assert found.log_likelihood == pytest.approx(likelihood, abs=1e-6)
    # Starts that end in one optimum have its components in orders of their own.
    order = linear_sum_assignment(-found.posterior.T @ posterior)[1]
    np.testing.assert_allclose(found.posterior, posterior[:, order], atol=1e-4)


def test_starts_in_one_pass_are_those_done_one_by_one(monkeypatch):
    points = _points(seed=2)
    sums, _ = k_means_starts(points, 4, [1, 2, 3], 20)
    together = climbed(points, sums, 9, _RIDGE, -np.inf)
    # In chunks as well: they are added up.
    monkeypatch.setattr(tied_steps, "_FEWEST_SPOTS", 50)
    monkeypatch.setattr(tied_steps, "_CACHED_NUMBERS", 1)
    for start, state in enumerate([1, 2, 3]):
        alone, _ = k_means_starts(points, 4, [state], 20)
        one = climbed(points, alone, 9, _RIDGE, -np.inf)
        picked = together.of_start(start)
        assert one.log_likelihood == pytest.approx(picked.log_likelihood, abs=1e-9)
        np.testing.assert_allclose(
            one.parameters.centres, picked.parameters.centres, atol=1e-7
        )


def test_many_spots_are_shared_out_among_groups_of_starts(monkeypatch):
    points = _points(seed=3)
    whole = fit_many_starts(points, 4, 5, np.random.default_rng(0))
    monkeypatch.setattr("napari_semst.domains.mixture._SPOTS_AT_ONCE", len(points) * 2)
    parted = fit_many_starts(points, 4, 5, np.random.default_rng(0))
    assert parted.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-9)
    np.testing.assert_allclose(parted.posterior, whole.posterior, atol=1e-6)


def test_spots_that_are_alike_are_still_fitted():
    alike = scaled(np.repeat(np.eye(3), 8, axis=0))
    found = fit_many_starts(alike, 5, 3, np.random.default_rng(0))
    assert np.isfinite(found.log_likelihood)
    labels = found.posterior.argmax(axis=1)
    assert len({tuple(labels[i : i + 8]) for i in (0, 8, 16)}) == 3


def test_a_step_makes_no_start_less_likely():
    points = _points(seed=4)
    sums, _ = k_means_starts(points, 5, list(range(8)), 20)
    short = climbed(points, sums, SHORT_STEPS, _RIDGE, -np.inf)
    assert np.ptp(short.log_likelihood) > 1e-4, "starts that differ"
    further = climbed(points, sums, SHORT_STEPS + 1, _RIDGE, -np.inf)
    assert (further.log_likelihood >= short.log_likelihood - 1e-9).all()


def test_logits_become_shares_and_evidence():
    random = np.random.default_rng(5)
    logits = component_logits(
        random.normal(size=(9, 3)),
        np.eye(3),
        random.normal(size=(2, 3)),
        np.array([0.25, 0.75]),
    )
    expected = logsumexp(logits, axis=0)
    evidence = normalise_logits(logits)
    np.testing.assert_allclose(evidence, expected)
    np.testing.assert_allclose(logits.sum(axis=0), 1.0)


def test_short_runs_in_single_precision_are_as_likely_as_in_double():
    points = _points(seed=6)
    sums, _ = k_means_starts(points, 5, list(range(6)), 20)
    double = climbed(points, sums, SHORT_STEPS, _RIDGE, -np.inf)
    single = climbed(points, sums, SHORT_STEPS, _RIDGE, -np.inf, np.float32)
    assert np.ptp(double.log_likelihood) > 1e-4, "starts that differ"
    np.testing.assert_allclose(single.log_likelihood, double.log_likelihood, atol=2e-6)
    assert single.sums.total.dtype == np.float64


def test_no_share_in_single_precision_is_too_small_to_be_a_normal_number():
    logits = np.array([[0.0, -1.0], [-95.0, 0.0]], np.float32)
    evidence = normalise_logits(logits)
    assert logits.min() >= np.finfo(np.float32).tiny
    assert logits[1, 0] < 1e-16
    np.testing.assert_allclose(evidence, [0.0, np.log1p(np.exp(-1.0))], rtol=1e-6)


def test_spots_on_as_few_places_as_components_are_fitted():
    """What is left of their covariance is less than single precision rounds sums by."""
    random = np.random.default_rng(0)
    places, kind = random.normal(size=(7, 30)), random.integers(7, size=3000)
    points = scaled(places[kind])
    found = fit_many_starts(points, 7, 12, np.random.default_rng(1))
    assert adjusted_rand_score(kind, found.posterior.argmax(axis=1)) == 1.0
