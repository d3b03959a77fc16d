"""Every source on one scale."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.errors import SemanticsError
from napari_semst.semantics import standardise


def test_columns_have_mean_zero_and_deviation_one() -> None:
    values = np.random.default_rng(0).normal(5, 3, size=(200, 4)).astype(np.float32)
    found = standardise(values)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-5)
    assert found.dtype == np.float32


def test_the_scale_and_place_of_the_source_do_not_matter() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_allclose(
        standardise(values), standardise(values * 40 - 7), atol=1e-5
    )


def test_constant_columns_become_zero() -> None:
    values = np.full((5, 3), 0.1, dtype=np.float32)
    values[:, 1] = 0
    values[:, 2] = np.arange(5)
    found = standardise(values)
    np.testing.assert_array_equal(found[:, :2], 0)
    assert found[:, 2].std() > 0.9


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (1, 3)])
def test_nothing_to_scale_stays_in_shape(shape: tuple[int, int]) -> None:
    found = standardise(np.ones(shape))
    assert found.shape == shape
    assert not found.any()


@pytest.mark.parametrize(
    "bad", [np.ones(3), np.array([[np.nan]]), np.array([[np.inf]])]
)
def test_what_cannot_be_scaled_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(SemanticsError, match="finite embedding"):
        standardise(bad)
