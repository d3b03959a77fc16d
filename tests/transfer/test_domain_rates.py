"""The rate of wrong names is that of names that are given, and of no others."""

from __future__ import annotations

import numpy as np

from napari_semst.transfer.domain_rates import domain_q_values

ALL = np.ones(4, bool)


def test_it_is_that_of_chance_and_the_mean_share_of_other_names():
    chance, other = np.full(4, 0.01), np.array([0.3, 0.0, 0.1, 0.3])
    wrong = np.array([0.175, 0.0, 0.05, 0.175])
    assert np.allclose(domain_q_values(chance, other, ALL), 0.01 + wrong)
    less_sure = np.array([0.01, 0.02, 0.03, 0.04])
    assert np.allclose(domain_q_values(less_sure, np.zeros(4), ALL), 0.04)
    assert domain_q_values(np.ones(4), np.ones(4), ALL).tolist() == [1] * 4
    assert not len(domain_q_values(np.zeros(0), np.zeros(0), np.zeros(0, bool)))


def test_domains_that_are_refused_make_no_name_surer():
    chance, other = np.full(4, 0.01), np.array([0.0, 0.0, 0.15, 0.21])
    found = domain_q_values(chance, other, np.array([False, False, True, True]))
    # Of the refused, what their names were worth, had they been given.
    assert np.allclose(found, [0.01, 0.01, 0.16, 0.01 + 0.18])
    last = domain_q_values(chance, other, np.array([True, True, True, False]))
    assert np.allclose(last, [0.01, 0.01, 0.06, 0.01 + 0.09])


def test_domains_that_are_like_a_name_by_chance_make_no_other_surer():
    chance, other = np.array([0.5, 0.01]), np.array([0.0, 0.2])
    found = domain_q_values(chance, other, np.ones(2, bool))
    assert np.allclose(found, [0.5 + 0.1, 0.02 + 0.2])


def test_the_best_set_that_holds_a_domain_counts():
    # By chance 0.05, 0 and 0.04: the third makes the second surer.
    chance, other = np.array([0.05, 0.0, 0.08 / 3]), np.array([0.0, 0.06, 0.025])
    found = domain_q_values(chance, other, np.ones(3, bool))
    assert np.allclose(found, [0.05, 0.05 + 0.085 / 3, 0.05 + 0.085 / 3])
