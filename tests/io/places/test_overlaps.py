from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from napari_semst.io.places.mixed_sections import mixed_sections
from napari_semst.io.places.overlaps import shared_ground
from napari_semst.wording import for_shell, for_window
from tests.io.places.grounds import cells, table, tissue_of


@pytest.mark.parametrize("column", ["sample", "mouse_id", "orig.ident", "xyz"])
@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("shuffled", [False, True])
def test_samples_on_one_another_are_told_by_a_column_of_any_name(
    column, count, shuffled
):
    obs, places = table([cells(seed=i) for i in range(count)], column, None, shuffled)
    found = shared_ground(obs, places)
    assert found is not None
    assert found.column == column
    assert sorted(found.names) == [f"s{i}" for i in range(count)]
    assert found.share > 0.4
    # Without it the order of the table still tells, where it holds.
    found = shared_ground(obs.drop(columns=column), places)
    assert (found is None) == shuffled
    assert shuffled or found.column == ""


@pytest.mark.parametrize(
    "other",
    [
        cells(loose=0.0),
        cells(loose=0.0) * 1.003 + 0.37,
        cells(loose=0.0) @ np.array([[0.8, 0.6], [-0.6, 0.8]]),
        cells(seed=4) + np.array([16, 0]),
    ],
    ids=["same places", "shifted", "turned", "a fifth of the ground"],
)
def test_lattices_and_parts_of_the_ground(other):
    obs, places = table([cells(loose=0.0), other], "slice_no")
    found = shared_ground(obs, places)
    assert found is not None
    assert found.column == "slice_no"


def test_numbers_and_categories_tell_samples():
    obs, places = table([cells(seed=i) for i in range(4)], "batch", [3, 5, 8, 9])
    assert shared_ground(obs, places).names == ("3", "5", "8", "9")
    obs["batch"] = obs["batch"].astype("category")
    assert shared_ground(obs, places).column == "batch"
    obs["batch"] = obs["batch"].astype(float)
    assert shared_ground(obs, places).column == "batch"


