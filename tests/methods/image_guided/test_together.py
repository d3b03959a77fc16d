"""Several sections: some teach, others are asked, and wrong images are named."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from napari_semst.config.listed_names import joined_names
from napari_semst.core.device import choose_device
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled, ConfigError
from napari_semst.io.concat_sections import join_sections
from napari_semst.methods.image_guided.discordance_result import STATES, told_sections
from napari_semst.methods.image_guided.fit import fit
from napari_semst.methods.image_guided.image_checks import (
    FITS,
    SILENT,
    SectionImages,
    told_share,
)
from napari_semst.methods.image_guided.inputs import guided_inputs
from napari_semst.methods.image_guided.reference import (
    reference_sections,
    section_folds,
    unlike_images,
)
from napari_semst.methods.image_guided.regions import Evidence, find_regions_together
from napari_semst.methods.image_guided.section_effects import (
    level_sections,
    without_section_stain,
)
from napari_semst.methods.image_guided.together import measure_together
from napari_semst.methods.section_texts import (
    pixel_warnings,
    section_lines,
    section_warnings,
)
from napari_semst.morphology.base import Morphology
from napari_semst.sample import simulated_discordance
from tests.guided import guided

SPOTS, NAMES = 400, ("a", "b", "c")


@cache
def cohort(names=NAMES):
    """Return three sections of a cohort in one table."""
    return join_sections(
        {
            name: simulated_discordance(
                SPOTS, 200, seed=NAMES.index(name), kinds=(), image=False, cohort=3
            )
            for name in names
        }
    )


def features(stain=0.0):
    """Return images that tell layers apart, the last section's stained otherwise."""
    tissue, random = cohort(), np.random.default_rng(0)
    layers = tissue.obs["ground_truth"].cat.codes.to_numpy()
    own = random.normal(0, 1.5, (layers.max() + 1, 6))
    found = own[layers] + random.normal(0, 0.4, (len(layers), 6))
    found[2 * SPOTS :] += stain
    return found.astype(np.float32)


def measured(values, reference="", usable=None, names_in_order=NAMES):
    usable = np.ones(len(values), bool) if usable is None else usable
    names = tuple(f"feature {n}" for n in range(values.shape[1]))
    seen = Morphology(
        np.where(usable[:, None], values, np.nan),
        names,
        usable,
        {"background": ~usable},
    )
    section, config = guided(
        cohort(names_in_order),
        seen,
        image_guided={"reference": reference, "permutations": 5},
    )
    none = np.zeros((section.n_spots, 1), np.float32)
    inputs = guided_inputs(section, config)
    return run_to_end(measure_together(inputs, section, none, RunControl()))


def state(found, section):
    """Return the states of a section's spots, in words."""
    part = found.state[section * SPOTS : (section + 1) * SPOTS]
    return {STATES[one] for one in part}


@pytest.fixture(scope="module")
def asked():
    return measured(features(stain=2.0), "a,b")


def test_reference_sections_teach_and_are_not_asked(asked):
    assert [(one.teaches, one.asked) for one in asked.sections] == [
        (True, False), (True, False), (False, True)
    ]  # fmt: skip
    assert np.isnan(asked.p_value[: 2 * SPOTS]).all()
    assert np.isfinite(asked.contradiction[: 2 * SPOTS]).all()
    assert np.isfinite(asked.p_value[2 * SPOTS :]).mean() > 0.9
    assert state(asked, 0) == state(asked, 1) == {"reference"}


def test_a_stain_of_its_own_is_no_biology(asked):
    # Features of unit deviation; what is taken out is told.
    assert asked.sections[2].stain_shift > 5 * asked.sections[0].stain_shift
    assert asked.sections[2].image.verdict == FITS
    assert asked.sections[2].unlike < 0.05 * SPOTS
    assert not asked.discordant.any()


