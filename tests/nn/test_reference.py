"""The network against figures that the authors' code computed on a small problem."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from napari_semst.errors import InputError
from napari_semst.methods.semst import network as semst_network
from napari_semst.methods.semst.network import SemstNetwork
from napari_semst.nn.losses import SpatialPairs
from napari_semst.nn.sparse import SparseOperator
from napari_semst.nn.zinb.decoder import ZinbTarget
from napari_semst.prepare.graphs import normalised_adjacency
from tests.nn import dense


@pytest.fixture(scope="module")
def reference(shared_data):
    path = shared_data / "reference" / "semst_small.npz"
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture
def exact_spatial_loss(reference, monkeypatch):
    """Put the dense form in the linear one's place, to compare without its 0.2 %."""
    n_spots = len(reference["X"])
    adjacency = torch.zeros(n_spots, n_spots, dtype=torch.float64)
    adjacency[tuple(torch.as_tensor(reference["spatial_edges"]).long())] = 1
    monkeypatch.setattr(
        semst_network,
        "spatial_loss",
        lambda latent, _pairs: dense.spatial_loss(latent, adjacency),
    )


@pytest.fixture
def problem(reference):
    n_spots, n_genes = reference["X"].shape
    graphs = [
        sparse.csr_matrix(
            (np.ones(edges.shape[1], np.float32), tuple(edges)),
            shape=(n_spots, n_spots),
        )
        for edges in (reference["spatial_edges"], reference["feature_edges"])
    ]
    network = SemstNetwork(n_genes, n_genes, 32, 16, semantic_width=48, ratio=0.5)
    network.load_published(
        {
            name.removeprefix("state/"): value
            for name, value in reference.items()
            if name.startswith("state/")
        }
    )
    # Double precision leaves only the published code's own rounding as difference.
    double = torch.float64
    inputs = (
        torch.as_tensor(reference["X"], dtype=double),
        *(
            SparseOperator(normalised_adjacency(graph), dtype=double)
            for graph in graphs
        ),
        torch.as_tensor(reference["semantics"], dtype=double),
    )
    values = sparse.csr_matrix(reference["X"])
    target = ZinbTarget(values, dtype=double, chunk_rows=70)
    network.double()
    return network, inputs, target, SpatialPairs.of_graph(graphs[0])


def weighted(losses, weights):
    names = ("zinb", "spatial", "correlation")
    return sum(w * losses[name] for w, name in zip(weights, names, strict=True))


def test_published_weights_give_the_published_forward_pass(problem, reference):
    network, inputs, _, _ = problem
    network.train()
    with torch.no_grad():
        encoded = network(*inputs)
        pi, theta, mu = network.decoder(encoded.latent)
    for name, ours in {
        "latent": encoded.latent,
        "h_spatial": encoded.spatial,
        "h_feature": encoded.feature,
        "pi": pi,
        "theta": theta,
        "mu": mu,
    }.items():
        np.testing.assert_allclose(ours, reference[name], rtol=1e-5, atol=1e-5)


@pytest.fixture
def published_gradients(reference):
    n_genes = reference["X"].shape[1]
    holder = SemstNetwork(n_genes, n_genes, 32, 16, 48, 0.5)
    names = [k.removeprefix("state/") for k in reference if k.startswith("state/")]
    state = {n: reference.get(f"grad/{n}", reference[f"state/{n}"]) for n in names}
    holder.load_published(state)
    return {name: value.detach() for name, value in holder.named_parameters()}


def relative_errors(network, expected):
    """Return the error of each gradient over its norm and 3 % of the whole's.

    A bias right before batch normalisation changes nothing: ours has no gradient, the
    published single-precision code has rounding noise, and it is left out.
    """
    own = {name: p.grad for name, p in network.named_parameters()}
    assert own.pop("decoder.body.0.bias").norm() < 1e-9
    whole = torch.cat([g.ravel() for g in own.values()]).norm()
    return {
        name: ((gradient - expected[name]).norm()
               / (expected[name].norm() + 0.03 * whole)).item()
        for name, gradient in own.items()
    }  # fmt: skip


@pytest.mark.usefixtures("exact_spatial_loss")
def test_losses_and_gradients_are_the_published_ones(
    problem, reference, published_gradients
):
    network, inputs, target, pairs = problem
    network.train()
    losses = network.losses(network(*inputs), target, pairs, 0.05)
    for name, value in losses.items():
        assert value.item() == pytest.approx(reference[f"loss_{name}"], rel=1e-4)
    weighted(losses, reference["weights"]).backward()
    errors = relative_errors(network, published_gradients)
    assert max(errors.values()) < 1e-4, errors


def test_the_linear_spatial_loss_stays_within_its_bound(
    problem, reference, published_gradients
):
    network, inputs, target, pairs = problem
    network.train()
    losses = network.losses(network(*inputs), target, pairs, 0.05)
    assert losses["spatial"].item() == pytest.approx(
        reference["loss_spatial"], rel=2e-3
    )
    weighted(losses, reference["weights"]).backward()
    errors = relative_errors(network, published_gradients)
    assert max(errors.values()) < 2e-3, errors


@pytest.mark.usefixtures("exact_spatial_loss")
def test_five_steps_follow_the_published_trajectory(problem, reference):
    network, inputs, target, pairs = problem
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=5e-4)
    network.train()
    for row in reference["trajectory"]:
        losses = network.losses(network(*inputs), target, pairs, 0.05)
        total = weighted(losses, reference["weights"])
        ours = [total, losses["zinb"], losses["spatial"], losses["correlation"]]
        np.testing.assert_allclose([v.item() for v in ours], row, rtol=1e-4)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        latent = network(*inputs).latent.numpy()
    theirs = reference["latent_after"]
    assert np.linalg.norm(latent - theirs) / np.linalg.norm(theirs) < 1e-4


def test_weights_of_another_shape_are_refused(reference):
    n_genes = reference["X"].shape[1]
    network = SemstNetwork(n_genes, n_genes + 1, 32, 16, 48, 0.5)
    state = {
        k.removeprefix("state/"): v
        for k, v in reference.items()
        if k.startswith("state/")
    }
    with pytest.raises(InputError, match=r"decoder\.mu\.weight"):
        network.load_published(state)
