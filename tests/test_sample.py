from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from napari_semst.errors import ConfigError
from napari_semst.sample import simulated_cortex
from napari_semst.sample.composition import cell_shares
from napari_semst.sample.expression import make_panel, smooth_fields
from napari_semst.sample.genes import CELL_TYPES, panel
from napari_semst.sample.geometry import LAYERS, draw_section, layer_codes


@pytest.fixture(scope="module")
def visium():
    return simulated_cortex(600, 300, seed=1)


def test_it_has_the_layout_of_visium(visium) -> None:
    assert visium.shape == (600, 300)
    assert sparse.isspmatrix_csr(visium.X)
    assert visium.X.dtype == np.float32
    assert (visium.X.data == np.rint(visium.X.data)).all()
    assert visium.X.data.min() >= 1
    assert visium.obs_names.is_unique
    assert visium.obs_names.str.fullmatch(r"[ACGT]{16}-1").all()
    assert visium.var_names.is_unique
    assert list(visium.obs["ground_truth"].cat.categories) == list(LAYERS)
    assert (visium.obs["ground_truth"].value_counts() > 5).all()
    assert visium.uns["dataset_info"]["simulated"]


def test_spots_stand_55_microns_wide_100_apart(visium) -> None:
    from scipy.spatial import cKDTree

    factors = visium.uns["spatial"]["simulated_cortex"]["scalefactors"]
    microns = visium.obsm["spatial"] * factors["microns_per_pixel"]
    nearest = cKDTree(microns).query(microns, k=2)[0][:, 1]
    np.testing.assert_allclose(nearest, 100, atol=0.1)
    assert factors["spot_diameter_fullres"] * factors["microns_per_pixel"] == 55


