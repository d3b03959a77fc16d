"""What a report tells of discordant regions, and of the sections that were asked."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst import keys, write_report
from napari_semst.methods.section_texts import section_table
from tests.widgets.discordant_tissue import attach_regions, discordant_tissue

ROW = {
    "name": "a", "spots": 1400, "reference": False, "teaches": False, "asked": True,
    "image_of": "", "unlike": 0, "image": "fits", "expression_shift": 0.0,
    "power_spots": 12, "power_share": 0.5, "power_deviations": np.nan,
    "stain_shift": 0.0, "offset_x": np.nan, "offset_y": np.nan,
    "offset_pitches": np.nan, "told": 1.0, "moved": 0.0,
}  # fmt: skip
TEACHER = {**ROW, "name": "b", "reference": True, "teaches": True, "asked": False}


def recorded(*rows):
    return {"sections_compared": {key: [one[key] for one in rows] for key in ROW}}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ("asked", "its own", "12 spots, 50% another tissue's expression")),
        ({"teaches": True}, ("asked, and teaches", "its own", "12 spots, 50% another")),
        ({"power_share": np.nan}, ("asked", "its own", "none of 12 spots")),
        ({"power_spots": 0}, ("asked", "its own", "image predicts nothing")),
        (
            {"unlike": 1210},
            ("asked", "its own; 1,210 spots like nothing in the reference", "12 spots"),
        ),
        (
            {"asked": False, "image": "wrong image", "image_of": "b"},
            ("not compared", "goes with b", ""),
        ),
        (
            {"asked": False, "image": "beside"},
            ("not compared", "lies beside its spots", ""),
        ),
        (
            {"asked": False, "reference": True, "image": "tells nothing"},
            ("reference, but teaches nothing", "tells nothing of its expression", ""),
        ),
    ],
)
def test_a_section_has_a_role_an_image_and_what_would_be_found(changed, said):
    own, other = section_table(recorded({**ROW, **changed}, TEACHER))
    assert (own.name, own.spots) == ("a", "1,400")
    assert (own.role, own.image) == said[:2]
    assert own.contradicts.startswith(said[2])
    assert bool(own.contradicts) == bool(said[2])
    assert other[2:] == ("reference", "its own", "", "")


def test_what_is_unexplained_has_its_own_limit():
    (own,) = section_table(recorded({**ROW, "power_deviations": 3.14}))
    assert own.unexplained == "12 spots, 3.1 deviations above usual"
    (own,) = section_table(recorded(ROW))
    assert own.unexplained == "not asked"
    assert section_table({}) == []


def test_a_report_lists_regions_and_the_sections_of_a_cohort(tmp_path):
    tissue = attach_regions(discordant_tissue(), "contradicts", "unexplained")
    alone = write_report(tissue, tmp_path / "alone.html").read_text(encoding="utf-8")
    assert "Discordant regions" in alone
    assert "What was asked of which section" not in alone
    run = tissue.uns[keys.LATEST]
    wrong = {**ROW, "asked": False, "image": "wrong image", "image_of": "<b>"}
    tissue.uns[keys.RUNS][run]["training"] |= recorded(ROW, wrong, TEACHER)
    page = write_report(tissue, tmp_path / "several.html").read_text(encoding="utf-8")
    assert "What was asked of which section" in page
    assert "goes with &lt;b&gt;" in page
    assert "12 spots, 50% another tissue&#39;s expression" in page
    assert page.count("<td>reference</td>") == 1
