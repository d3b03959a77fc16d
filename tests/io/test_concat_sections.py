"""Sections joined into one table."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst import keys
from napari_semst.config import Request
from napari_semst.errors import ConfigError, CountsError, InputError
from napari_semst.io.concat_sections import (
    concat_from,
    join_sections,
    section_names,
    stem,
)
from napari_semst.io.export.h5ad import write
from napari_semst.io.notes import input_warnings, warn
from napari_semst.io.own_counts import own_sections
from napari_semst.io.places.landmarks import landmarks_of, register_image
from napari_semst.io.read import read
from napari_semst.io.sections import sections_of, spots_of
from napari_semst.registration.landmarks import landmarks_from


@pytest.fixture
def pair(tissue):
    """Two sections with 40 of 60 genes in common, in other orders, one with image."""
    first, second = tissue[:, :50].copy(), tissue[:, :9:-1].copy()
    second.obs["ground_truth"] = second.obs["ground_truth"].astype(str)
    second.obs["semst_domain"] = "1"
    first.uns["spatial"] = {
        "slide": {
            "images": {"hires": np.zeros((9, 9, 3), np.uint8)},
            "scalefactors": {"tissue_hires_scalef": 0.01, "spot_diameter_fullres": 9.0},
        }
    }
    return {"one": first, "two": second}


def test_common_genes_in_one_order_and_spots_under_their_sections_name(pair):
    joined = join_sections(pair)
    genes = [f"GENE{i}" for i in range(10, 50)]
    assert joined.var_names.tolist() == genes
    assert joined.n_obs == 2 * pair["one"].n_obs
    assert joined.obs_names.is_unique
    assert joined.obs_names[0] == f"one:{pair['one'].obs_names[0]}"
    for name, section in pair.items():
        own = joined[(joined.obs[keys.SECTION] == name).to_numpy()]
        assert (own.X != section[:, genes].X).nnz == 0
        np.testing.assert_array_equal(own.obsm["spatial"], section.obsm["spatial"])
        assert own.obs["ground_truth"].tolist() == section.obs["ground_truth"].tolist()
    # Results of runs on single sections do not survive as results of the whole.
    assert "semst_domain" not in joined.obs


def test_images_stay_with_their_section(pair):
    joined = join_sections(pair)
    assert list(joined.uns["spatial"]) == ["one"]
    pair["two"].uns["spatial"] = pair["one"].uns["spatial"]
    joined = join_sections(pair)
    own = spots_of(joined, "two")
    assert own.sum() == pair["two"].n_obs
    assert joined.obs_names[own][0].startswith("two:")


def test_what_was_noticed_of_sections_is_kept(pair):
    warn(pair["two"], "Something odd.")
    pair["one"] = pair["one"][:, :14].copy()
    assert input_warnings(join_sections(pair)) == [
        "two: Something odd.",
        "The sections have 4 genes in common, of up to 50: the table holds these "
        "alone. Every section is read by all its genes, k domains in each, and domains "
        "have common names by what their genes mean.",
    ]


def test_sections_of_different_panels_keep_their_own_counts(pair):
    assert keys.OWN_COUNTS not in join_sections(pair).obsm
    pair["one"] = pair["one"][:, :14].copy()
    joined = join_sections(pair)
    assert joined.n_vars == 4
    genes = joined.uns[keys.OWN_GENES].tolist()
    for name, part in own_sections(joined, sections_of(joined)).items():
        own = pair[name]
        assert part.n_vars == own.n_vars
        assert [g for g in genes if g in own.var_names] == part.var_names.tolist()
        assert (part.X != own[:, part.var_names].X).nnz == 0
        np.testing.assert_array_equal(part.obsm["spatial"], own.obsm["spatial"])


def test_images_stay_registered_where_sections_are_read_by_their_own_genes(pair):
    pair["one"] = pair["one"][:, :14].copy()
    places = np.array([[0.0, 0.0], [900.0, 100.0], [100.0, 800.0]])
    landmarks = landmarks_from(places, places[:, ::-1])
    register_image(pair["one"], "slide", landmarks)
    joined = join_sections(pair)
    own = own_sections(joined, sections_of(joined))
    assert landmarks_of(own["one"], "one") == landmarks
    assert keys.LANDMARKS not in own["two"].uns


def test_a_table_without_a_common_gene_says_who_counts_what(pair, tmp_path):
    symbols = ["PLP1", "MBP", "MOG", "MAG", "CNP", "GAD1", "GAD2", "SST", "VIP", "ALB"]
    for section, names in zip(
        pair.values(), (symbols, map(str.title, symbols)), strict=True
    ):
        section.var_names = [*names, *section.var_names[10:]]
    pair["two"].var_names = [n.replace("GENE", "other") for n in pair["two"].var_names]
    joined = join_sections(pair)
    assert joined.n_vars == 100
    assert any("do not compare genes" in text for text in input_warnings(joined))
    for name, other in (("one", "two"), ("two", "one")):
        counted = (joined.var[keys.COUNTED_IN] == name).to_numpy()
        assert set(joined.var_names[counted]) == set(pair[name].var_names)
        elsewhere = joined[(joined.obs[keys.SECTION] == other).to_numpy(), counted]
        assert elsewhere.X.nnz == 0
    back = read(write(joined, tmp_path / "joined.h5ad"))
    assert (back.obsm[keys.OWN_COUNTS] != joined.obsm[keys.OWN_COUNTS]).nnz == 0
    assert back.uns[keys.OWN_GENES].tolist() == joined.uns[keys.OWN_GENES].tolist()


def test_symbols_that_stand_twice_are_joined_by_their_order(pair):
    for section in pair.values():
        section.var["gene_symbols"] = section.var_names
    both = ["GENE10", "GENE11"]
    for name in pair:
        part = pair[name][:, both].copy()
        part.var_names = ["GENE10", "GENE10"]
        pair[name] = part
    assert join_sections(pair).var_names.tolist() == ["GENE10", "GENE10-2"]


def test_unknown_genes_that_are_not_common_are_refused(pair):
    pair["two"].var_names = [f"other{i}" for i in range(pair["two"].n_vars)]
    with pytest.raises(
        InputError, match=r"0 in common.*of at least 50.*one: GENE0.*two: other0"
    ):
        join_sections(pair)
    with pytest.raises(InputError, match="two sections or more"):
        join_sections({"one": pair["one"]})


def test_where_counts_and_coordinates_are_holds_for_every_section(pair):
    for section in pair.values():
        section.layers["mine"] = section.X.copy()
        section.X = section.X.copy()
        section.X.data += 0.5
        section.obsm["here"] = section.obsm.pop("spatial")
    request = Request().with_settings(
        "prepare", counts_layer="mine", coordinates="here"
    )
    joined, left = concat_from(list(pair.values()), request)
    assert (joined.X[0] != pair["one"][0, joined.var_names].layers["mine"]).nnz == 0
    assert joined.obsm["spatial"].shape == (joined.n_obs, 2)
    assert left.overrides["prepare"] == {}
    assert joined.obs[keys.SECTION].cat.categories.tolist() == [
        "section-1",
        "section-2",
    ]
    both = request.with_settings("prepare", section_key="column")
    with pytest.raises(ConfigError, match="got both"):
        concat_from(list(pair.values()), both)


def test_names_of_sections_are_never_the_same(tmp_path):
    (tmp_path / "A" / "outs").mkdir(parents=True)
    sources = [tmp_path / "A" / "outs", "x/A.h5ad", "y/A.h5ad", "z.zarr"]
    assert section_names(sources)[:3] == ["A", "A-2", "A-3"]
    assert len(set(section_names(sources))) == 4


def test_sections_of_a_table_are_told_by_a_column(tissue):
    assert sections_of(tissue).names == ("",)
    tissue.obs["slide"] = np.where(np.arange(tissue.n_obs) % 2, "b", "a")
    found = sections_of(tissue, "slide")
    assert found.names == ("a", "b")
    assert found.sizes.tolist() == [98, 98]
    with pytest.raises(InputError, match="obs\\['slice'\\]"):
        sections_of(tissue, "slice")
    tissue.obs.loc[tissue.obs_names[:3], "slide"] = None
    with pytest.raises(InputError, match="3 of 196 have none"):
        sections_of(tissue, "slide")


def test_annotations_of_one_section_only_can_be_saved(pair, tmp_path):
    n = pair["one"].n_obs
    pair["one"].obs["tissue"] = True
    pair["one"].obs["number"] = np.arange(n)
    pair["one"].obs["mixed"] = "a"
    pair["two"].obs["mixed"] = np.arange(n)
    for section in pair.values():
        section.var["strand"] = "+"
    joined = join_sections(pair)
    assert joined.var["strand"].tolist() == ["+"] * joined.n_vars
    back = read(write(joined, tmp_path / "joined.h5ad"))
    assert back.obs["number"].iloc[:n].tolist() == list(range(n))
    assert back.obs["number"].iloc[n:].isna().all()
    assert back.obs["tissue"].iloc[n:].isna().all()
    assert back.obs["mixed"].iloc[-1] == str(n - 1)


def test_hardly_any_common_gene_is_refused(pair):
    pair["two"].var_names = [f"other{i}" for i in range(47)] + [
        "GENE1",
        "GENE2",
        "GENE3",
    ]
    with pytest.raises(InputError, match="3 in common, of at least 50"):
        join_sections(pair)


def test_sections_that_were_joined_before_stay_apart(pair):
    both = join_sections(pair)
    again = join_sections({"set": both, "new": pair["one"]})
    assert sections_of(again).names == ("set/one", "set/two", "new")
    assert set(again.uns["spatial"]) == {"set/one", "new"}


def test_where_counts_are_may_differ_between_sections(pair):
    first = pair["one"]
    first.layers["counts"] = first.X.copy()
    first.X = first.X.copy()
    first.X.data = np.log1p(first.X.data)
    with pytest.raises(CountsError, match="Section 'one'"):
        join_sections(pair)
    joined = join_sections(pair, counts_layer="counts")
    assert input_warnings(joined) == [
        "two: there is no layer 'counts'; counts are taken from X."
    ]
    own = joined[: first.n_obs]
    assert (first[:, joined.var_names].layers["counts"] != own.X).nnz == 0


def test_arrays_that_all_sections_have_are_kept(pair):
    for width, section in zip((4, 5), pair.values(), strict=True):
        section.obsm["emb"] = np.ones((section.n_obs, 4))
        section.obsm["unlike"] = np.ones((section.n_obs, width))
    pair["one"].obsm["single"] = np.ones((pair["one"].n_obs, 2))
    assert set(join_sections(pair).obsm) == {"spatial", "emb"}


def test_results_are_called_after_what_was_read(tmp_path):
    run = tmp_path / "Region_1"
    run.mkdir()
    assert stem(run / "experiment.xenium") == "Region_1"
    assert stem(tmp_path / "counts.csv.gz") == "counts"
    assert stem(tmp_path / "chip.tissue.gef") == "chip.tissue"
