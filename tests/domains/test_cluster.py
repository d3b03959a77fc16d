from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_semst.config import DomainsConfig
from napari_semst.core.progress import Progress, RunControl, run_to_end
from napari_semst.core.sections import Sections
from napari_semst.domains import cluster
from napari_semst.domains.cluster import assign_domains, largest_first
from napari_semst.methods.base import Fit, View
from napari_semst.prepare.components import neighbour_average


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


def test_confidence_is_asked_about_the_codes_and_the_share_behind_them(monkeypatch):
    values, places = bands()
    asked = {}

    def recorded(views, section, codes, share, seed, control):
        asked.update(codes=codes, share=share)
        yield Progress("assign", 0, 0, "")
        return np.full(len(codes), 0.25, np.float32)

    monkeypatch.setattr(cluster, "spot_confidence", recorded)
    found = assigned(values, places)
    np.testing.assert_array_equal(asked["codes"], found.codes)
    assert (asked["share"] > 0.5).mean() > 0.9
    assert (found.confidence == 0.25).all()


def test_the_share_is_that_of_the_refined_domain(monkeypatch):
    values, places = bands()
    asked = {}

    def turned(posterior, views, section, rounds, seed, control):
        asked.update(posterior=posterior, rounds=rounds)
        yield Progress("assign", 0, 0, "")
        labels = posterior.argmax(axis=1)
        labels[20] = 1 - labels[20]
        return labels

    def recorded(views, section, codes, share, seed, control):
        asked.update(share=share)
        yield Progress("assign", 0, 0, "")
        return share

    monkeypatch.setattr(cluster, "refined", turned)
    monkeypatch.setattr(cluster, "spot_confidence", recorded)
    codes = assigned(values, places).codes
    assert codes[20] != codes[19]
    assert asked["rounds"] == DomainsConfig().refine
    assert asked["share"][20] == asked["posterior"][20].min()
    np.testing.assert_array_equal(asked["share"][21:], asked["posterior"][21:].max(1))


def test_spots_between_two_domains_are_less_sure():
    values, places = bands()
    found = assigned(values, places)
    assert found.confidence[145:155].mean() < found.confidence[20:130].mean()


def bands():
    """Return values and places of 300 spots in a row, two bands of 150."""
    random = np.random.default_rng(0)
    values = random.normal(size=(300, 4)).astype(np.float32)
    values[:, 0] += np.repeat([0, 6], 150)
    return values, np.column_stack([np.arange(300.0), random.random(300)])


def assigned(values, places):
    section = SimpleNamespace(
        average=neighbour_average(places, 4),
        smoothing_rounds=1,
        n_spots=len(places),
        coordinates=places,
        sections=Sections.one(len(places)),
    )
    config = DomainsConfig(n_domains=2, n_starts=1)
    fit = Fit(values, (View(values, smooth=True),))
    return run_to_end(assign_domains(fit, section, config, 0, RunControl()))
