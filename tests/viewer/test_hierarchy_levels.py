from __future__ import annotations

import numpy as np
import pytest

from napari_semst import keys
from napari_semst.domains.hierarchy import domains_at
from napari_semst.viewer import colourings
from napari_semst.viewer.colour import paint_of
from napari_semst.viewer.hierarchy_levels import hierarchy_levels
from tests.widgets.stand_in import section_with_levels, small_tissue


@pytest.mark.parametrize("k", range(1, 7))
def test_every_level_is_painted_as_the_hierarchy_says(k):
    tissue = section_with_levels()
    labels = domains_at(tissue, k)
    levels = hierarchy_levels(tissue, "default")
    assert list(levels.labels(k)) == list(labels)
    paint = levels.paint(k)
    counts = labels.value_counts()
    assert [(e.name, e.count) for e in paint.entries] == [
        (name, counts[name]) for name in labels.cat.categories
    ]
    assert sum(e.share for e in paint.entries) == pytest.approx(1.0)
    from matplotlib.colors import to_rgba

    color = {e.name: to_rgba(e.color) for e in paint.entries}
    np.testing.assert_allclose(paint.rgba, [color[n] for n in labels], atol=1e-6)


def test_the_own_level_looks_like_the_run_itself():
    tissue = section_with_levels()
    mine = np.array(["#aa0000", "#00aa00", "#0000aa"])
    tissue.uns["semst_domain_default_colors"] = mine
    tissue.uns["semst_domain_colors"] = mine
    levels = hierarchy_levels(tissue, "default")
    assert (levels.own, levels.most) == (3, 6)
    own = paint_of(tissue, colourings.first_colouring(tissue))
    again = levels.paint(3)
    assert again.entries == own.entries
    np.testing.assert_array_equal(again.rgba, own.rgba)
    assert [levels.holds(k) for k in (None, 0, 2, 3, 6, 7)] == [
        False, False, True, False, True, False,
    ]  # fmt: skip


def test_a_run_without_a_hierarchy_has_no_levels():
    tissue = section_with_levels()
    assert hierarchy_levels(tissue, "gone") is None
    assert hierarchy_levels(small_tissue(), "") is None
    del tissue.uns[keys.RUNS]["default"]["hierarchy"]
    assert hierarchy_levels(tissue, "default") is None
