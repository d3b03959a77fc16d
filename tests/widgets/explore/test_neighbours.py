"""The part Borders of the dock Explore domains."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_semst import keys
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.neighbours import distance_column
from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def tissue():
    """Three layers of ten rows each, 12 spots wide."""
    found = small_tissue(360)
    rows = (found.obsm["spatial"][:, 1] // 1000).astype(int)
    found.obs["layer"] = pd.Categorical(np.array(["I", "II", "III"])[rows])
    return found


@pytest.fixture
def part(qtbot, dock, tissue):
    add(dock._viewer, tissue)
    dock.colour_by("layer")
    return dock.neighbours


def look(qtbot, part):
    assert part.button.isEnabled()
    part.button.click()
    qtbot.waitUntil(lambda: not part.task.busy, timeout=60_000)


def cells(part):
    table = part.table
    return [
        [table.item(row, column).text() for column in range(4)]
        for row in range(table.rowCount())
    ]


def test_area_thickness_and_who_touches_are_told(qtbot, part):
    assert part.table.isHidden()
    look(qtbot, part)
    first, second, third = cells(part)
    assert (first[0], first[1], first[3].rstrip("*")) == ("I", "33.3%", "II")
    assert {one.rstrip("*") for one in second[3].split(", ")} == {"I", "III"}
    assert float(second[2].replace(",", "")) == pytest.approx(1000, rel=0.25)
    assert "12 contacts" in part.table.item(2, 3).toolTip()
    assert third[3].rstrip("*") == "II"


def test_spots_are_coloured_by_their_distance_to_the_border(qtbot, dock, part, tissue):
    look(qtbot, part)
    part.distance_button.click()
    column = "layer_border_distance"
    away = tissue.obs[column].to_numpy()
    rows = tissue.obsm["spatial"][:, 1] // 100
    np.testing.assert_allclose(away[rows == 9], 50)
    np.testing.assert_allclose(away[rows == 0], 950)
    assert dock.sections.colouring.column == column
    assert not dock.limits.isHidden()
    assert "semst_unsaved" in dock.layer.metadata
    # Of numbers there are no borders, and what was found stays to be read.
    assert not part.button.isEnabled()
    assert not part.table.isHidden()


def test_distances_are_of_the_labels_as_they_are(qtbot, dock, part, tissue):
    look(qtbot, part)
    tissue.obs["layer"] = tissue.obs["layer"].cat.rename_categories({"I": "one"})
    part.distance_button.click()
    assert "layer_border_distance" not in tissue.obs
    assert "Look at borders again" in part.message.text()
    assert part.table.isHidden()
    look(qtbot, part)
    part.distance_button.click()
    assert "layer_border_distance" in tissue.obs


def test_labels_of_one_name_say_why_not(qtbot, dock, part, tissue):
    tissue.obs["one"] = pd.Categorical(["a"] * 359 + ["b"])
    tissue.obs.loc[tissue.obs_names[-1], "one"] = np.nan
    dock.colour_by("one")
    look(qtbot, part)
    assert part.table.isHidden()
    assert "two domains" in part.message.text()


def test_another_section_takes_the_table_away(qtbot, viewer, part):
    look(qtbot, part)
    add(viewer, small_tissue(), "other")
    assert part.table.isHidden()
    assert part.answer is None


def test_distances_never_take_the_place_of_labels(tissue):
    tissue.uns[keys.LATEST] = "a"
    assert distance_column(tissue, keys.DOMAIN) == "domain_a_border_distance"
    tissue.obs["layer_border_distance"] = "mine"
    tissue.uns["semst_annotations"] = {"layer_border_distance": ""}
    assert distance_column(tissue, "layer") == "layer_border_distance_2"


def test_genes_at_a_border_are_those_of_its_spots(qtbot, dock, part, tissue):
    rows = tissue.obsm["spatial"][:, 1] // 100
    matrix = tissue.X.toarray()
    matrix[(rows >= 7) & (rows < 10), 2] += 40
    tissue.X = sparse.csr_matrix(matrix)
    look(qtbot, part)
    part.genes_button.click()
    assert part.message.text() == texts.BORDER_CHOOSE
    assert dock.markers.table is None
    part.table.selectRow(0)
    part.genes_button.click()
    qtbot.waitUntil(lambda: dock.markers.table is not None, timeout=60_000)
    assert dock.markers.table.gene[0] == tissue.var_names[2]
    # Of the 120 spots of the layer a third is at its border; whole rows are.
    said = dock.markers.message.text()
    assert said == "I, at its border: 48 spots, against the rest of it (72 spots)."
    assert dock.markers_fold.isExpanded()


def test_genes_at_a_border_are_of_the_labels_as_they_are(qtbot, dock, part, tissue):
    look(qtbot, part)
    part.table.selectRow(0)
    tissue.obs["layer"] = tissue.obs["layer"].cat.rename_categories({"I": "one"})
    part.genes_button.click()
    assert "Look at borders again" in part.message.text()
    assert not dock.markers.task.busy
