"""The sources of gene semantics in the settings: fields, notes and requests."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_semst.core.progress import Progress
from napari_semst.errors import ConfigError, SemanticsError
from napari_semst.semantics import source, with_control
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.fields import UNFIT, setting_choices
from napari_semst.widgets.find.run_box import progress_line
from tests.widgets.stand_in import small_tissue

FIELDS = ("embedding", "table", "model", "server")


@pytest.fixture(autouse=True)
def _no_models(monkeypatch, tmp_path):
    """No model is on this machine, and no key in its environment."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for variable in ("SEMST_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


def choose(form, name):
    form.semantics.setCurrentIndex(form.semantics.findData(name))
    return form.meaning


def asked(form):
    return form.request("spatial").overrides.get("semantics")


def test_every_source_and_control_is_explained():
    sources = setting_choices("semantics", "source")
    assert set(sources) == set(texts.SEMANTICS) == set(texts.NEEDS)
    controls = setting_choices("semantics", "control")
    assert set(controls) == set(texts.CONTROL_NAMES) == set(texts.CONTROL_TIPS)
    assert set(setting_choices("semantics", "per")) == set(texts.PER) == set(texts.SENT)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("builtin", ""),
        ("none", ""),
        ("precomputed", "embedding"),
        ("table", "table"),
        ("prompts", "model"),
        ("genes", "model"),
        ("server", "server"),
    ],
)
def test_each_source_shows_its_own_fields_and_needs(form, name, field):
    part = choose(form, name)
    shown = [one for one in FIELDS if not getattr(part, one).isHidden()]
    assert shown == [field] * bool(field)
    assert part.needs.text() == texts.NEEDS[name]


@pytest.mark.parametrize("name", ["builtin", "none"])
def test_sources_that_need_nothing(form, name):
    choose(form, name)
    assert asked(form) == {"source": name}


def test_a_table_is_asked_for_and_named(form, monkeypatch, tmp_path):
    part = choose(form, "table")
    with pytest.raises(ConfigError, match="Pick a file under Gene table"):
        form.request("spatial")
    path = str(tmp_path / "genes.csv")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (path, ""))
    part.table.button.click()
    assert asked(form) == {"source": "table", "table": path}
    assert part.table.combo.currentText() == "genes.csv"


def test_a_closed_dialog_changes_nothing(form, monkeypatch):
    part = choose(form, "table")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    part.table.button.click()
    assert part.table.combo.count() == 0


def test_embeddings_in_files_stay_on_offer_with_another_section(form, tmp_path):
    part = choose(form, "precomputed")
    tissue = small_tissue()
    tissue.obsm["X_pca"] = tissue.obsm["spatial"]
    form.set_tissue(tissue, "default")
    for name in ("spots.npy", "spots.csv.gz", "spots.safetensors"):
        part.embedding.add_file(str(tmp_path / name))
    form.set_tissue(small_tissue(), "default")
    combo = part.embedding.combo
    found = [combo.itemText(i) for i in range(combo.count())]
    assert found == ["spots.npy", "spots.csv.gz", "spots.safetensors"]
    assert asked(form)["embedding"] == str(tmp_path / "spots.safetensors")


@pytest.mark.parametrize("name", ["prompts", "genes"])
def test_language_models(form, monkeypatch, tmp_path, name):
    part = choose(form, name)
    assert asked(form) == {"source": name, "model": "Qwen/Qwen3-4B-Thinking-2507"}
    part.model.combo.setEditText(" owner/model ")
    assert asked(form)["model"] == "owner/model"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    part.model.button.click()
    assert asked(form)["model"] == str(tmp_path)
    part.model.combo.setEditText("")
    with pytest.raises(ConfigError, match="Expected a language model"):
        form.request("spatial")


def test_servers(form):
    part = choose(form, "server")
    with pytest.raises(SemanticsError, match="Expected the address of a server"):
        form.request("spatial")
    part.server.url.setText("http://localhost:8000/v1/embeddings")
    url = "http://localhost:8000/v1"
    assert asked(form) == {"source": "server", "url": url, "per": "spot"}
    part.server.model.setText("tiny")
    part.server.per.setCurrentIndex(1)
    assert asked(form) == {
        "source": "server",
        "url": url,
        "per": "gene",
        "model": "tiny",
    }


def test_a_control_is_announced_and_asked_for(form):
    assert form.control_note.isHidden()
    form.control.setCurrentIndex(form.control.findData("shuffled"))
    assert not form.control_note.isHidden()
    assert form.control_note.text().startswith("CONTROL (gene names shuffled)")
    assert asked(form) == {"source": "builtin", "control": "shuffled"}
    form.control.setCurrentIndex(0)
    assert form.control_note.isHidden()
    assert asked(form) == {"source": "builtin"}


def test_controls_that_a_source_cannot_have_are_refused(form):
    form.control.setCurrentIndex(form.control.findData("unrelated"))
    choose(form, "genes")
    item = form.control.model().item(form.control.currentIndex())
    assert not item.isEnabled()
    with pytest.raises(ConfigError, match=r"Advanced > Control"):
        form.request("spatial")
    choose(form, "builtin")
    assert item.isEnabled()
    assert asked(form)["control"] == "unrelated"


def test_the_controls_refused_are_those_that_the_library_refuses(tmp_path):
    options = {
        "precomputed": {"embedding": tmp_path / "x.npy"},
        "server": {"url": "http://localhost:1/v1"},
    }
    np.save(tmp_path / "x.npy", np.zeros((2, 2)))
    np.savez(tmp_path / "t.npz", symbols=np.array(["A"]), vectors=np.ones((1, 2)))
    options["table"] = {"table": tmp_path / "t.npz"}
    refused = {}
    for name in setting_choices("semantics", "source"):
        if name == "none":
            continue
        made = source(name, **options.get(name, {}))
        for control in texts.CONTROL_NAMES:
            try:
                with_control(made, control, 0)
            except SemanticsError:
                refused.setdefault(name, []).append(control)
    assert {name: tuple(found) for name, found in refused.items()} == UNFIT


def test_a_recipe_without_semantics_hides_the_fields(form):
    part = choose(form, "server")
    form.recipe.setCurrentIndex(form.recipe.findData("quick"))
    assert part.server.isHidden()
    assert part.needs.text() == texts.NOT_HEARD
    assert asked(form) is None
    # A control of nothing is not dropped in silence: the run refuses it.
    form.control.setCurrentIndex(1)
    assert asked(form) == {"control": "random"}


@pytest.mark.parametrize("name", ["server", "prompts", "genes", "table", "builtin"])
def test_nothing_is_wider_than_a_dock(form, name):
    part = choose(form, name)
    part.server.url.setText(
        "https://a-rather-long-name.of.a.server.example.org:8443/v1"
    )
    form.control.setCurrentIndex(1)
    assert form.minimumSizeHint().width() <= 365


def test_a_forecast_of_the_model_is_not_told_twice():
    said = "tiny read 9 of 90 distinct texts, 4 tokens a second; about 3 min left"
    reading = Progress("describe", 9, 90, said)
    assert progress_line(reading, 200.0) == f"Reading the genes - {said}"
    other = Progress("describe", 9, 90, "Ranking the genes of every spot")
    assert progress_line(other, 200.0).endswith("3:20 left")
