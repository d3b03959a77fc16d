"""What users must be able to trust: no labels used, seeds kept, nothing changed."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled
from napari_semst.pipeline.run import attach, find_domains
from tests.conftest import banded_tissue
from tests.small import WAYS, fingerprint, found, named, short, walked


def removed(tissue):
    del tissue.obs["ground_truth"]


def permuted(tissue):
    random = np.random.default_rng(0)
    tissue.obs["ground_truth"] = random.permutation(tissue.obs["ground_truth"])


def nonsense(tissue):
    tissue.obs["ground_truth"] = np.nan
    tissue.obs["cell_type"] = pd.Categorical(["a", "b"] * (tissue.n_obs // 2))


def leaked(tissue):
    """The truth under every name that an earlier run could have left."""
    codes = tissue.obs["ground_truth"].cat.codes.to_numpy()
    tissue.obs["semst_domain"] = pd.Categorical(codes)
    tissue.obsm["X_semst"] = np.eye(3, dtype=np.float32)[codes]
    tissue.obsm["X_pca"] = np.eye(3, dtype=np.float32)[codes]
    tissue.obs_names = [f"{code}_{i}" for i, code in enumerate(codes)]
    tissue.uns["semst"] = {"default": {"seed": 3}}


def parts(result):
    arrays = (result.codes, result.latent, result.confidence, result.modulation)
    return [None if a is None else a.tobytes() for a in arrays]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", [removed, permuted, nonsense, leaked])
def test_annotations_are_never_used(tissue, result_of, way, change):
    want = result_of(way)
    change(named(tissue))
    have = found(tissue, short(way))
    assert parts(have) == parts(want)
    assert have.provenance["input_hash"] == want.provenance["input_hash"]


@pytest.mark.parametrize("way", WAYS)
def test_the_same_seed_gives_the_same_bits(tissue, result_of, way):
    first = result_of(way)
    # What else draws random numbers in the process must not matter.
    torch.manual_seed(7)
    np.random.seed(7)
    again = found(named(tissue), short(way))
    assert parts(again) == parts(first)
    assert again.provenance["losses"] == first.provenance["losses"]


def test_other_seeds_start_elsewhere(tissue, result_of):
    first = result_of("dlpfc")
    second = found(named(tissue), short("dlpfc", training={"seed": 1}))
    assert not np.array_equal(first.latent, second.latent)
    assert (first.provenance["seed"], second.provenance["seed"]) == (0, 1)


@pytest.mark.parametrize("way", WAYS)
def test_the_callers_random_numbers_are_left_alone(tissue, way):
    torch.manual_seed(3)
    np.random.seed(3)
    want = torch.rand(4), np.random.random(4)
    torch.manual_seed(3)
    np.random.seed(3)
    found(named(tissue), short(way))
    assert torch.equal(torch.rand(4), want[0])
    assert np.array_equal(np.random.random(4), want[1])


@pytest.mark.parametrize("way", WAYS)
def test_the_input_hash_follows_the_input(tissue, result_of, way):
    want = result_of(way).provenance["input_hash"]
    tissue.X.data[0] += 1
    assert found(named(tissue), short(way)).provenance["input_hash"] != want


def rich(tissue):
    """Return a tissue with something in every slot, to be found unchanged."""
    tissue = named(tissue)
    tissue.layers["umis"] = tissue.X.copy()
    tissue.obsm["X_pca"] = np.random.default_rng(0).normal(size=(tissue.n_obs, 4))
    tissue.uns["nested"] = {"a": {"b": np.arange(3)}, "c": ["x", "y"]}
    tissue.varm["loads"] = np.ones((tissue.n_vars, 2))
    tissue.obsp["near"] = tissue.X @ tissue.X.T
    return tissue


# Not in canonical form: what tidies counts must tidy a copy.
def unsorted(tissue):
    for row in range(tissue.n_obs):
        part = slice(tissue.X.indptr[row], tissue.X.indptr[row + 1])
        tissue.X.indices[part] = tissue.X.indices[part][::-1]
        tissue.X.data[part] = tissue.X.data[part][::-1]
    tissue.X.has_sorted_indices = False
    return tissue


@pytest.mark.parametrize("make", [rich, lambda tissue: unsorted(rich(tissue))])
@pytest.mark.parametrize("way", WAYS)
def test_a_run_changes_nothing(tissue, way, make):
    tissue = make(tissue)
    before = fingerprint(tissue)
    found(tissue, short(way))
    assert fingerprint(tissue) == before


def test_order_in_memory_does_not_matter(tissue, result_of):
    have = found(unsorted(named(tissue)), short())
    assert parts(have) == parts(result_of("auto"))


@pytest.fixture(scope="module")
def n_events_of():
    """How many events a run of a preset has."""
    return cache(lambda way: len(walked(rich(banded_tissue()), short(way))[0]))


def interrupted(tissue, request, n_events, end):
    """Run up to the n-th event and end it there."""
    control = RunControl()
    steps = find_domains(tissue, request, control)
    for _ in range(n_events):
        next(steps)
    if end == "close":
        steps.close()
        with pytest.raises(StopIteration):
            next(steps)
        return
    control.cancel()
    with pytest.raises(Cancelled, match="nothing was changed"):
        run_to_end(steps)


@pytest.mark.parametrize("end", ["cancel", "close"])
# Negative: from the last.
@pytest.mark.parametrize("n_events", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, -2, -1])
def test_ending_a_run_anywhere_changes_nothing(tissue, n_events_of, n_events, end):
    tissue = rich(tissue)
    before = fingerprint(tissue)
    if n_events < 0:
        n_events += 1 + n_events_of("auto")
    interrupted(tissue, short(), n_events, end)
    assert fingerprint(tissue) == before


@pytest.mark.parametrize("way", ["quick", "dlpfc"])
@pytest.mark.parametrize("n_events", [1, 4, 5, -2, -1])
def test_ending_the_other_ways_changes_nothing(tissue, n_events_of, n_events, way):
    tissue = rich(tissue)
    before = fingerprint(tissue)
    if n_events < 0:
        n_events += 1 + n_events_of(way)
    interrupted(tissue, short(way), n_events, "cancel")
    assert fingerprint(tissue) == before


def test_cancel_ends_the_run_at_the_next_event(tissue):
    """No epoch is trained in vain after the user's click."""
    control, seen = RunControl(), 0
    steps = find_domains(named(tissue), short(training={"epochs": 50}), control)
    with pytest.raises(Cancelled):  # noqa: PT012 - which event raises is the matter
        for event in steps:
            seen += event.stage == "train"
            if seen == 3:
                control.cancel()
    assert seen == 3


