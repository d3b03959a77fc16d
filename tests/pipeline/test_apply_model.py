"""A model labels sections it was not made from."""

from __future__ import annotations

import json

import numpy as np
import pytest
from anndata import read_h5ad
from scipy import sparse
from sklearn.metrics import adjusted_rand_score
from typer.testing import CliRunner

import napari_semst
from napari_semst.cli.main import app
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.domains.consensus import adapted
from napari_semst.domains.mixture import fit_tied, one_hot
from napari_semst.errors import Cancelled, ConfigError, InputError
from napari_semst.methods.semst import transfer
from napari_semst.pipeline.apply_model import label_section, matched_counts
from napari_semst.pipeline.run import find_domains
from tests.small import named, short

WAYS = ("auto", "quick")


@pytest.fixture
def made(tissue, result_of):
    """Return a function that gives the result of a run on the tissue."""
    named(tissue)
    return lambda preset="quick": result_of(preset)


def truth(tissue):
    return tissue.obs["ground_truth"].cat.codes.to_numpy()


@pytest.mark.parametrize("way", WAYS)
def test_a_model_labels_its_own_section_as_the_run_did(tissue, made, way):
    result = made(way)
    again = run_to_end(label_section(tissue, result.model))
    assert adjusted_rand_score(result.codes, again.codes) >= 0.99
    # Names, not only groups: code by code.
    assert (result.codes == again.codes).mean() >= 0.99
    np.testing.assert_allclose(again.latent, result.latent, atol=0.1)
    np.testing.assert_allclose(again.confidence, result.confidence, atol=0.2)
    assert again.names == result.names
    assert again.model is None
    assert again.provenance["losses"] == {}


@pytest.mark.parametrize("way", WAYS)
def test_one_half_labels_the_other(tissue, way):
    left = tissue.obsm["spatial"][:, 0] < np.median(tissue.obsm["spatial"][:, 0])
    named(tissue)
    first, second = tissue[left].copy(), tissue[~left].copy()
    model = run_to_end(find_domains(first, short(way))).model
    found = run_to_end(label_section(second, model))
    assert adjusted_rand_score(truth(second), found.codes) > 0.6


def test_the_encoder_in_chunks_is_the_encoder_at_once(tissue, made, monkeypatch):
    model = made("auto").model
    whole = run_to_end(label_section(tissue, model))
    monkeypatch.setattr(transfer, "WHOLE_SPOTS", 50)
    chunks = run_to_end(label_section(tissue, model))
    np.testing.assert_allclose(whole.latent, chunks.latent, atol=1e-4)
    assert whole.modulation is not None
    np.testing.assert_allclose(whole.modulation, chunks.modulation, atol=1e-4)


def test_genes_are_found_by_symbol_in_any_order(tissue, made):
    model = made().model
    want = run_to_end(label_section(tissue, model)).codes
    shuffled = tissue[:, np.random.default_rng(1).permutation(60)].copy()
    assert np.array_equal(run_to_end(label_section(shuffled, model)).codes, want)


def test_counts_are_put_in_the_models_order():
    counts = sparse.csr_matrix(np.arange(1.0, 9).reshape(2, 4))
    symbols, genes = np.array(["a", "b", "a", "c"]), np.array(["c", "x", "a"])
    found, matched = matched_counts(counts, symbols, genes)
    np.testing.assert_array_equal(found.toarray(), [[4, 0, 1], [8, 0, 5]])
    assert (matched.n_found, matched.n_genes, matched.n_repeated) == (2, 3, 1)
    both, _ = matched_counts(counts, symbols, np.array(["a", "a"]))
    np.testing.assert_array_equal(both.toarray(), [[1, 3], [5, 7]])


def test_missing_genes_are_told_and_too_many_refused(tissue, made):
    model = made().model
    assert not run_to_end(label_section(tissue, model)).warnings
    most = run_to_end(label_section(tissue[:, :45].copy(), model))
    assert any("45 of the model's 60 genes (75%" in text for text in most.warnings)
    assert most.provenance["model"]["genes_found"] == 45
    with pytest.raises(InputError, match=r"at least half.*found 29 \(48%\)"):
        run_to_end(label_section(tissue[:, :29].copy(), model))
    with pytest.raises(InputError, match="at least 10 spots"):
        run_to_end(label_section(tissue[:9].copy(), model))


def test_a_domain_that_the_section_lacks_keeps_its_name_and_colour(tissue, made):
    model = made().model
    whole = run_to_end(label_section(tissue, model))
    lacking = tissue[tissue.obs["ground_truth"] != "band 0"].copy()
    result = napari_semst.apply_model(model, lacking)
    labels = result.obs["semst_domain"]
    assert list(labels.cat.categories) == list(model.names)
    assert list(result.uns["semst_domain_colors"]) == list(model.colors)
    gone = np.bincount(truth(tissue) * 3 + whole.codes, minlength=9).reshape(3, 3)
    name = model.names[int(gone[0].argmax())]
    assert (labels == name).mean() < 0.2
    assert "semst_domain" not in lacking.obs


def test_domains_without_a_spot_are_told(tissue, made):
    model = made().model
    one = tissue[tissue.obs["ground_truth"] == "band 2"].copy()
    found = run_to_end(label_section(one, model, adapt=False))
    gone = [n for code, n in enumerate(model.names) if code not in found.codes]
    assert gone
    (told,) = [text for text in found.warnings if "have no spot here" in text]
    assert f"({', '.join(gone)})" in told


