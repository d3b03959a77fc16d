"""What is said of an input has the same fields for every kind, and is true."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pytest
from typer.testing import CliRunner

from napari_semst.cli.main import app
from napari_semst.io.read import read
from napari_semst.io.sections import ADDED
from napari_semst.pipeline.inspection import inspect_input, schema_file
from tests.io.outs import write_10x_h5, write_outs
from tests.io.test_preview import WRITERS

SCHEMA = json.loads(schema_file().read_text(encoding="utf-8"))
UNITS = {
    "visium": "pixel",
    "visium_hd": "pixel",
    "cosmx": "pixel",
    "xenium": "micrometre",
    "merscope": "micrometre",
    "gef": "spot of the chip",
}


def check(facts):
    jsonschema = pytest.importorskip("jsonschema", reason="comes with napari")
    jsonschema.validate(facts, SCHEMA)
    return facts


@pytest.mark.parametrize("write", WRITERS)
def test_every_kind_has_every_field(tmp_path, tissue, write):
    source = write(tmp_path, tissue)
    quick, full = (check(inspect_input(source, quick=q)) for q in (True, False))
    found = read(source)
    for facts in (quick, full):
        assert facts["format"] == found.uns["semst_input"]["kind"]
        assert (facts["n_spots"], facts["n_genes"]) == found.shape
        # Ten spots are the least of a section.
        assert facts["can_run"] == (found.n_obs >= 10)
        assert (facts["why_not"] == []) == facts["can_run"]
        if facts["format"] in UNITS:
            assert facts["coordinates"]["unit"] == UNITS[facts["format"]]
    assert (quick["quick"], full["quick"]) == (True, False)
    assert full["counts"]["n_nonzero"] == found.X.nnz
    assert full["columns"] == list(found.obs)
    assert sum(one["n_spots"] for one in full["sections"]) == found.n_obs
    images = [
        (library, name, *image.shape[1::-1])
        for library, held in found.uns.get("spatial", {}).items()
        for name, image in held["images"].items()
    ]
    assert [tuple(image.values()) for image in full["images"]] == images
    assert quick["left_out"] in (None, full["left_out"])
    assert {one["preset"] for one in full["forecasts"]} >= {"default", "quick"}
    assert all(one["seconds"] > 0 for one in full["forecasts"])


def test_features_that_are_no_genes_are_counted(tmp_path, tissue):
    source = write_outs(tmp_path / "outs", tissue)
    write_10x_h5(source / "filtered_feature_bc_matrix.h5", tissue, antibody=True)
    for quick in (True, False):
        facts = check(inspect_input(source, quick=quick))
        assert sum(facts["left_out"].values()) == 1
        assert (facts["n_genes"], len(facts["warnings"])) == (60, 1)
    every = check(inspect_input(source, features="all"))
    assert (every["n_genes"], every["left_out"]) == (61, {})


def test_sections_and_runs_are_told(tmp_path, tissue):
    tissue.obs["semst_section"] = np.where(np.arange(196) < 50, "b", "a")
    tissue.uns["semst"] = {"second": {"seed": 1}, "first": {"seed": 0}}
    tissue.write_h5ad(tmp_path / "a.h5ad")
    facts = check(inspect_input(tmp_path / "a.h5ad"))
    assert facts["section_key"] == "semst_section"
    assert facts["sections"] == [
        {"name": "b", "n_spots": 50},
        {"name": "a", "n_spots": 146},
    ]
    assert facts["runs"] == ["first", "second"]
    assert facts["annotations"] == ["ground_truth", "semst_section"]


def test_an_image_that_was_added_is_no_section(tmp_path, tissue):
    image = {"images": {"hires": np.zeros((30, 40, 3), np.uint8)}}
    entry = {**image, "scalefactors": {"tissue_hires_scalef": 0.02}}
    added = {**entry, "metadata": {ADDED: "he.tif"}}
    tissue.uns["spatial"] = {"own": entry, "he": added}
    tissue.write_h5ad(tmp_path / "a.h5ad")
    facts = check(inspect_input(tmp_path / "a.h5ad"))
    assert [one["n_spots"] for one in facts["sections"]] == [tissue.n_obs]
    assert [one["section"] for one in facts["images"]] == ["he", "own"]


def test_the_scale_is_told_where_it_is_known(tmp_path, tissue):
    tissue.uns["spatial"] = {"a": {"images": {}, "scalefactors": {}}}
    for stated, unit in ((1.0, "micrometre"), (0.12, None), (None, None)):
        factors = {} if stated is None else {"microns_per_pixel": stated}
        tissue.uns["spatial"]["a"]["scalefactors"] = factors
        tissue.write_h5ad(tmp_path / "a.h5ad")
        told = check(inspect_input(tmp_path / "a.h5ad"))["coordinates"]
        assert (told["unit"], told["micrometres_per_unit"]) == (unit, stated)
        assert told["layout"] == "lattice"


@pytest.mark.parametrize("lacks", ["counts", "coordinates"])
def test_what_cannot_run_says_why(tmp_path, tissue, lacks):
    if lacks == "counts":
        tissue.X = tissue.X.log1p()
    else:
        del tissue.obsm["spatial"], tissue.obs["array_row"]
    tissue.write_h5ad(tmp_path / "a.h5ad")
    for words in ([], ["--quick"]):
        told = CliRunner().invoke(
            app, ["inspect", str(tmp_path / "a.h5ad"), "--json", *words]
        )
        facts = check(json.loads(told.stdout))
        assert told.exit_code == 2
        assert not facts["can_run"]
        assert len(facts["why_not"]) == 1
        assert facts[lacks]["problem"]
        assert facts[lacks]["where"] is None


def test_the_command_says_the_same_in_words_and_as_json(tmp_path, tissue):
    source = write_outs(tmp_path / "outs", tissue)
    said = CliRunner().invoke(app, ["inspect", str(source)]).stdout
    facts = json.loads(
        CliRunner().invoke(app, ["inspect", str(source), "--json"]).stdout
    )
    check(facts)
    assert "196 spots x 60 genes" in said
    assert f"spacing {facts['coordinates']['spacing']:.4g}" in said
    assert "hires 850 x 750, lowres 255 x 225" in said
    assert facts["input"] == str(source)


def test_positions_can_be_named(tmp_path, tissue):
    tissue.obs["left"], tissue.obs["down"] = tissue.obsm["spatial"].T * 2
    tissue.write_h5ad(tmp_path / "a.h5ad")
    facts = check(inspect_input(tmp_path / "a.h5ad", positions="left,down"))
    assert facts["coordinates"]["where"] == "obs['left'], obs['down']"
    usual = inspect_input(tmp_path / "a.h5ad")["coordinates"]
    assert facts["coordinates"]["spacing"] == pytest.approx(2 * usual["spacing"])
    assert anndata.read_h5ad(tmp_path / "a.h5ad").n_obs == 196


@pytest.mark.parametrize("quick", [True, False])
def test_too_few_spots_are_told_as_a_run_tells_them(tmp_path, tissue, quick):
    tissue[:9].write_h5ad(tmp_path / "a.h5ad")
    facts = check(inspect_input(tmp_path / "a.h5ad", quick=quick))
    assert facts["why_not"] == ["Expected a section of at least 10 spots; found 9."]
    tissue.obs["semst_section"] = ["a"] * 190 + ["b"] * 6
    tissue.write_h5ad(tmp_path / "b.h5ad")
    if not quick:
        facts = check(inspect_input(tmp_path / "b.h5ad"))
        assert "found 6 in 'b'" in facts["why_not"][0]


def test_genes_seen_in_too_few_spots_are_told(tmp_path, tissue):
    rare = anndata.AnnData(
        np.zeros((196, 300), "f4"), obs=tissue.obs, obsm=dict(tissue.obsm)
    )
    rare.X[0] = 1
    rare.write_h5ad(tmp_path / "a.h5ad")
    facts = check(inspect_input(tmp_path / "a.h5ad"))
    assert "seen in at least 3 spots" in facts["why_not"][0]
