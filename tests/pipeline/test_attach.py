"""What a result writes into a tissue, and that it survives the disk."""

from __future__ import annotations

import json
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest

from napari_semst import keys
from napari_semst.config import Request
from napari_semst.errors import ConfigError
from napari_semst.io.export.h5ad import write
from napari_semst.palette import domain_colors
from napari_semst.pipeline.result import DomainResult, attach, storable
from tests.small import fingerprint, found, named, short

SPOT_KEYS = (
    keys.CONFIDENCE,
    keys.MODULATION,
    keys.MODULATION_SCALE,
    keys.MODULATION_SHIFT,
    keys.COVERAGE,
)
VECTOR_KEYS = (keys.LATENT, keys.SCALE, keys.SHIFT)


def made(n_spots=196, *, semantics=True, shift=0, n_domains=3):
    """Return a result without a run."""
    random = np.random.default_rng(shift)

    def values(*width):
        return random.random((n_spots, *width)).astype(np.float32)

    maps = {}
    if semantics:
        maps = {"coverage": values(), "scale": values(4), "shift": values(4)}
        names = ("modulation", "modulation_scale", "modulation_shift")
        maps |= {name: values() for name in names}
    return DomainResult(
        ((np.arange(n_spots) + shift) % n_domains).astype(np.int32),
        tuple(str(code + 1) for code in range(n_domains)),
        values(2),
        confidence=values(),
        provenance={"seed": shift, "warnings": [], "semantics": {"species": None}},
        **maps,
    )


def test_keys_and_types(tissue):
    result = made()
    back = attach(tissue, result)
    labels = back.obs[keys.DOMAIN]
    assert isinstance(labels.dtype, pd.CategoricalDtype)
    assert list(labels.cat.categories) == ["1", "2", "3"]
    assert np.array_equal(labels.cat.codes, result.codes)
    for key in SPOT_KEYS:
        assert back.obs[key].dtype == np.float32, key
    for key in VECTOR_KEYS:
        assert back.obsm[key].dtype == np.float32, key
    assert np.array_equal(back.obsm[keys.LATENT], result.latent)
    assert np.array_equal(back.obs[keys.MODULATION], result.modulation)
    assert np.array_equal(back.obsm[keys.SHIFT], result.shift)
    assert set(back.uns[keys.RUNS]) == {"default"}


@pytest.mark.parametrize("n_domains", [1, 3, 25])
def test_one_colour_for_each_domain(tissue, n_domains):
    back = attach(tissue, made(n_domains=n_domains))
    for key in ("semst_domain", "semst_domain_default"):
        colors = back.uns[f"{key}_colors"]
        assert list(colors) == domain_colors(n_domains)


def test_domains_without_a_spot_keep_their_colour(tissue):
    result = made()
    result.codes[:] = np.minimum(result.codes, 1)
    back = attach(tissue, result)
    assert list(back.obs[keys.DOMAIN].cat.categories) == ["1", "2", "3"]
    assert len(back.uns["semst_domain_colors"]) == 3


def test_the_bare_key_is_the_latest_run(tissue):
    first, second = made(), made(shift=1)
    back = attach(attach(tissue, first, "one"), second, "two.b-3")
    assert np.array_equal(back.obs["semst_domain_one"].cat.codes, first.codes)
    assert np.array_equal(back.obs["semst_domain_two.b-3"].cat.codes, second.codes)
    assert np.array_equal(back.obs[keys.DOMAIN].cat.codes, second.codes)
    assert np.array_equal(back.obsm[keys.LATENT], second.latent)
    assert {n: r["seed"] for n, r in back.uns["semst"].items()} == {
        "one": 0,
        "two.b-3": 1,
    }


def test_a_run_of_the_same_name_replaces(tissue):
    back = attach(attach(tissue, made(n_domains=5)), made(shift=2, n_domains=2))
    assert list(back.obs["semst_domain_default"].cat.categories) == ["1", "2"]
    assert len(back.uns["semst_domain_default_colors"]) == 2
    assert back.uns["semst"]["default"]["seed"] == 2


def test_a_run_without_semantics_leaves_none_of_the_last_runs(tissue):
    back = attach(attach(tissue, made()), made(semantics=False), "plain")
    for key in SPOT_KEYS[1:]:
        assert key not in back.obs, key
    for key in VECTOR_KEYS[1:]:
        assert key not in back.obsm, key
    assert keys.CONFIDENCE in back.obs
    assert keys.LATENT in back.obsm


