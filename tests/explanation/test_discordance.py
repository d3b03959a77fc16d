"""What drives discordance, on a small tissue where it is known."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from napari_semst import explain_discordance, keys
from napari_semst.config import Config
from napari_semst.errors import ConfigError, InputError, SaveError
from napari_semst.explanation.discordance import alike, read_map, regions_of
from napari_semst.explanation.discordance_summary import discordance_table
from napari_semst.explanation.region_list import region_labels
from napari_semst.io.export.h5ad import write
from napari_semst.wording import for_shell
from tests.cli.test_main import call

SIDE = 24
REGION = slice(4, 8), slice(4, 9)
FEATURES = ("nuclei, number", "eosin, mean", "constant")


def grid(values):
    return np.asarray(values).ravel()


@pytest.fixture
def tissue():
    """Left half domain 1, right half domain 2; inside 1 a region expresses like 2."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    looks = grid(columns >= SIDE // 2).astype(int)
    called = np.zeros((SIDE, SIDE), bool)
    called[REGION] = True
    called[20, 2] = True
    called = grid(called)
    expresses = np.where(called, 1, looks)
    lift = np.ones((2, 30))
    # The genes of the left, those of the right, and those of neither.
    lift[0, :8], lift[1, 8:16] = 5, 5
    counts = random.poisson(lift[expresses] * 2)
    latent = random.normal(0, 0.1, (SIDE**2, 3)) + expresses[:, None]
    expected = random.normal(0, 0.1, (SIDE**2, 3)) + looks[:, None]
    image = random.normal(0, 1, (SIDE**2, 3))
    image[:, 0] += 4 * looks
    image[:, 2] = 1
    discordance = random.gamma(2.0, 0.1, SIDE**2) + 5 * called
    p_value = np.where(called, 1e-4, random.uniform(0.06, 1, SIDE**2))
    discordance[5], p_value[5] = np.nan, np.nan
    run = {
        "config": Config().to_dict(),
        "morphology": {"names": np.asarray(FEATURES, dtype=object)},
    }
    names = [f"GENE{one}" for one in range(30)]
    return AnnData(
        sparse.csr_matrix(counts.astype(np.float32)),
        obs=pd.DataFrame(
            {
                keys.of_run(keys.DOMAIN, "ig"): pd.Categorical(
                    np.array(["1", "2"])[expresses]
                ),
                keys.DISCORDANCE: discordance.astype(np.float32),
                keys.DISCORDANCE_P: p_value.astype(np.float32),
                keys.DISCORDANT: called,
            },
            index=[f"spot{one}" for one in range(SIDE**2)],
        ),
        var=pd.DataFrame(index=names),
        obsm={
            "spatial": np.column_stack([grid(columns), grid(rows)]) * 10.0,
            keys.EXPRESSED: latent.astype(np.float32),
            keys.EXPECTED: expected.astype(np.float32),
            keys.IMAGE_FEATURES: image.astype(np.float32),
        },
        uns={keys.RUNS: {"ig": run}, keys.LATEST: "ig"},
    )


def test_the_region_is_told_by_its_genes_its_image_and_its_domains(tissue):
    told = explain_discordance(tissue, n_genes=8)
    assert (told["run"], told["n_discordant"], told["n_compared"]) == ("ig", 21, 575)
    assert list(told["regions"]) == ["1"]
    one = told["regions"]["1"]
    assert (one["n_spots"], one["x"], one["y"]) == (20, 60, 55)
    assert (next(iter(one["looks_like"])), one["expresses_like"]) == ("1", {"2": 1.0})
    assert one["domains"] == {"2": 1.0}
    assert one["around"] == {"1": 1.0}
    sides = dict(zip(one["genes"]["gene"], one["genes"]["direction"], strict=True))
    right = {f"GENE{gene}": "higher" for gene in range(8, 16)}
    left = {f"GENE{gene}": "lower" for gene in range(8)}
    assert sides == right | left
    assert one["image"]["feature"] == ["nuclei, number"]
    assert one["image"]["direction"] == ["lower"]
    assert one["image"]["difference"][0] < -1
    said = one["sentence"]
    assert said.startswith(
        "Region 1 contradicts its image (20 spots, 20 of them discordant one by one): "
        "looks like domain 1 but expresses like domain 2; around it: domain 1. "
        "Against spots whose image is alike, higher: GENE"
    )
    assert said.endswith("express alike, has lower: 'nuclei, number'.")
    assert any(
        "1 of 21 discordant spots are in regions of fewer" in n for n in told["notes"]
    )


