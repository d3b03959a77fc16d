"""Corrections by hand, followed by the rest of the section, kept or discarded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_semst import keys
from napari_semst.session.log import session_actions
from napari_semst.widgets.explore import texts
from tests.widgets.docks import add, renamed
from tests.widgets.stand_in import small_tissue

BASE, EDITED = "semst_domain_default", "domain_default_edited"


@pytest.fixture
def tissue():
    """Two halves by the latent, and one domain of both."""
    found = small_tissue(600)
    right = found.obsm["spatial"][:, 0] > 600
    found.obs[BASE] = pd.Categorical(np.full(600, "1"))
    found.obs[keys.DOMAIN] = found.obs[BASE]
    found.uns[keys.LATEST] = "default"
    found.uns[keys.RUNS] = {"default": {}}
    noise = np.random.default_rng(0).normal(0, 0.2, (600, 4))
    found.obsm[keys.LATENT] = (right[:, None] * 2 + noise).astype(np.float32)
    found.obs["right"] = pd.Categorical(right.astype(str))
    return found


@pytest.fixture
def dock(dock, tissue):
    add(dock._viewer, tissue)
    dock.colour_by(keys.DOMAIN)
    return dock


def correct(dock, tissue, count=10, name="2"):
    """Select some spots of the right half and give them a name."""
    spots = np.zeros(600, bool)
    right = np.flatnonzero(tissue.obs["right"] == "True")
    spots[right[:: len(right) // count]] = True
    dock.state.select(tissue, spots)
    dock.select.assign.column.setEditText(keys.DOMAIN)
    dock.select.assign.name.setEditText(name)
    dock.select.assign.assign()
    return spots


def refine(qtbot, dock):
    part = dock.select.refine
    assert part.button.isEnabled()
    part.button.click()
    qtbot.waitUntil(lambda: not part.task.busy, timeout=60_000)
    return part


def agreement(tissue, column):
    named = tissue.obs[column].astype(str) == "2"
    return (named == (tissue.obs["right"] == "True")).mean()


def test_the_rest_follows_and_is_kept_with_how_sure_it_is(qtbot, dock, tissue):
    assert not dock.select.refine.button.isEnabled()
    spots = correct(dock, tissue)
    assert agreement(tissue, EDITED) < 0.6
    part = refine(qtbot, dock)
    made = f"{EDITED}_refined"
    assert agreement(tissue, made) > 0.95
    assert dock.sections.colouring.column == made
    # What was corrected is untouched until the answer is kept, and after.
    assert (tissue.obs[EDITED].astype(str) == "2").sum() == spots.sum()
    part.show_button.click()
    changed = dock.state.selection(tissue)
    assert changed.sum() > 200
    assert not changed[spots].any()
    part.keep_button.click()
    sure = tissue.obs[f"{made}_probability"]
    assert sure.between(0, 1).all()
    assert part.answer.isHidden()
    dock.colour_by(f"{made}_probability")
    assert dock.card.kind != "error"


def test_an_answer_that_is_discarded_leaves_what_was_corrected(qtbot, dock, tissue):
    correct(dock, tissue)
    before = tissue.obs[EDITED].copy()
    columns = list(tissue.obs)
    part = refine(qtbot, dock)
    part.discard_button.click()
    assert list(tissue.obs) == columns
    assert (tissue.obs[EDITED] == before).all()
    assert dock.sections.colouring.column == EDITED
    assert part.answer.isHidden()
    assert part.button.isEnabled()


def test_it_can_go_on_from_what_was_kept(qtbot, dock, tissue):
    """Corrected, refined, kept, and corrected again."""
    correct(dock, tissue, 5)
    refine(qtbot, dock).keep_button.click()
    made = f"{EDITED}_refined"
    dock.colour_by(made)
    assert dock.select.refine.button.isEnabled()
    low = tissue.obsm["spatial"][:, 1] > 3500
    some = low & (np.arange(600) % 9 == 0)
    dock.state.select(tissue, some)
    dock.select.assign.column.setEditText(made)
    dock.select.assign.name.setEditText("low")
    dock.select.assign.assign()
    refine(qtbot, dock)
    again = tissue.obs[f"{made}_refined"].astype(str)
    assert (again[some] == "low").all()
    assert (again[low] == "low").mean() > (tissue.obs[made] == "low")[low].mean()


def test_what_was_taken_back_by_undo_asks_no_more(qtbot, dock, tissue):
    correct(dock, tissue)
    part = refine(qtbot, dock)
    dock.editing.undo()
    assert part.answer.isHidden()
    # With edits on top, the answer cannot go without them.
    dock.colour_by(EDITED)
    part = refine(qtbot, dock)
    dock.editing.edit(renamed("2", "two"))
    part.discard_button.click()
    assert dock.card.title.text() == texts.EDITED_SINCE


def test_what_was_edited_meanwhile_gets_no_answer_to_what_it_was(qtbot, dock, tissue):
    correct(dock, tissue)
    part = dock.select.refine
    part.button.click()
    dock.editing.edit(renamed("2", "two"), EDITED)
    columns = list(tissue.obs)
    qtbot.waitUntil(lambda: not part.task.busy, timeout=60_000)
    assert dock.card.title.text() == texts.CHANGED_MEANWHILE
    assert EDITED in dock.card.text.text()
    assert list(tissue.obs) == columns
    assert "refine" not in [x.name for x in session_actions(tissue)]
    refine(qtbot, dock)
    assert [x.name for x in session_actions(tissue)][-1] == "refine"


def test_without_a_latent_or_a_correction_it_says_why(qtbot, dock, tissue):
    dock.editing.edit(renamed("1", "all"))
    refine(qtbot, dock)
    assert dock.card.kind == "error"
    assert "another name" in dock.card.text.text() + dock.card.title.text()
    del tissue.obsm[keys.LATENT]
    refine(qtbot, dock)
    assert dock.card.kind == "error"


def test_another_section_ends_the_question(qtbot, viewer, dock, tissue):
    correct(dock, tissue)
    part = refine(qtbot, dock)
    add(viewer, small_tissue(), "other")
    assert part.answer.isHidden()
    assert not part.button.isEnabled()
