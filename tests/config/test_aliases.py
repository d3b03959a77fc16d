"""Settings by the names of the image-guided method's own source."""

from __future__ import annotations

import json

import pytest

from napari_semst.config import Request
from napari_semst.config.settings import ImageGuidedConfig
from napari_semst.errors import ConfigError
from napari_semst.methods.resolve import resolve

SOURCE = {
    "model": {"hidden_dim": 64, "latent_dim": 16, "num_heads": 2, "dropout": 0.2},
    "training": {
        "learning_rate": 0.001,
        "epochs": 150,
        "kl_annealing_start": 5,
        "kl_annealing_end": 40,
        "kl_weight_max": 0.5,
    },
    "data": {"graph_type": "radius", "k_neighbors": 8, "highly_variable_genes": 1500},
}


def test_the_json_of_the_source_is_read(tmp_path):
    path = tmp_path / "config.JSON"
    path.write_text(json.dumps(SOURCE))
    config = resolve(Request.from_file(path))
    assert config.model.method == "image-guided"
    assert config.morphology.encoder == "builtin"
    assert config.image_guided == ImageGuidedConfig(
        hidden_dim=64,
        latent_dim=16,
        num_heads=2,
        dropout=0.2,
        kl_annealing_start=5,
        kl_annealing_end=40,
        kl_weight_max=0.5,
        graph_type="radius",
        k_neighbors=8,
    )
    assert (config.training.learning_rate, config.training.epochs) == (0.001, 150)
    assert config.prepare.n_top_genes == 1500


def test_what_is_left_out_is_the_method_s_own():
    config = resolve(Request.from_json('{"model": {"latent_dim": 10}}'))
    assert config == resolve(
        Request("auto", {"model": {"method": "image-guided"}}).with_settings(
            "image_guided", latent_dim=10
        )
    )


def test_toml_takes_the_names_of_the_source_too():
    request = Request.from_toml(
        'preset = "image-guided"\n[image_guided]\nlearning_rate = 0.01\nepochs = 7\n'
        "highly_variable_genes = 99\nlatent_dim = 8"
    )
    config = resolve(request)
    assert (config.training.learning_rate, config.training.epochs) == (0.01, 7)
    assert (config.prepare.n_top_genes, config.image_guided.latent_dim) == (99, 8)
    assert Request.from_toml(request.to_toml()) == request


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"model": {"hiden_dim": 3}}', "'hiden_dim'"),
        ('{"model": {"epochs": 3}}', "setting of 'model'"),
        ('{"modell": {}}', "'modell'.*TOML"),
        ('{"preset": "quick"}', "'preset'"),
        ('{"model": 3}', "table of settings"),
        ("[1]", "list"),
        ("{", "JSON"),
        ("[" * 100_000, "JSON"),
        ('{"model": {"dropout": NaN}}', "at least"),
        ('{"training": {"epochs": 2.5}}', "int"),
        ('{"training": {"epochs": -1}}', "at least"),
        ('{"data": {"graph_type": "rings"}}', "'knn'"),
    ],
)
def test_json_that_is_not_accepted_is_named(text, named):
    with pytest.raises(ConfigError, match=named):
        Request.from_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "[image_guided]\nepochs = 3\n[training]\nepochs = 4",
        "[image_guided]\nhighly_variable_genes = 3\n[prepare]\nn_top_genes = 3",
    ],
)
def test_a_setting_given_by_both_names_is_refused(text):
    with pytest.raises(ConfigError, match="got both"):
        Request.from_toml(text)
