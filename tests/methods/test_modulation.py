"""The map of how far semantics moved each spot, against sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_semst.methods.modulation import modulation_map
from napari_semst.methods.semst.network import Encoded, SemstNetwork
from napari_semst.nn.semantic_modulation import FSM, Modulation
from napari_semst.nn.sparse import SparseOperator
from napari_semst.prepare.graphs import nearest_graph, normalised_adjacency

N_SPOTS, N_FEATURES, LATENT = 12, 6, 4


def encoded(before, scale, shift):
    half = before.shape[1] // 2
    views = before[:, :half], before[:, half:]
    return Encoded(before, *views, before, Modulation(scale, shift))


def test_it_equals_a_computation_by_hand():
    # Mean square of Z: (9 + 16 + 0 + 25) / 4 = 12.5.
    before = torch.tensor([[3.0, -4.0], [0.0, 5.0]])
    scale = torch.tensor([[1.0, 0.5], [2.0, -1.0]])
    shift = torch.tensor([[0.0, 2.0], [1.0, 0.0]])
    found = modulation_map(encoded(before, scale, shift))
    size = np.sqrt(12.5)
    # Less their means over spots, alpha is (-.5, .75), (.5, -.75) and beta (-.5, 1),
    # (.5, -1); alpha Z + beta is then (-2, -2) and (.5, -4.75).
    np.testing.assert_allclose(
        found.strength, np.sqrt([8 / 2, 22.8125 / 2]) / size, rtol=1e-6
    )
    np.testing.assert_allclose(
        found.scale_strength, np.sqrt([0.8125 / 2, 0.8125 / 2]), rtol=1e-6
    )
    np.testing.assert_allclose(
        found.shift_strength, np.sqrt([1.25 / 2, 1.25 / 2]) / size, rtol=1e-6
    )
    np.testing.assert_array_equal(found.scale, scale.numpy())
    np.testing.assert_array_equal(found.shift, shift.numpy())
    assert {v.dtype for v in vars(found).values()} == {np.dtype(np.float32)}


def test_no_modulation_is_a_map_of_zeros():
    zeros = torch.zeros(3, 4)
    before = torch.randn(3, 4)
    found = vars(modulation_map(encoded(before, zeros, zeros)))
    np.testing.assert_array_equal(found.pop("before"), before.numpy())
    for values in found.values():
        assert not values.any()


def test_what_is_done_to_every_spot_alike_does_not_count():
    before, alike = torch.randn(6, 4), torch.randn(1, 4).repeat(6, 1)
    found = modulation_map(encoded(before, alike, alike))
    np.testing.assert_allclose(found.strength, 0, atol=1e-6)
    np.testing.assert_array_equal(found.scale, alike.numpy())


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_the_units_of_the_features_do_not_matter(factor):
    before, scale, shift = (torch.randn(5, 4) for _ in range(3))
    want = modulation_map(encoded(before, scale, shift))
    have = modulation_map(encoded(factor * before, scale, factor * shift))
    np.testing.assert_allclose(have.strength, want.strength, rtol=1e-4)
    np.testing.assert_allclose(have.shift_strength, want.shift_strength, rtol=1e-4)


def test_features_of_zero_do_not_give_nan():
    before = torch.zeros(3, 4)
    found = modulation_map(encoded(before, torch.ones(3, 4), before))
    assert np.isfinite(found.strength).all()


def test_without_semantics_there_is_no_map():
    before = torch.zeros(3, 4)
    assert modulation_map(Encoded(before, before, before, before, None)) is None


def section():
    random = np.random.default_rng(0)
    graph = normalised_adjacency(nearest_graph(random.random((N_SPOTS, 2)), 3))
    operator = SparseOperator(graph, torch.device("cpu"))
    features = torch.as_tensor(random.normal(size=(N_SPOTS, N_FEATURES))).float()
    semantics = torch.as_tensor(random.normal(size=(N_SPOTS, 8))).float()
    base = torch.as_tensor(random.normal(size=(N_SPOTS, LATENT))).float()
    return features, operator, semantics, base


def network(semantic_width, base_width=LATENT):
    torch.manual_seed(0)
    return SemstNetwork(
        N_FEATURES, 5, 10, LATENT, semantic_width, 1.2, base_width=base_width
    )


def test_a_silent_start_is_the_network_without_semantics():
    features, graph, semantics, base = section()
    with_semantics, without = network(8), network(0)
    shared = {
        name: values
        for name, values in with_semantics.state_dict().items()
        if not name.startswith("modulation.")
    }
    without.load_state_dict(shared)
    # Anything but zero, or the silence of the output would hide the modulation.
    for net in (with_semantics, without):
        torch.nn.init.ones_(net.output[-1].weight)
    have = with_semantics(features, graph, graph, semantics, base)
    want = without(features, graph, graph, None, base)
    assert not have.modulation.scale.any()
    assert not have.modulation.shift.any()
    assert torch.equal(have.latent, want.latent)
    assert not modulation_map(have).strength.any()


def test_a_silent_start_still_learns():
    features, graph, semantics, base = section()
    net = network(8)
    torch.nn.init.ones_(net.output[-1].weight)
    net(features, graph, graph, semantics, base).latent.square().sum().backward()
    assert net.modulation.factors[-1].weight.grad.abs().sum() > 0


def test_with_a_base_the_latent_starts_as_the_base():
    features, graph, semantics, base = section()
    found = network(8)(features, graph, graph, semantics, base)
    assert torch.equal(found.latent, base)


def test_without_a_base_semantics_speaks_from_the_start():
    features, graph, semantics, _ = section()
    net = network(8, base_width=0)
    one, other = (
        net(features, graph, graph, given).latent
        for given in (semantics, semantics.flip(0))
    )
    assert not torch.allclose(one, other)


def test_factors_are_one_pair_for_each_feature():
    fsm = FSM(6, 8, reduced=4, ratio=0.5, silent=False)
    made = fsm.modulation(torch.randn(7, 8))
    assert made.scale.shape == made.shift.shape == (7, 6)
    features = torch.randn(7, 6)
    by_hand = features + made.scale * features + made.shift
    torch.testing.assert_close(made(features), by_hand)
