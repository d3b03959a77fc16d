from __future__ import annotations

import dataclasses
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_semst.config import STAGES, Config, Request
from napari_semst.config.presets import PRESETS
from napari_semst.errors import ConfigError
from napari_semst.methods.resolve import resolve


@given(
    epochs=st.integers(1, 10**6),
    rate=st.floats(1e-9, 1.0),
    layer=st.text(max_size=20),
)
def test_a_request_survives_toml(epochs, rate, layer):
    request = (
        Request("quick")
        .with_settings("training", epochs=epochs, learning_rate=rate)
        .with_settings("prepare", counts_layer=layer)
    )
    assert Request.from_toml(request.to_toml()) == request


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[trainning]\nepochs = 3", "trainning"),
        ("[training]\nepoch = 3", "epoch"),
        ("[training]\nepochs = -1", "at least 0"),
        ("[training]\nepochs = 1.5", "int"),
        ("[training]\nepochs = true", "int"),
        ("[training]\nlearning_rate = nan", "at least"),
        ("[image_guided]\ndropout = 1.5", "at most 0.95"),
        ("[domains]\nreadout = 'magic'", "'gmm'"),
        ("training = 3", "table"),
        ("preset = 3", "preset"),
        ("[training", "TOML"),
    ],
)
def test_what_is_not_accepted_is_named(text, named):
    with pytest.raises(ConfigError, match=named):
        Request.from_toml(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml"):
        Request.from_file(tmp_path / "none.toml")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_resolves_and_overrides_win(name):
    request = Request(name).with_settings("training", epochs=3, seed=7)
    config = resolve(request)
    assert config.preset == name
    assert (config.training.epochs, config.training.seed) == (3, 7)
    for stage, settings in PRESETS[name].settings.items():
        for setting, value in settings.items():
            if setting != "epochs":
                assert getattr(getattr(config, stage), setting) == value


@pytest.mark.parametrize("name", PRESETS)
def test_published_recipes_leave_labels_as_they_are(name):
    domains = resolve(Request(name)).domains
    assert (domains.refine == 0) == (domains.readout == "kmeans")


def test_an_unknown_preset_lists_the_known():
    with pytest.raises(ConfigError, match="dlpfc"):
        resolve(Request("papper"))


def test_auto_is_a_preset_and_recorded():
    assert resolve(Request()).preset in PRESETS


def test_every_setting_has_a_help_line_and_an_accepted_default():
    for stage, kind in STAGES.items():
        for setting in dataclasses.fields(kind):
            assert setting.metadata["help"].endswith("."), (stage, setting.name)
            Config().with_overrides({stage: {setting.name: setting.default}})


def test_settings_are_plain_values():
    text = Request("quick", {"domains": {"n_domains": 5}}).to_toml()
    assert tomllib.loads(text) == {"preset": "quick", "domains": {"n_domains": 5}}


def test_a_part_may_be_given_as_a_number():
    wanted = Request().with_settings("prepare", part=20)
    assert resolve(wanted).prepare.part == "20"
    with pytest.raises(ConfigError, match=r"prepare\.part"):
        resolve(Request().with_settings("prepare", part=True))
    with pytest.raises(ConfigError, match=r"prepare\.counts_layer"):
        resolve(Request().with_settings("prepare", counts_layer=20))