def test_provenance_names_the_model(tissue, made):
    model = made().model
    result = napari_semst.apply_model(model, tissue, run="applied")
    stored = result.uns["semst"]["applied"]["model"]
    assert stored["hash"] == model.fingerprint
    assert result.obs["semst_domain_applied"].notna().all()
    assert result.obs["semst_confidence"].min() > 0
    assert result.obs["semst_confidence"].max() <= 1


def test_embeddings_of_another_width_are_refused(tissue):
    random = np.random.default_rng(0)
    tissue.obsm["meaning"] = random.normal(size=(tissue.n_obs, 5))
    request = short(semantics={"source": "precomputed", "embedding": "meaning"})
    model = run_to_end(find_domains(tissue, request)).model
    assert run_to_end(label_section(tissue, model)).modulation is not None
    tissue.obsm["meaning"] = tissue.obsm["meaning"][:, :4]
    with pytest.raises(InputError, match="embedding of 5 dimensions"):
        run_to_end(label_section(tissue, model))


@pytest.mark.parametrize("rounds", [0, 2])
def test_labels_are_refined_as_those_of_the_run(tissue, monkeypatch, rounds):
    from napari_semst.domains import cluster

    request = short("quick", domains={"refine": rounds})
    model = run_to_end(find_domains(tissue, request)).model
    asked, own = {}, cluster.refined

    def watched(posterior, views, section, n_rounds, seed, control):
        asked.update(rounds=n_rounds, width=posterior.shape[1])
        labels = yield from own(posterior, views, section, n_rounds, seed, control)
        asked["labels"] = (labels + 1) % len(model.names)
        return asked["labels"]

    monkeypatch.setattr(cluster, "refined", watched)
    result = run_to_end(label_section(tissue, model))
    assert (asked["rounds"], asked["width"]) == (rounds, len(model.names))
    np.testing.assert_array_equal(result.codes, asked["labels"])


def test_the_majority_is_that_of_the_run(tissue, monkeypatch):
    from napari_semst.domains import cluster

    request = short("quick", domains={"majority": 6})
    model = run_to_end(find_domains(tissue, request)).model
    asked = []

    def watched(labels, section, n_neighbours, control):
        asked.append(n_neighbours)
        return labels

    monkeypatch.setattr(cluster, "majority_labels", watched)
    run_to_end(label_section(tissue, model))
    assert asked == [6]


def test_cancel_ends_it(tissue, made):
    control = RunControl()
    steps = label_section(tissue, made("auto").model, control)
    next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(steps)


def call(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_shell_saves_and_applies(tissue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tissue.write_h5ad("section.h5ad")
    run = ("run", "section.h5ad", "-k", 3, "--method", "quick")
    call(*run, "-o", "done.h5ad", "--save-model", "bands.safetensors")
    told = call("apply", "bands.safetensors", "section.h5ad", "-o", "again.h5ad",
                "--csv", "again.csv", "--truth", "ground_truth")  # fmt: skip
    assert "60 of the model's 60" in told
    first, second = read_h5ad("done.h5ad"), read_h5ad("again.h5ad")
    assert first.obs["semst_domain"].equals(second.obs["semst_domain"])
    assert second.uns["semst"]["default"]["model"]["file"] == "bands.safetensors"
    account = json.loads(call("apply", "bands.safetensors", "section.h5ad", "--json"))
    assert sum(account["domain_sizes"].values()) == 196
    with pytest.raises(ConfigError, match="labels other sections"):
        call(*run, "--readout", "gmm", "--save-model", "other.safetensors")
    assert not (tmp_path / "other.safetensors").exists()


def blobs(shift, sizes):
    random = np.random.default_rng(0)
    code = np.repeat(np.arange(3), sizes)
    centres = 4.0 * np.eye(3)
    return centres[code] + shift + random.normal(size=(len(code), 3)), code


def test_domains_move_to_where_they_are_in_the_section():
    values, code = blobs(0.0, (60, 60, 60))
    mixture = fit_tied(values, one_hot(code, 3))
    moved, wanted = blobs(np.array([1.5, -1.5, 0.0]), (90, 90, 0))
    now = adapted(mixture, moved)
    before, after = (m.predict(moved).argmax(1) for m in (mixture, now))
    assert (before == wanted).mean() < 0.95 < (after == wanted).mean()
    # The one that these spots lack hardly moves.
    np.testing.assert_allclose(now.centres[2], mixture.centres[2], atol=0.6)
    assert np.abs(now.centres[:2] - mixture.centres[:2]).max() > 1
    np.testing.assert_array_equal(now.white, mixture.white)


def test_a_model_is_read_as_it_is_where_asked(tissue, made):
    model = made().model
    frozen = run_to_end(label_section(tissue, model, adapt=False))
    assert frozen.provenance["model"]["adapted"] is False
    # Then what is around a spot's neighbours cannot matter for it.
    inner = tissue.obsm["spatial"][:, 1] < 900
    part = run_to_end(label_section(tissue[inner].copy(), model, adapt=False))
    far = tissue.obsm["spatial"][inner, 1] < 500
    assert np.array_equal(part.codes[far], frozen.codes[inner][far])
