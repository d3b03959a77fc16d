"""Columns of users and other plugins in a layer's features stay, whatever we write."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.layers import Layer

from napari_semst import keys
from napari_semst.io.concat_sections import join_sections
from napari_semst.viewer import adapter, sections
from napari_semst.viewer.canvas.own_features import put_own_features
from napari_semst.viewer.display_state import show_labels_on_hover
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def layer():
    """Spots with a column of another plugin's, and its order checked."""
    made = Layer.create(*adapter.layers_of(small_tissue())[-1])
    made.features = made.features.assign(MANUAL_CLUSTER_ID=np.arange(len(made.data)))
    return made


def theirs(layer):
    return np.array_equal(
        layer.features["MANUAL_CLUSTER_ID"], np.arange(len(layer.data))
    )


def test_a_run_adds_its_columns_beside_those_of_others(layer):
    tissue = layer.metadata["adata"]
    for name in ("1", "2"):
        tissue.obs[keys.DOMAIN] = pd.Categorical(np.full(tissue.n_obs, name))
        adapter.refresh(layer)
        assert theirs(layer)
        assert set(layer.features["domain"]) == {name}
        assert list(layer.features).count("domain") == 1


def test_columns_of_ours_go_with_what_they_tell(layer):
    tissue = layer.metadata["adata"]
    tissue.obs[keys.DOMAIN] = pd.Categorical(np.full(tissue.n_obs, "1"))
    adapter.refresh(layer)
    del tissue.obs[keys.DOMAIN]
    adapter.refresh(layer)
    assert list(layer.features) == ["barcode", "total_counts", "MANUAL_CLUSTER_ID"]


def test_a_column_of_theirs_with_a_name_of_ours_is_kept_as_it_is(layer):
    tissue = layer.metadata["adata"]
    layer.features = layer.features.assign(domain="drawn by hand")
    tissue.obs[keys.DOMAIN] = pd.Categorical(np.full(tissue.n_obs, "1"))
    for _ in range(2):
        adapter.refresh(layer)
        assert set(layer.features["domain"]) == {"drawn by hand"}
        assert set(layer.features["domain (SemST)"]) == {"1"}
    assert len(layer.features.columns) == 5


def test_types_and_gaps_of_their_columns_stay(layer):
    kinds = {
        "flag": pd.array([True, None] * 60, dtype="boolean"),
        "kind": pd.Categorical(["a", None] * 60),
        "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(120), "D"),
    }
    layer.features = layer.features.assign(**kinds)
    before = layer.features[list(kinds)].copy()
    adapter.refresh(layer)
    show_labels_on_hover(layer, np.full(120, "1", dtype=object))
    pd.testing.assert_frame_equal(layer.features[list(kinds)], before)


def test_other_sections_and_places_leave_their_columns():
    tissue = join_sections({"one": small_tissue(), "two": small_tissue()})
    layer = Layer.create(*adapter.layers_of(tissue)[-1])
    layer.features = layer.features.assign(MANUAL_CLUSTER_ID=np.arange(240))
    sections.move_spots(layer, "spatial", "")
    assert theirs(layer)
    assert "section" not in layer.features
    sections.move_spots(layer, "spatial", keys.SECTION)
    assert theirs(layer)
    assert set(layer.features["section"]) == {"one", "two"}


def test_a_table_of_another_index_does_not_shift_rows(layer):
    own = pd.DataFrame({"barcode": ["x"] * 120}, index=np.arange(120)[::-1] + 7)
    put_own_features(layer, own)
    assert theirs(layer)
    assert layer.features["barcode"].notna().all()
