"""The box Transcripts: molecules of genes over the section, by tile."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_semst.io.concat_sections import join_sections
from napari_semst.io.read import read
from napari_semst.io.transcripts.reader import MoleculeReader
from napari_semst.session.log import session_actions
from napari_semst.session.python_code import session_code
from napari_semst.viewer import sections, spots
from napari_semst.viewer.transcripts import tiles
from napari_semst.viewer.transcripts.molecule_layer import GENE_COLORS, view_box
from tests.conftest import banded_tissue
from tests.io import transcript_files
from tests.io.folders import write_xenium
from tests.widgets.docks import add


@pytest.fixture
def wide():
    """A run's cells; the fixture of the docks has no ids of genes."""
    return banded_tissue()


@pytest.fixture
def found(wide):
    return transcript_files.molecules(wide)


@pytest.fixture
def folder(tmp_path, wide, found):
    run = write_xenium(tmp_path / "run", wide, image="")
    transcript_files.write_xenium_molecules(run, found)
    return run


def show(qtbot, dock, genes="GENE0, GENE7"):
    """Name genes, tick the box, and wait until their molecules are drawn."""
    part = dock.transcripts
    part.genes.setText(genes)
    if part.box.isChecked():
        part.show_genes()
    else:
        part.box.click()
    wait(qtbot, part)
    return part


def wait(qtbot, part):
    def settled():
        shown = part.shown
        return not (
            shown.reading.busy
            or shown.looking.busy
            or shown.standing.busy
            or shown._timer.isActive()
            or shown.view is None
        )

    qtbot.waitUntil(settled)


def rows_of(found, gene, least=20):
    """Return the places (y, x) that should be drawn of a gene."""
    rows = found[(found["gene"] == gene) & (found["qv"] >= least)]
    return rows[["y", "x"]].to_numpy()


def assert_drawn(points, gene, expected):
    own = points.data[(points.features["gene"] == gene).to_numpy()]
    assert len(own) == len(expected)
    assert cKDTree(own).query(expected)[0].max() < 1e-3
    assert cKDTree(expected).query(own)[0].max() < 1e-3


def test_molecules_of_named_genes_lie_over_the_cells(
    qtbot, viewer, dock, folder, found
):
    layer = add(viewer, read(folder))
    viewer.reset_view()
    part = dock.transcripts
    assert part.box.isEnabled()
    show(qtbot, dock, "gene0, GENE7")
    points = part.shown.points
    assert points in viewer.layers
    # Points are shown anew with each look: none is moved or deleted in vain.
    assert not points.editable
    points.mode = "select"
    assert points.mode == "pan_zoom"
    assert part.genes.text() == "GENE0, GENE7"
    for gene in ("GENE0", "GENE7"):
        assert_drawn(points, gene, rows_of(found, gene))
    assert points.units == layer.units
    n = len(rows_of(found, "GENE0")) + len(rows_of(found, "GENE7"))
    assert f"{n:,} of {n:,} molecules in view" in part.message.text()
    low = (found["gene"].isin(["GENE0", "GENE7"]) & (found["qv"] < 20)).sum()
    assert f"{low:,} of low quality" in part.message.text()
    rows = [part.legend.topLevelItem(i) for i in range(2)]
    assert [row.text(0) for row in rows] == ["GENE0", "GENE7"]
    assert int(rows[0].text(1)) == len(rows_of(found, "GENE0"))
    colours = {
        gene: points.face_color[(points.features["gene"] == gene).to_numpy()]
        for gene in ("GENE0", "GENE7")
    }
    for gene, colour in zip(colours, GENE_COLORS, strict=False):
        rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        np.testing.assert_allclose(
            colours[gene], np.tile([*rgb, 1], (len(colours[gene]), 1)), atol=1e-6
        )
    # The layer that was chosen before still is.
    assert viewer.layers.selection.active is layer
    part.box.click()
    assert points not in viewer.layers
    assert not part.inside.isVisibleTo(part)


