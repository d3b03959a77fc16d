"""What is said of a domain in one sentence, and what is not."""

from __future__ import annotations

import pytest

from napari_semst.explanation.summary import domain_sentence, explanation_text

TOLD = {
    "n_spots": 12,
    "genes": {
        "gene": ["A", "B", "C", "D", "E"],
        "auc": [0.9, 0.8, 0.7, 0.75, 0.55],
        "p_adjusted": [0.0, 0.01, 0.2, 0.0, 0.0],
    },
    "terms": {
        "term": ["one", "two", "three"],
        "q": [0.004, 0.06, 0.01],
        "q_random_genes": [0.003, 0.06, 0.01],
        "p_random_domains": [0.001, 0.002, 0.001],
        "genes": ["A B C D", "B", "D E"],
    },
    "semantic_genes": {},
    "modulation": {"modulation_in": 0.1, "spots_moved_less": 0.8},
    "counterfactual": {"without_semantics": 0.4, "other_seed": 0.1},
}


def told(**changed):
    return domain_sentence("3", {**TOLD, **changed}, read=True)


def one_term(q, q_genes, p):
    """Return a term that is near by other figures."""
    values = {
        "term": "one", "q": q, "q_random_genes": q_genes, "p_random_domains": p,
        "genes": "A B",
    }  # fmt: skip
    return {name: [value] for name, value in values.items()}


def test_only_what_was_found_is_said():
    assert told() == (
        "Domain 3 (12 spots): genes A (AUC 0.90), B (AUC 0.80), D (AUC 0.75); near one "
        "(A, B, C; q = 0.004), three (D, E; q = 0.01); semantics moved its median spot "
        "more than 80% of spots; without semantics 40% of its spots change domain, "
        "with another seed 10%."
    )


def test_where_nothing_was_found_it_says_so():
    nothing = {
        **TOLD,
        "genes": {"gene": ["A"], "auc": [0.9], "p_adjusted": [0.4]},
        "terms": one_term(0.06, 0.06, 0.001),
        "modulation": {},
        "counterfactual": {},
    }
    assert domain_sentence("3", nothing, read=True) == (
        "Domain 3 (12 spots): no gene sets it apart; no term of the gene table stands "
        "out."
    )
    assert "term" not in domain_sentence("3", nothing, read=False)


def test_a_small_difference_is_not_called_clear():
    genes = {"gene": ["A", "B"], "auc": [0.53, 0.57], "p_adjusted": [0.0, 0.001]}
    said = told(genes=genes)
    assert "no gene sets it clearly apart (best B, AUC 0.57);" in said


def test_terms_that_other_parts_have_as_well_are_told_as_shared():
    said = told(terms=one_term(0.4, 0.01, 0.2))
    assert "near one (A, B; q = 0.01 by genes), but not alone: 20% of random" in said
    assert "pieces of its size have as much" in said
    assert "not alone" not in told()


def test_a_term_that_passes_one_test_only_is_not_called_found():
    said = told(terms=one_term(0.09, 0.01, 0.004))
    assert "near one (A, B; q = 0.01 by genes, not sure in space: q = 0.09);" in said


def test_semantics_get_no_credit_for_what_another_seed_changes():
    changed = {"without_semantics": 0.02, "other_seed": 0.03}
    said = told(counterfactual=changed)
    assert "2% of its spots change domain, no more than with another seed (3%)" in said


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
    text = domain_sentence(
        "3", {**TOLD, "modulation": moved, "counterfactual": {}}, read=True
    )
    assert ("semantics" in text) == (said is not None)
    assert said is None or said in text


def test_notes_follow_the_sentences():
    told = {"domains": {"1": {"sentence": "A."}}, "notes": ["why"]}
    assert explanation_text(told).splitlines() == ["A.", "Note: why"]
