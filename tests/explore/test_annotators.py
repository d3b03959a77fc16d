from __future__ import annotations

import gc
from weakref import ref

from napari_semst.explore.annotators import annotator_of
from tests.widgets.stand_in import small_tissue


def test_all_who_edit_a_section_take_back_the_same_last_edit():
    tissue, other = small_tissue(), small_tissue()
    annotator_of(tissue).edit("mine", lambda was: was.with_name("a"), begin=True)
    annotator_of(tissue).edit("mine", lambda was: was.renamed("a", "b"))
    assert annotator_of(other) is not annotator_of(tissue)
    assert not annotator_of(other).can_undo
    annotator_of(tissue).undo()
    assert list(tissue.obs["mine"].cat.categories) == ["a"]


def test_a_section_that_was_closed_is_not_kept():
    tissue = small_tissue()
    editor = ref(annotator_of(tissue))
    del tissue
    gc.collect()
    annotator_of(small_tissue())
    gc.collect()
    assert editor() is None
