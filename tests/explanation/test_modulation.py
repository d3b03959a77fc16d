"""How strongly semantics moved domains, and what changes without it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.explanation.modulation import changed_shares, modulation_of


def test_changed_shares_match_domains_one_to_one():
    before = np.array([0, 0, 0, 0, 1, 1, 2, 2], np.int32)
    after = np.array([1, 1, 1, 0, 0, 0, 2, 1], np.int32)
    assert changed_shares(before, after) == pytest.approx([0.25, 0, 0.5])


def test_renamed_domains_have_not_changed_and_lost_ones_have():
    before = np.array([0, 0, 1, 1, 2, 2], np.int32)
    assert changed_shares(before, (before + 1) % 3).tolist() == [0, 0, 0]
    assert changed_shares(before, np.minimum(before, 1)).tolist() == [0, 0, 1]


def test_modulation_is_told_inside_and_outside_with_its_rank(tissue):
    codes = np.repeat([0, 1, -1], [100, 90, 6]).astype(np.int32)
    for shift, name in enumerate(("", "_scale", "_shift")):
        values = np.where(codes == 1, 3.0, 1.0) + shift
        tissue.obs[f"semst_modulation{name}"] = np.where(codes < 0, 99, values)
    first, second = modulation_of(tissue, codes, 2)
    assert (second["modulation_in"], second["modulation_out"]) == (3, 1)
    assert (second["scale_in"], second["shift_out"]) == (4, 3)
    assert (second["rank"], first["rank"]) == (1, 2)
    assert second["spots_moved_less"] == pytest.approx(100 / 190)
    assert first["spots_moved_less"] == 0


def test_without_modulation_nothing_is_told(tissue):
    assert modulation_of(tissue, np.zeros(196, np.int32), 1) == [{}]
