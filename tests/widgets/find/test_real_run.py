"""The dock with the real pipeline on a small simulated section."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_semst import keys, simulated_cortex
from tests.semantics.language_models import save_tiny_qwen
from tests.widgets.docks import add


@pytest.fixture
def dock(real_dock):
    real_dock.settings.n_domains.setValue(4)
    real_dock.settings.epochs.setValue(2)
    return real_dock


def run(qtbot, dock):
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: not dock.running.busy, timeout=60_000)
    text = f"{dock.card.text.text()}\n{dock.card.details.toPlainText()}"
    assert dock.card.kind in {"success", "warning"}, text


def test_run_paints_domains_and_modulation(qtbot, dock):
    tissue = simulated_cortex(200, 300, seed=1)
    layer = add(dock._viewer, tissue)
    run(qtbot, dock)
    assert tissue.obs[keys.DOMAIN].nunique() == 4
    assert len(np.unique(layer.face_color, axis=0)) == 4
    labels = [c.label for c in dock.results._offered]
    assert labels[:4] == [
        "Domain",
        "Modulation",
        "Modulation: scale (alpha)",
        "Modulation: shift (beta)",
    ]
    dock.results.colour_by.setCurrentIndex(1)
    assert len(np.unique(layer.face_color, axis=0)) > 50
    assert list(layer.features["domain"]) == list(tissue.obs[keys.DOMAIN])


def test_quick_recipe_has_no_modulation(qtbot, dock):
    tissue = simulated_cortex(200, 300, seed=1)
    add(dock._viewer, tissue)
    dock.settings.recipe.setCurrentIndex(dock.settings.recipe.findData("quick"))
    run(qtbot, dock)
    labels = [c.label for c in dock.results._offered]
    assert "Domain" in labels
    assert "Modulation" not in labels


def test_unfit_sections_are_refused_in_words(qtbot, dock):
    tissue = simulated_cortex(100, 100, seed=1)
    tissue.X = tissue.X * 0.37
    add(dock._viewer, tissue)
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: not dock.running.busy, timeout=60_000)
    assert dock.card.kind == "error"
    assert dock.card.title.text() == "No raw counts"
    assert keys.DOMAIN not in tissue.obs


@pytest.mark.screen
def test_spots_show_their_colours_on_the_canvas(qtbot, dock):
    """No border, no blending into grey: the canvas shows the legend's own colours."""
    from matplotlib.colors import to_rgb

    tissue = simulated_cortex(200, 300, seed=1, image=False)
    layer = add(dock._viewer, tissue)
    layer.opacity = 1.0
    run(qtbot, dock)
    dock._viewer.reset_view()
    pixels = dock._viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    for code, count in tissue.obs[keys.DOMAIN].value_counts().items():
        color = tissue.uns["semst_domain_colors"][int(code) - 1]
        wanted = np.round(np.array(to_rgb(str(color))) * 255)
        near = np.abs(pixels.astype(float) - wanted).max(axis=-1) <= 2
        assert near.sum() >= count, (code, count)


def test_a_server_reads_the_genes(qtbot, dock, server):
    tissue = simulated_cortex(200, 300, seed=1)
    add(dock._viewer, tissue)
    settings = dock.settings
    settings.semantics.setCurrentIndex(settings.semantics.findData("server"))
    settings.meaning.server.url.setText(server.url)
    settings.meaning.server.per.setCurrentIndex(1)
    run(qtbot, dock)
    assert "Gene semantics: Embedding server, tiny." in dock.card.text.text()
    rows = dict(dock.results.meaning.rows)
    assert rows["Server"] == f"127.0.0.1:{server.server_address[1]}"
    assert rows["It read"] == "Each gene once"
    assert keys.MODULATION in tissue.obs


def test_a_gene_table_of_ones_own_and_its_control(qtbot, dock, tmp_path):
    tissue = simulated_cortex(200, 300, seed=1)
    add(dock._viewer, tissue)
    vectors = np.random.default_rng(0).normal(size=(tissue.n_vars, 8))
    symbols = np.array(tissue.var_names, dtype=str)
    np.savez(tmp_path / "genes.npz", symbols=symbols, vectors=vectors)
    settings = dock.settings
    settings.semantics.setCurrentIndex(settings.semantics.findData("table"))
    settings.meaning.table.add_file(str(tmp_path / "genes.npz"))
    settings.control.setCurrentIndex(settings.control.findData("shuffled"))
    run(qtbot, dock)
    assert dock.card.title.text().startswith("CONTROL RUN: 4 domains found")
    assert dict(dock.results.meaning.rows)["Model"] == "genes.npz"
    # Said once, in the library's words.
    said = dock.results.meaning.control.text()
    assert said.startswith("CONTROL RUN (shuffled): semantics was spoilt on purpose")
    assert dock.card.text.text().startswith(said)
    assert dock.card.text.text().count("CONTROL RUN") == 1
    assert "CONTROL RUN" not in dock.results.meaning.warnings.text()


def test_a_language_model_reads_the_genes(qtbot, dock, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMST_CACHE", str(tmp_path / "cache"))
    model = save_tiny_qwen(tmp_path / "tiny")
    add(dock._viewer, simulated_cortex(200, 300, seed=1))
    settings = dock.settings
    settings.semantics.setCurrentIndex(settings.semantics.findData("genes"))
    settings.meaning.model.combo.setEditText(str(model))
    lines = []
    dock.controller.updated.connect(
        lambda _: lines.append(dock.run_box.line.text()),
        Qt.ConnectionType.QueuedConnection,
    )
    run(qtbot, dock)
    said = dock.card.text.text()
    assert "Gene semantics: Language model, per gene, " in said
    assert "/tiny; " in said
    rows = dict(dock.results.meaning.rows)
    assert rows["Revision"].startswith("sha256:")
    assert rows["Texts"].endswith("0 of them from the cache")
    assert any(line.startswith("Reading the genes") for line in lines)
    run(qtbot, dock)
    texts = dict(dock.results.meaning.rows)["Texts"].split(" ")
    assert texts[0] == texts[2]
