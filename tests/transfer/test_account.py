"""Warnings of a transfer say why a domain has no name."""

from __future__ import annotations

import numpy as np

from napari_semst.transfer.account import remarks_of_names
from napari_semst.transfer.null import NONE, GroupNames
from napari_semst.transfer.target import TargetDomains


def names(q: list[float], best: list[int], likeness: list[float], fit: float = 0.5):
    ranked = np.tile([1, 0], (len(q), 1))
    scores = np.column_stack([np.zeros(len(q)), likeness]).astype(np.float32)
    values = np.array(q)
    return GroupNames(np.array(best), ranked, scores, values, values, fit)


def domains(*of: str) -> TargetDomains:
    return TargetDomains("domain", np.zeros(3, np.int32), of, None)


def test_domains_that_are_sure_but_refused_are_told_by_reason():
    found = names([0.01, 0.02, 0.03, 0.5], [1, NONE, NONE, NONE], [0.6, 0.1, 0.3, 0.4])
    unlike, outdone = remarks_of_names(found, domains("a", "b", "c", "d"), 0.1)
    assert unlike.endswith("less than 0.2, which is too little for the name: b.")
    assert outdone.endswith("as another domain, and so not given it: c.")
    named = names([0.01, 0.5], [1, NONE], [0.6, 0.1])
    assert remarks_of_names(named, domains("a", "b"), 0.1) == []


def test_a_section_of_another_tissue_is_told_alone():
    found = names([0.01, 0.01], [NONE, NONE], [0.1, 0.3], fit=0.02)
    (said,) = remarks_of_names(found, domains("a", "b"), 0.1)
    assert "another tissue" in said
