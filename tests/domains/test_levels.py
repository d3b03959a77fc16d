from __future__ import annotations

import numpy as np
import pytest

from napari_semst.domains.hierarchy import domains_at
from napari_semst.domains.levels import level_colors, level_key, write_level
from napari_semst.errors import ConfigError, InputError
from tests.widgets.stand_in import section_with_levels


def test_a_level_is_written_with_its_colours_and_nothing_else_is_changed():
    tissue = section_with_levels()
    before = tissue.obs.copy()
    assert write_level(tissue, 4) == "semst_domain_at_4" == level_key(4)
    assert tissue.obs["semst_domain_at_4"].equals(
        domains_at(tissue, 4).rename("semst_domain_at_4")
    )
    assert tissue.obs.drop(columns="semst_domain_at_4").equals(before)
    names = list(tissue.obs["semst_domain_at_4"].cat.categories)
    colors = list(tissue.uns["semst_domain_at_4_colors"])
    assert colors == level_colors(tissue, names)
    assert len(set(colors)) == 4


def test_colours_are_those_of_the_run_then_of_the_palette():
    tissue = section_with_levels()
    mine = ["#101010", "#202020", "#303030"]
    tissue.uns["semst_domain_default_colors"] = np.array(mine)
    from napari_semst.palette import domain_colors

    assert level_colors(tissue, ["1", "3", "5"]) == [
        "#101010",
        "#303030",
        domain_colors(5)[4],
    ]


def test_what_is_in_the_way_or_missing_is_said():
    tissue = section_with_levels(run="at_4")
    kept = tissue.obs["semst_domain_at_4"].copy()
    with pytest.raises(ConfigError, match="a run named 'at_4'"):
        write_level(tissue, 4)
    assert tissue.obs["semst_domain_at_4"].equals(kept)
    with pytest.raises(InputError, match="of the run 'gone'"):
        write_level(tissue, 2, "gone")
    with pytest.raises(ConfigError, match="Expected 1 to 6 domains"):
        write_level(tissue, 7)
