"""The list of discordant regions: words, sizes, terms, pictures, and its file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_semst import explain_discordance, keys, write_geojson, write_report
from napari_semst.config import Config
from napari_semst.core.sections import Sections
from napari_semst.errors import InputError
from napari_semst.explanation.comparison_patches import PatchBook
from napari_semst.explanation.region_area import region_areas
from napari_semst.explanation.region_file import write_regions
from napari_semst.explanation.region_list import area_in_words, region_rows
from napari_semst.explanation.region_patches import look_at_region
from napari_semst.explanation.region_terms import RegionTerms
from tests.widgets.discordant_tissue import attach_discordance, attach_regions
from tests.widgets.stand_in import small_tissue

DIVISION = ["CDK1", "CDC20", "CDC6", "CDC45", "KIF11", "KIF15", "KIF23", "MKI67"]
OTHERS = ["GFAP", "MBP", "SNAP25", "PLP1", "AQP4", "CALB1", "PVALB", "SST", "VIP"]
OTHERS += ["MOBP", "CLDN5", "CX3CR1", "RELN", "RORB", "CUX2", "FEZF2", "NRGN"]


@pytest.fixture
def tissue():
    """Two regions of 12 and 18 spots, 100 apart; the first has more of a gene."""
    row, column = np.divmod(np.arange(120), 12)
    one = (row > 0) & (row < 4) & (column < 4)
    two = (row > 5) & (column > 8)
    tissue = attach_discordance(small_tissue(), one | two)
    attach_regions(tissue, "contradicts", "unexplained")
    counts = tissue.X.toarray()
    counts[(tissue.obs[keys.DISCORDANT_REGION] == "1").to_numpy(), 4] += 20
    tissue.X = type(tissue.X)(counts)
    tissue.uns["spatial"]["one"]["scalefactors"]["microns_per_pixel"] = 0.5
    return tissue


def test_rows_have_kind_in_words_size_and_genes(tissue):
    one, two = region_rows(explain_discordance(tissue))
    spots = tissue.obs[keys.DISCORDANT_REGION].value_counts()
    assert (one.name, one.kind, one.spots) == (
        "1",
        "contradicts its image",
        str(spots["1"]),
    )
    assert (two.kind, two.q) == ("unexplained by its image", "0.004")
    assert one.higher.split(", ")[0] == "GENE4"


def test_areas_are_those_of_the_outlines():
    tissue = small_tissue()
    tissue.uns["spatial"]["one"]["scalefactors"]["microns_per_pixel"] = 0.5
    places = np.asarray(tissue.obsm["spatial"])
    row, column = np.divmod(np.arange(120), 12)
    inside = (row > 2) & (row < 6) & (column > 2) & (column < 8)
    ring = inside & ~((row == 4) & (column == 5))
    sections = Sections(np.zeros(120, np.int64), ("one",))
    found = region_areas(
        tissue, places, sections, [np.flatnonzero(inside), np.flatnonzero(ring)]
    )
    # A tile is 100 by 100 pixels of half a micrometre.
    assert found[1] == pytest.approx(14 * 50**2 / 1e6)
    apart = region_areas(tissue, places, sections, [np.flatnonzero(inside)])
    assert apart[0] == pytest.approx(15 * 50**2 / 1e6)


def test_an_area_without_a_scale_is_left_out():
    tissue = small_tissue(image=False)
    places = np.asarray(tissue.obsm["spatial"])
    sections = Sections(np.zeros(120, np.int64), ("one",))
    assert region_areas(tissue, places, sections, [np.arange(9)]) == [None]
    assert area_in_words(None) == ""
    assert area_in_words(1.273) == "1.27 mm²"
    assert area_in_words(0.00042) == "420 µm²"


def test_terms_are_those_that_the_genes_are_of_more_often():
    genes = np.array([*DIVISION, *OTHERS])
    terms = RegionTerms(genes, Config())
    told = terms.told(np.arange(len(DIVISION)), 3)
    assert any(
        "g2m" in name.lower() or "cycle" in name.lower() for name in told["term"]
    )
    assert max(told["p_adjusted"]) <= 0.05
    assert set(told["genes"][0].split(", ")) <= set(DIVISION)
    # Every third gene, and few: nothing to tell.
    assert terms.told(np.arange(0, len(genes), 9), 3)["term"] == []
    assert terms.told(np.arange(2), 3)["term"] == []
    assert len(terms.told(np.arange(len(DIVISION)), 1)["term"]) == 1


def test_terms_of_genes_that_no_table_knows_are_none():
    terms = RegionTerms(np.array([f"GENE{n}" for n in range(30)]), Config())
    assert terms.told(np.arange(10), 3) == {"term": [], "genes": [], "p_adjusted": []}


def test_pictures_of_a_region_are_beside_such_that_are_as_expected(tissue):
    column = tissue.obs[keys.DISCORDANT_REGION]
    inside = np.flatnonzero((column == "1").to_numpy()).tolist()
    found = look_at_region(PatchBook(tissue, "default"), tissue, inside, 24)
    assert len(found.spots) == 3
    assert set(found.spots) <= set(inside)
    assert len(set(found.alike)) == len(found.alike) > 0
    assert not tissue.obs[keys.DISCORDANT].iloc[list(found.alike)].any()
    assert set(found.pictures) == {*found.spots, *found.alike}
    assert found.pictures[found.spots[0]].shape == (24, 24, 3)


def test_the_file_says_what_each_region_is(tissue, tmp_path):
    written = write_regions(tissue, tmp_path / "regions.geojson")
    assert written.notes == ()
    told = json.loads(written.path.read_text(encoding="utf-8"))["features"]
    by_class = {f["properties"]["classification"]["name"]: f for f in told}
    one = by_class["1"]["properties"]
    assert one["name"] == "Region 1: contradicts its image"
    assert one["measurements"]["q"] == 0.002
    assert one["measurements"]["Area mm2"] > 0
    assert one["metadata"]["kind"] == "contradicts"
    assert one["metadata"]["genes higher"].startswith("GENE4")
    assert by_class["2"]["properties"]["metadata"]["kind"] == "unexplained"


def test_a_file_without_what_is_compared_has_outlines_and_says_why(tissue, tmp_path):
    del tissue.obsm[keys.EXPECTED]
    written = write_regions(tissue, tmp_path / "regions.geojson")
    assert any(keys.EXPECTED in note for note in written.notes)
    assert len(json.loads(written.path.read_text(encoding="utf-8"))["features"]) == 2


@pytest.mark.parametrize("write", [write_regions, write_geojson])
def test_no_region_is_said_in_words(tissue, tmp_path, write):
    tissue.obs[keys.DISCORDANT] = False
    attach_regions(tissue)
    column = {"column": keys.DISCORDANT_REGION} if write is write_geojson else {}
    with pytest.raises(InputError, match="found no discordant region") as caught:
        write(tissue, tmp_path / "regions.geojson", **column)
    assert "found 0" not in str(caught.value)
    tissue.obs["mine"] = tissue.obs[keys.DISCORDANT_REGION]
    with pytest.raises(InputError, match="no spot has a label in obs"):
        write_geojson(tissue, tmp_path / "mine.geojson", column="mine")
    assert not list(tmp_path.iterdir())


def test_a_report_lists_regions_with_pictures(tissue, tmp_path):
    page = write_report(tissue, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Discordant regions" in page
    assert "contradicts its image" in page
    assert "GENE4" in page
    assert page.count("alt='Region ") == 2
    del tissue.uns["spatial"]
    plain = write_report(tissue, tmp_path / "plain.html").read_text(encoding="utf-8")
    assert "unexplained by its image" in plain
    assert "alt='Region " not in plain


def test_a_report_says_that_no_region_was_found(tissue, tmp_path):
    tissue.obs[keys.DISCORDANT] = False
    attach_regions(tissue)
    page = write_report(tissue, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No spot is discordant at a false discovery rate" in page
