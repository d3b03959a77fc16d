from __future__ import annotations

import json

import pandas as pd
import pytest

from napari_semst import keys, read, write
from napari_semst.explore.annotate import Annotator
from napari_semst.session.actions import Action
from napari_semst.session.log import (
    begin_session,
    forget_action,
    is_complete,
    record_action,
    session_actions,
    settle_origin,
)
from tests.widgets.stand_in import small_tissue

READ = Action("read", {"path": "/data/section.h5ad"})


@pytest.fixture
def tissue():
    made = small_tissue()
    begin_session(made, READ)
    return made


def test_what_was_done_is_kept_in_its_order(tissue):
    record_action(tissue, Action("undo"))
    record_action(tissue, Action("redo"))
    assert [one.name for one in session_actions(tissue)] == ["read", "undo", "redo"]


def test_of_an_image_on_its_way_the_last_place_counts(tissue):
    for shift in range(5):
        given = {"library": "one", "adjustment": {"shift_x": float(shift)}}
        record_action(tissue, Action("align", given))
    record_action(tissue, Action("align", {"library": "two", "adjustment": {}}))
    _, one, two = session_actions(tissue)
    assert one.given["adjustment"] == {"shift_x": 4.0}
    assert two.given["library"] == "two"


def test_what_failed_is_forgotten_and_nothing_else(tissue):
    save = Action("save", {"path": "/full/disk.h5ad"})
    for action in (save, Action("undo"), save, Action("redo")):
        record_action(tissue, action)
    forget_action(tissue, save)
    names = [one.name for one in session_actions(tissue)]
    assert names == ["read", "save", "undo", "redo"]


def test_a_saved_section_goes_on_from_where_it_came(tissue, tmp_path):
    labels = Annotator(tissue)
    labels.edit("mine", lambda was: was.with_name("a"), begin=True)
    record_action(tissue, Action("edit", {"column": "mine"}))
    path = write(tissue, tmp_path / "saved.h5ad")
    back = read(path)
    begin_session(back, Action("read", {"path": str(path)}))
    assert session_actions(back) == session_actions(tissue)
    assert is_complete(back)


def test_a_file_that_a_script_changed_since_begins_anew(tissue, tmp_path):
    labels = Annotator(tissue)
    labels.edit("mine", lambda was: was.with_name("a"), begin=True)
    record_action(tissue, Action("edit", {"column": "mine"}))
    back = read(write(tissue, tmp_path / "saved.h5ad"))
    Annotator(back).edit("mine", lambda was: was.renamed("a", "b"))
    assert not is_complete(back)
    begin_session(back, READ)
    assert session_actions(back) == (READ,)


def test_another_run_is_noticed(tissue):
    assert is_complete(tissue)
    tissue.uns[keys.RUNS] = {"default": {"seconds": {"train": 1.5}}}
    assert not is_complete(tissue)
    record_action(tissue, Action("run"))
    assert is_complete(tissue)


def test_a_section_from_elsewhere_begins_with_what_it_was_saved_as():
    tissue = small_tissue()
    save = Action("save", {"path": "/data/mine.h5ad"})
    for action in (Action("undo"), save, Action("redo")):
        record_action(tissue, action)
    settle_origin(tissue, save)
    read_, last = session_actions(tissue)
    assert read_ == Action("read", {"path": "/data/mine.h5ad"})
    assert last == Action("redo")


@pytest.mark.parametrize("kept", ["{", "[]", json.dumps({"version": 99}), 7, None])
def test_a_record_that_cannot_be_read_is_none(kept):
    tissue = small_tissue()
    tissue.uns[keys.SESSION] = kept
    assert session_actions(tissue) == ()
    begin_session(tissue, READ)
    assert session_actions(tissue) == (READ,)


def test_labels_that_change_without_a_word_are_noticed(tissue):
    Annotator(tissue).edit("mine", lambda was: was.with_name("a"), begin=True)
    record_action(tissue, Action("edit"))
    assert is_complete(tissue)
    tissue.obs["mine"] = pd.Categorical(["a"] * tissue.n_obs)
    assert not is_complete(tissue)
