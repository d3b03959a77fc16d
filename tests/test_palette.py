from __future__ import annotations

import numpy as np
import pytest
from scripts.search_palette import color_distances, search_palette

from napari_semst.errors import ConfigError
from napari_semst.palette import PALETTE, domain_colors


def lab(colors: list[str]) -> np.ndarray:
    """CIELAB of D65, written apart from the palette's own OKLab."""
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colors])
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = linear @ np.array(
        [[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]]
    )
    ratio = xyz / np.array([0.95047, 1.0, 1.08883])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    x, y, z = f.T
    return np.column_stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def least_distance(colors: list[str]) -> float:
    values = lab(colors)
    apart = np.linalg.norm(values[:, None] - values[None], axis=-1)
    return float(apart[np.triu_indices(len(colors), 1)].min())


@pytest.mark.parametrize(("n", "least"), [(10, 25), (12, 24), (20, 11), (60, 6)])
def test_colours_are_far_apart(n, least) -> None:
    assert least_distance(domain_colors(n)) > least


@pytest.mark.parametrize(("n", "least"), [(7, 14), (10, 11), (20, 8), (60, 5)])
def test_colours_are_apart_for_colour_blind_people(n, least) -> None:
    apart = color_distances(domain_colors(n))
    assert apart[np.triu_indices(n, 1)].min() > least


def test_neighbours_in_the_list_are_never_alike() -> None:
    assert np.diag(color_distances(domain_colors(60)), 1).min() > 10


def test_colours_differ_from_stained_tissue_and_from_black() -> None:
    backgrounds = ["#e8b4cf", "#c98fb8", "#6f4a94", "#000000"]
    for background in backgrounds:
        for color in domain_colors(12):
            assert least_distance([color, background]) > 22, (color, background)


def test_the_list_grows_without_changing() -> None:
    assert domain_colors(5) == domain_colors(60)[:5]
    assert len(set(domain_colors(60))) == 60
    assert domain_colors(61) == [*domain_colors(60), domain_colors(1)[0]]
    assert domain_colors(0) == []
    assert all(len(c) == 7 and c[0] == "#" and int(c[1:], 16) >= 0
               for c in domain_colors(60))  # fmt: skip


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 or more; got -1"):
        domain_colors(-1)


def test_distance_sees_what_a_red_green_blind_person_cannot() -> None:
    both = color_distances(["#b05a50", "#6f7a4b"])[0, 1]
    assert both < 0.5 * np.linalg.norm(np.diff(lab(["#b05a50", "#6f7a4b"]), axis=0))
    assert color_distances(["#123456", "#123456"])[0, 1] == 0


def test_the_search_finds_the_colours_that_are_written_down() -> None:
    assert search_palette() == PALETTE
