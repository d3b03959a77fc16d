"""What is to be compared: said, refused, read from files, put into cells."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_semst import BenchFile, BenchPlan
from napari_semst.bench.cell import BenchCell, plan_cells, readout_settings
from napari_semst.bench.inputs import NamedDigests, read_facts
from napari_semst.bench.layout import parts_of, variants_of
from napari_semst.bench.paper import HOSTS, Variant
from napari_semst.bench.plan_file import plan_of, read_plan
from napari_semst.config import Config
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import ConfigError, InputError
from tests.bench.cases import SHORT, planned, saved

FILE = BenchFile("A.h5ad", "layer")


def cells_of_plan(plan):
    facts = run_to_end(read_facts(plan, RunControl()))
    return plan_cells(plan, facts, NamedDigests())


def test_each_part_of_the_paper_has_its_variants():
    plan = BenchPlan((FILE,), semantics=("builtin", "genes:other"), figures=("4", "8"))
    assert parts_of(plan) == [
        "table 1", "table 2", "table 3", "table 5", "figure 4", "figure 8",
    ]  # fmt: skip
    one, two, three, five = (variants_of(f"table {n}", plan) for n in "1235")
    assert [v.method for v in one] == ["semst", "quick", "image-guided", *HOSTS]
    assert one[0].fusion == "fsm"
    assert {v.fusion for v in one[1:]} == {"none"}
    assert {v.control for v in two} == {"none", "random", "unrelated", "shuffled"}
    assert Variant("semst", "fsm", "genes:other") in two
    assert len(three) == 3 * len(HOSTS)
    assert three[:3] == [
        Variant("stagate"),
        Variant("stagate", "fsm", "builtin"),
        Variant("stagate", "fsm", "builtin", "shuffled"),
    ]
    assert {v.fusion for v in five} == {
        "none", "concatenation", "addition", "cross-attention",
    }  # fmt: skip
    assert [v.n_genes for v in variants_of("figure 4", plan)] == [5, 10, 20, 30, 40, 50]
    assert [v.semantics for v in variants_of("figure 8", plan)] == [*plan.semantics]


def test_what_the_plan_leaves_out_is_left_out():
    plan = BenchPlan((FILE,), methods=("sedr",), controls=("none",), tables=("3",))
    assert variants_of("table 3", plan) == [
        Variant("sedr"),
        Variant("sedr", "fsm", "builtin"),
    ]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"tables": ("4",)}, "Expected tables to be one of '1', '2', '3', '5'"),
        ({"methods": ("banksy",)}, "Expected methods to be one of"),
        ({"readouts": ("mclust",)}, "Expected readouts to be one of"),
        ({"seeds": 0}, "Expected 1 to 1000 seeds"),
        ({"first_seed": -1}, "Expected the first seed to be 0 to 999"),
        ({"tables": (), "figures": ()}, "Expected a table or a figure"),
        ({"settings": {"training": {"seed": 3}}}, r"training\.seed, which differs"),
        ({"settings": {"training": {"epoch": 3}}}, "epoch"),
        ({"method_settings": {"sedr": {"model": {"latent": 0}}}}, "at least 2"),
        ({"files": ()}, "at least one of files"),
    ],
)
def test_a_plan_that_cannot_be_done_is_refused(changed, told):
    with pytest.raises(ConfigError, match=told):
        BenchPlan(**{"files": (FILE,), **changed})


def test_the_first_seed_of_everything_comes_first(tissue, tmp_path):
    found = cells_of_plan(planned(saved(tissue, tmp_path), seeds=2))
    assert [(cell.seed, cell.variant.control) for cell in found.cells] == [
        (0, "none"), (0, "none"), (0, "shuffled"),
        (1, "none"), (1, "none"), (1, "shuffled"),
    ]  # fmt: skip
    assert [cell.config.domains.n_domains for cell in found.cells] == [3] * 6
    sources = [cell.config.semantics.source for cell in found.cells]
    assert sources == ["none", "builtin", "builtin"] * 2
    hashes = [cell.settings_hash for cell in found.cells]
    assert hashes[:3] == hashes[3:]
    assert len(set(hashes)) == 3
    assert len({cell.key for cell in found.cells}) == 6


def test_seeds_begin_where_the_plan_says(tissue, tmp_path):
    path = saved(tissue, tmp_path)
    whole = cells_of_plan(planned(path, seeds=4))
    part = cells_of_plan(planned(path, seeds=2, first_seed=2))
    assert [cell.seed for cell in part.cells] == [2, 2, 2, 3, 3, 3]
    assert [cell.key for cell in part.cells] == [cell.key for cell in whole.cells[6:]]


def test_variants_of_the_same_settings_share_a_cell(tissue, tmp_path):
    plan = planned(saved(tissue, tmp_path), methods=("semst",), tables=("1",))
    plan = BenchPlan(plan.files, tables=("1",), figures=("4",), methods=("semst",))
    found = cells_of_plan(plan)
    by_number = {variant.n_genes: key for (_, variant, _), key in found.keys.items()}
    assert by_number[20] == by_number[0]
    assert len(set(by_number.values())) == len(by_number) - 1


def test_a_cell_is_another_with_other_content_labels_or_settings(tissue, tmp_path):
    path = saved(tissue, tmp_path)
    first = cells_of_plan(planned(path)).cells[0]
    assert BenchCell.from_json(first.to_json()) == first
    assert cells_of_plan(planned(path, readouts=("own",))).cells[0].key == first.key
    changed = planned(path, method_settings={"graphst": {"training": {"epochs": 3}}})
    assert cells_of_plan(changed).cells[0].key != first.key
    tissue.X[0, 0] += 1
    assert cells_of_plan(planned(saved(tissue, tmp_path))).cells[0].key != first.key


def test_a_table_of_vectors_that_changes_makes_other_cells(tissue, tmp_path):
    path, table = saved(tissue, tmp_path), tmp_path / "vectors.csv"
    keys = []
    for text in ("gene,a\nTP53,1\n", "gene,a\nTP53,2\n"):
        table.write_text(text)
        found = cells_of_plan(planned(path, semantics=(f"table:{table}",))).cells
        keys.append([cell.key for cell in found])
    assert keys[0][0] == keys[1][0]
    assert not set(keys[0][1:]) & set(keys[1][1:])


def test_a_file_of_positions_that_changes_makes_other_cells(tmp_path, monkeypatch):
    section = tmp_path / "far" / "A.h5"
    section.parent.mkdir()
    config = Config().with_overrides({"prepare": {"positions": "places.csv"}})
    assert NamedDigests().of(config, str(section)) == ""
    monkeypatch.chdir(tmp_path)
    (section.parent / "places.csv").write_text("beside")
    beside = NamedDigests().of(config, str(section))
    assert beside
    assert NamedDigests().of(config, str(section.parent)) == beside
    (section.parent / "places.csv").write_text("other")
    assert NamedDigests().of(config, str(section)) not in ("", beside)


def test_a_file_without_an_image_is_not_for_the_method_of_images(tissue, tmp_path):
    plan = planned(
        saved(tissue, tmp_path),
        methods=("image-guided", "quick", "staig", "sedr"),
        tables=("1",),
        method_settings={"staig": {"morphology": {"encoder": "builtin"}}},
    )
    found = cells_of_plan(plan)
    assert [cell.variant.method for cell in found.cells] == ["quick", "sedr"]
    assert [(one.method, one.why) for one in found.left_out] == [
        ("image-guided", "the file has no image"),
        ("staig", "the file has no image"),
    ]
    image = {"images": {"hires": np.ones((9, 9, 3))}}
    tissue.uns["spatial"] = {"A": {**image, "scalefactors": {"tissue_hires_scalef": 1}}}
    saved(tissue, tmp_path)
    assert len(cells_of_plan(plan).cells) == 4


def test_readouts_are_the_same_for_all_but_the_methods_own(tissue, tmp_path):
    config = cells_of_plan(planned(saved(tissue, tmp_path))).cells[0].config
    assert readout_settings(config, "own", 3) == config.domains
    assert config.domains.refine + config.domains.majority > 0
    plain = readout_settings(config, "kmeans", 4)
    assert (plain.readout, plain.refine, plain.n_domains) == ("kmeans", 0, 4)
    assert plain.majority == 0
    assert readout_settings(config, "consensus+settled", 3).refine > 0


@pytest.mark.parametrize(
    ("labels", "told"),
    [("layer", "Expected an annotation in obs"), ("one", "at least two annotated")],
)
def test_a_file_without_its_annotation_is_refused(tissue, tmp_path, labels, told):
    tissue.obs["one"] = "same"
    plan = BenchPlan((BenchFile(str(saved(tissue, tmp_path)), labels),))
    with pytest.raises(InputError, match=told):
        cells_of_plan(plan)


def test_two_files_of_one_name_are_refused(tissue, tmp_path):
    path = saved(tissue, tmp_path)
    files = (BenchFile(str(path), "ground_truth"),)
    with pytest.raises(InputError, match="names of their own"):
        cells_of_plan(BenchPlan(files * 2))


PLAN = """
tables = [3]
seeds = 2
methods = ["sedr"]
[[files]]
path = "A.h5ad"
labels = "layer"
n_domains = 4
published = "HBC"
[files.settings.prepare]
n_top_genes = 100
[method_settings.sedr.training]
epochs = 9
"""


def test_a_plan_is_read_from_a_file(tmp_path):
    place = tmp_path / "plan.toml"
    place.write_text(PLAN)
    plan = read_plan(place)
    assert plan.tables == ("3",)
    assert plan.files[0].path == str(tmp_path / "A.h5ad")
    assert (plan.files[0].n_domains, plan.files[0].published) == (4, "HBC")
    assert plan.method_settings == {"sedr": {"training": {"epochs": 9}}}
    again = tmp_path / "plan.json"
    again.write_text(json.dumps(plan.to_dict()))
    assert read_plan(again) == plan


def test_files_in_settings_of_a_plan_are_beside_it(tmp_path):
    (tmp_path / "places.csv").touch()
    plan = plan_of(
        {
            "files": [
                {
                    "path": "A.h5ad",
                    "labels": "layer",
                    "settings": {"morphology": {"image": "he.tif"}},
                }
            ],
            "semantics": ["table:x.csv", "precomputed:X_key", "builtin"],
            "settings": {"prepare": {"positions": "places.csv"}},
            "method_settings": {"semst": {"semantics": {"embedding": "X_key"}}},
        },
        tmp_path,
    )
    assert plan.files[0].settings["morphology"]["image"] == str(tmp_path / "he.tif")
    table = f"table:{tmp_path / 'x.csv'}"
    assert plan.semantics == (table, "precomputed:X_key", "builtin")
    assert plan.settings["prepare"]["positions"] == str(tmp_path / "places.csv")
    # Keys of the section are no files.
    assert plan.method_settings["semst"]["semantics"]["embedding"] == "X_key"


def test_files_are_read_as_the_whole_plan_says(tissue, tmp_path):
    tissue.obsm["moved"] = tissue.obsm["spatial"] + 1000.0
    plan = planned(
        saved(tissue, tmp_path),
        settings={**SHORT, "prepare": {"coordinates": "moved"}},
    )
    (facts,) = run_to_end(read_facts(plan, RunControl())).values()
    assert np.array_equal(facts.places, tissue.obsm["moved"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seeds = 'many'", "whole number"),
        ("tabels = [1]", "one of"),
        ("files = [{path = 'A.h5ad'}]", "Expected 'labels'"),
        ("files = [{path = 'A', labels = 'b', n_domains = 'x'}]", "number of domains"),
        ("files = 3", "to be a list"),
        ("seeds = 1", "Expected files"),
        ("seeds =", "Expected a plan in TOML"),
    ],
)
def test_a_plan_file_that_is_wrong_is_refused(tmp_path, text, told):
    place = tmp_path / "plan.toml"
    place.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_plan(place)
