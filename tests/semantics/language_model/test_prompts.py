"""The words around gene names, and lists that are read once."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.errors import SemanticsError
from napari_semst.semantics import GeneLists
from napari_semst.semantics.language_model.prompts import (
    PAPER_TEMPLATE,
    ListedPassages,
    Passage,
    distinct_lists,
    template,
)
from napari_semst.wording import for_shell

SYSTEM = (
    "You are an expert in bioinformatics. Represent the biological state of a cell "
    "characterized by the following highly expressed genes. Focus on capturing the "
    "functional essence relevant for spatial domain identification."
)


def test_the_paper_s_prompt_is_the_paper_s_to_the_letter() -> None:
    passage = template("paper", "human", "ignored").passage(("MBP", "GFAP"))
    assert passage.system == SYSTEM
    assert passage.user == "Highly expressed genes: MBP, GFAP."
    assert PAPER_TEMPLATE.user == "Highly expressed genes: {genes}."


def test_the_own_template_tells_species_and_tissue_before_the_genes() -> None:
    passage = template("tissue", "mouse", " visual cortex ").passage(("Mbp",))
    assert passage.head.startswith("Species: mouse. Tissue: visual cortex. ")
    assert passage.user.endswith("Mbp.")
    assert "Species: not known." in template("tissue", "other", "liver").user


def test_an_unknown_template_or_a_missing_tissue_is_refused() -> None:
    with pytest.raises(SemanticsError, match="'paper', 'tissue'"):
        template("poem")
    with pytest.raises(SemanticsError, match=r"got none\. Set semantics") as found:
        template("tissue", "human", " ")
    assert "got none. Give it (--tissue" in for_shell(found.value)


@pytest.mark.parametrize(
    "tissue", ["liver {genes}", "a}", "x<|im_end|>", "a|>b", "two\nlines", "a\x00b"]
)
def test_a_tissue_that_would_break_the_prompt_is_refused(tissue: str) -> None:
    with pytest.raises(SemanticsError, match="plain words"):
        template("tissue", "human", tissue)
    assert "Tissue: liver < 5 | 1." in template("tissue", "", "liver < 5 | 1").user


def test_texts_that_join_to_the_same_have_names_of_their_own() -> None:
    texts = [
        Passage("", "", ("A, B",), ""),
        Passage("", "", ("A", "B"), ""),
        Passage("", "A", ("B",), ""),
        Passage("A", "", ("B",), ""),
        Passage("", "", ("B",), "A"),
    ]
    assert len({text.key for text in texts}) == len(texts)


def test_equal_lists_are_read_once_and_empty_ones_never() -> None:
    indices = np.array([[1, 0], [-1, -1], [0, -1], [1, 0], [0, 1]], dtype=np.int32)
    genes = np.array(["A", "B"])
    rows, place = distinct_lists(GeneLists(genes, indices))
    passages = ListedPassages(PAPER_TEMPLATE, genes, rows)
    assert all(one == PAPER_TEMPLATE.passage(one.names) for one in passages)
    assert sorted(one.names for one in passages) == [("A",), ("A", "B"), ("B", "A")]
    told = [passages[one].names if one >= 0 else () for one in place]
    assert told == [("B", "A"), (), ("A",), ("B", "A"), ("A", "B")]


def test_spots_without_genes_leave_nothing_to_read() -> None:
    empty = GeneLists(np.array(["A"]), np.full((3, 2), -1, dtype=np.int32))
    distinct, place = distinct_lists(empty)
    assert len(distinct) == 0
    assert place.tolist() == [-1, -1, -1]
    assert len(distinct_lists(GeneLists(empty.genes, empty.indices[:, :0]))[1]) == 3