def test_a_copy_unless_asked(tissue):
    before = fingerprint(tissue)
    back = attach(tissue, made())
    assert back is not tissue
    assert fingerprint(tissue) == before
    assert attach(tissue, made(), inplace=True) is tissue
    assert fingerprint(tissue) == fingerprint(back)


def test_runs_of_a_copy_do_not_reach_the_original(tissue):
    attach(tissue, made(), "one", inplace=True)
    attach(tissue, made(), "two")
    assert set(tissue.uns["semst"]) == {"one"}


def test_the_rest_of_the_tissue_stays(tissue):
    before = fingerprint(tissue)
    after = fingerprint(attach(tissue, made()))
    for part in ("X", "var", "layers", "varm", "obsp", "varp", "raw"):
        assert after[part] == before[part], part
    for column, values in before["obs"][1].items():
        assert after["obs"][1][column] == values
    assert after["obsm"]["spatial"] == before["obsm"]["spatial"]


def test_another_tissue_is_refused_and_left_alone(tissue):
    before = fingerprint(tissue)
    with pytest.raises(ConfigError, match=r"tissue of 195 spots.*found 196"):
        attach(tissue, made(195), inplace=True)
    assert fingerprint(tissue) == before


HOSTILE = [
    "", " ", "a/b", "../x", "a b", "-x", ".x", "_x", "x" * 65, "a\nb", "run\n",
    "é", "a\0b", "<b>", "a'b", "a;b", "x\t",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_run_names_are_refused(tissue, name):
    before = fingerprint(tissue)
    with pytest.raises(ConfigError, match="Rename the run"):
        attach(tissue, made(), name, inplace=True)
    assert fingerprint(tissue) == before


@pytest.mark.parametrize("writer", ["ours", "anndata"])
def test_a_result_survives_the_disk(tissue, tmp_path, writer):
    result = found(named(tissue), short())
    back = attach(tissue, result, "one")
    attach(back, found(tissue, short("quick")), "two", inplace=True)
    path = tmp_path / "out.h5ad"
    if writer == "ours":
        write(back, path)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            back.write_h5ad(path)
    read = anndata.read_h5ad(path)
    labels = read.obs["semst_domain_one"]
    assert list(labels) == [result.names[code] for code in result.codes]
    assert np.array_equal(read.obsm["X_semst"], back.obsm["X_semst"])
    assert list(read.uns["semst_domain_colors"]) == domain_colors(3)
    recorded = dict(read.uns["semst"]["one"])
    assert recorded.pop("evidence")["labels"]["spots"] == tissue.n_obs
    _same(storable(result.provenance), recorded)


def _same(want, have):
    if isinstance(want, dict):
        assert set(have) == set(want)
        for key in want:
            _same(want[key], have[key])
    elif isinstance(want, np.ndarray):
        assert list(have) == list(want)
    else:
        assert have == want


def test_the_settings_that_were_stored_repeat_the_run(tissue, tmp_path):
    result = found(named(tissue), short(training={"seed": 3}))
    path = tmp_path / "out.h5ad"
    write(attach(tissue, result), path)
    stored = anndata.read_h5ad(path).uns["semst"]["default"]["config"]
    stages = {n: _plain(v) for n, v in stored.items() if n != "preset"}
    again = found(tissue, Request(str(stored["preset"]), stages))
    assert again.latent.tobytes() == result.latent.tobytes()
    assert np.array_equal(again.codes, result.codes)


def _plain(values):
    return {k: v.item() if hasattr(v, "item") else v for k, v in values.items()}


def test_provenance_is_plain(tissue):
    provenance = found(named(tissue), short()).provenance
    assert json.loads(json.dumps(provenance)) == provenance
    assert set(provenance["versions"]) >= {"python", "torch", "napari-semst"}
    assert set(provenance["seconds"]) == {"prepare", "describe", "train", "assign"}
    assert provenance["device"]["name"] == "cpu"


def test_what_h5ad_cannot_hold_is_made_storable():
    made_storable = storable(
        {"a/b": None, "list": [], "texts": ["x"], "numbers": (1.5, 2), "deep": {"c": 1}}
    )
    assert made_storable["a_b"] == ""
    assert made_storable["list"].shape == (0,)
    assert list(made_storable["texts"]) == ["x"]
    assert made_storable["numbers"].tolist() == [1.5, 2]
    assert made_storable["deep"] == {"c": 1}
