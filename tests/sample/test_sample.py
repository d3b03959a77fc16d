from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from napari_semst import find_domains, keys
from napari_semst.errors import ConfigError
from napari_semst.sample import expression, simulated_cortex
from napari_semst.sample.composition import cell_shares
from napari_semst.sample.cortex_model import HARD_CORTEX, PLAIN_CORTEX
from napari_semst.sample.expression import make_panel, smooth_fields
from napari_semst.sample.genes import CELL_TYPES, panel_symbols
from napari_semst.sample.geometry import LAYER_ENDS, LAYERS, draw_section, layer_codes
from napari_semst.sample.simulate_cortex import uncounted_cortex
from tests.cli.test_main import call

both = pytest.mark.parametrize("hard", [False, True], ids=["plain", "hard"])
PICTURES = ("hires", "lowres")


def image(tissue, name="hires"):
    return tissue.uns["spatial"]["simulated_cortex"]["images"][name]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "hard"])
def visium(request):
    return simulated_cortex(600, 300, seed=0, hard=request.param)


@pytest.fixture(scope="module")
def plain():
    return simulated_cortex(1500, 300, seed=0)


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
    seen = image(visium, resolution)
    assert max(seen.shape) >= least
    factor = library["scalefactors"][f"tissue_{resolution}_scalef"]
    # Whole numbers are centres of pixels in the full image.
    column, row = np.floor((visium.obsm["spatial"] + 0.5) * factor).astype(int).T
    # Stained tissue is less green than glass; vessels and tears leave a few holes.
    stained = seen[..., 1] < 215
    assert stained[row, column].mean() > 0.97
    # Dust may lie there too; of this seed none does.
    assert not stained[:5].any()
    assert not stained[-5:].any()
    # Exactly there: moved by a tenth of the section it no longer fits.
    moved = np.minimum(row + seen.shape[0] // 10, seen.shape[0] - 1)
    assert stained[moved, column].mean() < 0.97


def test_the_image_is_blue_in_nuclei_and_pink_between(visium) -> None:
    red, green, blue = image(visium).astype(float).reshape(-1, 3).T
    tissue = green < 215
    assert 0.4 < tissue.mean() < 0.8
    # Purple to pink everywhere: green is what both dyes take.
    assert np.mean((green < red) & (green < blue) & tissue) > 0.99 * tissue.mean()
    nuclei = tissue & (green < 110)
    assert 0.005 < nuclei.sum() / tissue.sum() < 0.3
    assert (red - blue)[nuclei].mean() < -20 < (red - blue)[tissue & ~nuclei].mean()


@pytest.mark.slow
@both
def test_the_same_seed_gives_the_same_section(hard) -> None:
    one, same = (simulated_cortex(200, 100, seed=3, hard=hard) for _ in range(2))
    assert (one.X != same.X).nnz == 0
    np.testing.assert_array_equal(one.obsm["spatial"], same.obsm["spatial"])
    for name in PICTURES:
        np.testing.assert_array_equal(image(one, name), image(same, name))
    other = simulated_cortex(200, 100, seed=4, image=False, hard=hard)
    assert (one.X != other.X).nnz > 0


def test_without_an_image_the_rest_is_the_same(visium) -> None:
    hard = visium.uns["dataset_info"]["hard"]
    bare = simulated_cortex(600, 300, seed=0, image=False, hard=hard)
    assert bare.uns["spatial"]["simulated_cortex"]["images"] == {}
    assert (bare.X != visium.X).nnz == 0


@both
def test_markers_stand_out_in_their_layer(hard) -> None:
    tissue = simulated_cortex(1500, 400, seed=0, image=False, hard=hard)
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


@both
def test_counts_vary_more_than_poisson(hard) -> None:
    tissue = simulated_cortex(800, 120, seed=0, image=False, hard=hard)
    white = tissue[tissue.obs["ground_truth"] == "WM"].X.toarray()
    mean, variance = white.mean(axis=0), white.var(axis=0)
    assert np.median(variance[mean > 1] / mean[mean > 1]) > 1.5


@both
def test_cells_are_scattered_and_denser_in_layer_2_than_in_layer_1(hard) -> None:
    from scipy.spatial import cKDTree

    tissue = simulated_cortex(
        3000, 80, platform="cells", seed=2, image=False, hard=hard
    )
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


def _neighbours(tissue):
    """Return six nearest neighbours of every spot, shape (n_spots, 6)."""
    from scipy.spatial import cKDTree

    places = tissue.obsm["spatial"]
    return cKDTree(places).query(places, k=7)[1][:, 1:]


def test_without_a_discordant_region_only_its_counts_differ() -> None:
    planted, bare = (
        simulated_cortex(600, 300, seed=1, image=False, hard=True, discordant=wanted)
        for wanted in (None, False)
    )
    assert "discordant" not in bare.obs
    assert "discordant_expression" not in bare.uns["dataset_info"]
    assert planted.uns["dataset_info"]["discordant_expression"] == "L5"
    assert planted.obs.drop(columns="discordant").equals(bare.obs)
    region = planted.obs["discordant"].to_numpy()
    assert (planted.X[~region] != bare.X[~region]).nnz == 0
    assert (planted.X[region] != bare.X[region]).nnz > region.sum()


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["visium", "cells"])
def test_a_discordant_region_leaves_no_trace_in_the_image(platform) -> None:
    with_region, without = (
        simulated_cortex(
            300, 50, platform=platform, seed=2, hard=True, discordant=planted
        )
        for planted in (True, False)
    )
    for name in PICTURES:
        one, other = (image(t, name).tobytes() for t in (with_region, without))
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

    tissue = simulated_cortex(
        n_spots, 50, platform=platform, seed=seed, image=False, hard=True
    )
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


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["visium", "cells"])
def test_the_discordant_region_expresses_layer_5(platform) -> None:
    from scipy.stats import ttest_ind

    for planted in (True, False):
        tissue = simulated_cortex(
            2000, 500, platform=platform, seed=0, image=False, hard=True,
            discordant=planted,
        )  # fmt: skip
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("platform", "layers", "counts", "colour", "centre"),
    [
        ("visium", [37, 30, 85, 32, 55, 62, 99], [2289, 4488, 13932, 5272, 9421, 8309,
            8756], [217.49, 190.09, 216.39], [2326.43, 2668.71]),
        ("cells", [13, 42, 88, 47, 50, 60, 100], [960, 4651, 15210, 6895, 8289, 8220,
            7987], [218.16, 191.11, 216.83], [334.96, 392.00]),
    ],
)  # fmt: skip
def test_the_hard_section_stays_as_it_was(
    platform, layers, counts, colour, centre
) -> None:
    """Figures of benchmarks were measured on it, when it was the only one."""
    tissue = simulated_cortex(400, 120, platform=platform, seed=1, hard=True)
    sizes = tissue.obs["ground_truth"].value_counts(sort=False)
    assert sizes.to_list() == layers
    total = tissue.X.sum(axis=1).A1
    by_layer = [total[tissue.obs["ground_truth"] == layer].sum() for layer in LAYERS]
    # Sums in another order may turn a count here and there.
    np.testing.assert_allclose(by_layer, counts, rtol=2e-3)
    np.testing.assert_allclose(image(tissue).mean(axis=(0, 1)), colour, atol=0.05)
    np.testing.assert_allclose(tissue.obsm["spatial"].mean(axis=0), centre, atol=0.02)
    assert tissue.obs["discordant"].sum() == 14
    assert tissue.uns["dataset_info"]["hard"]


