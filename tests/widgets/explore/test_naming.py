""" "Name from another section" in a real window."""

from __future__ import annotations

import pytest

from napari_semst import keys
from napari_semst.session.log import session_actions
from napari_semst.transfer.api import make_signature
from napari_semst.transfer.signature_file import load_signature, save_signature
from napari_semst.viewer import adapter
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.legend import _NAME
from napari_semst.widgets.explore.texts import NAMING
from tests.transfer.sections import layers
from tests.widgets.docks import add


@pytest.fixture(scope="module")
def signature():
    return make_signature(layers(0), "layer")


@pytest.fixture
def named(viewer, dock, qtbot, signature, tmp_path):
    """The dock with a section whose domains got the names of a signature."""
    path = save_signature(signature, tmp_path / "lab.npz")
    add(viewer, layers(1), "Target")
    part = dock.naming
    part.take_file(path)
    qtbot.waitUntil(lambda: not part.reading.busy, timeout=60_000)
    assert part.panel.reference.currentText() == "lab.npz"
    part.panel.domains.setCurrentIndex(part.panel.domains.findData("cluster"))
    part.panel.button.click()
    assert part.busy
    qtbot.waitUntil(lambda: not part.busy, timeout=30_000)
    return part


def test_domains_are_named_painted_and_told(named, dock):
    tissue, panel = dock.tissue, named.panel
    assert dock.card.kind == "success"
    assert dock.sections.look.colour_by == keys.TRANSFER_DOMAIN
    assert adapter.UNSAVED in dock.layer.metadata
    cells = [panel.table.item(row, 1).text() for row in range(3)]
    assert cells == ["layer 2", "layer 1", "layer 0"]
    assert not panel.table.item(0, 1).icon().isNull()
    assert panel.text.text().count("is named") == 3
    panel.table.selectRow(1)
    assert panel.text.text().startswith("Domain c1 is named layer 1")
    shown = {item.data(0, _NAME) for item in dock.legend._items()} - {"none"}
    assert shown == set(tissue.obs[keys.TRANSFER_DOMAIN].cat.categories)


def test_names_are_not_given_to_domains_that_changed_meanwhile(named, dock, qtbot):
    tissue = dock.tissue
    before = tissue.obs[keys.TRANSFER].copy()
    named.panel.domains.setCurrentIndex(named.panel.domains.findData("cluster"))
    named.panel.button.click()
    tissue.obs["cluster"] = tissue.obs["cluster"].replace("c0", "c9")
    n_done = len(session_actions(tissue))
    qtbot.waitUntil(lambda: not named.busy, timeout=30_000)
    assert dock.card.title.text() == texts.CHANGED_MEANWHILE
    assert tissue.obs[keys.TRANSFER].equals(before)
    assert len(session_actions(tissue)) == n_done


def test_one_click_renames_a_copy_and_undo_takes_it_back(named, dock):
    tissue = dock.tissue
    before = tissue.obs["cluster"].copy()
    named.panel.rename_button.click()
    assert set(tissue.obs["named"].cat.categories) == {"layer 0", "layer 1", "layer 2"}
    assert (tissue.obs["named"].astype(str) == tissue.obs["layer"]).all()
    assert tissue.obs["cluster"].equals(before)
    dock.editing.undo()
    assert "named" not in tissue.obs


def test_an_open_section_can_be_the_reference_and_its_signature_saved(
    viewer, dock, qtbot, tmp_path, monkeypatch
):
    from napari_semst.widgets.explore import naming

    add(viewer, layers(0), "Reference")
    add(viewer, layers(1), "Target")
    part, panel = dock.naming, dock.naming.panel
    assert dock.layer.name.startswith("Target")
    titles = [panel.reference.itemText(n) for n in range(panel.reference.count())]
    assert titles[:3] == [
        NAMING[f"builtin:cortex{x}"] for x in ("", "-human", "-mouse")
    ]
    assert len(titles) == 4
    assert panel.domains.currentText() == NAMING["find"]
    panel.reference.setCurrentIndex(3)
    assert [panel.labels.itemText(n) for n in range(2)] == ["layer", "cluster"]
    path = tmp_path / "made.npz"
    monkeypatch.setattr(naming, "ask_path", lambda *given: path)
    panel.save_button.click()
    qtbot.waitUntil(lambda: not part.saving.busy, timeout=60_000)
    assert load_signature(path).labels == ("layer 0", "layer 1", "layer 2")
    assert dock.card.kind == "success"


def test_cancelling_changes_nothing(viewer, dock, qtbot):
    add(viewer, layers(1), "Target")
    part = dock.naming
    columns = list(dock.tissue.obs)
    part.panel.button.click()
    assert part.busy
    part.panel.cancel_button.click()
    assert not part.busy
    assert part.panel.message.text() == NAMING["cancelled"]
    assert list(dock.tissue.obs) == columns


def test_what_is_wrong_is_told_on_the_card(viewer, dock, qtbot, tmp_path):
    add(viewer, layers(1), "Target")
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"no signature")
    dock.naming.take_file(damaged)
    qtbot.waitUntil(lambda: not dock.naming.reading.busy, timeout=60_000)
    assert dock.card.kind == "error"
    assert "damaged" in dock.card.text.text()