def test_the_column_that_takes_the_whole_overlap_away_is_named():
    obs, places = table([cells(seed=i) for i in range(4)], "specimen")
    obs["donor"] = obs["specimen"].isin(["s0", "s1"]).map({True: "a", False: "b"})
    obs["field"] = obs["specimen"] + (places[:, 1] // 5).astype(int).astype(str)
    assert shared_ground(obs, places).column == "specimen"


@pytest.mark.parametrize("column", ["sample", "piece"])
def test_samples_beside_one_another_are_no_overlap(column):
    parts = [cells(seed=i) + np.array([20 * i, 0]) for i in range(4)]
    obs, places = table(parts, column)
    assert shared_ground(obs, places) is None


def test_fields_that_cut_cells_in_two_are_no_overlap():
    whole = cells(40)
    fields = (whole // 8).astype(int)
    cut = whole[np.abs(whole[:, 0] % 8) < 0.5] - [0.25, 0]
    places = np.concatenate([whole, cut])
    fields = np.concatenate([fields, (cut // 8).astype(int)])
    obs = pd.DataFrame({"fov": fields[:, 0] * 10 + fields[:, 1]})
    assert shared_ground(obs, places) is None


def test_a_table_sorted_by_types_that_pair_is_one_section():
    # As real cells do: near ones, some at one place, are mostly of a kind.
    chance = np.random.default_rng(1)
    whole = cells(24)
    twice = np.where(np.arange(len(whole)) % 5, 1, 2)
    places = np.repeat(whole, twice, axis=0)
    kinds = np.repeat(chance.integers(0, 6, len(whole)), twice)
    order = np.argsort(kinds, kind="stable")
    obs = pd.DataFrame({"subset": [f"k{k}" for k in kinds[order]]})
    assert shared_ground(obs, places[order]) is None


def test_places_at_random_are_told_by_order_or_name():
    chance = np.random.default_rng(2)
    parts = [chance.random((900, 2)) for _ in range(3)]
    assert shared_ground(*table(parts, "xyz")).column == "xyz"
    assert shared_ground(*table(parts, "donor", shuffled=True)).column == "donor"
    assert shared_ground(*table(parts, "xyz", shuffled=True)) is None


def test_places_held_twice_are_told_without_a_column(tissue):
    obs, places = table([cells(loose=0.0)] * 2)
    mixed = tissue_of(obs.drop(columns="sample"), places)
    found = mixed_sections(mixed)
    assert found.column == ""
    assert "100 % of the spots lie exactly where another one does" in found.warning
    assert "--section-key" in for_shell(found.warning)
    assert mixed_sections(tissue) is None


def test_samples_without_a_column_are_told_by_their_order():
    obs, places = table([cells(seed=i) for i in range(3)])
    found = mixed_sections(tissue_of(obs.drop(columns="sample"), places))
    assert found.warning.startswith("Spots of different parts of the table come nearer")
    assert for_window(found.warning).endswith("choose it under Sections.")


def test_what_remains_inside_sections_is_told():
    obs, places = table([cells(seed=i) for i in range(4)], "specimen")
    obs["donor"] = obs["specimen"].isin(["s0", "s1"]).map({True: "a", False: "b"})
    mixed = tissue_of(obs, places)
    donors = pd.factorize(obs["donor"])[0]
    found = mixed_sections(mixed, places, donors)
    assert found.warning.startswith("A section holds 4 samples on the same ground")
    assert mixed_sections(mixed, places, pd.factorize(obs["specimen"])[0]) is None


def test_everybody_is_told_what_to_do_in_their_own_words():
    obs, places = table([cells(seed=i) for i in range(2)], "mouse id")
    told = mixed_sections(tissue_of(obs, places)).warning
    assert told.startswith("This file holds 2 samples on the same ground (s0, s1; see")
    assert told.endswith("section_key='mouse id'.")
    assert for_shell(told).endswith("--section-key 'mouse id'.")
    assert for_window(told).endswith("choose mouse id under Sections.")


def test_entries_of_uns_name_values_of_any_column():
    obs, places = table(
        [cells(seed=i) + np.array([30 * i, 0]) for i in range(2)], "animal"
    )
    beside = tissue_of(obs, places)
    assert mixed_sections(beside) is None
    beside.uns["spatial"] = {"s0": {"images": {}}, "s1": {"images": {}}}
    found = mixed_sections(beside)
    assert (found.column, found.names, found.shared) == ("animal", ("s0", "s1"), 0.0)
    # Fields of view beside one another are one section.
    beside.obs = beside.obs.rename(columns={"animal": "fov"})
    assert mixed_sections(beside) is None


def test_joined_tables_of_anndata_are_told():
    parts = {}
    for name in "AB":
        obs, places = table([cells(seed=ord(name))])
        parts[name] = tissue_of(obs.drop(columns="sample"), places)
        parts[name].uns["spatial"] = {name: {"images": {}}}
    joined = anndata.concat(parts, label="source", index_unique="-")
    assert "spatial" not in joined.uns
    found = mixed_sections(joined)
    assert (found.column, found.names) == ("source", ("A", "B"))


@pytest.mark.parametrize("loose", [0.0, 0.7])
@pytest.mark.parametrize("name", ["truth", "cell_type", "region of interest", "xyz"])
def test_domains_that_differ_between_samples_are_no_samples(name, loose):
    # Bands across one sample, bands along the other, and no column of samples.
    obs, places = table([cells(loose=loose), cells(seed=1, loose=loose)], "sample")
    is_second = obs.pop("sample") == "s1"
    along = np.where(is_second, places[:, 0], places[:, 1]) // 5
    obs[name] = [f"band {b:.0f}" for b in along]
    assert shared_ground(obs, places).column == ""


def test_yes_and_no_tell_samples():
    obs, places = table([cells(seed=i) for i in range(2)], "treated", [False, True])
    assert shared_ground(obs, places).names == ("False", "True")
    chance = np.random.default_rng(0)
    obs["treated"] = chance.random(len(obs)) < 0.5
    assert shared_ground(obs, places).column == ""


def test_gaps_are_no_sample():
    obs, places = table([cells(seed=i) for i in range(2)], "mouse", [1.0, 2.0])
    obs.loc[obs.index[3], "mouse"] = np.nan
    assert shared_ground(obs, places).names == ("1.0", "2.0")


@pytest.mark.parametrize("name", ["cell_type", "patient_group", "donor"])
def test_labels_that_alternate_or_mix_on_a_lattice_are_one_section(name):
    places = cells(loose=0.0)
    mixed = np.random.default_rng(0).integers(0, 2, len(places))
    assert shared_ground(pd.DataFrame({name: mixed}), places) is None
    if name == "cell_type":
        turns = pd.DataFrame({name: places.sum(axis=1) % 2})
        assert shared_ground(turns, places) is None


def test_real_sections_are_no_overlap(shared_data):
    for path in sorted((shared_data / "tissue").glob("*.h5ad")):
        assert mixed_sections(anndata.read_h5ad(path)) is None, path.name


def test_two_real_sections_are_an_overlap(shared_data):
    names = ("DLPFC_151673", "DLPFC_151510_500genes")
    parts = {n: anndata.read_h5ad(shared_data / f"tissue/{n}.h5ad") for n in names}
    joined = anndata.concat(parts, label="which", index_unique="-")
    assert mixed_sections(joined).column == "which"