@pytest.mark.slow
def test_the_command_writes_either_section(tmp_path, monkeypatch) -> None:
    from anndata import read_h5ad

    monkeypatch.chdir(tmp_path)
    size = ("--spots", 80, "--genes", 60)
    call("sample", "cortex", "-o", "plain.h5ad", *size)
    call("sample", "cortex", "-o", "hard.h5ad", *size, "--hard")
    for name, hard in (("plain.h5ad", False), ("hard.h5ad", True)):
        written, made = read_h5ad(name), simulated_cortex(80, 60, hard=hard)
        assert (written.X != made.X).nnz == 0
        assert ("discordant" in written.obs) == hard
        assert written.uns["dataset_info"]["hard"] == hard


@pytest.mark.slow
def test_layers_of_the_plain_section_are_several_spots_thick(plain) -> None:
    """Of most spots of a layer most neighbours are of the same layer."""
    near = _neighbours(plain)
    layer = plain.obs["ground_truth"].cat.codes.to_numpy()
    same = (layer[near] == layer[:, None]).mean(axis=1)
    for code, name in enumerate(LAYERS):
        assert same[layer == code].mean() > 0.7, name


def test_cell_types_of_the_plain_section_keep_to_their_layers() -> None:
    ends = np.concatenate([[0.0], LAYER_ENDS, [1.3]])
    middles = (ends[:-1] + ends[1:]) / 2
    shares = cell_shares(middles.astype(np.float32), PLAIN_CORTEX)
    for name, home in (
        ("Ex L2/3", "L2"), ("Ex L3", "L3"), ("Ex L4", "L4"), ("Ex L5 IT", "L5"),
        ("Ex L6 CT", "L6"), ("Interlaminar astrocyte", "L1"), ("Oligodendrocyte", "WM"),
    ):  # fmt: skip
        share = shares[:, CELL_TYPES.index(name)]
        place = LAYERS.index(home)
        assert share[place] > 4 * np.delete(share, place).max(), name


