"""The dock "Explore domains" in a real viewer, its real widgets driven."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from qtpy.QtCore import Qt

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.explore.annotate import Annotator
from napari_semst.viewer import adapter
from napari_semst.viewer.colour import DIFFERING_COLORS
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.dotplot import GenePlot
from napari_semst.widgets.find.widget import FindDomains
from napari_semst.widgets.shared.sections import NO_SECTION
from napari_semst.widgets.shared.state import ViewerState, state_of
from tests.widgets.docks import add, renamed
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def tissue():
    found = small_tissue()
    found.obs["semst_domain_default"] = pd.Categorical(
        np.where(np.arange(found.n_obs) % 12 < 4, "1", "2")
    )
    found.obs[keys.DOMAIN] = found.obs["semst_domain_default"]
    found.uns[keys.LATEST] = "default"
    found.obs["depth"] = np.linspace(0, 1, found.n_obs)
    return found


def rows(dock):
    tree = dock.legend.tree
    return [tree.topLevelItem(i).text(0) for i in range(tree.topLevelItemCount())]


def choose(dock, *names):
    dock.legend.tree.clearSelection()
    for name in names:
        row = rows(dock).index(name)
        dock.legend.tree.topLevelItem(row).setSelected(True)


def colour_by(dock, key):
    combo = dock.choice.combo
    combo.setCurrentIndex(combo.findData(key))
    combo.activated.emit(combo.currentIndex())


def test_an_empty_viewer_says_how_to_begin(dock):
    assert dock.card.title.text() == NO_SECTION
    assert not dock.choice.isEnabled()


def test_a_section_opens_with_its_domains_in_the_legend(dock, layer):
    assert rows(dock) == ["1", "2"]
    item = dock.legend.tree.topLevelItem(0)
    assert (item.text(1), item.text(2)) == ("40", "33.3%")
    assert dock.limits.isHidden()


def test_everything_of_the_section_is_offered(dock, layer, tissue):
    offered = [dock.choice.combo.itemData(i) for i in range(dock.choice.combo.count())]
    assert offered[0] == keys.DOMAIN
    assert {"ground_truth", "depth", "semst_total", "obsm:spatial:2"} <= set(offered)
    colour_by(dock, "obsm:spatial:2")
    assert dock.limits.values == pytest.approx((50, 950))


def test_a_gene_is_found_by_typing_and_colours_the_tissue(qtbot, dock, layer, tissue):
    qtbot.keyClicks(dock.choice.gene, "gene7")
    completer = dock.choice.gene.completer()
    assert completer.completionCount() == 1
    before = layer.face_color.copy()
    qtbot.keyClick(dock.choice.gene, Qt.Key.Key_Return)
    assert dock.choice.gene.text() == "GENE7"
    assert not np.allclose(layer.face_color, before)
    assert not dock.limits.isHidden()
    # Darkest where the gene is absent.
    absent = tissue[:, "GENE7"].X.toarray().ravel() == 0
    lightness = layer.face_color[:, :3].sum(axis=1)
    assert lightness[absent].max() <= lightness[~absent].min() + 1e-6


def test_a_gene_that_is_not_there_is_told(qtbot, dock, layer):
    dock.choice.gene.setText("MBPP")
    qtbot.keyClick(dock.choice.gene, Qt.Key.Key_Return)
    assert dock.card.kind == "warning"
    assert "MBPP" in dock.card.text.text()


def test_limits_and_colormap_are_changed_and_put_back(dock, layer):
    colour_by(dock, "depth")
    at_first = layer.face_color.copy()
    dock.limits.high.setValue(0.5)
    dock.limits.colormap.setCurrentText("Greys")
    ends = layer.face_color[60:]
    assert np.allclose(ends, ends[0])
    dock.limits.reset.click()
    np.testing.assert_allclose(layer.face_color, at_first)


def test_names_are_hidden_and_isolated(dock, layer, tissue):
    dock.legend.tree.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)
    first = (tissue.obs[keys.DOMAIN] == "1").to_numpy()
    assert (layer.face_color[first, 3] == 0).all()
    assert (layer.face_color[~first, 3] == 1).all()
    choose(dock, "1")
    dock.legend.button("isolate").click()
    assert (layer.face_color[~first, 3] == 0).all()
    assert (layer.face_color[first, 3] == 1).all()
    dock.legend.button("show_all").click()
    assert (layer.face_color[:, 3] == 1).all()


def test_a_row_outlives_the_change_that_replaces_it(qtbot, dock, layer):
    # Qt reads the row after its change was told; freed by then, it ended the program.
    ticked = dock.legend.tree.topLevelItem(0)
    ticked.setCheckState(0, Qt.CheckState.Unchecked)
    assert ticked.treeWidget() is None
    renamed = dock.legend.tree.topLevelItem(1)
    renamed.setText(0, "white matter")
    assert renamed.treeWidget() is None
    assert rows(dock) == ["1", "white matter"]
    qtbot.waitUntil(lambda: not dock.legend.tree._removed)


def test_a_rename_makes_a_copy_and_shows_it(dock, layer, tissue):
    dock.legend.tree.topLevelItem(1).setText(0, "white matter")
    assert rows(dock) == ["1", "white matter"]
    assert list(tissue.obs["semst_domain_default"].cat.categories) == ["1", "2"]
    assert list(tissue.obs["domain_default_edited"].cat.categories) == [
        "1",
        "white matter",
    ]
    assert dock.card.title.text() == texts.COPIED
    assert dock.choice.combo.currentData() == "domain_default_edited"
    assert adapter.UNSAVED in layer.metadata


def test_a_name_that_is_taken_is_refused_and_the_legend_put_back(dock, layer, tissue):
    dock.legend.tree.topLevelItem(1).setText(0, "1")
    assert dock.card.kind == "error"
    assert rows(dock) == ["1", "2"]
    assert "domain_default_edited" not in tissue.obs


def test_merge_reorder_undo_and_redo(dock, layer, tissue):
    colour_by(dock, "ground_truth")
    choose(dock, "lower")
    dock.legend.button("down").click()
    assert rows(dock) == ["upper", "lower"]
    choose(dock, "lower", "upper")
    dock.legend.button("merge").click()
    assert rows(dock) == ["lower"]
    dock.legend.button("undo").click()
    dock.legend.button("undo").click()
    assert "ground_truth_edited" not in tissue.obs
    assert dock.legend.button("redo").isEnabled()
    dock.legend.button("redo").click()
    assert rows(dock) == ["upper", "lower"]


def ended(qtbot, dock):
    """Wait for what was asked of a worker."""
    ends = {"success", "warning", "error"}
    qtbot.waitUntil(lambda: dock.card.kind in ends, timeout=60_000)
    return dock.card.kind


def test_a_domain_comes_apart_where_its_pieces_do_not_touch(qtbot, dock, layer, tissue):
    # Columns 0 to 3 and 8 to 11 of the lattice.
    tissue.obs["mine"] = pd.Categorical(
        np.where((np.arange(tissue.n_obs) % 12) // 4 == 1, "mid", "sides")
    )
    dock._offer()
    colour_by(dock, "mine")
    choose(dock, "sides")
    dock.legend.split.emit("sides", "pieces")
    assert dock.card.kind == "running"
    assert ended(qtbot, dock) == "success"
    assert rows(dock) == ["mid", "sides", "sides.2"]
    choose(dock, "mid")
    dock.legend.split.emit("mid", "pieces")
    assert ended(qtbot, dock) == "error"


def test_names_that_changed_meanwhile_are_not_split(qtbot, dock, layer, tissue):
    colour_by(dock, "ground_truth")
    dock.editing.edit(renamed("upper", "top"))
    column = dock.sections.colouring.column
    dock.legend.split.emit("top", "pieces")
    dock.editing.edit(renamed("top", "upper"))
    qtbot.waitUntil(lambda: dock.card.title.text() == texts.SPLIT_STALE, timeout=60_000)
    assert set(tissue.obs[column]) == {"upper", "lower"}


def test_another_colour_is_on_the_spots_and_in_the_tissue(dock, layer, tissue):
    dock.editing.recolour("2", "#123456")
    second = (tissue.obs[keys.DOMAIN] == "2").to_numpy()
    np.testing.assert_allclose(
        layer.face_color[second], [to_rgba("#123456")] * second.sum(), atol=1e-6
    )
    assert list(tissue.uns["semst_domain_default_colors"])[1] == "#123456"
    assert "domain_default_edited" not in tissue.obs


def test_zooming_brings_the_chosen_spots_into_the_middle(viewer, dock, layer, tissue):
    colour_by(dock, "ground_truth")
    choose(dock, "upper")
    dock.legend.button("zoom").click()
    upper = (tissue.obs["ground_truth"] == "upper").to_numpy()
    centre = layer.data[upper].min(axis=0) / 2 + layer.data[upper].max(axis=0) / 2
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], centre)


def test_markers_of_the_chosen_names_and_the_tissue_by_one(qtbot, dock, layer, tissue):
    first = (tissue.obs[keys.DOMAIN] == "1").to_numpy()
    counts = tissue.X.toarray()
    counts[first, 3] += 8
    tissue.X = type(tissue.X)(counts)
    choose(dock, "1")
    dock.markers.find_button.click()
    qtbot.waitUntil(lambda: dock.markers.table is not None, timeout=60_000)
    model = dock.markers.sorted
    assert model.data(model.index(0, 0)) == "GENE3"
    dock.markers.view.clicked.emit(model.index(0, 0))
    assert dock.sections.colouring.key == "gene:GENE3"
    dock.markers.search.setText("gene2")
    assert model.rowCount() == 11  # GENE2 and GENE20 to GENE29
    assert dock.sections.colouring.key == "gene:GENE3"
    # With a gene on show, the names chosen before are meant.
    dock.markers.set_tissue(None)
    dock.markers.find_button.click()
    qtbot.waitUntil(lambda: dock.markers.table is not None, timeout=60_000)
    dock.markers.set_tissue(small_tissue())
    assert dock.markers.table is None
    dock.markers.set_tissue(tissue)
    assert dock.markers.table is not None


def test_markers_need_names(dock, layer):
    dock.markers.find_button.click()
    assert dock.card.title.text() == texts.CHOOSE_DOMAINS


def test_genes_are_drawn_by_domain(qtbot, dock, layer):
    dock.genes.plot(["GENE1", "GENE2"])
    assert ended(qtbot, dock) == "success"
    (plot,) = dock.findChildren(GenePlot)
    dots = [a for a in plot.figure.axes if a.get_yticklabels()]
    assert dots
    plot.show_violins()
    assert [a.get_ylabel() for a in plot.figure.axes] == ["GENE1", "GENE2"]
    plot.close()


def test_two_columns_are_compared_and_their_difference_is_painted(
    qtbot, dock, layer, tissue
):
    dock.compare.one.setCurrentText("ground_truth")
    dock.compare.other.setCurrentText("semst_domain_default")
    qtbot.waitUntil(lambda: dock.compare.button.isEnabled(), timeout=60_000)
    assert "ARI" in dock.compare.message.text()
    assert dock.compare.table.item(0, 1).text() == "40"
    dock.compare.button.click()
    assert rows(dock) == ["agree", "differ"]
    shown = {tuple(np.round(c, 4)) for c in layer.face_color}
    assert shown == {tuple(np.round(to_rgba(c), 4)) for c in DIFFERING_COLORS.values()}
    # What is made of two columns is not to be edited.
    choose(dock, "agree")
    assert not dock.legend.button("split").isEnabled()


def test_selected_spots_stand_out(dock, layer, tissue, viewer):
    spots = np.arange(tissue.n_obs) < 10
    state_of(viewer).select(tissue, spots)
    assert (layer.face_color[spots, 3] == 1).all()
    assert (layer.face_color[~spots, 3] < 0.2).all()
    state_of(viewer).select(tissue, None)
    assert (layer.face_color[:, 3] == 1).all()


def test_size_and_opacity(dock, layer):
    true = float(layer.size[0])
    dock.spot_size.setValue(50)
    assert layer.size[0] == pytest.approx(true / 2)
    dock.opacity.setValue(40)
    assert layer.opacity == pytest.approx(0.4)


def test_what_one_dock_shows_the_other_does_not_paint_over(
    viewer, pipeline, dock, layer, tissue
):
    find = FindDomains(viewer)
    viewer.window.add_dock_widget(find, name="Find domains")
    dock.colour_by("gene:GENE5")
    painted = layer.face_color.copy()
    find._show_results()
    np.testing.assert_array_equal(layer.face_color, painted)
    assert find.results.colouring.key == "gene:GENE5"
    dock.editing.edit(renamed("1", "one"), "semst_domain_default")
    offered = find.results.colour_by
    names = [offered.itemText(i) for i in range(offered.count())]
    assert "domain_default_edited" in names


def test_a_colouring_is_pinned_beside_and_keeps_its_colours(
    viewer, dock, layer, tissue
):
    before, chosen = layer.face_color.copy(), list(viewer.layers.selection)
    width = np.ptp(np.asarray(layer.extent.world)[:, 1])
    dock.pin_button.click()
    dock.colour_by("depth")
    dock.pin_button.click()
    copies = [x for x in viewer.layers if "Domain" in x.name and x.name[-5:] != "image"]
    np.testing.assert_array_equal(copies[0].face_color, before)
    assert not np.allclose(layer.face_color, before)
    # Beside, not upon: nothing of the copy is over the section.
    assert copies[0].extent.world[0, 1] >= layer.extent.world[1, 1]
    assert copies[0].extent.world[0, 1] < layer.extent.world[1, 1] + width
    assert [x.name for x in viewer.layers][-1] == "Section: depth"
    assert list(viewer.layers.selection) == chosen
    assert dock.sections.count() == 1
    # The place of a copy deleted by hand is taken again, and no other.
    place = copies[0].extent.world[0, 1]
    for name in (copies[0].name, f"{copies[0].name} image"):
        viewer.layers.remove(name)
    dock.pin_button.click()
    assert viewer.layers[-1].extent.world[0, 1] == place
    dock.unpin_button.click()
    assert len(viewer.layers) == 2
    assert not dock.unpin_button.isEnabled()


def test_pins_go_with_their_section(qtbot, viewer, dock, layer):
    dock.pin_button.click()
    viewer.layers.remove(layer)
    viewer.layers.remove("Section image")
    qtbot.waitUntil(lambda: len(viewer.layers) == 0)


@pytest.fixture
def find(viewer, pipeline, dock, layer):
    find = FindDomains(viewer)
    viewer.window.add_dock_widget(find, name="Find domains")
    return find


def test_each_dock_follows_what_the_other_shows(dock, layer, tissue, find):
    combo = find.results.colour_by
    combo.setCurrentIndex(combo.findText("ground_truth"))
    assert rows(dock) == ["lower", "upper"]
    assert dock.choice.combo.currentData() == "ground_truth"
    # Edits are of what is in the legend now.
    dock.legend.tree.topLevelItem(0).setText(0, "deep")
    assert "ground_truth_edited" in tissue.obs
    dock.colour_by("depth")
    assert find.results.colouring.key == "depth"
    find.results.fade.setChecked(True)
    assert dock.sections.colouring.key == "depth"


def test_names_stay_hidden_whatever_the_other_dock_does(dock, layer, tissue, find):
    dock.colour_by("ground_truth")
    dock.legend.tree.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)
    hidden = (tissue.obs["ground_truth"] == "lower").to_numpy()
    find.state.tissue_changed.emit(tissue, None)
    find._on_section()
    combo = find.results.colour_by
    combo.setCurrentIndex(combo.findText("Domain"))
    combo.setCurrentIndex(combo.findText("ground_truth"))
    assert (layer.face_color[hidden, 3] == 0).all()
    assert (layer.face_color[~hidden, 3] == 1).all()


def test_each_section_has_a_selection_of_its_own(viewer, dock, layer, tissue):
    other = small_tissue()
    add(viewer, other, "Other")
    spots = np.arange(120) < 10
    dock.state.select(tissue, spots)
    dock.state.select(other, ~spots)
    assert dock.state.selection(tissue).sum() == 10
    dock.state.select(other, None)
    assert dock.state.selection(tissue).sum() == 10
    dock.sections.setCurrentIndex(0)
    dock.context.paint()
    assert (layer.face_color[~spots, 3] < 0.2).all()


def test_a_layer_that_lost_a_point_breaks_nothing(dock, layer):
    layer.selected_data = {3}
    layer.remove_selected()
    dock.colour_by("depth")
    assert dock.card.kind != "error"


def test_what_cannot_be_shown_leaves_the_colours(dock, layer, tissue):
    tissue.obs["empty"] = pd.Categorical([None] * 120, categories=["a"])
    before = layer.face_color.copy()
    dock.colour_by("differ:ground_truth\x1fempty")
    assert dock.card.kind == "error"
    np.testing.assert_array_equal(layer.face_color, before)
    assert dock.sections.colouring.key == keys.DOMAIN


def test_selections_and_edits_keep_no_closed_section_in_memory():
    tissue, state = small_tissue(), ViewerState()
    state.select(tissue, np.ones(120, bool))
    hand = Annotator(tissue)
    hand.edit("ground_truth", lambda labels: labels.renamed("upper", "top"))
    gone = weakref.ref(tissue)
    del tissue
    gc.collect()
    assert gone() is None
    with pytest.raises(InputError, match="closed"):
        hand.undo()


def test_a_dock_that_goes_takes_its_tool_with_it(viewer, layer, dock):
    dock.select.lasso.click()
    assert len(viewer.layers) == 3
    viewer.window.remove_dock_widget(dock)
    assert len(viewer.layers) == 2


def test_sections_that_go_leave_the_dock_empty(viewer, dock, layer):
    viewer.layers.remove(layer)
    assert dock.card.title.text() == NO_SECTION
    assert dock.legend.tree.topLevelItemCount() == 0


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_nothing_is_wider_than_a_dock_of_400_pixels(dock, layer, scale):
    font = dock.font()
    font.setPointSizeF(font.pointSizeF() * scale)
    dock.setFont(font)
    content = dock.column.parentWidget()
    assert content.minimumSizeHint().width() <= 400 * max(scale, 1)
