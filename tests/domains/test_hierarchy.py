from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.domains.hierarchy import (
    build_hierarchy,
    domains_at,
    hierarchy_of,
    labels_at,
)
from napari_semst.errors import ConfigError, InputError
from napari_semst.pipeline.run import attach
from tests.domains.test_choose_k import banded
from tests.small import found, short


def built(n_bands, codes_of):
    views, section, band = banded(n_bands, signal=2.0)
    fit = SimpleNamespace(views=views, latent=views[0].values)
    codes = codes_of(band)
    return (
        codes,
        band,
        run_to_end(build_hierarchy(codes, fit, section, 0, RunControl())),
    )


def nested(fine, coarse):
    """Whether every fine domain lies in one coarse domain."""
    pairs = np.unique(np.column_stack([fine, coarse]), axis=0)
    return len(pairs) == len(np.unique(fine))


def test_the_chosen_number_gives_back_the_chosen_domains():
    codes, _, tree = built(6, lambda band: band // 2)
    assert np.array_equal(labels_at(tree, 3), codes)


def test_every_level_has_its_number_and_lies_in_the_next():
    _, _, tree = built(4, lambda band: band)
    levels = [labels_at(tree, k) for k in range(1, len(tree.kept) + 2)]
    assert [len(np.unique(level)) for level in levels] == list(
        range(1, 1 + len(levels))
    )
    assert len(levels) > 4
    assert all(nested(b, a) for a, b in pairwise(levels))


def test_merged_bands_are_found_again_among_the_finer_domains():
    _, band, tree = built(6, lambda band: band // 2)
    finer = labels_at(tree, 6)
    most = [np.bincount(finer[band == one]).argmax() for one in range(6)]
    assert len(set(most)) == 6
    assert (finer == np.array(most)[band]).mean() > 0.9


def test_a_merged_domain_keeps_the_number_of_the_larger():
    _, _, tree = built(4, lambda band: np.minimum(band, 2))
    for k in range(len(tree.kept) + 1, 1, -1):
        before, after = labels_at(tree, k), labels_at(tree, k - 1)
        step = len(tree.kept) + 1 - k
        kept, merged = tree.kept[step], tree.merged[step]
        assert (before == kept).sum() >= (before == merged).sum() > 0
        assert set(after[before == merged]) == {kept}


def test_numbers_beyond_the_tree_are_refused():
    _, _, tree = built(2, lambda band: band)
    for k in (0, len(tree.kept) + 2):
        with pytest.raises(ConfigError, match="as the hierarchy holds"):
            labels_at(tree, k)


def test_a_result_in_a_tissue_can_be_asked_for_any_number(tissue):
    attached = attach(tissue, found(tissue, short("quick", k=3)), "one")
    labels = domains_at(attached, 3)
    assert labels.astype(str).equals(attached.obs["semst_domain"].astype(str))
    assert domains_at(attached, 2, "one").nunique() == 2
    assert set(domains_at(attached, 2)) <= {"1", "2", "3"}
    assert len(hierarchy_of(attached).kept) >= 3
    assert len(attached.uns["semst_fine_domain_colors"]) == len(
        attached.obs["semst_fine_domain"].cat.categories
    )
    with pytest.raises(InputError, match="'other'; found none"):
        domains_at(attached, 2, "other")
