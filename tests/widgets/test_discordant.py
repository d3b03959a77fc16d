"""What the docks show of a run that compared expression with the image."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from qtpy.QtCore import Qt

from napari_semst import keys
from napari_semst.viewer import colourings
from napari_semst.viewer.colour import FIXED_COLORS, MISSING, paint_of
from napari_semst.viewer.hover_features import features_of
from napari_semst.widgets.explore import texts as explore_texts
from napari_semst.widgets.explore.widget import ExploreDomains
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.summary import discordance_line
from napari_semst.widgets.find.widget import FindDomains
from tests.widgets.discordant_tissue import (
    N_UNUSABLE,
    attach_discordance,
    discordant_tissue,
)
from tests.widgets.docks import add, docked
from tests.widgets.stand_in import small_tissue

CALLED = np.arange(120) % 12 == 3


@pytest.fixture
def tissue():
    return attach_discordance(small_tissue(), CALLED)


def shown(kind, viewer, tissue):
    dock = docked(kind, viewer)
    add(viewer, tissue)
    return dock


def colour(tissue, key):
    found = colourings.colouring_for_key(tissue, key)
    assert found is not None
    return paint_of(tissue, found)


def test_the_simulated_section_has_all_that_a_run_writes():
    tissue = discordant_tissue(400)
    called = tissue.obs[keys.DISCORDANT].to_numpy()
    assert called.sum() > 3
    assert np.isnan(tissue.obs[keys.DISCORDANCE]).sum() == N_UNUSABLE


def test_results_are_offered_by_name_once(tissue):
    offered = [c.label for c in colourings.colourings(tissue)]
    assert [x for x in offered if "iscordan" in x or "flag" in x] == [
        "Discordance (nats)",
        "Discordance, false discovery rate",
        "Discordant",
        "Image flag",
    ]
    assert "Surprise at the image (nats)" in offered
    assert not [x for x in offered if x.startswith("ig_")]


@pytest.mark.parametrize("key", [keys.DISCORDANCE, keys.DISCORDANCE_FDR])
def test_spots_without_an_image_are_grey_and_discordant_ones_bright(tissue, key):
    paint = colour(tissue, key)
    assert paint.n_missing == N_UNUSABLE
    np.testing.assert_allclose(paint.rgba[0], to_rgba(MISSING), atol=1e-6)
    light = paint.rgba[:, :3].mean(axis=1)[N_UNUSABLE:]
    called = tissue.obs[keys.DISCORDANT].to_numpy()[N_UNUSABLE:]
    assert light[called].min() > light[~called].max()


def test_calls_and_flags_have_colours_of_their_own(tissue):
    paint = colour(tissue, keys.DISCORDANT)
    told = {one.name: (one.color, one.count) for one in paint.entries}
    n_called = int(tissue.obs[keys.DISCORDANT].sum())
    assert told["discordant"] == (FIXED_COLORS["discordant"], n_called)
    assert told["none"] == (MISSING, N_UNUSABLE)
    flags = {one.name: one.color for one in colour(tissue, keys.IMAGE_FLAG).entries}
    # Only what is there.
    assert set(flags) == {"fine", "background", "blurred"}
    assert flags["blurred"] == FIXED_COLORS["blurred"]


def test_hovering_tells_the_discordance(tissue):
    told = features_of(tissue)["discordance"]
    assert told[10] == pytest.approx(tissue.obs[keys.DISCORDANCE].iloc[10])


def test_the_summary_says_how_many_at_which_rate():
    called = np.arange(3000) < 104
    divergence = np.where(np.arange(3000) < 2900, 1.0, np.nan)
    told = {"config": {"image_guided": {"discordance_fdr": 0.05}}}
    assert discordance_line(told, called, divergence) == [
        "104 of 2,900 spots are discordant, at a false discovery rate of 0.05. "
        "100 spots have no usable image."
    ]
    every = discordance_line({}, called, np.ones(3000))
    assert every == [
        "104 of 3,000 spots are discordant, at a false discovery rate of 0.1."
    ]
    assert discordance_line(told, None, None) == []
    several = {**told, "training": {"sections_compared": {"name": ["a", "b"]}}}
    assert "were not compared" in discordance_line(several, called, divergence)[0]


def test_the_summary_counts_regions_without_saying_that_spots_are_of_them():
    def said(called, *q_values):
        told = {"training": {"discordant_regions": {"q": list(q_values)}}}
        (line,) = discordance_line(told, np.arange(300) < called, np.ones(300))
        return line.partition("rate of 0.1. ")[2]

    # A region is found where each of its spots alone says too little, too.
    assert said(0, 0.05) == (
        "1 region was found: Explore domains lists it under Discordant regions."
    )
    assert said(20, 0.05, 0.06).startswith("2 regions were found: Explore domains")
    assert said(0) == ""


def test_discordant_spots_are_selected_for_both_docks(viewer, tissue):
    dock = shown(FindDomains, viewer, tissue)
    part = dock.results.discordant
    assert not part.isHidden()
    assert "discordant" in part.message.text()
    part.button.click()
    called = tissue.obs[keys.DISCORDANT].to_numpy()
    np.testing.assert_array_equal(dock.state.selection(tissue), called)
    # They stand out at once.
    alpha = dock.section.layer.face_color[:, 3]
    assert alpha[called].min() > alpha[~called].max()
    assert part.button.text() == texts.SELECT_NOTHING
    part.button.click()
    assert dock.state.selection(tissue) is None
    assert part.button.text() == texts.SELECT_DISCORDANT


def test_a_run_without_discordance_shows_nothing_of_it(viewer):
    dock = shown(FindDomains, viewer, small_tissue())
    assert dock.results.discordant.isHidden()


def test_names_of_calls_are_not_edited(viewer, tissue):
    dock = shown(ExploreDomains, viewer, tissue)
    dock.colour_by(keys.DISCORDANT)
    item = dock.legend.tree.topLevelItem(0)
    assert item.text(0) == colourings.DISCORDANT_NAMES[0]
    assert not item.flags() & Qt.ItemFlag.ItemIsEditable
    # A result is no label of the user's to be compared or named.
    offered = [dock.compare.one.itemText(i) for i in range(dock.compare.one.count())]
    assert keys.IMAGE_FLAG not in offered


def test_markers_of_the_selection_against_their_domains(qtbot, viewer, tissue):
    counts = tissue.X.toarray()
    counts[tissue.obs[keys.DISCORDANT].to_numpy(), 4] += 20
    tissue.X = type(tissue.X)(counts)
    dock = shown(ExploreDomains, viewer, tissue)
    against = dock.markers.against
    against.setCurrentIndex(against.findData("domain"))
    dock.genes.find_markers()
    assert dock.card.title.text() == explore_texts.SELECT_FIRST
    dock.state.select(tissue, tissue.obs[keys.DISCORDANT].to_numpy())
    dock.genes.find_markers()
    qtbot.waitUntil(lambda: dock.markers.table is not None, timeout=30_000)
    assert dock.markers.table["gene"].iloc[0] == "GENE4"
    assert "in its domains" in dock.markers.message.text()
