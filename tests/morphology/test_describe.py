"""The step of a run that reads the image around spots."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from napari_semst import keys
from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.core.sections import Sections
from napari_semst.errors import Cancelled, ConfigError, InputError
from napari_semst.methods.resolve import resolve
from napari_semst.morphology import read_patches
from napari_semst.morphology.describe import describe_morphology
from napari_semst.pipeline.result import attach
from napari_semst.wording import for_shell
from tests.morphology.networks import save_tiny
from tests.morphology_images import stained, with_image
from tests.small import found, named, short, walked

NUCLEI = "nuclei, number, context"


@pytest.fixture
def tissue(tissue):
    return tissue[::3].copy()


def read(tissue, control=None, places=None, **morphology):
    morphology = {"encoder": "builtin", **morphology}
    config = resolve(
        Request("auto", {"morphology": morphology, "training": {"device": "cpu"}})
    )
    section = _Section(tissue.obsm["spatial"] if places is None else places)
    steps = describe_morphology(
        tissue, section.coordinates, config, control or RunControl()
    )
    return run_to_end(steps)


class _Section:
    """What of a section is read."""

    def __init__(self, coordinates):
        self.coordinates = np.asarray(coordinates, float)
        self.n_spots = len(coordinates)
        self.sections = Sections.one(self.n_spots)


def test_features_tell_what_is_around_each_spot(tissue):
    made = read(with_image(tissue))
    nuclei = made.features[:, made.names.index(NUCLEI)]
    lower = tissue.obsm["spatial"][:, 1] > 800
    upper = tissue.obsm["spatial"][:, 1] < 500
    assert nuclei[lower].mean() > nuclei[upper].mean() + 0.5
    assert made.usable.mean() > 0.9
    assert made.notes["images"]["slide"]["diameter"] == 60
    assert json.loads(json.dumps(made.notes)) == made.notes


def test_spots_beyond_the_image_have_no_features(tissue):
    places = tissue.obsm["spatial"].copy()
    places[5] += 1e5
    made = read(with_image(tissue), places=places)
    assert np.flatnonzero(made.flags["outside"]).tolist() == [5]
    assert np.isnan(made.features[5]).all()
    assert not made.usable[5]
    codes, names = made.reasons()
    assert names[codes[5]] == "outside"
    assert names[codes[6]] == "fine"


def test_a_file_in_its_own_pixels_gives_what_the_section_gives(tissue, tmp_path):
    own = read(with_image(tissue))
    image = tissue.uns["spatial"].pop("slide")["images"]["hires"]
    file = tmp_path / "slide.png"
    Image.fromarray(image).save(file)
    made = read(tissue, image=str(file), image_scale=0.2, spot_diameter=60.0)
    assert np.allclose(made.features, own.features, atol=1e-4)


def test_features_are_kept_and_a_run_goes_on_where_it_was(tissue, monkeypatch):
    monkeypatch.setattr(read_patches, "BLOCK_SPOTS", 18)
    blocks = []
    encode = read_patches.PatchReader._block

    def counted(self, places, control):
        blocks.append(len(places))
        if len(blocks) == 3:
            control.cancel()
            control.check()
        return encode(self, places, control)

    monkeypatch.setattr(read_patches.PatchReader, "_block", counted)
    with pytest.raises(Cancelled):
        read(with_image(tissue))
    made = read(tissue)
    assert blocks[:3] == [17, 17, 16]
    assert len(blocks) == 5
    again = read(tissue)
    assert len(blocks) == 5
    assert np.array_equal(made.features, again.features)
    fresh = read(tissue, keep_features=False)
    assert len(blocks) == 9
    assert np.allclose(made.features, fresh.features, atol=1e-5)


def test_a_network_whose_features_are_kept_is_not_loaded(tissue, tmp_path, monkeypatch):
    from napari_semst.morphology import hf

    with_image(tissue)
    encoder = f"hf:{save_tiny(tmp_path / 'tiny')}"
    made = read(tissue, encoder=encoder)
    assert made.features.shape == (tissue.n_obs, 32)
    assert made.notes["output"] == "the class token of the last layer"
    monkeypatch.setattr(hf, "_loaded", lambda *_: pytest.fail("loaded"))
    again = read(tissue, encoder=encoder)
    assert np.array_equal(made.features, again.features, equal_nan=True)
    assert again.names == made.names


def test_two_sections_have_two_images_of_one_look(tissue):
    half = tissue.n_obs // 2
    tissue.obs[keys.SECTION] = ["one"] * half + ["two"] * (tissue.n_obs - half)
    first = with_image(tissue, "one").uns["spatial"]["one"]
    pale = (255 * (first["images"]["hires"] / 255) ** 0.5).astype(np.uint8)
    second = {**first, "images": {"hires": pale}}
    tissue.uns["spatial"] = {"one": first, "two": second}
    # Both sections have their spots at the same places.
    places = np.resize(tissue.obsm["spatial"][:half], (tissue.n_obs, 2))
    made, raw = read(tissue, places=places), read(tissue, places=places, stain="none")
    assert set(made.notes["images"]) == {"one", "two"}
    assert made.notes["images"]["two"]["normalised"]

    def gap(one):
        red = one.features[:, one.names.index("red, mean, context")]
        return np.abs(red[:half] - red[half : 2 * half]).mean()

    assert gap(made) < 0.7 * gap(raw)
    del second["images"]["hires"]
    made = read(tissue)
    assert made.flags["outside"][half:].all()
    assert "without an image" in made.notes["warnings"][0]
    # A section of which nothing is known but its name has no image either.
    del tissue.uns["spatial"]["two"]
    bare = read(tissue)
    assert np.array_equal(bare.usable, made.usable)
    assert bare.flags["outside"][half:].all()


def test_one_file_is_of_one_section(tissue, tmp_path):
    file = tmp_path / "slide.png"
    image = with_image(tissue, "one").uns["spatial"]["one"]["images"]["hires"]
    Image.fromarray(image).save(file)
    tissue.uns["spatial"]["two"] = dict(tissue.uns["spatial"]["one"])
    with pytest.raises(InputError, match="Pick one"):
        read(tissue)
    made = read(tissue, image=str(file), image_scale=0.2, spot_diameter=60.0)
    assert made.usable.any()
    half = tissue.n_obs // 2
    tissue.obs[keys.SECTION] = ["one"] * half + ["two"] * (tissue.n_obs - half)
    with pytest.raises(InputError, match=r"one section for the image .*: one, two"):
        read(tissue, image=str(file))


def test_features_that_are_there_are_taken(tissue):
    values = np.random.default_rng(0).normal(size=(tissue.n_obs, 4))
    values[3, 1] = np.nan
    tissue.obsm["uni"] = values
    made = read(tissue, encoder="obsm:uni")
    assert np.allclose(made.features, values, equal_nan=True)
    assert made.usable.sum() == tissue.n_obs - 1
    with pytest.raises(InputError, match="found 'spatial', 'uni'"):
        read(tissue, encoder="obsm:none")


def test_none_reads_nothing_and_unknown_encoders_are_refused(tissue):
    assert read(tissue, encoder="none") is None
    with_image(tissue)
    for name in ("resnet", "hf:", "timm:", "builtin:2"):
        with pytest.raises(ConfigError, match="hf:ID"):
            read(tissue, encoder=name)


def test_without_an_image_the_error_says_what_to_do(tissue):
    with pytest.raises(InputError, match=r"morphology\.image") as found:
        read(tissue)
    assert "--image FILE" in for_shell(found.value)
    with_image(tissue).uns["spatial"]["slide"]["images"].clear()
    with pytest.raises(InputError, match="slide without one"):
        read(tissue)


def test_a_run_writes_flags_and_features_and_a_later_one_removes_them(tissue):
    with_image(named(tissue))
    tissue.uns["spatial"]["slide"]["images"]["hires"] = stained((260, 320), 300)
    request = short("quick", morphology={"encoder": "builtin"})
    events, result = walked(tissue, request)
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == ["prepare", "morphology", "train", "assign"]
    last = [event for event in events if event.stage == "morphology"][-1]
    assert last.step == last.steps == tissue.n_obs
    assert result.provenance["morphology"]["encoder"] == "builtin"
    assert result.provenance["seconds"]["morphology"] >= 0
    whole = attach(tissue, result)
    assert whole.obs[keys.IMAGE_FLAG].cat.categories[0] == "fine"
    assert whole.obsm[keys.IMAGE_FEATURES].shape[0] == tissue.n_obs
    plain = attach(whole, found(whole, short("quick")))
    assert keys.IMAGE_FLAG not in plain.obs
    assert keys.IMAGE_FEATURES not in plain.obsm
