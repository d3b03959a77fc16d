"""What is said of a domain in one sentence, and what is not."""

from __future__ import annotations

import pytest

from napari_semst.explanation.tell import sentence, words

TOLD = {
    "n_spots": 12,
    "genes": {"gene": ["A", "B", "C", "D"], "p_adjusted": [0.0, 0.01, 0.2, 0.0]},
    "terms": {
        "term": ["one", "two", "three"],
        "q": [0.004, 0.06, 0.01],
        "random_domains_with_as_much": [0.0, 0.0, 0.3],
    },
    "modulation": {"modulation_in": 0.1, "spots_moved_less": 0.8},
    "counterfactual": {"without_semantics": 0.4, "other_seed": 0.1},
}


def test_only_what_was_found_is_said():
    assert sentence("3", TOLD, read=True) == (
        "Domain 3 (12 spots): genes A, B, D; one (q = 0.004), three (q = 0.01); "
        "semantics moved its median spot more than 80% of spots; 40% of its spots "
        "change domain without semantics, 10% with another seed."
    )


def test_where_nothing_was_found_it_says_so():
    nothing = {
        **TOLD,
        "genes": {"gene": ["A"], "p_adjusted": [0.4]},
        "terms": {"term": ["one"], "q": [0.06], "random_domains_with_as_much": [0.0]},
        "modulation": {},
        "counterfactual": {},
    }
    assert sentence("3", nothing, read=True) == (
        "Domain 3 (12 spots): no gene sets it apart; no term of the gene table stands "
        "out."
    )
    assert "term" not in sentence("3", nothing, read=False)


def test_terms_that_other_parts_have_as_well_are_told_as_shared():
    terms = {"term": ["one"], "q": [0.01], "random_domains_with_as_much": [0.2]}
    said = sentence("3", {**TOLD, "terms": terms}, read=True)
    assert "one (q = 0.01), shared with other parts of the section;" in said
    assert "shared" not in sentence("3", TOLD, read=True)


@pytest.mark.parametrize(
    ("strength", "less", "said"),
    [
        (0.1, 0.2, "less than 80%"),
        (0.1, 0.55, "about as much"),
        (1e-5, 0.9, None),
    ],
)
def test_modulation_is_not_made_more_of_than_it_is(strength, less, said):
    moved = {"modulation_in": strength, "spots_moved_less": less}
    text = sentence("3", {**TOLD, "modulation": moved, "counterfactual": {}}, read=True)
    assert ("semantics" in text) == (said is not None)
    assert said is None or said in text


def test_notes_follow_the_sentences():
    told = {"domains": {"1": {"sentence": "A."}}, "notes": ["why"]}
    assert words(told).splitlines() == ["A.", "Note: why"]