def test_only_what_is_looked_at_is_drawn_and_its_look_stays(
    qtbot, viewer, dock, folder, monkeypatch
):
    layer = add(viewer, read(folder))
    viewer.reset_view()
    part = show(qtbot, dock)
    points = part.shown.points
    everywhere = len(points.data)
    points.opacity, points.name = 0.4, "mine"
    points.size = 7
    monkeypatch.setattr(tiles, "_MARGIN", 0.0)
    # Too many now: a closer look shows more of those in view.
    monkeypatch.setattr(tiles.CanvasMolecules.look, "__defaults__", (None, 100))
    centre = spots.positions(layer).mean(axis=0)
    sections.zoom_to(viewer, np.stack([centre - 200, centre + 200]))
    part.shown._tile = None
    part.shown.follow()
    wait(qtbot, part)
    low, high = view_box(viewer, layer)
    data = np.asarray(points.data)
    assert 0 < len(data) < everywhere
    assert ((data >= low) & (data <= high)).all()
    assert (low <= centre - 190).all()
    assert (high >= centre + 190).all()
    view = part.shown.view
    assert view.n_drawn < view.n_there
    assert f"{view.n_drawn:,} of {view.n_there:,} molecules" in part.message.text()
    assert (points.opacity, points.name) == (0.4, "mine")
    assert set(np.asarray(points.size)) == {7}
    sections.zoom_to(viewer, np.stack([centre - 50, centre + 50]))
    wait(qtbot, part)
    near = part.shown.view
    assert near.n_there == near.n_drawn
    # Off and on again: its look is kept.
    part.box.click()
    show(qtbot, dock)
    assert part.shown.points is not points
    assert (part.shown.points.opacity, part.shown.points.name) == (0.4, "mine")


def test_molecules_follow_a_section_that_is_moved_by_hand(qtbot, viewer, dock, folder):
    layer = add(viewer, read(folder))
    viewer.reset_view()
    part = show(qtbot, dock)
    points = part.shown.points
    layer.translate = np.add(layer.translate, [300.0, -40.0])
    wait(qtbot, part)
    place = points.data_to_world(points.data[0])[-2:]
    np.testing.assert_allclose(
        place, spots.to_world(layer, points.data[:1])[0], atol=1e-6
    )


def test_joined_sections_stand_apart_with_their_molecules(
    qtbot, viewer, dock, folder, found
):
    joined = join_sections({"a": read(folder), "b": read(folder)})
    layer = add(viewer, joined)
    viewer.reset_view()
    part = show(qtbot, dock, "GENE0")
    points = part.shown.points
    places = spots.positions(layer)
    n = joined.n_obs // 2
    shift = places[n] - places[0]
    own = rows_of(found, "GENE0")
    assert_drawn(points, "GENE0", np.concatenate([own, own + shift]))
    sections.move_spots(layer, "spatial", "")
    wait(qtbot, part)
    assert_drawn(points, "GENE0", np.concatenate([own, own]))


def test_wrong_names_and_too_many_are_told_and_nothing_is_read(
    qtbot, viewer, dock, folder
):
    add(viewer, read(folder))
    part = dock.transcripts
    part.genes.setText("GENE0, NOTHERE")
    part.box.click()
    assert "NOTHERE" in part.message.text()
    assert part.shown is None
    part.genes.setText(", ".join(f"GENE{i}" for i in range(9)))
    part.show_genes()
    assert "8 genes at most; these are 9" in part.message.text()
    part.genes.setText("GENE30")
    part.show_genes()
    wait(qtbot, part)
    assert "No molecule of GENE30" in part.message.text()


def test_the_gene_on_show_is_taken_where_none_is_named(qtbot, viewer, dock, folder):
    add(viewer, read(folder))
    viewer.reset_view()
    part = dock.transcripts
    dock.colour_by("gene:GENE12")
    part.box.click()
    wait(qtbot, part)
    assert part.genes.text() == "GENE12"
    assert len(part.shown.points.data)


def test_reading_is_cancelled_and_the_window_goes_on(
    qtbot, viewer, dock, folder, monkeypatch
):
    add(viewer, read(folder))
    entered, go_on = threading.Event(), threading.Event()
    add_piece = MoleculeReader._add

    def held(self, *given):
        entered.set()
        go_on.wait(20)
        add_piece(self, *given)

    monkeypatch.setattr(MoleculeReader, "_add", held)
    part = dock.transcripts
    part.genes.setText("GENE0")
    part.box.click()
    qtbot.waitUntil(entered.is_set)
    assert part.cancel.isVisibleTo(part)
    part.cancel.click()
    go_on.set()
    assert not part.box.isChecked()
    assert [one.name for one in viewer.layers] == ["Section"]
    qtbot.wait(50)
    assert part.shown.points is None
    assert part.shown.molecules is None


def test_a_damaged_table_is_told_and_the_dock_stays(qtbot, viewer, dock, folder):
    add(viewer, read(folder))
    (folder / "transcripts.parquet").write_bytes(b"PAR1 no table PAR1")
    part = dock.transcripts
    part.genes.setText("GENE0")
    part.box.click()
    qtbot.waitUntil(lambda: "the table of transcripts" in part.message.text())
    assert part.shown.points is None