@pytest.mark.parametrize(("resolution", "least"), [("hires", 1000), ("lowres", 600)])
def test_spots_lie_on_tissue_in_the_image(visium, resolution, least) -> None:
    library = visium.uns["spatial"]["simulated_cortex"]
    image = library["images"][resolution]
    assert max(image.shape) >= least
    factor = library["scalefactors"][f"tissue_{resolution}_scalef"]
    # Whole numbers are centres of pixels in the full image.
    column, row = np.floor((visium.obsm["spatial"] + 0.5) * factor).astype(int).T
    # Stained tissue is less green than glass; vessels and tears leave a few holes.
    stained = image[..., 1] < 215
    assert stained[row, column].mean() > 0.97
    assert not stained[:5].any()
    assert not stained[-5:].any()
    # Exactly there: moved by a tenth of the section it no longer fits.
    moved = np.minimum(row + image.shape[0] // 10, image.shape[0] - 1)
    assert stained[moved, column].mean() < 0.97


def test_the_image_is_blue_in_nuclei_and_pink_between(visium) -> None:
    image = visium.uns["spatial"]["simulated_cortex"]["images"]["hires"].astype(float)
    red, green, blue = image.reshape(-1, 3).T
    tissue = green < 215
    assert 0.4 < tissue.mean() < 0.8
    # Purple to pink everywhere: green is what both dyes take.
    assert np.mean((green < red) & (green < blue) & tissue) > 0.99 * tissue.mean()
    nuclei = tissue & (green < 110)
    assert 0.005 < nuclei.sum() / tissue.sum() < 0.3
    assert (red - blue)[nuclei].mean() < -20 < (red - blue)[tissue & ~nuclei].mean()


def test_the_same_seed_gives_the_same_section() -> None:
    one, same = (simulated_cortex(200, 100, seed=3) for _ in range(2))
    assert (one.X != same.X).nnz == 0
    np.testing.assert_array_equal(one.obsm["spatial"], same.obsm["spatial"])
    for name in ("hires", "lowres"):
        pair = [
            tissue.uns["spatial"]["simulated_cortex"]["images"][name]
            for tissue in (one, same)
        ]
        np.testing.assert_array_equal(*pair)
    other = simulated_cortex(200, 100, seed=4, image=False)
    assert (one.X != other.X).nnz > 0


def test_without_an_image_the_rest_is_the_same(visium) -> None:
    plain = simulated_cortex(600, 300, seed=1, image=False)
    assert plain.uns["spatial"]["simulated_cortex"]["images"] == {}
    assert (plain.X != visium.X).nnz == 0


def test_markers_stand_out_in_their_layer() -> None:
    tissue = simulated_cortex(1500, 400, seed=0, image=False)
    counts = tissue.X.toarray()
    rates = counts / counts.sum(axis=1, keepdims=True)
    layers = tissue.obs["ground_truth"].to_numpy()
    means = np.stack([rates[layers == layer].mean(axis=0) for layer in LAYERS])
    for symbol, layer in (
        ("MBP", "WM"), ("MOBP", "WM"), ("PCP4", "L5"), ("RORB", "L4"), ("RELN", "L1"),
        ("NTNG2", "L6"), ("VIM", "L1"),
    ):  # fmt: skip
        place = tissue.var_names.get_loc(symbol)
        assert LAYERS[int(means[:, place].argmax())] == layer, symbol


def test_counts_vary_more_than_poisson() -> None:
    tissue = simulated_cortex(800, 120, seed=0, image=False)
    white = tissue[tissue.obs["ground_truth"] == "WM"].X.toarray()
    mean, variance = white.mean(axis=0), white.var(axis=0)
    assert np.median(variance[mean > 1] / mean[mean > 1]) > 1.5


def test_cells_are_scattered_and_denser_in_layer_2_than_in_layer_1() -> None:
    from scipy.spatial import cKDTree

    tissue = simulated_cortex(3000, 80, platform="cells", seed=2, image=False)
    assert tissue.shape == (3000, 80)
    assert list(tissue.obs["cell_type"].cat.categories) == list(CELL_TYPES)
    places = tissue.obsm["spatial"]
    assert len(np.unique(places, axis=0)) == 3000
    reach = cKDTree(places).query(places, k=6)[0][:, -1]
    layer = tissue.obs["ground_truth"].to_numpy()
    assert np.median(reach[layer == "L1"]) > 1.3 * np.median(reach[layer == "L2"])


def test_mouse_symbols_are_spelt_as_such() -> None:
    tissue = simulated_cortex(60, 400, species="mouse", image=False)
    assert {"Mbp", "Cux2", "Gfap"} <= set(tissue.var_names)
    assert not tissue.var_names.str.isupper().any()


@pytest.fixture(scope="module")
def plain():
    """The section of `visium` without its discordant region."""
    return simulated_cortex(600, 300, seed=1, discordant=False)


def _neighbours(tissue):
    """Return six nearest neighbours of every spot, shape (n_spots, 6)."""
    from scipy.spatial import cKDTree

    places = tissue.obsm["spatial"]
    return cKDTree(places).query(places, k=7)[1][:, 1:]


def test_without_a_discordant_region_only_its_counts_differ(visium, plain) -> None:
    assert "discordant" not in plain.obs
    assert "discordant_expression" not in plain.uns["dataset_info"]
    assert visium.uns["dataset_info"]["discordant_expression"] == "L5"
    assert visium.obs.drop(columns="discordant").equals(plain.obs)
    region = visium.obs["discordant"].to_numpy()
    assert (visium.X[~region] != plain.X[~region]).nnz == 0
    assert (visium.X[region] != plain.X[region]).nnz > region.sum()


@pytest.mark.parametrize("platform", ["visium", "cells"])
def test_a_discordant_region_leaves_no_trace_in_the_image(platform) -> None:
    with_region, without = (
        simulated_cortex(300, 50, platform=platform, seed=2, discordant=planted)
        for planted in (True, False)
    )
    for name in ("hires", "lowres"):
        one, other = (
            tissue.uns["spatial"]["simulated_cortex"]["images"][name].tobytes()
            for tissue in (with_region, without)
        )
        assert one == other
    np.testing.assert_array_equal(
        with_region.obs["ground_truth"].to_numpy(),
        without.obs["ground_truth"].to_numpy(),
    )


@pytest.mark.parametrize("platform", ["visium", "cells"])
@pytest.mark.parametrize(("n_spots", "count"), [(50, 3), (1000, 35)])
@pytest.mark.parametrize("seed", range(2))
def test_the_discordant_region_is_one_piece_within_layer_3(
    platform, n_spots, count, seed
) -> None:
    from scipy.sparse.csgraph import connected_components

    tissue = simulated_cortex(n_spots, 50, platform=platform, seed=seed, image=False)
    region = tissue.obs["discordant"].to_numpy()
    assert region.dtype == bool
    assert region.sum() == count
    near = _neighbours(tissue)
    edges = (np.ones(near.size), near.ravel(), np.arange(0, near.size + 1, 6))
    graph = sparse.csr_matrix(edges, shape=(n_spots, n_spots))
    _, piece = connected_components(graph[region][:, region], directed=False)
    assert np.bincount(piece).max() >= 0.9 * count
    layer = tissue.obs["ground_truth"].to_numpy().astype(str)
    assert (layer[region] == "L3").mean() > 0.6
    assert set(layer[region]) <= {"L2", "L3", "L4"}
    assert "WM" not in layer[near[region]]


@pytest.mark.parametrize("platform", ["visium", "cells"])
def test_the_discordant_region_expresses_layer_5(platform) -> None:
    from scipy.stats import ttest_ind

    for planted in (True, False):
        tissue = simulated_cortex(
            2000, 500, platform=platform, seed=0, image=False, discordant=planted
        )
        if planted:
            region = tissue.obs["discordant"].to_numpy()
            around = np.zeros(len(region), dtype=bool)
            near = _neighbours(tissue)
            around[near[near[region].ravel()]] = True
            layer = tissue.obs["ground_truth"].to_numpy().astype(str)
            around &= ~region & (layer == "L3")
        programme = tissue.var["programme"].to_numpy().astype(str)
        deep = tissue.X[:, programme == "Ex L5 IT"].sum(axis=1).A1
        home = tissue.X[:, programme == "Ex L3"].sum(axis=1).A1
        contrast = np.log((deep + 1) / (home + 1))
        t = ttest_ind(contrast[region], contrast[around], equal_var=False).statistic
        # Planted it is plain to see; without it the same spots are like the others.
        assert t > 3.5 if planted else abs(t) < 3


@pytest.mark.parametrize("n_genes", [50, 230, 1500, 2500])
def test_a_panel_holds_as_many_different_genes_as_asked(n_genes) -> None:
    symbols, programmes = panel(n_genes, "human")
    assert len(symbols) == len(programmes) == len(set(symbols)) == n_genes


@pytest.mark.parametrize("seed", range(4))
def test_every_section_has_all_layers_in_order(seed) -> None:
    section = draw_section(np.random.default_rng(seed))
    codes = layer_codes(section.depth[section.edge > 0])
    shares = np.bincount(codes, minlength=7) / len(codes)
    assert (shares > 0.04).all()
    assert (shares < 0.4).all()
    # Down the middle of the gyrus every layer follows the one above.
    points = np.column_stack([np.full(400, 0.4), np.linspace(0, 0.9, 400)])
    inside = section.at("edge", points) > 0.003
    down = layer_codes(section.at("depth", points)[inside])
    assert set(down) == set(range(7))
    assert (np.diff(down) >= -1).all()
    assert (np.diff(down) < 0).sum() <= 2


def test_shares_are_shares_and_change_smoothly() -> None:
    shares = cell_shares(np.linspace(-0.05, 1.6, 1000, dtype=np.float32))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert shares.min() >= 0
    assert np.abs(np.diff(shares, axis=0)).max() < 0.06


def test_technical_fields_are_smooth_and_of_unit_variance() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((4000, 2))
    fields = smooth_fields(points, np.random.default_rng(1), 4)
    near = smooth_fields(points + 1e-3, np.random.default_rng(1), 4)
    assert 0.4 < fields.std() < 1.6
    assert np.abs(fields - near).mean() < 0.05


def test_a_panel_of_one_programme_can_be_made() -> None:
    made = make_panel(("background",) * 50, np.random.default_rng(0))
    assert made.profiles.shape == (len(CELL_TYPES), 50)
    assert (made.dispersion > 0).all()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n_spots": 3}, "n_spots to be at least 50; got 3"),
        ({"n_genes": 0}, "n_genes"),
        ({"platform": "xenium"}, "'visium', 'cells'; got 'xenium'"),
        ({"species": "rat"}, "'human', 'mouse'; got 'rat'"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_arguments_are_refused_in_words(wrong, words) -> None:
    with pytest.raises(ConfigError, match=words):
        simulated_cortex(**wrong)