def test_layers_of_the_plain_section_look_like_layers(plain) -> None:
    """Sparse 1, dense 2 and 4, large cells in 5, pale white matter."""
    library = plain.uns["spatial"]["simulated_cortex"]
    factor = library["scalefactors"]["tissue_hires_scalef"]
    column, row = ((plain.obsm["spatial"] + 0.5) * factor).astype(int).T
    reach = range(-7, 8)
    around = np.stack(
        [image(plain)[row + y, column + x, 0] for y in reach for x in reach], axis=1
    ).astype(float)
    layer = plain.obs["ground_truth"].to_numpy()
    # Nuclei take red light; the felt between them takes green.
    dark = {name: (around[layer == name] < 150).mean() for name in LAYERS}
    assert dark["L1"] < 0.5 * dark["L6"]
    for dense in ("L2", "L4"):
        assert dark[dense] > 3 * dark["L1"]
        assert dark[dense] > dark["L3"]
    felt = {name: np.median(around[layer == name]) for name in LAYERS}
    green = {
        name: np.median(image(plain)[row, column, 1][layer == name]) for name in LAYERS
    }
    assert green["WM"] > green["L6"] + 15
    assert felt["L4"] < felt["L5"] - 5
    assert felt["L2"] < felt["L1"] - 5
    # Where nuclei are large, some squares of the size of a spot hold more dark.
    spread = {name: (around[layer == name] < 150).mean(axis=1).std() for name in LAYERS}
    assert spread["L5"] > spread["L4"]


@pytest.mark.parametrize("platform", ["visium", "cells"])
def test_nothing_is_planted_in_the_plain_section(platform) -> None:
    from scipy.stats import ttest_ind

    from napari_semst.sample.assemble import draw_layout
    from napari_semst.sample.discordant_region import discordant_region

    tissue = simulated_cortex(2000, 500, platform=platform, image=False)
    assert "discordant" not in tissue.obs
    assert "discordant_expression" not in tissue.uns["dataset_info"]
    section, places = draw_layout(2000, platform, 0, PLAIN_CORTEX)
    region = discordant_region(section, places.points, np.random.default_rng((0, 5)))
    layer = tissue.obs["ground_truth"].to_numpy().astype(str)
    programme = tissue.var["programme"].to_numpy().astype(str)
    deep, home = (
        tissue.X[:, programme == name].sum(axis=1).A1 for name in ("Ex L5 IT", "Ex L3")
    )
    contrast = np.log((deep + 1) / (home + 1))
    inside, outside = region & (layer == "L3"), ~region & (layer == "L3")
    assert inside.sum() > 30
    t = ttest_ind(contrast[inside], contrast[outside], equal_var=False).statistic
    assert abs(t) < 3


def test_domains_of_the_plain_section_are_its_layers() -> None:
    tissue = simulated_cortex(seed=1, image=False)
    found = find_domains(tissue, n_domains=len(LAYERS), preset="quick").obs
    assert adjusted_rand_score(found["ground_truth"], found[keys.DOMAIN]) >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize(
    ("platform", "size"), [("visium", ()), ("cells", (3_000, 500))]
)
def test_the_default_run_finds_the_layers_that_a_newcomer_sees(platform, size) -> None:
    tissue = simulated_cortex(*size, platform=platform, image=False)
    found = find_domains(tissue, n_domains=len(LAYERS)).obs
    assert adjusted_rand_score(found["ground_truth"], found[keys.DOMAIN]) >= 0.85


@pytest.mark.parametrize("n_genes", [50, 230, 1500, 2500])
def test_a_panel_holds_as_many_different_genes_as_asked(n_genes) -> None:
    symbols, programmes = panel_symbols(n_genes, "human")
    assert len(symbols) == len(programmes) == len(set(symbols)) == n_genes


@pytest.mark.parametrize("model", [PLAIN_CORTEX, HARD_CORTEX], ids=["plain", "hard"])
@pytest.mark.parametrize("seed", range(4))
def test_every_section_has_all_layers_in_order(seed, model) -> None:
    section = draw_section(np.random.default_rng(seed), model)
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


@pytest.mark.parametrize(("model", "step"), [(PLAIN_CORTEX, 0.25), (HARD_CORTEX, 0.06)])
def test_shares_are_shares_and_change_smoothly(model, step) -> None:
    shares = cell_shares(np.linspace(-0.05, 1.6, 1000, dtype=np.float32), model)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert shares.min() >= 0
    assert np.abs(np.diff(shares, axis=0)).max() < step


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
        ({"discordant": True}, "no planted region. Add hard=True"),
    ],
)
def test_wrong_arguments_are_refused_in_words(wrong, words) -> None:
    with pytest.raises(ConfigError, match=words):
        simulated_cortex(**wrong)


def test_counts_drawn_by_rows_hold_the_planted_region(monkeypatch) -> None:
    monkeypatch.setattr(expression, "COUNT_CHUNK", 32)
    wanted = {"platform": "cells", "hard": True, "image": False}
    drawn = uncounted_cortex(300, 50, **wanted)
    parts = list(drawn.counts())
    ((region, planted),) = drawn.replaced
    pieces = np.split(region, np.arange(32, 300, 32))
    assert [part.shape[0] for part in parts] == list(map(len, pieces))
    assert sum(piece.any() and not piece.all() for piece in pieces) > 1
    whole = sparse.vstack(parts, format="csr")
    assert (whole[region] != planted).nnz == 0
    other = uncounted_cortex(300, 50, **wanted, discordant=False)
    plain = sparse.vstack(list(other.counts()), format="csr")
    assert (whole[~region] != plain[~region]).nnz == 0
    assert (whole[region] != plain[region]).nnz
