"""Models in their file: whole, equal when read back, and nothing else taken for one."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save, save_file

from napari_semst.core.progress import run_to_end
from napari_semst.errors import ConfigError, InputError, SaveError
from napari_semst.methods.resolve import resolve
from napari_semst.pipeline.model import (
    FORMAT,
    Extremes,
    Standard,
    check_savable,
    load_model,
    save_model,
)
from napari_semst.pipeline.run import find_domains
from napari_semst.semantics import standardise
from tests.small import short


@pytest.fixture
def model(result_of):
    return result_of("auto").model


@pytest.fixture
def quick(result_of):
    return result_of("quick").model


def rewritten(path, change):
    """Write a file again with its header's JSON changed, and without a checksum."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    told = json.loads(header["__metadata__"]["napari-semst model"])
    told.pop("sha256", None)
    change(told)
    header["__metadata__"]["napari-semst model"] = json.dumps(told)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size :])


def test_a_model_reads_back_the_same(model, tmp_path):
    path = save_model(model, tmp_path / "model.safetensors")
    back = load_model(path)
    assert back.fingerprint == model.fingerprint
    assert back.config == model.config
    assert back.genes.tolist() == model.genes.tolist()
    assert (back.names, back.colors, back.rounds) == (
        model.names,
        model.colors,
        model.rounds,
    )
    assert back.reads_semantics
    assert back.parameters.keys() == model.parameters.keys()
    for name, values in model.parameters.items():
        np.testing.assert_array_equal(back.parameters[name], values)
    for one, other in zip(back.members, model.members, strict=True):
        assert (one.view, one.rounds) == (other.view, other.rounds)
        np.testing.assert_array_equal(one.mixture.white, other.mixture.white)
        np.testing.assert_array_equal(one.units.centre, other.units.centre)


def test_decoders_are_not_kept(model):
    assert not [name for name in model.parameters if "decoder" in name]
    assert [name for name in model.parameters if name.startswith("network.")]


def test_no_file_is_replaced_unasked(quick, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"mine")
    with pytest.raises(SaveError, match="overwritten"):
        save_model(quick, path)
    assert path.read_bytes() == b"mine"
    save_model(quick, path, overwrite=True)
    assert load_model(path).fingerprint == quick.fingerprint
    with pytest.raises(SaveError, match="safetensors"):
        save_model(quick, tmp_path / "model.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_results_without_a_model_are_not_saved(tissue, tmp_path):
    result = run_to_end(find_domains(tissue, short("dlpfc")))
    assert result.model is None
    with pytest.raises(SaveError, match="it has none"):
        save_model(result.model, tmp_path / "model.safetensors")
    single = run_to_end(find_domains(tissue, short("quick", k=1)))
    assert single.model is None


@pytest.mark.parametrize(
    ("preset", "stages"),
    [
        ("dlpfc", {}),
        ("auto", {"domains": {"readout": "gmm"}}),
        ("quick", {"domains": {"n_domains": 1}}),
    ],
)
def test_settings_that_make_no_model_are_told_before_the_run(preset, stages):
    with pytest.raises(ConfigError, match="labels other sections"):
        check_savable(resolve(short(preset, **stages)))


def test_other_and_damaged_files_are_refused(quick, tmp_path):
    with pytest.raises(InputError, match="found none"):
        load_model(tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    save_file({"weight": np.zeros(3)}, other)
    with pytest.raises(InputError, match="another safetensors file"):
        load_model(other)
    path = save_model(quick, tmp_path / "model.safetensors")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="damaged"):
        load_model(path)


def test_newer_formats_are_refused(quick, tmp_path):
    path = save_model(quick, tmp_path / "model.safetensors")
    rewritten(path, lambda told: told.update(format=FORMAT + 1))
    with pytest.raises(InputError, match=r"newer version.*Upgrade"):
        load_model(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["genes"].pop(),
        lambda told: told["names"].append("another"),
        lambda told: told["voters"].append([0, 1]),
        lambda told: told["voters"].clear(),
        lambda told: told.pop("rounds"),
        lambda told: told["config"]["model"].update(unheard_of=1),
        lambda told: told["voters"].__setitem__(0, [-1, 0]),
        lambda told: told["voters"].__setitem__(0, [9, 0]),
    ],
)
def test_parts_that_do_not_fit_are_refused(quick, tmp_path, change):
    path = save_model(quick, tmp_path / "model.safetensors")
    rewritten(path, change)
    with pytest.raises(InputError, match="Expected a whole model"):
        load_model(path)


def test_the_standard_repeats_the_standardising():
    random = np.random.default_rng(0)
    before = (random.normal(3, 2, (80, 6)) * np.arange(6)).astype(np.float32)
    after = standardise(before)
    standard = Standard.between(Extremes.of(before), after)
    np.testing.assert_allclose(standard.transform(before), after, atol=2e-6)
    # The first dimension is constant: nothing of it may come through elsewhere.
    assert not standard.transform(before + 5)[:, 0].any()


def with_arrays(path, change):
    """Change the arrays of a model's file; its header, with the checksum, stays."""
    with safe_open(path, "np") as file:
        header = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(arrays)
    path.write_bytes(save(arrays, header))


def test_a_model_that_changed_since_is_refused(quick, tmp_path):
    path = save_model(quick, tmp_path / "model.safetensors")

    def nudge(arrays):
        name = next(name for name in arrays if name.endswith("centres"))
        arrays[name] = arrays[name] + 1e-9

    with_arrays(path, nudge)
    with pytest.raises(InputError, match="as it was saved; its content has changed"):
        load_model(path)


def test_a_model_from_before_checksums_is_read(quick, tmp_path):
    path = save_model(quick, tmp_path / "model.safetensors")
    rewritten(path, lambda told: None)
    old = load_model(path)
    assert not old.has_checksum
    again = load_model(save_model(old, tmp_path / "again.safetensors"))
    assert again.fingerprint == old.fingerprint != quick.fingerprint


def test_a_model_of_zeros_is_refused(quick, tmp_path):
    path = save_model(quick, tmp_path / "model.safetensors")
    rewritten(path, lambda told: None)

    def empty(arrays):
        for name in arrays:
            arrays[name] = np.zeros_like(arrays[name])

    with_arrays(path, empty)
    with pytest.raises(InputError, match="nothing but zeros"):
        load_model(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: told.update(rounds=10**9), "rounds of averaging"),
        (lambda told: told["names"].__setitem__(0, told["names"][1]), "of one name"),
        (lambda told: told["genes"].__setitem__(0, told["genes"][1]), "of one name"),
    ],
)
def test_a_model_that_asks_for_what_no_run_does_is_refused(
    quick, tmp_path, change, words
):
    path = save_model(quick, tmp_path / "model.safetensors")
    rewritten(path, change)
    with pytest.raises(InputError, match=words):
        load_model(path)
