from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_semst.config import Request
from napari_semst.core.progress import run_to_end
from napari_semst.errors import ConfigError, InputError
from napari_semst.methods.semst.published_weights import read_weights
from napari_semst.pipeline.run import find_domains


class Bomb:
    """Runs code when it is unpickled by a reader that allows it."""

    def __reduce__(self):
        return (open, ("exploded", "w"))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_both_formats_give_the_same_tensors(tmp_path, suffix):
    state = {"SGCN.gc1.weight": torch.randn(3, 2), "MLP.0.bias": torch.zeros(4)}
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    found = read_weights(path)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_code_in_a_file_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match="state_dict"):
        read_weights(path)
    torch.save({"a": torch.nn.Linear(2, 2)}, path)
    with pytest.raises(InputError, match="state_dict"):
        read_weights(path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_broken_and_missing_files_are_named(tmp_path, content):
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="weights"):
        read_weights(path)


def published(n_genes, hidden, latent):
    """Return a state dict in the published layout, all weights small."""
    torch.manual_seed(0)
    width = {
        "SGCN.gc1.weight": (n_genes, hidden),
        "SGCN.gc1.bias": (hidden,),
        "SGCN.gc2.weight": (hidden, latent),
        "SGCN.gc2.bias": (latent,),
        "MLP.0.weight": (hidden, 2 * latent),
        "MLP.0.bias": (hidden,),
        "MLP.3.weight": (latent, hidden),
        "MLP.3.bias": (latent,),
        "ZINB.decoder.0.weight": (hidden, latent),
        "ZINB.decoder.0.bias": (hidden,),
        "ZINB.decoder.1.weight": (hidden,),
        "ZINB.decoder.1.bias": (hidden,),
        "ZINB.decoder.1.running_mean": (hidden,),
        "ZINB.decoder.1.running_var": (hidden,),
    }
    for head in ("pi", "disp", "mean"):
        width[f"ZINB.{head}.weight"] = (n_genes, hidden)
        width[f"ZINB.{head}.bias"] = (n_genes,)
    width |= {n.replace("SGCN", "FGCN"): s for n, s in width.items() if "SGCN" in n}
    state = {name: 0.1 * torch.randn(shape) for name, shape in width.items()}
    state["ZINB.decoder.1.num_batches_tracked"] = torch.tensor(0)
    return state


def test_weights_are_used_as_they_are_with_no_epoch(tissue, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(published(tissue.n_vars, 16, 8), path)
    request = Request(
        "mba",
        {
            "domains": {"n_domains": 3},
            "semantics": {"source": "none"},
            "model": {"weights": str(path), "hidden": 16, "latent": 8},
            "training": {"epochs": 0},
        },
    )
    latents = [
        run_to_end(
            find_domains(tissue, request.with_settings("training", seed=s))
        ).latent
        for s in (0, 1)
    ]
    # Nothing of the seed is left in a network that was loaded whole and not trained.
    assert np.array_equal(*latents)
    assert latents[0].std() > 0
    wrong = request.with_settings("model", hidden=17)
    with pytest.raises(InputError, match=r"spatial_view\.first"):
        run_to_end(find_domains(tissue, wrong))


def test_weights_need_the_published_start(tissue, tmp_path):
    request = Request("default", {"domains": {"n_domains": 3}}).with_settings(
        "model", weights=str(tmp_path / "weights.pth")
    )
    with pytest.raises(ConfigError, match="expression"):
        run_to_end(
            find_domains(tissue, request.with_settings("semantics", source="none"))
        )
