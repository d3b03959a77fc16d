"""Spots are named rightly where the truth is planted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import InputError
from napari_semst.transfer.estimator import name_spots
from napari_semst.transfer.explain import carried_by
from napari_semst.transfer.signature import signature_of
from tests.transfer.planted import N_LAYERS, layered, planted

if TYPE_CHECKING:
    from anndata import AnnData


def named(reference: AnnData, target: AnnData, table) -> float:
    signature = run_to_end(signature_of(reference, "layer", RunControl()))
    found = run_to_end(name_spots([signature], target, table, RunControl()))
    names = np.array(found.labels)[found.best]
    return float((names == target.obs["layer"].to_numpy()).mean())


@pytest.mark.parametrize("first", [0, 30, 60])
def test_a_planted_signature_is_found_with_all_to_none_of_the_genes(first):
    reference, target = layered(range(60), 0), layered(range(first, first + 60), 1)
    assert named(reference, target, planted(2)) > 0.9


def test_names_dealt_anew_say_nothing():
    target = layered(range(60, 120), 1)
    random = np.random.default_rng(0)
    target.var_names = list(random.permutation(target.var_names))
    assert named(layered(range(60), 0), target, planted(2)) < 0.6


def test_the_order_of_genes_and_spots_changes_nothing():
    reference, target = layered(range(60), 0), layered(range(30, 90), 1)
    signature = run_to_end(signature_of(reference, "layer", RunControl()))
    table, random = planted(2), np.random.default_rng(3)
    spots, genes = random.permutation(target.n_obs), random.permutation(target.n_vars)
    plain = run_to_end(name_spots([signature], target, table, RunControl()))
    turned = target[spots][:, genes].copy()
    other = run_to_end(name_spots([signature], turned, table, RunControl()))
    assert plain.n_shared == other.n_shared == 30
    # On a lattice ties among nearest spots are broken by order, at the border alone.
    agree = plain.best[spots] == other.best
    assert agree.mean() > 0.97


def test_a_reference_that_says_nothing_is_refused():
    reference, target = layered(range(60), 0), layered(range(60, 120), 1)
    reference.var_names = [f"UNKNOWN{gene}" for gene in range(60)]
    signature = run_to_end(signature_of(reference, "layer", RunControl()))
    with pytest.raises(InputError, match="no gene in common"):
        run_to_end(name_spots([signature], target, planted(2), RunControl()))


def test_several_references_join_labels_of_one_name():
    table = planted(2)
    signatures = [
        run_to_end(signature_of(layered(range(60), seed), "layer", RunControl()))
        for seed in (0, 5)
    ]
    target = layered(range(60, 120), 1)
    found = run_to_end(name_spots(signatures, target, table, RunControl()))
    assert found.labels == signatures[0].labels
    names = np.array(found.labels)[found.best]
    assert (names == target.obs["layer"].to_numpy()).mean() > 0.9


def test_carried_by_names_the_genes_of_the_layer():
    table = planted(2)
    signature = run_to_end(signature_of(layered(range(60), 0), "layer", RunControl()))
    target = layered(range(60, 120), 1)
    found = run_to_end(name_spots([signature], target, table, RunControl()))
    codes = np.unique(target.obs["layer"], return_inverse=True)[1]
    for layer, told in enumerate(carried_by(found, codes, np.arange(N_LAYERS))):
        genes = [int(gene.removeprefix("GENE")) for gene, _ in told.genes]
        assert np.mean(np.array(genes) % N_LAYERS == layer) > 0.5
        assert all(name in signature.genes for name in told.reference_genes)
        assert told.semantic_share == pytest.approx(1)
