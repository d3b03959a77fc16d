"""Method, image and encoder in the settings: from fields to a request, and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from napari.layers import Image, Layer
from PIL import Image as Pictures

from napari_semst.config import Config, Request
from napari_semst.config.presets import PRESETS
from napari_semst.errors import InputError
from napari_semst.methods.resolve import resolve
from napari_semst.morphology.encoders import encoder_download
from napari_semst.morphology.suggestions import SUGGESTED_ENCODERS
from napari_semst.viewer import adapter
from napari_semst.widgets.find import image as image_module
from napari_semst.widgets.find import texts
from napari_semst.widgets.find import texts_image as words
from napari_semst.widgets.find.configuration import recall_request
from napari_semst.widgets.find.image import (
    EncoderField,
    describe_encoder,
    kind_of_folder,
    layer_images,
)
from napari_semst.widgets.shared.downloads import DownloadQuestion
from tests.widgets.stand_in import small_tissue

GUIDED = """
preset = "auto"

[domains]
n_domains = 5

[model]
method = "image-guided"

[morphology]
encoder = "hf:facebook/dinov2-base"
image = "slide.tif"
image_scale = 2.5
spot_diameter = 80.0
context = 4.0

[image_guided]
latent_dim = 16
graph_type = "radius"
radius = 150.0
folds = 3
discordance_fdr = 0.05

