"""Sections that differ by a shift are brought together, whatever one of them lacks."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.core.sections import Sections
from napari_semst.prepare import align_sections as mutual
from napari_semst.prepare.align_sections import align_sections, mutual_neighbours

CENTRES = np.array([[0.0, 0, 0], [8, 0, 0], [0, 8, 0], [0, 0, 8]])


def kinds(random, which, n=60):
    """Return spots of some kinds, and the kind of each."""
    kind = np.repeat(which, n)
    return CENTRES[kind] + random.normal(size=(len(kind), 3)), kind


def shifted_sections(lacking=()):
    """Return three sections, the later two moved, and the way back for each."""
    random = np.random.default_rng(0)
    values, kind, codes = [], [], []
    moves = np.array([[0.0, 0, 0], [3, -2, 1], [-2, 3, 2]])
    for code, move in enumerate(moves):
        which = [k for k in range(4) if not (code == 1 and k in lacking)]
        spots, own = kinds(random, which, 80 if code == 0 else 60)
        values.append(spots + move)
        kind.append(own)
        codes.append(np.full(len(own), code))
    joined = np.concatenate(values).astype(np.float32)
    sections = Sections(np.concatenate(codes).astype(np.int32), ("a", "b", "c"))
    return joined, np.concatenate(kind), sections, -moves


@pytest.mark.parametrize("lacking", [(), (3,), (0, 2)])
def test_a_shift_is_found_whatever_a_section_lacks(lacking):
    values, kind, sections, back = shifted_sections(lacking)
    found = align_sections((values, 2 * values), (values, 2 * values), sections, 0)
    np.testing.assert_allclose(found.shifts[0], back, atol=0.7)
    np.testing.assert_allclose(found.shifts[1], 2 * found.shifts[0], rtol=1e-3)
    pairs = found.pairs.tocoo()
    assert (kind[pairs.row] == kind[pairs.col]).mean() > 0.97
    assert (sections.codes[pairs.row] != sections.codes[pairs.col]).all()
    assert (found.pairs != found.pairs.T).nnz == 0
    assert found.paired[0] == 1
    assert (found.paired[1:] > 0.3).all()


def test_a_sample_of_large_sections_finds_the_same_shift(monkeypatch):
    values, _, sections, back = shifted_sections()
    monkeypatch.setattr(mutual, "COMPARED_SPOTS", 150)
    found = align_sections((values,), (values,), sections, 0)
    np.testing.assert_allclose(found.shifts[0], back, atol=1.0)
    assert (found.paired <= 1).all()


def test_equal_sections_stay_where_they_are():
    random = np.random.default_rng(1)
    values = np.concatenate([kinds(random, range(4))[0] for _ in range(2)])
    sections = Sections(np.repeat([0, 1], 240).astype(np.int32), ("a", "b"))
    found = align_sections((values,), (values,), sections, 0)
    assert np.abs(found.shifts[0]).max() < 0.5


def test_mutual_neighbours_are_near_from_both_sides():
    first = np.array([[0.0], [1.0], [10.0]], np.float32)
    second = np.array([[0.1], [1.8]], np.float32)
    pairs = set(zip(*map(tuple, mutual_neighbours(first, second, 1)), strict=True))
    # 10 is nearest to 1.8, but 1.8 is nearer to 1.
    assert pairs == {(0, 0), (1, 1)}


def test_what_is_laid_upon_others_moves_none_of_them():
    values, _, sections, _ = shifted_sections()
    first = np.array([False, True, True])
    found = align_sections((values,), (values,), sections, 0, first)
    # The largest is not among the first, and is laid upon them.
    assert not found.shifts[0][1].any()
    assert found.shifts[0][0].any()
    other = np.where(sections.codes[:, None] == 0, values[::-1], values)
    again = align_sections((other,), (other,), sections, 0, first)
    np.testing.assert_array_equal(found.shifts[0][1:], again.shifts[0][1:])


def test_of_sections_of_one_size_names_decide_which_is_the_frame():
    random = np.random.default_rng(1)
    parts = [kinds(random, range(4))[0] + move for move in (0, 2)]
    codes = np.repeat([0, 1], 240).astype(np.int32)
    for order, names in (((0, 1), ("a", "b")), ((1, 0), ("b", "a"))):
        values = np.concatenate([parts[one] for one in order])
        found = align_sections((values,), (values,), Sections(codes, names), 0)
        moved = dict(zip(names, found.shifts[0], strict=True))
        assert not moved["a"].any()
        assert moved["b"].any()