def test_what_is_asked_does_not_move_the_reference():
    values = features()
    found = measured(values, "a,b")
    behind = np.roll(values, SPOTS, axis=0)
    other = measured(behind, "a,b", names_in_order=("c", "a", "b"))
    assert [one.name for one in other.sections] == ["c", "a", "b"]
    assert len(found.predicted) == len(other.predicted)
    own, again = found.contradiction[2 * SPOTS :], other.contradiction[:SPOTS]
    # Not to the bit: axes and the kernel are drawn anew.
    assert np.corrcoef(own, again)[0, 1] > 0.99


def test_all_sections_teach_and_are_asked_without_a_reference():
    found = measured(features())
    assert all(one.teaches and one.asked for one in found.sections)
    assert np.isfinite(found.p_value).all()
    # Each alone has too few spots for the second question; together they have not.
    assert np.isfinite(found.p_unexplained).all()


def test_an_image_that_tells_nothing_is_named_and_not_called_another_sections():
    values = features()
    own = values[SPOTS : 2 * SPOTS]
    own[:] = np.random.default_rng(1).permutation(own)
    found = measured(values, "a,b")
    assert [one.image.verdict for one in found.sections] == [FITS, SILENT, FITS]
    assert [one.teaches for one in found.sections] == [True, False, False]
    assert state(found, 1) == {"image tells nothing"}
    (told, single) = section_warnings(
        {"sections_compared": told_sections(found.sections)}
    )
    assert told.startswith("Section 'b': its image tells no more of its expression")
    assert "few spots" in told
    lines = dict(section_lines({"sections_compared": told_sections(found.sections)}))
    assert lines["b"] == "not compared: its image tells nothing of its expression"
    assert "it teaches nothing" in told
    assert single.startswith("One reference section alone ('a')")


def test_a_section_without_an_image_is_told():
    usable = np.ones(3 * SPOTS, bool)
    usable[2 * SPOTS :] = False
    found = measured(features(), "c", usable)
    assert not any(one.teaches or one.asked for one in found.sections)
    assert state(found, 0) == {"no section teaches"}
    assert state(found, 2) == {"no image"}
    warnings = section_warnings({"sections_compared": told_sections(found.sections)})
    assert "Section 'c' has no image to rely upon: it teaches nothing." in warnings
    assert any("No section is left that teaches" in one for one in warnings)


def test_lines_say_what_was_done_with_each_section(asked):
    lines = dict(section_lines({"sections_compared": told_sections(asked.sections)}))
    assert lines["a"] == "reference: teaches, and is not asked"
    assert lines["c"].startswith("compared; ")
    assert "regions of 12 spots" in lines["c"]


def test_a_reference_is_some_of_the_sections():
    _, config = guided()
    settings = {"image_guided": config.image_guided}

    def wanted(text):
        settings["image_guided"] = replace(config.image_guided, reference=text)
        return reference_sections(replace(config, **settings), NAMES).tolist()

    assert wanted("") == [False] * 3
    assert wanted("a, folder/c.h5ad") == [True, False, True]
    with pytest.raises(ConfigError, match="there is no 'd'"):
        wanted("a,d")
    with pytest.raises(ConfigError, match="all 3 are reference"):
        wanted("a,b,c")


def test_a_section_whose_name_has_a_comma_can_be_the_reference():
    _, config = guided()
    names = ("normal, left", "normal", "left", 'the "other", one')

    def wanted(*given):
        text = joined_names(given)
        there = replace(config.image_guided, reference=text)
        return reference_sections(replace(config, image_guided=there), names).tolist()

    assert wanted("normal, left") == [True, False, False, False]
    assert wanted("normal", "left") == [False, True, True, False]
    assert wanted('the "other", one', "left") == [False, False, True, True]
    assert wanted("new/normal, left.h5ad", "left") == [True, False, True, False]
    assert reference_sections(
        replace(config, image_guided=replace(config.image_guided, reference="a,b")),
        ("a,b", "c"),
    ).tolist() == [True, False]
    # As before, several in one word.
    assert wanted("left,normal") == [False, True, True, False]


