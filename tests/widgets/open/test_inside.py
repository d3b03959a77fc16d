"""The dock "Open data": inputs that hold several parts, or lack their positions."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.io.options import ReadOptions
from napari_semst.widgets.open import inside as module
from tests.io.outs import positions_table, write_10x_h5, write_positions
from tests.io.readers import test_gef_gem
from tests.io.readers.test_visium_hd import run_of
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def tissue():
    found = small_tissue(64)
    found.var["gene_ids"] = [f"ENSG{i:011d}" for i in range(found.n_vars)]
    found.obs["array_row"], found.obs["array_col"] = np.divmod(np.arange(64), 8)
    return found


def looked(qtbot, dock, path):
    dock.look([path])
    qtbot.waitUntil(lambda: bool(dock.inside.looks), timeout=60_000)


def seen(qtbot, dock, name, text):
    qtbot.waitUntil(lambda: dock.inside.values[name].text() == text, timeout=60_000)


def test_the_bin_size_of_visium_hd_is_chosen(qtbot, dock, tmp_path, tissue):
    looked(qtbot, dock, run_of(tmp_path / "outs", tissue, 2, 8))
    part = dock.inside.part
    assert part.currentText() == "bins of 8 micrometres"
    assert not part.isEditable()
    before = dock.inside.values["Spots"].text()
    part.setCurrentIndex(0)
    part.activated.emit(0)
    qtbot.waitUntil(
        lambda: dock.inside.values["Spots"].text() != before, timeout=60_000
    )
    assert dock.inside.options == ReadOptions(part="2")


def test_any_bin_size_of_stereo_seq_can_be_typed(qtbot, dock, tmp_path):
    molecules = test_gef_gem.molecules.__wrapped__()
    looked(qtbot, dock, test_gef_gem.write_gef(tmp_path / "chip.gef", molecules))
    part = dock.inside.part
    assert part.isEditable()
    part.lineEdit().setText("small")
    part.lineEdit().returnPressed.emit()
    qtbot.waitUntil(lambda: dock.card.kind == "error", timeout=60_000)
    assert "Expected a bin size" in dock.card.text.text()
    # What can be chosen is still there.
    assert not dock.inside.isHidden()
    part.lineEdit().setText("20")
    part.lineEdit().returnPressed.emit()
    qtbot.waitUntil(lambda: dock.card.kind == "ready", timeout=60_000)
    dock.open_button.click()
    qtbot.waitUntil(lambda: dock.sections.tissue is not None, timeout=60_000)
    assert dock.sections.tissue.n_obs == 20 * 15


def test_positions_of_a_bare_matrix_are_asked_for(
    qtbot, dock, tmp_path, tissue, monkeypatch
):
    write_10x_h5(tmp_path / "matrix.h5", tissue)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_positions(elsewhere, positions_table(tissue), "v2")
    looked(qtbot, dock, tmp_path / "matrix.h5")
    assert dock.card.kind == "warning"
    assert not dock.inside.positions.isHidden()
    path = str(elsewhere / "tissue_positions.csv")
    monkeypatch.setattr(module.QFileDialog, "getOpenFileName", lambda *_: (path, ""))
    dock.inside.positions.click()
    seen(qtbot, dock, "Coordinates", "tissue_positions.csv")
    dock.open_button.click()
    qtbot.waitUntil(lambda: dock.card.title.text().startswith("Opened"), timeout=60_000)
    assert np.allclose(dock.sections.tissue.obsm["spatial"], tissue.obsm["spatial"])
