"""Several sections, one run: domains that are common to them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from anndata import read_h5ad
from scipy import sparse
from sklearn.metrics import adjusted_rand_score
from typer.testing import CliRunner

import napari_semst
from napari_semst import keys
from napari_semst.cli.main import app
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled, InputError, SemanticsError
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.sections import sections_of
from napari_semst.methods.resolve import resolve
from napari_semst.methods.semst.inputs import from_components
from napari_semst.pipeline.apply_model import label_section
from napari_semst.prepare.section import prepare_section
from tests.small import found, named, short, walked

WAYS = ("auto", "quick", "starmap")


def of_another_batch(tissue, seed=3):
    """Return the section as another instrument would have counted it."""
    random = np.random.default_rng(seed)
    factors = random.lognormal(0.0, 0.6, size=tissue.n_vars)
    other = tissue.copy()
    counts = random.poisson(tissue.X.toarray() * factors).astype(np.float32)
    other.X = sparse.csr_matrix(counts)
    return other


@pytest.fixture
def pair(tissue):
    named(tissue)
    return {"left": tissue, "right": of_another_batch(tissue)}


def truth(joined):
    return joined.obs["ground_truth"].astype(str)


@pytest.mark.parametrize("way", WAYS)
def test_domains_are_common_to_sections_that_differ_by_batch(pair, way):
    joined = join_sections(pair)
    result = found(joined, short(way, training={"epochs": 5}))
    # One answer for both: the same bands have the same names.
    assert adjusted_rand_score(truth(joined), result.codes) > 0.85
    told = result.provenance
    assert told["section"]["sections"] == {"left": 196, "right": 196}
    assert "inside every section" in told["section"]["spatial_graph"]
    assert told["training"]["mutual_pairs"] > 100
    assert max(told["training"]["paired_shares"]) == 1
    if way != "quick":
        assert "across sections" in told["training"]["feature_graph"]


def test_the_order_of_spots_does_not_matter(pair):
    joined = join_sections(pair)
    order = np.random.default_rng(0).permutation(joined.n_obs)
    mixed = joined[order].copy()
    # The first spot's section is named first; names play no part.
    first, second = (found(one, short("quick")) for one in (joined, mixed))
    assert adjusted_rand_score(first.codes[order], second.codes) > 0.99


def test_a_column_tells_sections_apart_as_joining_does(pair):
    joined = join_sections(pair)
    single = joined.copy()
    single.obs["slide"] = single.obs.pop(keys.SECTION).to_numpy()
    single.uns.pop("semst_input", None)
    request = short("quick", prepare={"section_key": "slide"})
    by_column = found(single, request)
    assert np.array_equal(by_column.codes, found(joined, short("quick")).codes)
    # Without the column neighbours are sought across sections, which lie over another.
    blind = found(single, short("quick"))
    assert "sections" not in blind.provenance["section"]


def test_sections_with_nothing_in_common_are_warned_of(pair):
    random = np.random.default_rng(0)
    stranger = pair["right"].copy()
    # Another tissue: other genes are on, at other places.
    counts = stranger.X[:, random.permutation(stranger.n_vars)].toarray()
    left = stranger.obsm["spatial"][:, 0] < np.median(stranger.obsm["spatial"][:, 0])
    counts[np.ix_(left, np.arange(0, 60, 3))] += 40
    counts[np.ix_(~left, np.arange(1, 60, 3))] += 40
    stranger.X = sparse.csr_matrix(counts.astype(np.float32))
    joined = join_sections({"left": pair["left"], "stranger": stranger})
    said = [t for t in found(joined, short("quick")).warnings if "no like in" in t]
    assert any("'stranger'" in text for text in said)
    alike = found(join_sections(pair), short("quick"))
    assert not any("no like in" in text for text in alike.warnings)


def test_cancel_ends_a_joint_run(pair):
    joined, control = join_sections(pair), RunControl()
    control.cancel()
    with pytest.raises(Cancelled):
        walked(joined, short(), control)


def test_a_model_of_two_sections_labels_a_third(pair, tissue):
    joined = join_sections(pair)
    model = found(joined, short(training={"epochs": 5, "ensemble": 2})).model
    third = of_another_batch(tissue, seed=9)
    labels = run_to_end(label_section(third, model)).codes
    assert adjusted_rand_score(truth(third), labels) > 0.8
    # And both at once, each with its own neighbours.
    again = run_to_end(label_section(joined, model))
    assert adjusted_rand_score(truth(joined), again.codes) > 0.8
    assert again.provenance["section"]["sections"] == {"left": 196, "right": 196}


def test_a_model_labels_each_section_of_a_table_as_it_would_alone(pair):
    joined = join_sections(pair)
    order = np.random.default_rng(0).permutation(joined.n_obs)
    mixed = joined[order].copy()
    mixed.obs["slide"] = mixed.obs.pop(keys.SECTION).astype(str)
    model = found(mixed, short("quick", prepare={"section_key": "slide"})).model
    labels = run_to_end(label_section(mixed, model))
    assert len(labels.confidence) == len(labels.codes) == mixed.n_obs
    for name in pair:
        own = (mixed.obs["slide"] == name).to_numpy()
        alone = run_to_end(label_section(mixed[own].copy(), model))
        assert np.array_equal(labels.codes[own], alone.codes)
        np.testing.assert_allclose(labels.latent[own], alone.latent, rtol=1e-5)
    few = mixed.copy()
    few.obs["slide"] = np.where(np.arange(few.n_obs) < 389, "left", "rest")
    with pytest.raises(InputError, match=r"Section 'rest': .* found 3"):
        run_to_end(label_section(few, model))


def test_what_is_reconstructed_does_not_differ_between_sections_only(pair):
    right = pair["right"].copy()
    dense = right.X.toarray()
    dense[:, :10] += 40  # genes of a batch
    right.X = sparse.csr_matrix(dense)
    joined = join_sections({"left": pair["left"], "right": right})
    config = resolve(short(training={"decoded_genes": 20}))
    section = run_to_end(
        prepare_section(
            joined.X,
            joined.var_names.to_numpy(dtype=str),
            joined.obsm["spatial"],
            config.prepare,
            RunControl(),
            sections_of(joined),
        )
    )
    decoded = from_components(section, None, config).expression
    # Genes are in the section's order: those of the batch come first.
    whole = section.scaled_expression()
    batch = [gene for gene in range(10) if _holds(decoded, whole[:, gene])]
    assert len(batch) <= 5


def _holds(matrix, column):
    return any(
        (matrix[:, place] != column).nnz == 0 for place in range(matrix.shape[1])
    )


def test_settings_that_a_recipe_ignores_are_told(pair):
    quick = found(pair["left"], short("quick", training={"ensemble": 3}))
    assert any("trains no network" in text for text in quick.warnings)
    plain = found(pair["left"], short(training={"checkpoints": 3}))
    assert any("checkpoints are not heard" in text for text in plain.warnings)


def test_lists_and_columns_in_python(pair):
    together = napari_semst.find_domains(
        list(pair.values()), n_domains=3, method="quick"
    )
    assert together.obs[keys.SECTION].nunique() == 2
    assert keys.DOMAIN not in pair["left"].obs
    joined = join_sections(pair)
    joined.obs["slide"] = joined.obs.pop(keys.SECTION).astype(str)
    same = napari_semst.find_domains(
        joined, n_domains=3, method="quick", section_key="slide"
    )
    assert same.obs[keys.DOMAIN].tolist() == together.obs[keys.DOMAIN].tolist()


@pytest.fixture
def files(pair, tmp_path):
    paths = [tmp_path / f"{name}.h5ad" for name in pair]
    for path, section in zip(paths, pair.values(), strict=True):
        section.write_h5ad(path)
    return paths


def semst(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_together_in_the_shell(files, tmp_path):
    saved, table = tmp_path / "both.h5ad", tmp_path / "both.csv"
    figure = tmp_path / "both.png"
    result = semst(
        "run", *files, "--together", "-k", 3, "--method", "quick", "--json",
        "-o", saved, "--csv", table, "--figure", figure, "--quiet",
        "--truth", "ground_truth",
    )  # fmt: skip
    account = json.loads(result.stdout)
    assert account["input"] == [str(path) for path in files]
    assert account["n_spots"] == 392
    assert account["scores"]["ari"] > 0.85
    assert account["spatial_scores"]["pas"] < 0.1
    back = read_h5ad(saved)
    assert set(back.obs[keys.SECTION]) == {"left", "right"}
    assert table.read_text().splitlines()[0].startswith("barcode,section,x,y,domain")
    assert figure.stat().st_size > 0


def test_a_section_key_in_the_shell(files, pair, tmp_path):
    joined = join_sections(pair)
    joined.obs["slide"] = joined.obs.pop(keys.SECTION).astype(str)
    path = tmp_path / "all.h5ad"
    joined.write_h5ad(path)
    result = semst(
        "run", path, "--section-key", "slide", "-k", 3, "--method", "quick", "--json",
        "--quiet",
    )  # fmt: skip
    told = json.loads(result.stdout)["section"]
    assert told["sections"] == {"left": 196, "right": 196}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output-dir", "."], "--output-dir with sections done on their own"),
        (["--section-key", "slide"], "got both"),
    ],
)
def test_what_does_not_go_together_is_refused(files, options, message):
    from napari_semst.errors import ConfigError

    with pytest.raises(ConfigError, match=message):
        semst("run", *files, "--together", "-k", 3, *options)
    with pytest.raises(ConfigError, match="got one"):
        semst("run", files[0], "--together", "-k", 3)


def test_an_embedding_of_all_sections_is_divided_among_them(tissue, tmp_path):
    named(tissue)
    order = np.random.default_rng(1).permutation(tissue.n_obs)
    tissue = tissue[order].copy()
    # Sections need not stand together in the table.
    tissue.obs["slide"] = np.where(np.arange(tissue.n_obs) % 2, "b", "a")
    rows = np.random.default_rng(2).normal(size=(tissue.n_obs, 5)).astype(np.float32)
    made = tmp_path / "all.npy"
    np.save(made, rows)
    given = {"source": "precomputed", "embedding": str(made)}
    request = short(prepare={"section_key": "slide"}, semantics=given)
    model = found(tissue, request).model
    result = run_to_end(label_section(tissue, model))
    # One section alone, with rows of its own, is labelled alike.
    for name in ("a", "b"):
        own = np.flatnonzero(tissue.obs["slide"] == name)
        np.save(made, rows[own])
        alone = run_to_end(label_section(tissue[own].copy(), model))
        np.testing.assert_array_equal(alone.latent, result.latent[own])
    with pytest.raises(SemanticsError, match=r"Expected 196 rows.*found 98"):
        run_to_end(label_section(tissue, model))