def test_nothing_discordant_is_said_so(tissue):
    tissue.obs[keys.DISCORDANT] = False
    told = explain_discordance(tissue)
    assert told["regions"] == {}
    assert told["notes"][0].startswith("No spot is discordant at a false discovery")
    assert list(discordance_table(told)) == [
        "region",
        "discordance",
        "n_spots",
        "kind",
        "name",
        "direction",
    ]


def test_no_discordant_unusable_or_doubtful_spot_is_compared_with(tissue):
    tissue.obs.loc[tissue.obs_names[30], keys.DISCORDANCE_P] = 0.01
    usual = read_map(tissue).usual
    assert not usual[30]
    assert not usual[5]
    assert not usual[tissue.obs[keys.DISCORDANT].to_numpy()].any()
    assert usual.sum() == SIDE**2 - 23
    assert np.flatnonzero(read_map(tissue).doubtful).tolist() == [30]


def test_doubtful_spots_beside_a_region_are_told_apart(tissue):
    below = 8 * SIDE + 5
    tissue.obs.loc[tissue.obs_names[below], keys.DISCORDANCE_P] = 0.01
    one = explain_discordance(tissue)["regions"]["1"]
    assert (one["n_spots"], one["n_discordant"]) == (21, 20)
    assert one["sentence"].startswith("Region 1 contradicts its image (21 spots, 20 of")


def test_images_of_a_network_are_not_told(tissue):
    del tissue.obsm[keys.IMAGE_FEATURES]
    told = explain_discordance(tissue)
    assert told["regions"]["1"]["image"]["feature"] == []
    assert any("were not kept" in note for note in told["notes"])


@pytest.mark.parametrize("key", [keys.DISCORDANCE, keys.DISCORDANT, keys.EXPECTED])
def test_a_tissue_without_a_map_says_what_to_run(tissue, key):
    del (tissue.obs if key in tissue.obs else tissue.obsm)[key]
    with pytest.raises(InputError, match=f"{key}.*method='image-guided'") as found:
        explain_discordance(tissue)
    assert "--method image-guided" in for_shell(found.value)


def test_all_spots_discordant_leave_nothing_to_compare_with(tissue):
    tissue.obs[keys.DISCORDANT] = True
    with pytest.raises(InputError, match="not discordant"):
        explain_discordance(tissue)


def test_regions_join_over_one_spot_between_and_come_by_size():
    touching = sparse.csr_matrix(np.eye(12, k=1) + np.eye(12, k=-1))
    called = np.array([1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0], bool)
    none = np.zeros(12, bool)
    found = regions_of(called, none, touching, 3)
    assert found.tolist() == [1, 1, 1, -1, -1, 0, 0, -1, 0, 0, -1, -1]
    assert regions_of(called, none, touching, 4).max() == 0
    assert (regions_of(none, called, touching, 3) == -1).all()


def test_doubtful_spots_join_where_they_touch_and_do_not_count():
    touching = sparse.csr_matrix(np.eye(12, k=1) + np.eye(12, k=-1))
    called = np.array([0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0], bool)
    doubtful = np.array([0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1], bool)
    found = regions_of(called, doubtful, touching, 2)
    assert found.tolist() == [-1, 0, 0, 0, 0, 0, -1, -1, -1, 1, 1, 1]
    assert regions_of(called, doubtful, touching, 3)[9] == -1


def test_spots_alike_are_the_nearest_each_once():
    values = np.array([[0.0], [0.1], [5.0], [5.1], [9.0]])
    among = np.array([1, 3, 4])
    assert alike(values, np.array([0, 2]), among).tolist() == [1, 3, 4]
    many = np.linspace(0, 1, 500)[:, None]
    found = alike(many, np.array([0]), np.arange(1, 500))
    assert found.tolist() == list(range(1, 31))


def test_too_little_asked_is_refused(tissue):
    with pytest.raises(ConfigError, match="least_spots"):
        explain_discordance(tissue, least_spots=1)


