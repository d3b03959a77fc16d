from __future__ import annotations

from napari_semst.genes import table as home
from napari_semst.semantics import table


def test_scripts_of_earlier_builds_find_the_gene_table():
    assert table.builtin_table is home.builtin_table
