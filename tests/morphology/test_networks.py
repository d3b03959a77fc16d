"""Networks that read patches: right numbers, in batches, without running code."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from napari_semst.config.settings import MorphologyConfig
from napari_semst.errors import Cancelled, ConfigError, DeviceError, SemanticsError
from napari_semst.morphology import timm_models
from napari_semst.morphology.encoders import image_encoder
from napari_semst.morphology.networks import pool_tokens
from napari_semst.morphology.stain import REFERENCE_STAINS
from napari_semst.morphology.suggestions import SUGGESTED_ENCODERS, licence_of
from tests.morphology.networks import PREPARED, save_tiny

PATCHES = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 3), np.uint8)


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny-dinov2")


def made(name, **more):
    return image_encoder(MorphologyConfig(encoder=name, **more), "cpu")


def encoded(encoder, spot=PATCHES, context=PATCHES[::-1], between=lambda: None):
    return encoder.encode(spot, context, REFERENCE_STAINS, between)


def test_the_class_token_of_spot_and_context_stand_side_by_side(dinov2):
    from transformers import AutoModel

    encoder = made(f"hf:{dinov2}")
    assert encoder.spot_pixels == encoder.context_pixels == 28
    found = encoded(encoder)
    assert found.shape == (5, 32)
    images = torch.from_numpy(PATCHES).permute(0, 3, 1, 2) / 255
    mean, deviation = (
        torch.tensor(PREPARED[name]).view(1, 3, 1, 1)
        for name in ("image_mean", "image_std")
    )
    model = AutoModel.from_pretrained(dinov2).eval()
    with torch.no_grad():
        own = model((images - mean) / deviation).last_hidden_state[:, 0].numpy()
    assert np.allclose(found[:, :16], own, atol=1e-5)
    assert np.allclose(found[:, 16:], own[::-1], atol=1e-5)
    names = encoder.names(32)
    assert len(set(names)) == 32
    assert names[16] == "context, dimension 1"
    assert encoder.notes["output"] == "the class token of the last layer"
    assert encoder.notes["revision"].startswith("sha256:")


@pytest.mark.parametrize(("kind", "width"), [("vit", 16), ("convnext", 8)])
def test_other_networks_give_a_vector_too(tmp_path, kind, width):
    found = encoded(made(f"hf:{save_tiny(tmp_path / kind, kind)}"))
    assert found.shape == (5, 2 * width)
    assert found.std(axis=0).min() > 0


def test_batches_change_nothing_and_are_cancelled_between(dinov2):
    whole = encoded(made(f"hf:{dinov2}"))
    assert np.allclose(encoded(made(f"hf:{dinov2}", batch_patches=2)), whole, atol=1e-5)

    def between():
        raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        encoded(made(f"hf:{dinov2}"), between=between)


def test_batches_are_halved_where_memory_runs_out(dinov2):
    sizes = []
    encoder = made(f"hf:{dinov2}")
    whole = encoded(encoder)
    run, encoder._batch = encoder._run, 4

    def tight(patches, most=1):
        sizes.append(len(patches))
        if len(patches) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(patches)

    encoder._run = tight
    assert np.allclose(encoded(encoder), whole, atol=1e-5)
    assert sizes == [4, 2, *[1] * 10]
    assert encoder.notes["patches_at_once"] == 1
    encoder._run = lambda patches: tight(patches, 0)
    with pytest.raises(DeviceError, match="one patch"):
        encoded(encoder)


def test_other_weights_are_another_encoder(tmp_path, dinov2):
    other = made(f"hf:{save_tiny(tmp_path / 'other', seed=1)}")
    assert other.identity != made(f"hf:{dinov2}").identity
    assert made(f"hf:{dinov2}").identity == made(f"hf:{dinov2}").identity


def test_what_is_no_image_encoder_is_refused(tmp_path, dinov2, tiny_qwen):
    with pytest.raises(SemanticsError, match=r"preprocessor_config\.json is missing"):
        made(f"hf:{tiny_qwen}")
    with pytest.raises(SemanticsError, match=r"hf download nobody/x.*hf:/path"):
        made("hf:nobody/x")
    with pytest.raises(SemanticsError, match="an image encoder, or a Hugging Face id"):
        made(f"hf:{tmp_path / 'nothing'}")
    odd = save_tiny(tmp_path / "odd")
    for wrong in ({"size": 224}, {**PREPARED, "image_std": [0, 1, 1]}, []):
        (odd / "preprocessor_config.json").write_text(json.dumps(wrong))
        with pytest.raises(SemanticsError, match="image_mean and image_std"):
            made(f"hf:{odd}")
    pickled = save_tiny(tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(SemanticsError, match=r"model\.safetensors is missing"):
        made(f"hf:{pickled}")


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = save_tiny(tmp_path / "nan")
    weights = load_file(folder / "model.safetensors")
    weights["layernorm.weight"][:] = torch.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(SemanticsError, match="NaN or infinity"):
        encoded(made(f"hf:{folder}"))


def test_timm_that_is_not_there_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"pip install \"napari-semst\[histology\]\""):
        made("timm:vit_small_patch14_dinov2.lvd142m")


def _timm_folder(folder):
    from safetensors.torch import save_file

    folder.mkdir()
    save_file({"weight": torch.ones(2)}, folder / "model.safetensors")
    about = {"input_size": [3, 28, 28], "mean": [0.5] * 3, "std": [0.25] * 3}
    config = {"architecture": "tiny", "pretrained_cfg": about}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_timm_reads_a_folder(tmp_path, monkeypatch):
    asked = []

    class Tokens(torch.nn.Module):
        num_prefix_tokens = 2

        def forward(self, images):
            means = images.mean(dim=(2, 3))
            return torch.stack([means, means * 0, means + 1, means + 3], dim=1)

    def create_model(name, **arguments):
        asked.append((name, arguments))
        return Tokens()

    layers = ModuleType("timm.layers")
    layers.SwiGLUPacked = object
    timm = SimpleNamespace(create_model=create_model, layers=layers)
    monkeypatch.setitem(sys.modules, "timm", timm)
    monkeypatch.setitem(sys.modules, "timm.layers", layers)
    folder = _timm_folder(tmp_path / "tiny")
    found = encoded(made(f"timm:{folder}"))
    own = (PATCHES.mean(axis=(1, 2)) / 255 - 0.5) / 0.25
    assert np.allclose(found[:, :3], own, atol=1e-4)
    assert np.allclose(found[:, 3:6], own + 2, atol=1e-4)
    assert asked == [(f"local-dir:{folder}", {"pretrained": True, "num_classes": 0})]
    (folder / "config.json").write_text("{}")
    with pytest.raises(SemanticsError, match="input_size, mean and std"):
        made(f"timm:{folder}")


def test_what_the_page_of_an_encoder_says_of_colours_counts(tmp_path):
    folder = _timm_folder(tmp_path / "tiny")
    assert timm_models._prepared(folder, "MahmoodLab/UNI")[1] == (0.5,) * 3
    side, mean, deviation = timm_models._prepared(folder, "bioptimus/H-optimus-0")
    assert side == 28
    assert (mean[0], deviation[2]) == (0.707223, 0.177517)


class _Code:
    def __reduce__(self):
        return (pytest.fail, ("code of a file of weights was run",))


def test_timm_never_opens_a_file_that_holds_code(tmp_path, monkeypatch):
    layers = ModuleType("timm.layers")
    layers.SwiGLUPacked = object
    timm = SimpleNamespace(create_model=lambda *_, **__: pytest.fail("opened"))
    timm.layers = layers
    monkeypatch.setitem(sys.modules, "timm", timm)
    monkeypatch.setitem(sys.modules, "timm.layers", layers)
    folder = _timm_folder(tmp_path / "tiny")
    (folder / "model.safetensors").unlink()
    torch.save({"weight": _Code()}, folder / "pytorch_model.bin")
    with pytest.raises(SemanticsError, match="did not"):
        encoded(made(f"timm:{folder}"))


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_a_true_network_of_timm_gives_what_timm_gives(tmp_path, name):
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"timm cannot be imported here: {error}")
    from safetensors.torch import save_file

    model = timm.create_model(name, pretrained=False, num_classes=0).eval()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    told = model.pretrained_cfg
    about = {one: list(told[one]) for one in ("input_size", "mean", "std")}
    config = {"architecture": name, "num_classes": 0, "pretrained_cfg": about}
    (tmp_path / "config.json").write_text(json.dumps(config))
    encoder = made(f"timm:{tmp_path}")
    shape = (2, encoder.spot_pixels, encoder.spot_pixels, 3)
    patches = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    images = torch.from_numpy(patches).permute(0, 3, 1, 2) / 255
    mean, deviation = (torch.tensor(told[x]).view(1, 3, 1, 1) for x in ("mean", "std"))
    with torch.no_grad():
        own = model((images - mean) / deviation).numpy()
    found = encoded(encoder, patches, patches)
    assert np.allclose(found, np.tile(own, 2), atol=5e-3)


def test_tokens_become_one_vector():
    tokens = torch.arange(24.0).reshape(2, 4, 3)
    assert torch.equal(pool_tokens(tokens, 0), tokens.mean(dim=1))
    both = pool_tokens(tokens, 2)
    assert torch.equal(both[:, :3], tokens[:, 0])
    assert torch.equal(both[:, 3:], tokens[:, 2:].mean(dim=1))
    assert torch.equal(pool_tokens(tokens[..., None], 0), tokens.mean(dim=2))
    assert torch.equal(pool_tokens(tokens[:, 0], 5), tokens[:, 0])


def test_suggestions_name_their_licence():
    assert licence_of("facebook/DINOv2-base") == "Apache-2.0"
    assert "see its page" in licence_of("nobody/x")
    for kind in ("hf", "timm"):
        with pytest.raises(ConfigError, match=r"own package.*choose obsm:conch"):
            made(f"{kind}:MahmoodLab/conch")
    for one in SUGGESTED_ENCODERS:
        assert one.licence
        assert one.encoder.startswith(("hf:", "timm:", "obsm:"))
