"""Sections of disjoint panels meet by what their genes mean, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

import napari_semst
from napari_semst import keys
from napari_semst.cli.output import format_summary
from napari_semst.errors import ConfigError, SaveError
from napari_semst.explanation.explain import explain
from napari_semst.io.concat_sections import join_sections
from napari_semst.pipeline.model import save_model
from napari_semst.pipeline.summary import run_summary
from napari_semst.verification.check import DIFFERS, HOLDS
from napari_semst.verification.verify import verify_result
from tests.small import found, short

# The second half of each is of another panel.
KINDS = (
    ("PLP1", "MBP", "MOG", "MOBP", "MAG", "CNP", "CLDN11", "OPALIN"),
    ("GAD1", "SST", "SLC17A7", "SYT1", "GAD2", "VIP", "SLC32A1", "SNAP25"),
    ("COL1A1", "COL3A1", "DCN", "FBN1", "COL1A2", "COL5A1", "LUM", "FN1"),
)
SIDE = 14


def band(genes, order, seed):
    """Return a section of three bands, in this order, with the genes of each on."""
    random = np.random.default_rng(seed)
    x, y = (axis.ravel() for axis in np.mgrid[:SIDE, :SIDE])
    kind = np.array(order)[np.minimum(x * 3 // SIDE, 2)]
    level = np.full((SIDE**2, 3 * len(genes[0])), 2.0)
    for place in range(3):
        width = len(genes[place])
        level[:, place * width : (place + 1) * width] += 8.0 * (kind == place)[:, None]
    section = AnnData(sparse.csr_matrix(random.poisson(level).astype(np.float32)))
    section.var_names = [name for names in genes for name in names]
    section.obs_names = [f"spot{i}" for i in range(SIDE**2)]
    section.obsm["spatial"] = np.column_stack([x, y]).astype(float)
    section.obs["kind"] = kind.astype(str)
    return section


@pytest.fixture
def pair():
    """A human section, and a mouse one of other genes, its bands in another order."""
    mouse = [[name.title() for name in names[4:]] for names in KINDS]
    human = band([names[:4] for names in KINDS], (0, 1, 2), 0)
    return {"human": human, "mouse": band(mouse, (2, 0, 1), 1)}


@pytest.mark.parametrize("way", ["quick", "auto"])
def test_sections_without_a_common_gene_have_common_domains(pair, way):
    joined = join_sections(pair)
    result = found(joined, short(way))
    assert len(result.names) == 3
    assert adjusted_rand_score(joined.obs["kind"], result.codes) > 0.9
    matches = result.provenance["common_names"]
    (told,) = matches.values()
    assert min(told["similarity"]) > told["chance"]
    assert any("hardly a gene in common" in text for text in result.warnings)
    assert result.latent.shape == (joined.n_obs, 15)
    assert (result.modulation is None) == (way == "quick")


def test_the_frame_lays_spots_of_one_kind_together(pair):
    joined = join_sections(pair)
    latent = found(joined, short("quick")).latent
    kind, section = (joined.obs[key].to_numpy() for key in ("kind", keys.SECTION))
    for own in "012":
        means = [
            [latent[(section == name) & (kind == k)].mean(axis=0) for k in "012"]
            for name in ("human", "mouse")
        ]
        away = np.linalg.norm(np.array(means[0])[int(own)] - np.array(means[1]), axis=1)
        assert away.argmin() == int(own)


def test_shuffled_names_do_not_meet(pair):
    named, total = 0, 0
    for seed in range(2):
        random = np.random.default_rng(seed)
        mixed = {name: one.copy() for name, one in pair.items()}
        for one in mixed.values():
            one.var_names = random.permutation(one.var_names)
        result = found(join_sections(mixed), short("quick"))
        (told,) = result.provenance["common_names"].values()
        total += len(told["similarity"])
        named += int(np.isfinite(told["similarity"]).sum())
        if named == 0:
            assert any("names of their own" in text for text in result.warnings)
    assert named <= 0.3 * total


def test_each_section_is_read_as_it_is_alone(pair):
    result = found(join_sections(pair), short("quick"))
    for place, one in enumerate(pair.values()):
        own = result.codes[place * SIDE**2 : (place + 1) * SIDE**2]
        assert adjusted_rand_score(found(one, short("quick")).codes, own) == 1


def test_spots_may_stand_in_any_order(pair):
    joined = join_sections(pair)
    order = np.random.default_rng(0).permutation(joined.n_obs)
    first, second = (
        found(one, short("quick")) for one in (joined, joined[order].copy())
    )
    assert adjusted_rand_score(first.codes[order], second.codes) == 1


def test_a_saved_joint_table_is_run_again_alike(pair, tmp_path):
    joined = napari_semst.find_domains(list(pair.values()), n_domains=3, method="quick")
    path = tmp_path / "joint.h5ad"
    joined.write_h5ad(path)
    again = napari_semst.find_domains(path, n_domains=3, method="quick")
    assert again.obs[keys.DOMAIN].tolist() == joined.obs[keys.DOMAIN].tolist()


def test_a_saved_joint_table_is_checked_and_told_with_the_genes_of_each(pair):
    joined = napari_semst.find_domains(list(pair.values()), n_domains=3, method="quick")
    facts = joined.uns[keys.RUNS]["default"]
    assert dict(facts["section"]["own_genes"]) == {"section-1": 12, "section-2": 12}
    summary = run_summary([], 24, found(joined, short("quick")), {}, [])
    assert "12 of section-1, 12 of section-2" in format_summary(summary)
    assert any("different panels" in note for note in explain(joined)["notes"])
    (counts,) = checked(joined)
    assert counts.state == HOLDS
    assert "own genes" in counts.text
    other = joined.copy()
    other.obsm[keys.OWN_COUNTS] = other.obsm[keys.OWN_COUNTS] * 2
    (counts,) = checked(other)
    assert counts.state == DIFFERS
    assert counts.text.endswith("other counts of each section's own genes")


def checked(tissue):
    """Return what is said of the counts in a result."""
    return [one for one in verify_result(tissue).checks if one.name == "counts"]


def test_what_sections_of_different_panels_lack_is_refused(pair, tmp_path):
    joined = join_sections(pair)
    given = {"source": "precomputed", "embedding": str(tmp_path / "all.npy")}
    with pytest.raises(ConfigError, match="embedding in obsm"):
        found(joined, short(semantics=given))
    with pytest.raises(SaveError, match="run with a model"):
        save_model(found(joined, short("quick")).model, tmp_path / "m.safetensors")
