from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from napari_semst import keys, read, write
from napari_semst.explore.annotate import Annotator
from napari_semst.io.manual_alignment import Adjustment, adjust
from napari_semst.session import log
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


def done_by_others(tissue):
    """Yield names of changes, each made to a copy."""
    for name in ("level", "align", "subset", "recolour", "explain"):
        other = tissue.copy()
        if name == "level":
            other.obs["semst_domain_k4"] = other.obs["mine"]
        elif name == "align":
            library = next(iter(other.uns["spatial"]))
            adjust(other, library, Adjustment(shift_x=2.0))
        elif name == "recolour":
            Annotator(other).recolour("mine", "a", "#123456")
        elif name == "explain":
            other.uns[keys.RUNS]["default"]["explanation"] = {"domains": {}}
        else:
            other = other[:-1].copy()
        yield name, other


def test_whatever_others_do_is_noticed(tissue):
    tissue.uns["spatial"] = {"one": {"images": {}, "scalefactors": {}}}
    tissue.uns[keys.RUNS] = {"default": {"seconds": {"train": 1.5}}}
    record_action(tissue, Action("run"))
    Annotator(tissue).edit("mine", lambda was: was.with_name("a"), begin=True)
    record_action(tissue, Action("edit", {"column": "mine"}))
    for name, other in done_by_others(tissue):
        assert not is_complete(other), name
        # An action of another kind does not hide it.
        record_action(other, Action("report", {"path": "/r.html"}))
        assert [x.name for x in session_actions(other)][-2:] == ["other", "report"]
    record_action(tissue, Action("report", {"path": "/r.html"}))
    names = [x.name for x in session_actions(tissue)]
    assert names == ["read", "run", "edit", "report"]


def test_a_file_of_unknown_origin_is_itself_the_beginning(tmp_path):
    tissue = small_tissue()
    record_action(tissue, Action("recolour"))
    joined = small_tissue()
    parts = [["a", [["unknown", {}]]], ["b", [["read", {"path": "/b"}]]]]
    begin_session(joined, Action("join", {"sections": parts}))
    for one in (tissue, joined):
        back = one.copy()
        begin_session(back, READ)
        assert session_actions(back) == (READ,)


def test_other_choices_of_reading_are_another_beginning(tissue):
    begin_session(tissue, Action("read", {"path": "/other.h5ad", "counts": None}))
    assert session_actions(tissue) == (READ,)
    counts = Action("read", {"path": "/data/section.h5ad", "counts": "raw"})
    begin_session(tissue, counts)
    assert session_actions(tissue) == (counts,)
    record_action(tissue, Action("undo"))
    # As after a crash: the same file, read in the same way.
    begin_session(tissue, counts)
    assert session_actions(tissue) == (counts, Action("undo"))


def test_many_edits_of_many_spots_stay_small(tissue):
    spots = np.random.default_rng(0).random(100_000) < 0.5
    before = len(tissue.uns[keys.SESSION])
    for _ in range(20):
        record_action(tissue, Action("edit", {"given": {"spots": spots}}))
    # Five letters for each four bytes, a bit a spot.
    assert len(tissue.uns[keys.SESSION]) - before < 20 * 1.3 * len(spots) / 8


def test_a_line_is_added_without_reading_the_others(tissue, monkeypatch):
    read_ = []
    monkeypatch.setattr(
        log, "parse_json", lambda text: read_.append(text) or json.loads(text)
    )
    for number in range(5):
        record_action(tissue, Action("level", {"k": number}))
    assert len(read_) == 5
    assert not any("level" in text for text in read_)
    assert len(session_actions(tissue)) == 6


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


@pytest.mark.parametrize("line", ["{", "[1]", '["join", {"sections": 3}]'])
def test_a_section_whose_record_is_damaged_still_opens(tissue, line):
    head, _, _ = tissue.uns[keys.SESSION].partition("\n")
    tissue.uns[keys.SESSION] = f"{head}\n{line}"
    record_action(tissue, Action("align", {"library": "a", "adjustment": {}}))
    begin_session(tissue, READ)
    assert session_actions(tissue) == (READ,)


@pytest.mark.parametrize(
    "runs",
    ["x", {"a": 3}, {"a": {"seconds": {"train": "soon"}}}, {"a": {"seconds": 4}}],
)
def test_a_section_whose_runs_are_damaged_still_opens(tissue, runs):
    tissue.uns[keys.RUNS] = runs
    record_action(tissue, Action("undo"))
    begin_session(tissue, READ)
    assert session_actions(tissue)[0] == READ
    assert is_complete(tissue)


def test_labels_that_change_without_a_word_are_noticed(tissue):
    Annotator(tissue).edit("mine", lambda was: was.with_name("a"), begin=True)
    record_action(tissue, Action("edit"))
    assert is_complete(tissue)
    tissue.obs["mine"] = pd.Categorical(["a"] * tissue.n_obs)
    assert not is_complete(tissue)
