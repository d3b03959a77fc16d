"""The section with planted discordance: what is planted, and what stays as it was."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from anndata import read_h5ad
from scipy.spatial import cKDTree

from napari_semst import _sample_data
from napari_semst.errors import ConfigError
from napari_semst.sample import simulated_discordance
from napari_semst.sample.assemble import draw_layout
from napari_semst.sample.genes import panel_symbols
from napari_semst.sample.geometry import LAYERS, layer_codes
from napari_semst.sample.programmes import IMMUNE, PRECANCER, panel_with_immune
from napari_semst.sample.region_placement import place_regions
from napari_semst.sample.simulate_discordance import LIBRARY, PATTERNS
from tests.cli.test_main import call

ALL = tuple(PATTERNS)


@cache
def made(kinds=("programme",), strength="both", *, n_spots=600, image=False, **more):
    return simulated_discordance(
        n_spots, 400, kinds=kinds, strength=strength, image=image, **more
    )


def region(tissue, kind, strength):
    obs = tissue.obs
    chosen = (obs["discordance_kind"] == kind) & (
        obs["discordance_strength"] == strength
    )
    return chosen.to_numpy()


def rate(tissue, genes):
    counts = tissue.X[:, genes].sum(axis=1).A1
    return counts / tissue.X.sum(axis=1).A1


def picture(tissue, name="hires"):
    return tissue.uns["spatial"][LIBRARY]["images"][name]


def test_by_default_there_is_a_strong_and_a_weak_region_apart() -> None:
    tissue = made(n_spots=1000)
    obs = tissue.obs
    strong, weak = (region(tissue, "programme", s) for s in ("strong", "weak"))
    assert strong.sum() == weak.sum() == 30
    np.testing.assert_array_equal(obs["discordant"], strong | weak)
    assert list(obs["discordance_kind"].cat.categories) == ["none", "programme"]
    nobody = obs[~obs["discordant"]]
    for column in ("discordance_kind", "discordance_strength"):
        assert set(nobody[column]) == {"none"}
    places = tissue.obsm["spatial"]
    spacing = cKDTree(places).query(places, k=2)[0][:, 1].mean()
    assert cKDTree(places[strong]).query(places[weak])[0].min() > 3 * spacing
    told = tissue.uns["dataset_info"]["planted"]
    assert {name: (t["strength"], t["spots"]) for name, t in told.items()} == {
        "programme_strong": (1.0, 30), "programme_weak": (0.5, 30)
    }  # fmt: skip


@pytest.mark.parametrize("platform", ["visium", "cells"])
@pytest.mark.parametrize("seed", range(2))
def test_regions_lie_in_their_layer_apart_and_off_the_edges(platform, seed) -> None:
    section, places = draw_layout(2000, platform, seed)
    sites = [site for kind in PATTERNS.values() for site in (kind.sites * 2)[:2]]
    homes = [site.home for site in sites]
    where = place_regions(section, places.points, homes, 0.0125, (seed, 7))
    assert np.bincount(where[where >= 0]).tolist() == [25] * 8
    spacing = np.sqrt(section.area / 2000)
    assert section.at("edge", places.points)[where >= 0].min() > spacing
    layers = np.array(LAYERS)[layer_codes(section.at("depth", places.points))]
    for number, site in enumerate(sites):
        mine = places.points[where == number]
        assert (layers[where == number] == site.layer).mean() > 0.8
        others = places.points[(where >= 0) & (where != number)]
        assert cKDTree(others).query(mine)[0].min() > 3 * spacing
        # Compact: no wider than five times as many spots in a disc.
        centre = mine.mean(axis=0)
        assert np.hypot(*(mine - centre).T).max() < spacing * np.sqrt(5 * 25 / np.pi)


@pytest.mark.slow
def test_other_spots_keep_their_counts_and_totals_do_not_tell() -> None:
    tissue, plain = made(ALL[:3], n_spots=3000), made((), n_spots=3000)
    assert not plain.obs["discordant"].any()
    assert set(plain.obs["discordance_kind"]) == {"none"}
    assert plain.uns["dataset_info"]["planted"] == {}
    there = tissue.obs["discordant"].to_numpy()
    assert (tissue.X[~there] != plain.X[~there]).nnz == 0
    assert (tissue.X[there] != plain.X[there]).nnz > 10 * there.sum()
    assert tissue.obs["ground_truth"].equals(plain.obs["ground_truth"])
    for kind in ALL[:3]:
        here = region(tissue, kind, "strong")
        totals = [t.X[here].sum() for t in (tissue, plain)]
        assert totals[0] == pytest.approx(totals[1], rel=0.05)


@pytest.mark.parametrize(
    ("kind", "genes", "folds"),
    [
        ("infiltration", tuple(IMMUNE), (3.0, 1.6)),
        ("precancer", PRECANCER.split(), (2.0, 1.3)),
    ],
)
def test_the_strong_region_shows_more_than_the_weak_one(kind, genes, folds) -> None:
    tissue, plain = made(ALL[:3], n_spots=3000), made((), n_spots=3000)
    if kind == "precancer":
        columns = np.isin(tissue.var_names, genes)
    else:
        columns = np.isin(tissue.var["programme"].to_numpy().astype(str), genes)
    strong, weak = (
        rate(tissue, columns)[here].mean() / rate(plain, columns)[here].mean()
        for here in (region(tissue, kind, s) for s in ("strong", "weak"))
    )
    assert strong > folds[0]
    assert folds[1] < weak < 0.85 * strong


@pytest.mark.slow
def test_a_strong_programme_shows_more_than_a_weak_one_at_its_place() -> None:
    plain = made((), n_spots=1000)
    columns = plain.var["programme"].to_numpy().astype(str) == "Ex L5 IT"
    folds = []
    for strength in ("strong", "weak"):
        tissue = made(strength=strength, n_spots=1000)
        here = tissue.obs["discordant"].to_numpy()
        folds.append(
            rate(tissue, columns)[here].mean() / rate(plain, columns)[here].mean()
        )
    assert folds[0] > 1.8
    assert 1.3 < folds[1] < 0.85 * folds[0]


def test_the_strong_programme_is_what_layer_5_expresses() -> None:
    tissue = made(n_spots=1500)
    layers = tissue.obs["ground_truth"].to_numpy().astype(str)
    layers[tissue.obs["discordant"]] = ""
    rates = tissue.X.toarray() / tissue.X.sum(axis=1).A1[:, None]
    shown = rates[region(tissue, "programme", "strong")].mean(axis=0)
    distance = {
        layer: np.abs(np.sqrt(shown) - np.sqrt(rates[layers == layer].mean(axis=0)))
        for layer in ("L2", "L3", "L4", "L5", "L6")
    }
    assert min(distance, key=lambda layer: distance[layer].sum()) == "L5"


@pytest.mark.slow
def test_an_image_is_planted_where_it_is_told_and_nowhere_else() -> None:
    tissue = made(("image",), image=True, n_spots=400)
    plain = made((), image=True, n_spots=400)
    assert (tissue.X != plain.X).nnz == 0
    changed = (picture(tissue) != picture(plain)).any(axis=2)
    entry = tissue.uns["spatial"][LIBRARY]
    scale = entry["scalefactors"]["tissue_hires_scalef"]
    places = (tissue.obsm["spatial"] + 0.5) * scale
    radius = entry["scalefactors"]["spot_diameter_fullres"] * scale / 2
    rows, columns = np.nonzero(changed)
    pixels = np.column_stack([columns, rows]) + 0.5
    there = tissue.obs["discordant"].to_numpy()
    assert not any(cKDTree(pixels).query_ball_point(places[~there], radius))
    assert all(cKDTree(pixels).query_ball_point(places[there], radius))

    def dark(which, here):
        column, row = places[here].astype(int).T
        reach = range(-int(radius), int(radius) + 1)
        green = picture(which)[..., 1]
        return np.mean([green[row + y, column + x] < 130 for x in reach for y in reach])

    # Twice as many nuclei, though smaller: a strong region is darker in more places.
    strong = region(tissue, "image", "strong")
    assert dark(tissue, strong) > 1.1 * dark(plain, strong)


@pytest.mark.slow
def test_other_kinds_leave_no_trace_in_the_image() -> None:
    planted, plain = (made(k, image=True, n_spots=400) for k in (("programme",), ()))
    assert (planted.X != plain.X).nnz > 0
    np.testing.assert_array_equal(picture(planted), picture(plain))


@pytest.mark.slow
def test_a_seed_gives_the_same_section_and_places_whatever_the_strength() -> None:
    first, again = (
        simulated_discordance(300, 100, seed=3, image=False) for _ in range(2)
    )
    assert (first.X != again.X).nnz == 0
    assert first.obs.equals(again.obs)
    strong = made(strength="strong")
    some = made(strength=0.7)
    np.testing.assert_array_equal(strong.obs["discordant"], some.obs["discordant"])
    assert set(some.obs["discordance_strength"]) == {"none", "0.7"}


def test_cells_of_infiltration_are_called_immune() -> None:
    tissue = made(("infiltration",), n_spots=1000, platform="cells")
    immune = tissue.obs["cell_type"].isin([*IMMUNE, "Microglia"]).to_numpy()
    assert 0.35 < immune[region(tissue, "infiltration", "strong")].mean() < 0.85
    assert not tissue.obs["cell_type"][~tissue.obs["discordant"]].isin(IMMUNE).any()


@pytest.mark.parametrize("n_genes", [50, 400, 3000])
def test_the_panel_ends_with_real_immune_markers(n_genes) -> None:
    symbols, programmes = panel_with_immune(n_genes, "human")
    assert len(symbols) == len(programmes) == len(set(symbols)) == n_genes
    more = sum(programme in IMMUNE for programme in programmes)
    assert more == min(32, n_genes // 5)
    assert symbols[: n_genes - more] == panel_symbols(n_genes - more, "human")[0]
    mouse, _ = panel_with_immune(n_genes, "mouse")
    assert not any(symbol.isupper() for symbol in mouse[-more:])


def test_pre_cancerous_genes_are_in_the_default_panel() -> None:
    assert set(PRECANCER.split()) <= set(panel_with_immune(1500, "human")[0])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kinds": ("tumour",)}, "kinds to be one of 'programme'.*got 'tumour'"),
        ({"kinds": ("image", "image")}, "every kind once"),
        ({"kinds": ("image",), "image": False}, "an image for the kind 'image'"),
        ({"strength": "medium"}, "'both', 'strong', 'weak'; got 'medium'"),
        ({"strength": 0}, "above 0 and at most 1; got 0"),
        ({"strength": float("nan")}, "above 0"),
        ({"n_spots": 10}, "n_spots"),
        ({"n_spots": 50, "kinds": ALL}, "room for 8 planted"),
        ({"n_spots": 600, "n_genes": 50, "kinds": ("precancer",)}, "more genes"),
    ],
)
def test_wrong_arguments_are_refused_in_words(wrong, words) -> None:
    with pytest.raises(ConfigError, match=words):
        simulated_discordance(**wrong)


@pytest.mark.slow
def test_the_command_writes_what_python_makes(tmp_path) -> None:
    path = tmp_path / "planted.h5ad"
    said = call(
        "sample", "discordant", "-o", path, "--kinds", "programme, precancer",
        "--strength", ".8", "--spots", 600, "--genes", 400, "--seed", 1,
    )  # fmt: skip
    assert "programme_0_8" in said
    assert "18 spots of L6" in said
    read = read_h5ad(path)
    same = made(("programme", "precancer"), 0.8, seed=1)
    assert (read.X != same.X).nnz == 0
    assert (
        read.obs["discordance_kind"].tolist() == same.obs["discordance_kind"].tolist()
    )
    assert read.uns["dataset_info"]["planted"]["precancer_0_8"]["strength"] == 0.8
    call("sample", "discordant", "-o", path, "--kinds", "none", "--overwrite",
        "--spots", 100, "--genes", 100)  # fmt: skip
    assert not read_h5ad(path).obs["discordant"].any()


@pytest.mark.slow
def test_the_viewer_offers_it() -> None:
    layers = _sample_data.simulated_discordance()
    assert [kind for _, _, kind in layers] == ["image", "points"]
    assert layers[1][1]["metadata"]["adata"].obs["discordant"].sum() == 180
