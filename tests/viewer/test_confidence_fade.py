from __future__ import annotations

import numpy as np

from napari_semst.viewer.confidence_fade import (
    FAINTEST,
    SURE,
    UNSURE,
    fade_colours,
    kept_opacity,
)


def test_strength_rises_between_unsure_and_sure_and_stays_beyond():
    middle = (SURE + UNSURE) / 2
    kept = kept_opacity(np.array([0.0, UNSURE, middle, SURE, 1.0, np.nan]))
    half = FAINTEST + (1 - FAINTEST) / 2
    expected = [FAINTEST, FAINTEST, half, 1.0, 1.0, FAINTEST]
    np.testing.assert_allclose(kept, expected, atol=1e-6)


def test_fading_takes_opacity_only_and_leaves_the_colours_given_alone():
    rgba = np.array([[1, 0, 0, 1], [0, 1, 0, 0.5]], np.float32)
    before = rgba.copy()
    result = fade_colours(rgba, np.array([0.25, 0.5], np.float32))
    np.testing.assert_array_equal(rgba, before)
    np.testing.assert_array_equal(result[:, :3], rgba[:, :3])
    np.testing.assert_allclose(result[:, 3], [0.25, 0.25])