[training]
seed = 0
device = "auto"
"""


def choose(combo, value):
    combo.setCurrentIndex(combo.findData(value))


def picture(tmp_path, name="slide.png"):
    path = tmp_path / name
    Pictures.fromarray(np.full((50, 60, 3), 200, np.uint8)).save(path)
    return path


def test_the_usual_path_asks_for_no_image(form):
    assert form.histology.isHidden()
    assert form.method.chosen == "semst"
    asked = form.request("spatial").overrides
    assert not {"model", "morphology", "image_guided"} & set(asked)


def test_image_guided_shows_its_fields_and_hides_what_it_does_not_read(form):
    choose(form.method, "image-guided")
    assert not form.histology.isHidden()
    assert form.meaning.isHidden()
    assert form.recipe.isHidden()
    asked = form.request("spatial")
    assert resolve(asked).model.method == "image-guided"
    assert asked.overrides["morphology"] == {"encoder": "builtin"}
    assert "semantics" not in asked.overrides
    choose(form.method, "semst")
    assert form.histology.isHidden()
    assert not form.meaning.isHidden()
    assert "morphology" not in form.request("spatial").overrides


def test_method_and_recipe_keep_in_step(form):
    choose(form.recipe, "quick")
    assert form.method.chosen == "quick"
    choose(form.method, "semst")
    assert form.recipe.currentData() == "auto"
    choose(form.method, "quick")
    assert form.recipe.currentData() == "quick"
    assert "model" not in form.request("spatial").overrides
    choose(form.method, "image-guided")
    assert form.request("spatial").preset == "image-guided"
    choose(form.recipe, "dlpfc")
    assert form.method.chosen == "semst"


def test_a_published_method_is_itself_until_semantics_is_chosen(form):
    choose(form.recipe, "dlpfc")
    choose(form.method, "stagate")
    assert form.method.chosen == "stagate"
    assert form.recipe.isHidden()
    asked = form.request("spatial")
    assert asked.preset == "auto"
    config = resolve(asked)
    assert (config.model.method, config.semantics.source) == ("stagate", "none")
    choose(form.semantics, "builtin")
    again = form.request("spatial")
    assert resolve(again).semantics.source == "builtin"
    choose(form.method, "semst")
    form.show_request(again)
    assert form.method.chosen == "stagate"
    assert form.request("spatial").overrides == again.overrides
    form.show_request(Request("auto", {"model": {"method": "graphst"}}))
    assert resolve(form.request("spatial")).semantics.source == "none"
    choose(form.method, "semst")
    assert resolve(form.request("spatial")).semantics.source == "builtin"


def test_semst_reads_the_image_where_it_is_asked_to(form):
    form.histology.use.setChecked(True)
    assert not form.histology.isHidden()
    assert form.request("spatial").overrides["morphology"] == {"encoder": "builtin"}
    assert not form.meaning.isHidden()
    again = form.request("spatial")
    form.histology.use.setChecked(False)
    form.show_request(again)
    assert form.histology.use.isChecked()


def test_settings_of_a_file_come_back_as_they_were(form):
    wanted = Request.from_toml(GUIDED)
    form.show_request(wanted)
    assert form.extra.settings == {}
    assert form.histology.image.image.path == "slide.tif"
    assert form.histology.guided.field("radius").value() == 150
    asked = form.request("spatial")
    for stage in ("model", "morphology", "image_guided", "domains"):
        assert asked.overrides[stage] == wanted.overrides[stage], stage
    # And another file takes all of it back.
    form.show_request(Request.from_toml("[domains]\nn_domains = 3"))
    assert form.method.chosen == "semst"
    assert form.histology.isHidden()


def test_a_quick_method_with_the_settings_of_a_recipe_is_named(form):
    kept = {"model": {"method": "quick"}}
    form.show_request(Request("dlpfc", kept))
    assert form.extra.settings == kept
    assert form.request("spatial").overrides["model"] == kept["model"]


def test_every_recipe_is_of_a_method_on_offer(form):
    for recipe in PRESETS:
        choose(form.recipe, recipe)
        assert form.method.currentIndex() >= 0
        assert form.method.asked is None


def test_a_section_without_image_is_told_of_before_the_run(dock, tmp_path, pipeline):
    for data in adapter.layers_of(small_tissue(image=False), name="Section"):
        dock._viewer.add_layer(Layer.create(*data))
    choose(dock.settings.method, "image-guided")
    image = dock.settings.histology.image
    assert image.missing.text() == words.NO_IMAGE
    dock.run_box.run_button.click()
    assert dock.card.kind == "error"
    assert dock.card.text.text() == words.NO_IMAGE
    assert pipeline.requests == []
    image.image.add_file(str(picture(tmp_path)))
    assert image.missing.isHidden()
    image.image.add_file(str(tmp_path / "gone.png"))
    assert "gone.png" in image.missing.text()


def test_the_image_is_not_remembered_but_the_encoder_is(
    dock, qtbot, tmp_path, form, pipeline
):
    for data in adapter.layers_of(small_tissue(), name="Section"):
        dock._viewer.add_layer(Layer.create(*data))
    choose(dock.settings.method, "image-guided")
    image = dock.settings.histology.image
    image.image.add_file(str(picture(tmp_path)))
    image.context.setValue(4)
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: dock.controller.job is None, timeout=60_000)
    assert pipeline.requests[-1].overrides["morphology"]["image"].endswith("slide.png")
    recall_request(form.show_request)
    assert form.method.chosen == "image-guided"
    assert form.histology.image.image.path == ""
    assert form.histology.image.context.value() == 4


def test_layers_are_read_from_their_files(dock, tmp_path):
    for data in adapter.layers_of(small_tissue(), name="Section"):
        dock._viewer.add_layer(Layer.create(*data))
    path = picture(tmp_path)
    (opened,) = dock._viewer.open(str(path), plugin="napari")
    opened.scale = (2, 2)
    dock._viewer.add_layer(Image(np.zeros((9, 9)), name="drawn"))
    found = layer_images(dock._viewer.layers)
    # The section's own image is offered as such.
    assert [one.name for one in found] == [opened.name, "drawn"]
    assert (found[0].path, found[0].pixels_per_unit) == (str(path), 0.5)
    assert found[1].why_not == words.LAYER_NO_FILE
    opened.translate = (100, 0)
    assert layer_images([opened])[0].why_not == words.LAYER_MOVED


def test_a_layer_in_memory_is_refused_with_what_to_do(dock):
    dock._viewer.add_layer(Image(np.zeros((9, 9)), name="drawn"))
    choose(dock.settings.method, "image-guided")
    picker = dock.settings.histology.image.image
    picker.combo.setCurrentIndex(1)
    assert picker.layer.name == "drawn"
    dock.settings.configuration.save_button.click()
    assert dock.card.text.text() == words.LAYER_NO_FILE
    # A layer that goes is no longer chosen.
    dock._viewer.layers.remove("drawn")
    assert picker.layer is None


def test_encoders_say_what_they_learnt_from_and_their_terms(qtbot):
    field = EncoderField()
    qtbot.addWidget(field)
    assert field.chosen() == "builtin"
    for one in SUGGESTED_ENCODERS:
        field.combo.setEditText(one.encoder)
        assert field.chosen() == one.encoder
        assert one.how or one.licence in field.note.text()
        assert one.how or ("HF_TOKEN" in field.note.text()) == one.gated
    field.combo.setEditText("dinov2")
    assert field.note.text() == words.ENCODER_UNKNOWN
    with pytest.raises(Exception, match="builtin, timm:ID, hf:ID"):
        field.chosen()


def test_a_folder_is_of_the_package_that_saved_it(tmp_path):
    assert kind_of_folder(tmp_path) == "hf"
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"pretrained_cfg": {}}))
    assert kind_of_folder(tmp_path) == "timm"
    assert describe_encoder(f"timm:{tmp_path}") == words.ENCODER_FOLDER


def test_features_of_the_section_need_no_image(form):
    tissue = small_tissue(image=False)
    form.set_tissue(tissue, "default")
    choose(form.method, "image-guided")
    image = form.histology.image
    image.encoder.combo.setEditText("obsm:conch")
    assert "conch" in image.missing.text()
    tissue.obsm["conch"] = np.zeros((tissue.n_obs, 3))
    image.set_tissue(tissue)
    assert image.missing.isHidden()
    assert image.image.isHidden()


def test_an_encoder_that_is_not_here_is_asked_about(dock, qtbot, pipeline, monkeypatch):
    for data in adapter.layers_of(small_tissue(), name="Section"):
        dock._viewer.add_layer(Layer.create(*data))
    choose(dock.settings.method, "image-guided")
    dock.settings.histology.image.encoder.combo.setEditText("hf:owner/not-here")
    asked = []
    monkeypatch.setattr(
        DownloadQuestion, "_ask", lambda self, *found: bool(asked.append(found))
    )
    dock.run_box.run_button.click()
    qtbot.waitUntil(
        lambda: dock.card.title.text() == texts.NOT_DOWNLOADED, timeout=60_000
    )
    assert [need.name for need, _ in asked] == ["owner/not-here"]
    assert pipeline.requests == []


def test_folders_and_the_built_in_encoder_need_no_download(tmp_path):
    for encoder in ("none", "builtin", "obsm:conch", f"hf:{tmp_path}"):
        config = Config().with_overrides({"morphology": {"encoder": encoder}})
        assert encoder_download(config.morphology) is None
    config = config.with_overrides({"morphology": {"encoder": "timm:vit_tiny.none"}})
    assert encoder_download(config.morphology).name == "timm/vit_tiny.none"


def test_a_package_that_is_missing_is_told_of_before_the_run(form, monkeypatch):
    choose(form.method, "image-guided")
    image = form.histology.image
    there: list[str] = []
    monkeypatch.setattr(image_module, "find_spec", lambda name: name in there or None)
    image.encoder.combo.setEditText("timm:MahmoodLab/UNI")
    assert image.missing.text() == words.NO_TIMM
    with pytest.raises(InputError, match="timm"):
        form.histology.check()
    there.append("timm")
    image.encoder.combo.setEditText("timm:MahmoodLab/UNI2-h")
    assert image.missing.isHidden()
