"""A run from a tissue to its domains: order, shapes, semantics, number of domains."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from napari_semst.config import Request
from napari_semst.config.presets import PRESETS
from napari_semst.core.progress import run_to_end
from napari_semst.errors import ConfigError, SemanticsError
from napari_semst.methods.resolve import resolve
from napari_semst.methods.semst.inputs import Inputs
from napari_semst.pipeline import api, spot_semantics
from napari_semst.pipeline.run import find_domains
from napari_semst.semantics.spot_vectors import SpotVectors
from napari_semst.wording import for_shell
from tests.small import WAYS, fingerprint, found, named, short, walked

MODULATION = ("modulation", "modulation_scale", "modulation_shift", "coverage")


@pytest.mark.parametrize("way", WAYS)
def test_stages_come_in_order_and_count_their_steps(tissue, way):
    events, result = walked(named(tissue), short(way, training={"epochs": 3}))
    stages = [stage for stage, _ in groupby(event.stage for event in events)]
    described = ["describe"] if way != "quick" else []
    assert stages == ["prepare", *described, "train", "assign"]
    for event in events:
        assert event.step <= event.steps or event.steps == 0
    for _, group in groupby(events, lambda event: (event.stage, event.steps)):
        steps = [event.step for event in group]
        assert steps == sorted(steps)
    losses = [e.metrics["loss"] for e in events if "loss" in e.metrics]
    assert losses == result.provenance["losses"].get("loss", [])
    assert len(losses) == (0 if way == "quick" else 3)


@pytest.mark.parametrize("way", PRESETS)
def test_every_preset_gives_every_spot_a_domain(tissue, way):
    stages = {}
    if way == "image-guided":
        tissue.obsm["image"] = tissue.obsm["spatial"].astype(np.float32)
        few = {"folds": 1, "permutations": 2, "hidden_dim": 8}
        stages = {"morphology": {"encoder": "obsm:image"}, "image_guided": few}
    result = found(named(tissue), short(way, **stages))
    n_spots = tissue.n_obs
    assert result.codes.shape == (n_spots,)
    assert np.issubdtype(result.codes.dtype, np.integer)
    assert np.array_equal(np.unique(result.codes), np.arange(len(result.names)))
    assert (np.diff(np.bincount(result.codes)) <= 0).all()
    assert result.names == ("1", "2", "3")
    assert result.latent.shape[0] == n_spots
    assert result.latent.dtype == np.float32
    assert np.isfinite(result.latent).all()
    assert result.provenance["config"]["preset"] == way


def test_the_bands_of_the_section_are_found(tissue):
    truth = tissue.obs["ground_truth"]
    result = found(named(tissue), short(training={"epochs": 10}))
    assert adjusted_rand_score(truth, result.codes) > 0.9


@pytest.mark.parametrize(("way", "agree"), [("auto", True), ("dlpfc", False)])
def test_confidence_is_a_share_where_members_can_agree(tissue, way, agree):
    confidence = found(named(tissue), short(way)).confidence
    if not agree:
        assert confidence is None
        return
    assert confidence.shape == (tissue.n_obs,)
    assert confidence.dtype == np.float32
    assert confidence.min() >= 1 / 3 - 1e-6
    assert confidence.max() <= 1 + 1e-6


@pytest.mark.parametrize("way", ["auto", "dlpfc"])
def test_semantics_moves_every_spot_and_says_how_much(tissue, way):
    result = found(named(tissue), short(way))
    n_spots = tissue.n_obs
    for name in MODULATION:
        values = getattr(result, name)
        assert values.shape == (n_spots,), name
        assert np.isfinite(values).all(), name
        assert (values >= 0).all(), name
    assert result.modulation.max() > 0
    # Two views side by side, so twice the latent's width.
    assert result.scale.shape == result.shift.shape == (n_spots, 2 * _latent(result))
    assert result.coverage.max() <= 1
    assert result.provenance["semantics"]["source"] == "builtin"


def _latent(result):
    return result.provenance["config"]["model"]["latent"]


@pytest.mark.parametrize("way", ["auto", "dlpfc"])
def test_without_semantics_there_is_no_modulation(tissue, way):
    without = found(tissue, short(way, semantics={"source": "none"}))
    for name in (*MODULATION, "scale", "shift"):
        assert getattr(without, name) is None, name
    assert without.provenance["semantics"] == {}


def test_quick_does_not_claim_semantics(tissue):
    result = found(named(tissue), short("quick", semantics={"source": "builtin"}))
    assert result.modulation is None
    assert result.coverage is None


def test_semantics_changes_what_is_learnt(tissue):
    random = np.random.default_rng(0)
    embeddings = [random.normal(size=(tissue.n_obs, 6)) for _ in range(2)]
    latents = []
    for embedding in embeddings:
        tissue.obsm["meaning"] = embedding
        request = short(semantics={"source": "precomputed", "embedding": "meaning"})
        latents.append(found(tissue, request).latent)
    assert not np.allclose(*latents)


def test_a_precomputed_embedding_from_obsm_or_a_file(tissue, tmp_path):
    embedding = np.random.default_rng(0).normal(size=(tissue.n_obs, 6))
    tissue.obsm["meaning"] = embedding
    path = tmp_path / "meaning.npy"
    np.save(path, embedding)
    results = [
        found(tissue, short(semantics={"source": "precomputed", "embedding": name}))
        for name in ("meaning", str(path))
    ]
    for result in results:
        assert np.isfinite(result.modulation).all()
        assert result.provenance["semantics"]["source"] == "precomputed"
    assert results[0].latent.tobytes() == results[1].latent.tobytes()


def test_a_constant_embedding_does_not_break_a_run(tissue):
    tissue.obsm["meaning"] = np.ones((tissue.n_obs, 4))
    request = short(semantics={"source": "precomputed", "embedding": "meaning"})
    assert np.isfinite(found(tissue, request).latent).all()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda n: np.zeros((n + 1, 4)), "Expected 196 rows.*found 197"),
        (lambda n: np.full((n, 4), np.nan), "196 of 196 rows hold NaN"),
        (lambda n: np.zeros(n), "spots x dimensions"),
    ],
)
def test_embeddings_that_do_not_fit_are_refused(tissue, tmp_path, make, says):
    path = tmp_path / "meaning.npy"
    np.save(path, make(tissue.n_obs))
    request = short(semantics={"source": "precomputed", "embedding": str(path)})
    with pytest.raises(SemanticsError, match=says):
        found(tissue, request)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "semantics.embedding"),
        ("nowhere.npy", "nowhere.npy does not exist"),
        ("meening", "npy"),
    ],
)
def test_a_missing_embedding_is_named(tissue, name, says):
    request = short(semantics={"source": "precomputed", "embedding": name})
    with pytest.raises(SemanticsError, match=says):
        found(tissue, request)


def test_genes_that_no_table_knows_are_refused_in_words(tissue):
    tissue.var_names = [f"unheard{i}" for i in range(tissue.n_vars)]
    # Ids would tell which genes they are.
    del tissue.var["gene_ids"]
    with pytest.raises(SemanticsError, match=r"unheard0.*choose another source"):
        found(tissue, short())


@pytest.mark.parametrize("way", WAYS)
def test_the_number_of_domains_must_be_given(tissue, way):
    with pytest.raises(ConfigError, match="n_domains=7") as raised:
        found(tissue, Request(way))
    assert "-k 7" in for_shell(raised.value)


@pytest.mark.parametrize("way", WAYS)
def test_more_domains_than_spots_are_refused(tissue, way):
    with pytest.raises(ConfigError, match="197 domains for 196 spots"):
        found(named(tissue), short(way, k=197))


@pytest.mark.parametrize("way", WAYS)
def test_one_domain_is_the_whole_section(tissue, way):
    result = found(named(tissue), short(way, k=1))
    assert not result.codes.any()
    assert result.names == ("1",)


def test_unknown_presets_are_refused(tissue):
    with pytest.raises(ConfigError, match=r"'quick'.*got 'papper'"):
        found(tissue, short("papper"))


def test_run_returns_a_new_tissue_and_tells_progress(tissue):
    before, events = fingerprint(tissue), []
    back = api.find_domains(
        tissue, n_domains=3, preset="quick", run="first", on_progress=events.append
    )
    assert fingerprint(tissue) == before
    assert back is not tissue
    assert back.obs["semst_domain_first"].nunique() == 3
    assert (events[0].stage, events[-1].stage) == ("prepare", "assign")


def test_run_reads_files(tissue, tmp_path):
    path = tmp_path / "section.h5ad"
    tissue.write_h5ad(path)
    read = api.find_domains(path, n_domains=3, preset="quick", seed=4)
    given = api.find_domains(tissue, n_domains=3, preset="quick", seed=4)
    assert list(read.obs["semst_domain"]) == list(given.obs["semst_domain"])
    assert read.uns["semst"]["default"]["seed"] == 4


def test_vectors_made_when_asked_for_give_the_same_bits(tissue, monkeypatch) -> None:
    """As sections are run whose vectors would take too much of the memory."""
    settings = {
        "domains": {"n_domains": 3, "n_starts": 1},
        "training": {"epochs": 2, "batch_spots": 32},
    }
    asked = Request(overrides=settings)
    seen, told, section = [], [], named(tissue)
    tell = Inputs.fingerprint
    monkeypatch.setattr(
        Inputs, "fingerprint", lambda self: told.append(tell(self)) or told[-1]
    )
    held = run_to_end(find_domains(section, asked))
    assert not spot_semantics.vectors_are_made(section.n_obs, resolve(asked))
    monkeypatch.setattr(spot_semantics, "MADE_SHARE", 0.0)
    assert spot_semantics.vectors_are_made(section.n_obs, resolve(asked))
    init = SpotVectors.__init__
    monkeypatch.setattr(
        SpotVectors, "__init__", lambda *given: seen.append(1) or init(*given)
    )
    made = run_to_end(find_domains(section, asked))
    assert seen
    np.testing.assert_array_equal(made.codes, held.codes)
    np.testing.assert_array_equal(made.latent, held.latent)
    np.testing.assert_array_equal(made.modulation, held.modulation)
    assert told[0] == told[1], "processes that hold and that make them agree"
    assert made.provenance["losses"] == held.provenance["losses"]
    assert made.provenance["semantics"] == held.provenance["semantics"]
    np.testing.assert_array_equal(made.model.standard.mean, held.model.standard.mean)
    np.testing.assert_array_equal(
        made.model.standard.factor, held.model.standard.factor
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"semantics": {"control": "shuffled"}},
        {"semantics": {"source": "none"}},
        {"semantics": {"standardise": False}},
        {"training": {"batch_spots": 0}},
    ],
)
def test_other_vectors_are_held(changed, monkeypatch) -> None:
    monkeypatch.setattr(spot_semantics, "MADE_SHARE", 0.0)
    many = 10**6
    assert spot_semantics.vectors_are_made(many, resolve(Request()))
    assert not spot_semantics.vectors_are_made(
        many, resolve(Request(overrides=changed))
    )
    assert not spot_semantics.vectors_are_made(many, resolve(Request("dlpfc")))
