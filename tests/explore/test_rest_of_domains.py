from __future__ import annotations

import numpy as np
import pytest

from napari_semst.errors import InputError
from napari_semst.explore.markers import rest_of_domains


def test_spots_are_compared_inside_the_domains_that_most_of_them_lie_in():
    codes = np.repeat([0, 1, 2, -1], 20)
    inside = np.zeros(80, bool)
    inside[:15] = True  # domain 0
    inside[20] = True  # one alone in domain 1
    inside[60:64] = True  # without a domain
    these, rest = rest_of_domains(inside, codes)
    assert np.flatnonzero(these).tolist() == list(range(15))
    assert np.flatnonzero(rest).tolist() == list(range(15, 20))


def test_without_domains_there_is_no_rest():
    with pytest.raises(InputError, match="none of them does"):
        rest_of_domains(np.ones(3, bool), np.full(3, -1))