def test_a_path_to_one_of_several_files_of_one_name_is_refused():
    _, config = guided()
    names = ("biopsy", "biopsy-2", "other")

    def wanted(text):
        given = replace(config.image_guided, reference=text)
        return reference_sections(replace(config, image_guided=given), names).tolist()

    assert wanted("biopsy") == [True, False, False]
    assert wanted("biopsy-2,new/other.h5ad") == [False, True, True]
    with pytest.raises(ConfigError, match=r"several files.*'biopsy', 'biopsy-2'"):
        wanted("new/biopsy.h5ad")


def test_a_reference_without_any_image_read_is_refused():
    section, config = guided(cohort(), image=False, image_guided={"reference": "a"})
    with pytest.raises(ConfigError, match="nothing would be compared"):
        run_to_end(fit(section, None, config, choose_device("cpu"), RunControl()))


def test_folds_are_sections_of_a_reference_and_else_pieces_of_each():
    codes = np.repeat([0, 1, 2], 60)
    places = np.random.default_rng(0).random((180, 2))
    every = np.ones(180, bool)
    (by_section,) = section_folds(
        every, places, codes, np.array([True, False, True]), 3, 0
    )
    assert [set(by_section[codes == one]) for one in range(3)] == [{0}, {2}, {1}]
    one = section_folds(every, places, codes, np.array([True, False, False]), 3, 0)
    assert (one[:, codes > 0] == 3).all()
    assert set(one[0, codes == 0]) == {0, 1, 2}
    pieces = section_folds(every, places, codes, np.zeros(3, bool), 3, 0)
    assert all(set(pieces[0, codes == one]) == {0, 1, 2} for one in range(3))


def test_a_stain_is_told_from_what_a_section_is_made_of():
    random = np.random.default_rng(0)
    codes = np.repeat([0, 1], 2000)
    # The second section has more of one tissue, and is stained darker and wider.
    told = random.normal(codes[:, None] * 0.8, 1, (4000, 2)).astype(np.float32)
    true = told @ np.array([[1, 0.5], [0, 1]], np.float32)
    true += random.normal(0, 0.3, true.shape).astype(np.float32)
    seen = np.where(codes[:, None] == 1, 1.3 * true + 0.7, true).astype(np.float32)
    every, teaching = np.ones(4000, bool), np.array([True, False])
    level, shift = without_section_stain(seen, seen, told, codes, every, teaching)
    assert np.array_equal(level[codes == 0], seen[codes == 0])
    assert shift[0] == 0
    off = np.abs(level - true)[codes == 1].mean()
    assert off < 0.25 * np.abs(seen - true)[codes == 1].mean()


def test_images_like_nothing_in_the_reference_are_found():
    values = features()
    every = np.ones(len(values), bool)
    section, _ = guided(cohort(), Morphology(values, tuple("abcdef"), every, {}))
    image = values - values.mean(axis=0)
    odd = np.flatnonzero(section.average[2 * SPOTS + 50].toarray().ravel() > 0)
    for _ in range(3):
        odd = np.unique(section.average[odd].indices)
    image[odd] += 12
    teaching = np.array([True, True, False])
    unlike = unlike_images(image, section, every, teaching, ~teaching, 0)
    assert not unlike[: 2 * SPOTS].any()
    assert unlike[odd].mean() > 0.8
    # Spots around are averages of them.
    assert np.delete(unlike, odd)[2 * SPOTS :].mean() < 0.2


def test_sections_are_levelled_and_compared_between_checks():
    values = features()
    every = np.ones(len(values), bool)
    seen = Morphology(values, tuple("abcdef"), every, {"background": ~every})
    section, config = guided(cohort(), seen)
    teaching = np.array([True, True, False])
    inputs = guided_inputs(section, config)

    def steps(what, at=np.inf):
        done = []

        def check():
            done.append(1)
            if len(done) >= at:
                raise Cancelled

        what(check)
        return len(done)

    def level(check):
        level_sections(inputs, section, teaching, check)

    def compare(check):
        unlike_images(values, section, every, teaching, ~teaching, 0, check)

    # Sections that teach, and then all.
    assert steps(compare) == 2 + 3
    assert steps(level) >= 3
    for what in (level, compare):
        with pytest.raises(Cancelled):
            steps(what, 2)