def test_the_command_says_saves_and_changes_nothing(tissue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tissue, tmp_path / "ig.h5ad")
    before = (tmp_path / "ig.h5ad").read_bytes()
    said = call("discordance", "ig.h5ad", "-o", "why.csv")
    assert said.startswith("21 of 575 spots are discordant at a false discovery rate")
    assert "Region 1 contradicts its image (20 spots" in said
    with open("why.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["kind"] for row in rows} == {"gene", "image"}
    told = json.loads(call("discordance", "ig.h5ad", "--json", "--genes", 2))
    assert told["regions"]["1"]["genes"]["direction"] == ["higher"] * 2 + ["lower"] * 2
    assert (tmp_path / "ig.h5ad").read_bytes() == before
    with pytest.raises(SaveError, match="overwrite"):
        call("discordance", "ig.h5ad", "-o", "why.csv")


def test_regions_of_a_run_are_told_as_it_found_them(tissue):
    called = tissue.obs[keys.DISCORDANT].to_numpy()
    wider = called | (np.roll(called, 1) & ~called)
    names = np.where(wider, "2", "")
    names[:3] = "1"
    tissue.obs[keys.DISCORDANT_REGION] = pd.Categorical(
        np.where(names == "", None, names), ["1", "2"]
    )
    tissue.obs[keys.UNEXPLAINED_P] = np.where(called, 1e-6, 0.9).astype(np.float32)
    table = {
        "kind": ["contradicts", "unexplained"],
        "spots": [3, int(wider.sum())],
        "expected_false": [0.001, 0.025],
        "q": [0.001, 0.0125],
    }
    tissue.uns[keys.RUNS]["ig"]["training"] = {"discordant_regions": table}
    regions = explain_discordance(tissue)["regions"]
    # Named as in the tissue, though the first has too few spots to be told.
    assert list(regions) == ["2"]
    region = regions["2"]
    assert region["sentence"].startswith("Region 2 is unexplained by its image (")
    assert (region["kind"], region["q"]) == ("unexplained", 0.0125)
    assert region["n_spots"] == (names == "2").sum()
    assert "unusual among spots that look alike" in region["sentence"]
    assert "0.025 as strong expected by chance" in region["sentence"]
    # Of several sections it is said whose a region is, where outlines go, too.
    assert "section" not in region_labels({"regions": regions})["2"]["metadata"]
    table["section"] = ["normal", "biopsy"]
    told = explain_discordance(tissue)
    sentence = told["regions"]["2"]["sentence"]
    assert sentence.startswith("Region 2 of section biopsy is unexplained")
    assert region_labels(told)["2"]["metadata"]["section"] == "biopsy"


def test_spots_of_a_region_that_are_not_called_do_not_tell_what_it_is(tissue):
    called = tissue.obs[keys.DISCORDANT].to_numpy()
    called[20 * SIDE + 2] = False
    rows, columns = np.divmod(np.arange(SIDE**2), SIDE)
    wide = (rows >= 2) & (rows < 11) & (columns >= 2) & (columns < 11)
    tissue.obs[keys.DISCORDANT] = called
    tissue.obs[keys.DISCORDANT_REGION] = pd.Categorical(np.where(wide, "1", None))
    facts = {"kind": ["contradicts"], "expected_false": [0.001], "q": [0.001]}
    tissue.uns[keys.RUNS]["ig"]["training"] = {"discordant_regions": facts}
    one = explain_discordance(tissue)["regions"]["1"]
    assert (one["n_spots"], one["n_discordant"]) == (81, 20)
    # As of the called spots alone: three in four of the region's are as usual.
    assert one["expresses_like"] == {"2": 1.0}
    assert set(one["genes"]["gene"]) >= {f"GENE{gene}" for gene in range(8, 16)}
    # Where hardly any is called, all of them tell.
    tissue.obs[keys.DISCORDANT] = called & (np.cumsum(called) <= 3)
    few = explain_discordance(tissue)["regions"]["1"]
    assert few["n_discordant"] == 3
    assert few["expresses_like"]["1"] > 0.5


def test_regions_of_a_part_of_a_section_keep_their_names_and_facts(tissue):
    called = tissue.obs[keys.DISCORDANT].to_numpy()
    names = np.where(called, "2", None)
    names[-30:] = "1"
    tissue.obs[keys.DISCORDANT_REGION] = pd.Categorical(names, ["1", "2"])
    facts = {"kind": ["contradicts", "unexplained"], "expected_false": [0.001, 0.05]}
    record = tissue.uns[keys.RUNS]["ig"]
    record["training"] = {"discordant_regions": facts | {"q": [0.001, 0.025]}}
    # A part has no category of what it does not hold.
    part = tissue[:-48].copy()
    (told,) = explain_discordance(part)["regions"].items()
    assert told[0] == "2"
    assert (told[1]["kind"], told[1]["expected_false"]) == ("unexplained", 0.05)
    record["training"] = {"discordant_regions": {"kind": ["contradicts"]}}
    with pytest.raises(InputError, match="numbered as the latest run's record"):
        explain_discordance(tissue)


def test_small_p_values_of_either_question_are_not_compared_with(tissue):
    tissue.obs[keys.UNEXPLAINED_P] = np.float32(1e-3)
    with pytest.raises(InputError, match="compare with"):
        explain_discordance(tissue)
