"""The image-guided method, as a shell sees it."""

from __future__ import annotations

import json

import pytest
from anndata import read_h5ad
from PIL import Image

from napari_semst.errors import ConfigError, InputError
from napari_semst.wording import for_shell
from tests.cli.test_main import call
from tests.morphology_images import with_image

SETTINGS = """
[image_guided]
folds = 2
permutations = 4
hidden_dim = 8
latent_dim = 4
epochs = 3
[domains]
n_starts = 1
"""


@pytest.fixture
def section(tissue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few.toml").write_text(SETTINGS)
    path = tmp_path / "section.h5ad"
    tissue = with_image(tissue)
    tissue.obsm["spatial"][3] += 1e5
    tissue.write_h5ad(path)
    return path


def run(*words):
    return call(
        "run", *words, "-k", 3, "--method", "image-guided", "--config", "few.toml",
        "--device", "cpu", "--coordinates", "spatial",
    )  # fmt: skip


def test_the_run_tells_discordance_images_and_dimensions(section, tmp_path):
    told = json.loads(run(section, "--json", "--fdr", 0.3, "-o", "out.h5ad"))["image"]
    out = read_h5ad("out.h5ad")
    assert told["fdr"] == 0.3
    assert told["discordant"] == int(out.obs["ig_discordant"].sum())
    assert told["unusable"] == int(out.obs["ig_discordance"].isna().sum())
    assert told["reasons"]["outside"] == 1
    assert sum(told["reasons"].values()) == told["unusable"]
    assert told["dimensions"] == 4
    assert 0 <= told["active_dimensions"] <= 4
    assert told["pixels_per_spot"] == {"slide": 12.0}
    kept = out.uns["semst"]["default"]["morphology"]["names"]
    assert len(kept) == out.obsm["ig_image_features"].shape[1]
    said = run(section, "-o", "again.h5ad")
    compared = 196 - told["unusable"]
    assert f" of {compared} spots, at a false discovery rate of 10%" in said
    assert "outside 1" in said
    assert "of 4 dimensions active" in said


def test_without_images_there_is_no_discordance(section):
    said = run(section, "--image-encoder", "none", "-o", "out.h5ad")
    assert "discordance        none: the run was without an image" in said
    assert "ig_discordance" not in read_h5ad("out.h5ad").obs


def test_a_coarse_image_of_a_file_is_told(section, tmp_path):
    from napari_semst.io.read import read

    image = read(section).uns["spatial"]["slide"]["images"]["hires"]
    Image.fromarray(image[::2, ::2]).save("slide.png")
    said = run(
        section, "--image", "slide.png", "--image-scale", 0.1,
        "--spot-diameter", 60, "--context", 2,
    )  # fmt: skip
    assert "a spot is 6.0 pixels wide, fewer than 8" in said


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--image", "x.png", "--method", "semst"), "--image-encoder builtin"),
        (("--context", "2", "--image-encoder", "obsm:a"), "obsm:a"),
        (("--fdr", "0.1", "--method", "quick"), "--method image-guided"),
        (("--reference", "a", "--method", "quick"), "--method image-guided"),
        (("b.h5ad", "--reference", "a", "--method", "image-guided"), "--together"),
        (("--reference", "a", "--method", "image-guided"), "there is no 'a'"),
        (("--fdr", "5", "--method", "image-guided"), "at most 1.0; got 5"),
        (("--semantics", "builtin", "--method", "image-guided"), "no gene semantics"),
        (("--image-scale", "2", "--method", "image-guided"), "--image FILE"),
        (("--image", "x.png", "--method", "image-guided"), "there is none"),
        (("section.h5ad", "--image", "x.png"), "one section"),
        (("--method", "image-guided", "--save-model", "m.safetensors"), "other secti"),
    ],
)
def test_options_without_effect_are_refused(section, words, named):
    with pytest.raises(ConfigError, match=named):
        call("run", section, "-k", 3, *words)


def test_a_section_without_an_image_says_what_to_do(section):
    bare = read_h5ad(section)
    del bare.uns["spatial"]
    bare.write_h5ad("bare.h5ad")
    with pytest.raises(InputError) as found:
        run("bare.h5ad")
    told = for_shell(found.value)
    assert "--image FILE" in told
    assert "--image-encoder none" in told
    said = call("inspect", "bare.h5ad")
    assert "quick: about" in said
    assert "image-guided: about" not in said
    assert "histology    not as it is: Expected an image" in said
    assert "slide: 12 pixels across a spot" in call("inspect", section)
    assert "image-guided: about" in call("inspect", section)
