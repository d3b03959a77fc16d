"""Real sections from file to domains; each test skips where the data is not there."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from napari_semst.domains.metrics import truth_scores
from napari_semst.io.read import read
from napari_semst.pipeline.run import attach
from tests.io.outs import write_10x_h5
from tests.small import fingerprint, found, short

# Domains of the annotation, and an agreement that five epochs reach with room to
# spare: labels in another order than spots would agree by 0.
SECTIONS = {
    "DLPFC_151510_500genes": (7, 0.2),
    "DLPFC_151673": (7, 0.3),
    "HER2ST_A1": (5, 0.1),
    "HER2ST_B1": (4, 0.1),
    "STARmap_MVC_BY3_1k": (7, 0.3),
    "ST_MOB": (5, 0.3),
    "osmFISH_SScortex": (11, 0.2),
}


def few(k, **stages):
    return short(k=k, training={"epochs": 5}, domains={"n_starts": 2}, **stages)


@pytest.fixture
def section(shared_data):
    def open_section(name):
        path = shared_data / "tissue" / f"{name}.h5ad"
        if not path.exists():
            pytest.skip(f"no {path}")
        return read(path)

    return open_section


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_runs_with_only_k_given(section, name):
    tissue, (k, least) = section(name), SECTIONS[name]
    before = fingerprint(tissue)
    result = found(tissue, few(k))
    assert fingerprint(tissue) == before
    labels = attach(tissue, result).obs["semst_domain"]
    assert labels.notna().all()
    assert 2 <= labels.nunique() <= k
    for values in (result.latent, result.modulation, result.confidence):
        assert np.isfinite(values).all()
    assert result.provenance["semantics"]["coverage"] > 0.5
    assert truth_scores(result.codes, tissue.obs["ground_truth"])["ari"] > least


@pytest.mark.parametrize("name", ["HER2ST_A1", "ST_MOB"])
def test_the_annotation_of_a_real_section_is_not_used(section, name):
    tissue = section(name)
    want = found(tissue, few(5))
    del tissue.obs["ground_truth"]
    have = found(tissue, few(5))
    assert np.array_equal(have.codes, want.codes)
    assert have.latent.tobytes() == want.latent.tobytes()


def test_a_space_ranger_folder_gives_the_domains_of_its_h5ad(
    section, shared_data, tmp_path
):
    tissue = section("DLPFC_151673")
    outs = tmp_path / "outs"
    shutil.copytree(shared_data / "visium_151673" / "spatial", outs / "spatial")
    write_10x_h5(outs / "filtered_feature_bc_matrix.h5", tissue)
    of_folder = read(outs)
    assert list(of_folder.obs_names) == list(tissue.obs_names)
    want, have = (found(t, short("quick", 7)) for t in (tissue, of_folder))
    assert have.provenance["input_hash"] == want.provenance["input_hash"]
    assert np.array_equal(have.codes, want.codes)
    assert have.latent.tobytes() == want.latent.tobytes()