def test_layers_that_are_deleted_take_the_tick_and_each_other(
    qtbot, viewer, dock, folder
):
    layer = add(viewer, read(folder))
    part = show(qtbot, dock)
    viewer.layers.remove(part.shown.points)
    assert not part.box.isChecked()
    show(qtbot, dock)
    points = part.shown.points
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: points not in viewer.layers)
    assert part.shown is None


def test_each_section_keeps_its_genes(qtbot, viewer, dock, folder):
    add(viewer, read(folder), "one")
    add(viewer, read(folder), "two")
    part = show(qtbot, dock, "GENE0")
    dock.sections.setCurrentText("one")
    assert not part.box.isChecked()
    assert part.genes.text() == ""
    dock.sections.setCurrentText("two")
    assert part.box.isChecked()
    assert part.genes.text() == "GENE0"


def test_sections_without_molecules_say_so(viewer, dock, tissue):
    add(viewer, tissue)
    part = dock.transcripts
    assert not part.box.isEnabled()
    assert "no table of single molecules" in part.box.toolTip()


def test_what_was_looked_at_is_recorded_as_code(qtbot, viewer, dock, folder, found):
    section = read(folder)
    from napari_semst.session.actions import Action
    from napari_semst.session.log import begin_session

    begin_session(section, Action("read", {"path": str(folder)}))
    add(viewer, section)
    show(qtbot, dock, "GENE0")
    show(qtbot, dock, "GENE7, GENE0")
    actions = session_actions(section)
    assert [one.name for one in actions] == ["read", "transcripts"]
    code = session_code(actions)
    assert (
        code.blocks[-1] == "transcripts = read_transcripts(tissue, ['GENE7', 'GENE0'])"
    )
    assert ("napari_semst", "read_transcripts") in code.imports
    head = "from napari_semst import read, read_transcripts"
    names: dict = {}
    exec("\n".join([head, *code.blocks]), names)
    n = len(rows_of(found, "GENE0")) + len(rows_of(found, "GENE7"))
    assert len(names["transcripts"]) == n


@pytest.fixture
def held(monkeypatch):
    """Pieces of tables that are held back until told; and whether one came."""
    entered, go_on = threading.Event(), threading.Event()
    add_piece = MoleculeReader._add

    def late(self, *given):
        entered.set()
        go_on.wait(20)
        add_piece(self, *given)

    def hold():
        monkeypatch.setattr(MoleculeReader, "_add", late)
        return entered, go_on

    return hold


def test_molecules_of_the_genes_before_are_not_shown_under_new_names(
    qtbot, viewer, dock, folder, held
):
    add(viewer, read(folder))
    viewer.reset_view()
    part = show(qtbot, dock, "GENE0")
    assert len(part.shown.points.data)
    entered, go_on = held()
    part.genes.setText("GENE7")
    part.show_genes()
    qtbot.waitUntil(entered.is_set)
    assert len(part.shown.points.data) == 0
    assert part.message.text() == "Reading molecules."
    go_on.set()
    wait(qtbot, part)
    assert {*part.shown.points.features["gene"]} == {"GENE7"}


def test_what_went_wrong_is_told_of_its_own_section(
    qtbot, viewer, dock, folder, found, held
):
    add(viewer, read(folder), "one")
    add(viewer, read(folder), "two")
    part = show(qtbot, dock, "GENE0")
    dock.sections.setCurrentText("one")
    found.rename(columns={"gene": "feature_name"})[["feature_name", "x"]].to_parquet(
        folder / "transcripts.parquet"
    )
    part.genes.setText("GENE7")
    part.box.click()
    shown = part.shown
    dock.sections.setCurrentText("two")
    qtbot.waitUntil(lambda: bool(shown.problem))
    assert "molecules in view" in part.message.text()
    dock.sections.setCurrentText("one")
    assert "missing: x_location, y_location" in part.message.text()
    assert part.box.isChecked()
    part.box.click()
    dock.sections.setCurrentText("two")
    dock.sections.setCurrentText("one")
    assert not part.box.isChecked()


def test_at_other_coordinates_none_are_drawn(qtbot, viewer, dock, folder, found):
    section = read(folder)
    section.obsm["other"] = section.obsm["spatial"][:, ::-1] * 0.5
    layer = add(viewer, section)
    viewer.reset_view()
    part = show(qtbot, dock, "GENE0")
    points = part.shown.points
    points.size = 7
    sections.move_spots(layer, "other")
    wait(qtbot, part)
    assert len(points.data) == 0
    assert "lie at the usual coordinates" in part.message.text()
    sections.move_spots(layer, "spatial")
    wait(qtbot, part)
    assert_drawn(points, "GENE0", rows_of(found, "GENE0"))
    assert set(np.asarray(points.size)) == {7}