@pytest.mark.parametrize("way", ["auto", "dlpfc"])
@pytest.mark.parametrize("epochs", [0, 1, 4])
def test_stopping_early_keeps_a_result_and_says_so(tissue, way, epochs):
    tissue, control = named(tissue), RunControl()
    steps = find_domains(tissue, short(way, training={"epochs": 9}), control)
    events = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            result = end.value
            break
        if events[-1].stage == "train" and events[-1].step == epochs:
            control.stop_early()
    assert result.provenance["training"]["epochs"] == epochs
    assert len(result.provenance["losses"].get("loss", [])) == epochs
    assert f"stopped early after {epochs} of 9 epochs" in " ".join(result.warnings)
    assert np.isfinite(result.latent).all()
    assert attach(tissue, result).obs["semst_domain"].notna().all()


def test_stopping_at_an_epoch_is_a_run_of_so_many_epochs(tissue):
    """With a constant rate; the state is the last, not the best."""
    tissue, control = named(tissue), RunControl()
    steps = find_domains(tissue, short("dlpfc", training={"epochs": 9}), control)
    for event in steps:
        if event.stage == "train" and event.step == 3:
            control.stop_early()
            stopped = run_to_end(steps)
            break
    whole = found(tissue, short("dlpfc", training={"epochs": 3}))
    assert parts(stopped) == parts(whole)


def test_a_run_that_was_not_stopped_does_not_say_so(tissue):
    assert not found(named(tissue), short()).warnings


def test_cancelling_wins_over_stopping_early(tissue):
    control = RunControl()
    steps = find_domains(named(tissue), short(), control)
    next(steps)
    control.stop_early()
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(steps)
