"""What is built inside sections stays inside, however their spots are ordered."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.config import PrepareConfig
from napari_semst.core.sections import Sections
from napari_semst.errors import InputError
from napari_semst.prepare.section import check_sizes, spatial_neighbours

ORDERS = {
    "one after the other": np.repeat([0, 1], 100),
    "mixed": np.tile([0, 1], 100),
    "backwards": np.repeat([1, 0], 100),
}


def grid(n=10):
    return np.stack(np.meshgrid(np.arange(n), np.arange(n)), -1).reshape(-1, 2) * 1.0


@pytest.fixture(params=ORDERS.values(), ids=ORDERS)
def two(request):
    codes = request.param.astype(np.int32)
    places = np.empty((200, 2))
    # The second has another unit: neighbours are found in each one's own.
    for code, unit in enumerate((1.0, 50.0)):
        places[codes == code] = grid() * unit
    return Sections(codes, ("first", "second")), places


def test_neighbours_are_those_of_every_section_alone(two):
    sections, places = two
    config = PrepareConfig()
    spatial, told, average, near = spatial_neighbours(places, config, sections)
    assert "inside every section" in told
    assert near == 4
    for spots in sections.spots():
        one = spatial_neighbours(places[spots], config, Sections.one(len(spots)))
        assert (spatial[spots][:, spots] != one[0]).nnz == 0
        np.testing.assert_allclose(
            average[spots][:, spots].toarray(), one[2].toarray(), rtol=1e-6
        )
    first, second = sections.spots()
    assert spatial[first][:, second].nnz == average[first][:, second].nnz == 0
    np.testing.assert_allclose(average.sum(axis=1), 1.0, rtol=1e-5)


def test_small_sections_are_named_in_the_error():
    codes = np.array([0] * 20 + [1] * 9, np.int32)
    with pytest.raises(InputError, match="9 in 'tiny'"):
        check_sizes(Sections(codes, ("large", "tiny")))
