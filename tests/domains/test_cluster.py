from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_semst.domains.cluster import largest_first


@given(arrays(np.int64, st.integers(1, 60), elements=st.integers(-3, 9)))
def test_renumbering_keeps_the_partition_and_sorts_by_size(labels):
    codes = largest_first(labels)
    assert len(np.unique(np.column_stack([labels, codes]), axis=0)) == len(
        np.unique(labels)
    )
    sizes = np.bincount(codes)
    assert (np.diff(sizes) <= 0).all()
    assert codes.min() == 0


def test_ties_follow_the_order_of_appearance():
    assert largest_first(np.array([7, 7, 2, 2, 5])).tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("labels", [[4], [4, 4, 4]])
def test_one_domain(labels):
    assert largest_first(np.array(labels)).tolist() == [0] * len(labels)
