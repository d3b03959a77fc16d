"""Rough domains, to be looked at while a network learns."""

from __future__ import annotations

import numpy as np

from napari_semst.domains.provisional import ProvisionalDomains


def heaps(n_spots, shift=0.0):
    random = np.random.default_rng(0)
    own = np.arange(n_spots) % 3
    latent = 20.0 * np.eye(3)[own] + random.normal(size=(n_spots, 3)) + shift
    return latent.astype(np.float32), own


def test_heaps_are_found_and_keep_their_numbers():
    latent, own = heaps(300)
    provisional = ProvisionalDomains(3)
    first = provisional.labels(latent)
    assert len({(a, b) for a, b in zip(first, own, strict=True)}) == 3
    # The latent moves while it is learnt.
    np.testing.assert_array_equal(provisional.labels(latent + 3), first)


def test_many_spots_and_more_domains_than_spots():
    latent, own = heaps(12_000)
    found = ProvisionalDomains(3).labels(latent)
    assert len({(a, b) for a, b in zip(found, own, strict=True)}) == 3
    few = ProvisionalDomains(9).labels(latent[:4])
    assert sorted(few) == [0, 1, 2, 3]