def test_regions_stay_inside_sections_and_share_one_rate():
    touching = sparse.csr_matrix(np.eye(60, k=1) + np.eye(60, k=-1))
    score = np.zeros(60, np.float32)
    score[25:35] = 9
    random = np.random.default_rng(0)
    null = random.normal(0, 1, (20, 60)).astype(np.float32)
    asked = [Evidence(score, null)]
    parts = [np.arange(30), np.arange(30, 60)]
    found = find_regions_together(asked, touching, parts, 0.1)
    assert sorted(one.spots.tolist() for one in found) == [
        list(range(25, 30)), list(range(30, 35))
    ]  # fmt: skip
    # Two sections were asked, and both of two regions are as little expected.
    assert found[0].q_value == pytest.approx(found[1].expected_false)
    score[30:] = 0
    alone = find_regions_together(asked, touching, parts, 0.1)
    assert alone[0].q_value == pytest.approx(2 * alone[0].expected_false)


def test_predictions_of_the_wrong_sign_tell_nothing():
    truth = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    assert told_share(truth, 3 * truth + 1) == pytest.approx(1)
    assert told_share(truth, -truth) == 0


def test_images_of_other_sharpness_are_told():
    sizes = {"one": {"pixels_per_spot": 30.0}, "two": {"pixels_per_spot": 8.0}}
    (told,) = pixel_warnings(sizes)
    assert "8.0 pixels wide in 'two'" in told
    sizes["two"]["pixels_per_spot"] = 25.0
    assert pixel_warnings(sizes) == []


def told(**changed):
    """Return what is recorded of two sections, of which one is changed."""
    row = {
        "name": "a", "spots": 400, "reference": False, "teaches": False,
        "asked": True, "image_of": "", "unlike": 0, "image": "fits",
        "expression_shift": 0.0, "power_spots": 12, "power_share": 0.5,
        "power_deviations": np.nan,
    }  # fmt: skip
    teacher = {**row, "name": "b", "reference": True, "teaches": True, "asked": False}
    rows = [{**row, **changed}, teacher]
    return {"sections_compared": {key: [one[key] for one in rows] for key in row}}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "compared; half of the regions of 12 spots"),
        ({"power_spots": 0}, "compared, but its image predicts nothing"),
        ({"asked": False, "unlike": 400}, "all of it looks like nothing in the ref"),
        ({"asked": False, "image": "wrong image"}, "goes with another section"),
        ({"asked": False}, "no section teaches"),
    ],
)
def test_a_line_says_why_nothing_can_be_found(changed, said):
    assert said in dict(section_lines(told(**changed)))["a"]


def test_a_wrong_image_is_told_with_the_section_that_it_goes_with():
    found = section_warnings(told(asked=False, image="wrong image", image_of="x"))
    assert "section 'x': are they swapped, or" in found[0]


def test_a_reference_with_nothing_to_ask_is_told_so_and_asks_for_no_second_one():
    found = section_warnings(told(asked=False, image="no image"))
    assert found[-1].startswith("No section besides the reference is left")
    assert not any("Give a second one" in one for one in found)
    assert "Give a second one" in section_warnings(told())[-1]


@pytest.mark.parametrize(("n_sections", "moves"), [(2, 19), (5, 79), (12, 99)])
def test_of_more_sections_an_image_has_to_be_surer(n_sections, moves, monkeypatch):
    places = np.tile(np.random.default_rng(0).random((30, 2)), (n_sections, 1))
    images = SectionImages.__new__(SectionImages)
    images._section = SimpleNamespace(coordinates=places)
    images._inputs = SimpleNamespace(usable=np.ones(len(places), bool))
    images._codes, images._n = np.repeat(np.arange(n_sections), 30), n_sections
    asked = []

    def by_itself(self, one, given=None, moves=0):
        asked.append(moves)
        return False

    monkeypatch.setattr(SectionImages, "_by_itself", by_itself)
    assert images._image_of(0, np.zeros(n_sections, bool)) == -1
    # Of up to six, one of all others is right by chance once in twenty times.
    assert asked == [moves] * (n_sections - 1)
