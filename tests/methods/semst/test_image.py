"""What SemST takes of the image, and that without it nothing changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_semst.cli import run as cli_run
from napari_semst.cli.main import app
from napari_semst.config import Request
from napari_semst.core.device import choose_device
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.core.threads import threads_limited
from napari_semst.errors import ConfigError
from napari_semst.methods.resolve import resolve
from napari_semst.methods.semst import image
from napari_semst.methods.semst.fit import fit
from napari_semst.methods.semst.image import image_components, with_image
from napari_semst.methods.semst.inputs import from_components
from napari_semst.pipeline.model import check_savable
from tests.guided import UNUSABLE, guided
from tests.small import found, named, short


def asked(way, **stages):
    """Return a section with features, and settings of SemST."""
    model = {"method": "semst", "morphology": way, "latent": 4, "hidden": 8}
    section, config = guided(model=model, semantics={"source": "none"}, **stages)
    return section, config


def fitted(section, config, semantics=None):
    with threads_limited(1):
        return run_to_end(
            fit(section, semantics, config, choose_device("cpu"), RunControl())
        )


def semantics_of(section, width=5):
    random = np.random.default_rng(3)
    return random.normal(0, 1, (section.n_spots, width)).astype(np.float32)


@pytest.mark.parametrize("meant", [False, True])
def test_without_the_setting_features_change_no_bit(meant):
    section, config = asked("none")
    semantics = semantics_of(section) if meant else None
    with_features = fitted(section, config, semantics)
    without = fitted(replace(section, morphology=None), config, semantics)
    assert with_features.latent.tobytes() == without.latent.tobytes()
    assert len(with_features.views) == len(without.views) == 3
    assert with_features.parameters is not None


def test_a_view_is_propagated_and_read_by_the_consensus():
    section, config = asked("view")
    inputs = from_components(section, None, config)
    plain = from_components(section, None, asked("none")[1])
    width = plain.features[0].shape[1]
    for own, graph, other in zip(
        inputs.features, inputs.graphs, plain.features, strict=True
    ):
        assert np.array_equal(own[:, :width], other)
        components = image_components(section, config)
        size = components[:, 0].std()
        np.testing.assert_allclose(
            own[:, width:], graph @ (components / size), rtol=1e-4, atol=1e-5
        )
    result = fitted(section, config)
    assert len(result.views) == 4
    assert result.views[2].values.shape == (300, 6)
    assert result.parameters is None
    assert not np.array_equal(result.latent, fitted(*asked("none")).latent)


@pytest.mark.parametrize("meant", [False, True])
def test_features_modulate_with_semantics_and_without(meant):
    section, config = asked("modulation")
    semantics = semantics_of(section) if meant else None
    read = with_image(section, semantics, config)
    assert read.shape == (300, 6 + 5 * meant)
    if meant:
        assert np.array_equal(read[:, :5], semantics)
    result = fitted(section, config, semantics)
    assert result.modulation is not None
    assert np.isfinite(result.modulation.strength).all()
    assert len(result.views) == 3
    assert (
        result.latent.tobytes() == fitted(section, config, semantics).latent.tobytes()
    )


def test_published_start_is_modulated_too():
    section, config = asked("modulation", training={"decoded_genes": 40})
    published = replace(config, model=replace(config.model, start="expression"))
    assert np.isfinite(fitted(section, published).latent).all()


@pytest.mark.parametrize("way", ["view", "modulation"])
def test_samples_of_spots_are_trained_alike(way):
    section, config = asked(way, training={"batch_spots": 60})
    assert np.isfinite(fitted(section, config).latent).all()


def test_components_fall_in_variance_and_unusable_spots_have_their_neighbours():
    section, config = asked("view")
    found = image_components(section, config)
    spread = found[section.morphology.usable].var(axis=0)
    assert (np.diff(spread) <= 1e-5 * spread[0]).all()
    for spot in UNUSABLE:
        row = section.average[spot]
        near = row.indices[section.morphology.usable[row.indices]]
        weights = row.data[section.morphology.usable[row.indices]]
        expected = np.average(found[near], axis=0, weights=weights)
        np.testing.assert_allclose(found[spot], expected, rtol=1e-4, atol=1e-5)


def test_components_are_the_same_in_pieces(monkeypatch):
    section, config = asked("view")
    whole = image_components(section, config)
    monkeypatch.setattr(image, "_CHUNK_SPOTS", 37)
    np.testing.assert_allclose(
        image_components(section, config), whole, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("way", ["view", "modulation"])
def test_a_section_without_features_is_refused(way):
    section, config = asked(way)
    with pytest.raises(ConfigError, match="the section has none"):
        fitted(replace(section, morphology=None), config)


def test_the_encoder_is_the_built_in_one_unless_another_is_asked_for():
    def encoder(**morphology):
        model = {"morphology": "view"}
        request = Request("auto", {"model": model, "morphology": morphology})
        return resolve(request).morphology.encoder

    assert encoder() == "builtin"
    assert encoder(encoder="obsm:image") == "obsm:image"
    with pytest.raises(ConfigError, match="Expected an image encoder"):
        encoder(encoder="none")
    assert resolve(Request()).morphology.encoder == "none"


@pytest.mark.parametrize("method", ["quick", "image-guided"])
def test_other_methods_refuse_the_setting(method):
    model = {"method": method, "morphology": "view"}
    with pytest.raises(ConfigError, match="Expected the method 'semst'"):
        resolve(Request("auto", {"model": model}))


def test_the_published_start_has_no_view():
    with pytest.raises(ConfigError, match="start 'components'"):
        resolve(Request("dlpfc", {"model": {"morphology": "view"}}))


def test_a_model_for_other_sections_is_refused():
    config = resolve(short(model={"morphology": "view"}))
    with pytest.raises(ConfigError, match=r"got model\.morphology 'view'"):
        check_savable(config)


@pytest.mark.parametrize("way", ["view", "modulation"])
def test_a_whole_run_reads_features_of_the_section(tissue, way):
    tissue.obsm["image"] = tissue.obsm["spatial"].astype(np.float32)
    encoder = {"encoder": "obsm:image"}
    request = short(model={"morphology": way}, morphology=encoder)
    result = found(named(tissue), request)
    assert result.morphology is not None
    assert result.provenance["config"]["model"]["morphology"] == way
    assert result.model is None


@pytest.mark.parametrize("method", ["quick", "semst"])
def test_an_image_that_is_read_for_nothing_is_told(tissue, method):
    tissue.obsm["image"] = tissue.obsm["spatial"].astype(np.float32)
    encoder = {"encoder": "obsm:image"}
    result = found(named(tissue), short(model={"method": method}, morphology=encoder))
    assert any("reads no image" in one for one in result.provenance["warnings"])


def test_the_option_of_the_command_line_reaches_the_settings(monkeypatch):
    asked = []

    def run(sources, request, *rest, **named):
        asked.append(request)

    monkeypatch.setattr(cli_run, "run_one", run)
    options = ["run", "x.h5ad", "-k", "3", "--morphology", "view"]
    outcome = CliRunner().invoke(app, options)
    assert outcome.exit_code == 0, outcome.output
    assert resolve(asked[0]).model.morphology == "view"
