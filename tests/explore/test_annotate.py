from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_semst import keys
from napari_semst.errors import ConfigError
from napari_semst.explore.annotate import Annotator, edited_columns
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def tissue():
    found = small_tissue()
    found.obs["semst_domain_default"] = pd.Categorical(
        [str(i % 3 + 1) for i in range(found.n_obs)]
    )
    found.obs[keys.DOMAIN] = found.obs["semst_domain_default"]
    found.uns[keys.LATEST] = "default"
    return found


def merge(labels):
    return labels.merged(["1", "2"])


def test_a_runs_domains_are_copied_before_the_first_edit(tissue):
    before = tissue.obs["semst_domain_default"].copy()
    hand = Annotator(tissue)
    copy = hand.edit("semst_domain_default", merge)
    assert copy == "domain_default_edited"
    assert tissue.obs["semst_domain_default"].equals(before)
    assert list(tissue.obs[copy].cat.categories) == ["1", "3"]
    assert edited_columns(tissue) == {copy: "semst_domain_default"}


def test_edits_go_on_in_the_copy_and_are_taken_back_one_by_one(tissue):
    hand = Annotator(tissue)
    copy = hand.edit("semst_domain_default", merge)
    assert hand.edit(copy, lambda labels: labels.renamed("3", "layer")) == copy
    assert list(tissue.obs[copy].cat.categories) == ["1", "layer"]
    hand.undo()
    assert list(tissue.obs[copy].cat.categories) == ["1", "3"]
    hand.undo()
    assert copy not in tissue.obs
    assert f"{copy}_colors" not in tissue.uns
    assert not hand.can_undo
    hand.redo()
    hand.redo()
    assert list(tissue.obs[copy].cat.categories) == ["1", "layer"]
    assert not hand.can_redo


def test_a_new_edit_ends_what_could_be_done_again(tissue):
    hand = Annotator(tissue)
    hand.edit("ground_truth", lambda labels: labels.renamed("upper", "top"))
    hand.undo()
    hand.edit("ground_truth", lambda labels: labels.renamed("lower", "bottom"))
    assert not hand.can_redo
    assert list(tissue.obs["ground_truth_edited"].cat.categories) == ["bottom", "upper"]


def test_a_colour_is_changed_in_place_and_the_column_is_not(tissue):
    tissue.obs["text"] = np.where(np.arange(tissue.n_obs) % 2, "x", "y")
    before = tissue.obs.copy()
    hand = Annotator(tissue)
    hand.recolour("text", "y", "#123456")
    hand.recolour("semst_domain_default", "2", "red")
    pd.testing.assert_frame_equal(tissue.obs, before)
    assert list(tissue.uns["text_colors"])[1] == "#123456"
    # The bare key shows the same run.
    assert list(tissue.uns["semst_domain_colors"])[1] == "#ff0000"
    hand.undo()
    assert list(tissue.uns["semst_domain_colors"])[1] != "#ff0000"


def test_an_edit_that_fails_leaves_everything(tissue):
    before, hand = tissue.copy(), Annotator(tissue)
    with pytest.raises(ConfigError):
        hand.edit("ground_truth", lambda labels: labels.merged(["upper"]))
    pd.testing.assert_frame_equal(tissue.obs, before.obs)
    assert tissue.uns.keys() == before.uns.keys()
    assert not hand.can_undo


@pytest.mark.parametrize("name", ["", "semst_mine", "a/b", "ground_truth"])
def test_names_of_columns_that_cannot_be(tissue, name):
    with pytest.raises(ConfigError):
        Annotator(tissue).begin(name)


def test_a_new_column_begins_empty_and_is_edited_in_place(tissue):
    hand = Annotator(tissue)
    column = hand.begin("regions")
    spots = np.arange(tissue.n_obs) < 5
    assert hand.edit(column, lambda labels: labels.assigned(spots, "tumour")) == column
    assert (tissue.obs[column] == "tumour").sum() == 5


def test_a_column_is_begun_with_its_first_names_and_undone_in_one(tissue):
    hand = Annotator(tissue)
    some = np.arange(tissue.n_obs) < 5

    def name(labels):
        return labels.assigned(some, "edge")

    assert hand.edit(" notes ", name, begin=True) == "notes"
    assert list(tissue.obs["notes"].cat.categories) == ["edge"]
    assert tissue.obs["notes"].notna().sum() == 5
    assert edited_columns(tissue) == {"notes": ""}
    hand.undo()
    assert "notes" not in tissue.obs
    assert not hand.can_undo
    for bad in ("", "semst_mine", "a/b"):
        with pytest.raises(ConfigError, match="Expected a name"):
            hand.edit(bad, name, begin=True)


def test_a_column_that_is_there_is_not_begun_again(tissue):
    hand = Annotator(tissue)
    some = np.arange(tissue.n_obs) < 5
    copy = hand.edit("ground_truth", lambda x: x.assigned(some, "edge"), begin=True)
    assert copy == "ground_truth_edited"
    assert set(tissue.obs["ground_truth"]) == {"upper", "lower"}
