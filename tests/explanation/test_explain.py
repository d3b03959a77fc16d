"""Whole explanations: of known tissue, of names that mean nothing, and refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from anndata import read_h5ad

import napari_semst
from napari_semst import semantics
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled, ConfigError, InputError
from napari_semst.explanation.explain import attach_explanation, explain_steps
from napari_semst.explanation.summary import FOUND, explanation_table
from napari_semst.explanation.types import ExplainOptions
from napari_semst.pipeline.run import attach
from napari_semst.semantics.language_model.encoder import TextEncoder
from napari_semst.wording import for_shell, for_window
from tests.small import fingerprint, found, named, short

MYELIN = ("myelin", "oligodendrocyte", "ensheathment")
# Of the hard simulated section, as its programmes are planted.
LAYER_GENES = {
    "L2": {"CUX2", "CALB1", "HPCAL1", "RASGRF2"},
    "L4": {"RORB", "PLCH1", "IL1RAPL2", "EYA4"},
    "L5": {"PCP4", "SULF2", "ETV1", "TRABD2A", "FAM3C", "HTR2C"},
    "L6": {"FOXP2", "SYT6", "OPRK1", "LRRK1", "NR4A3", "SEMA3E"},
    "WM": {"MBP", "MOBP", "PLP1", "MOG", "OPALIN"},
}


@pytest.fixture(scope="module")
def cortex():
    return napari_semst.simulated_cortex(image=False, hard=True)


@pytest.fixture(scope="module")
def of_layers(cortex):
    return napari_semst.explain(cortex, labels="ground_truth")


@pytest.fixture
def with_run(tissue, result_of):
    return attach(named(tissue), result_of("auto")).copy()


def found_terms(explanation, domain):
    terms = explanation["domains"][domain]["terms"]
    return [
        term for term, q in zip(terms["term"], terms["q"], strict=True) if q <= FOUND
    ]


@pytest.mark.slow
def test_white_matter_is_told_by_myelin(of_layers):
    said = found_terms(of_layers, "WM")
    assert any(word in term for term in said for word in MYELIN)
    assert any(word in of_layers["domains"]["WM"]["sentence"] for word in MYELIN)


@pytest.mark.slow
def test_layers_are_told_by_their_markers(of_layers):
    for layer, markers in LAYER_GENES.items():
        told = of_layers["domains"][layer]
        assert len(markers & set(told["genes"]["gene"])) >= 3, layer
        assert max(told["genes"]["p_adjusted"]) < 1e-6
        assert markers & set(told["semantic_genes"]["gene"]), layer


@pytest.mark.slow
def test_names_that_mean_nothing_reach_no_such_p_values(cortex, of_layers):
    best = min(of_layers["domains"]["WM"]["terms"]["q"])
    assert best < FOUND
    # Spots of all domains, few enough that many seeds are soon done.
    few = cortex[np.random.default_rng(0).permutation(cortex.n_obs)[:700]].copy()
    names, called, lowest = few.var_names.to_numpy(), 0, []
    for seed in range(4):
        few.var_names = np.random.default_rng(seed).permutation(names)
        told = napari_semst.explain(few, labels="ground_truth", n_draws=1999)
        assert told["terms_tested"] > 1000
        for domain in told["domains"]:
            called += bool(found_terms(told, domain))
        lowest.append(min(told["domains"]["WM"]["terms"]["q"], default=1))
    assert called <= 1
    assert min(lowest) > 2 * best


@pytest.mark.slow
def test_terms_of_a_domain_are_spoken_for_by_different_genes(of_layers):
    for told in of_layers["domains"].values():
        listed = [set(genes.split()) for genes in told["terms"]["genes"]]
        for place, one in enumerate(listed):
            assert all(one != other for other in listed[:place])


def test_the_tissue_is_not_changed_and_values_are_plain(with_run):
    before = fingerprint(with_run)
    told = napari_semst.explain(with_run, n_draws=99)
    assert fingerprint(with_run) == before
    assert json.loads(json.dumps(told)) == told
    assert list(told["domains"]) == ["1", "2", "3"]
    assert told["run"] == "default"
    sizes = with_run.obs["semst_domain"].value_counts()
    for name, one in told["domains"].items():
        assert one["n_spots"] == sizes[name]
        assert one["modulation"]["rank"] in (1, 2, 3)


def test_the_same_seed_tells_the_same(with_run):
    one, again = (napari_semst.explain(with_run, n_draws=99) for _ in range(2))
    assert one == again


def test_an_explanation_is_kept_in_the_file(with_run, tmp_path):
    told = napari_semst.explain(with_run, n_draws=99)
    attach_explanation(with_run, told)
    napari_semst.write(with_run, tmp_path / "section.h5ad")
    saved = read_h5ad(tmp_path / "section.h5ad").uns["semst"]["default"]
    assert saved["config"]["preset"] == "default"
    kept = saved["explanation"]["domains"]["2"]
    assert kept["sentence"] == told["domains"]["2"]["sentence"]
    assert list(kept["genes"]["gene"]) == told["domains"]["2"]["genes"]["gene"]
    assert napari_semst.explain(tmp_path / "section.h5ad", n_draws=99) == told


@pytest.mark.slow
def test_a_table_has_a_row_per_gene_and_term(of_layers):
    table = explanation_table(of_layers)
    assert set(table["kind"]) == {"gene", "semantic gene", "term"}
    wm = table[(table["domain"] == "WM") & (table["kind"] == "term")]
    assert list(wm["name"]) == of_layers["domains"]["WM"]["terms"]["term"]


def test_a_run_without_semantics_is_told_by_genes_only(tissue):
    result = found(named(tissue), short("quick"))
    labelled = attach(tissue, result)
    told = napari_semst.explain(labelled)
    assert told["semantics"] == "none"
    assert "genes only" in told["notes"][0]
    for one in told["domains"].values():
        assert one["genes"]["gene"]
        assert one["terms"] == one["semantic_genes"] == one["modulation"] == {}
        assert "term" not in one["sentence"]
    anyway = napari_semst.explain(labelled, semantics="builtin", n_draws=99)
    assert anyway["semantics"] == "builtin"
    assert "no part" in anyway["notes"][0]


def test_a_run_that_read_genes_is_told_by_their_vectors(
    tissue, tiny_qwen, own_cache, monkeypatch
):
    asked = {"source": "genes", "model": str(tiny_qwen), "gene_weights": "rank"}
    result = found(named(tissue), short(semantics=asked))
    labelled = attach(tissue, result)
    monkeypatch.setattr(TextEncoder, "__init__", None)  # no model is loaded
    told = napari_semst.explain(labelled)
    assert (told["semantics"], told["coverage"], told["terms_tested"]) == (
        "genes",
        1.0,
        0,
    )
    assert any("read from the cache" in note for note in told["notes"])
    for one in told["domains"].values():
        genes = one["semantic_genes"]
        assert genes["listed_in"] > genes["listed_out"]
        assert f"set apart most by {genes['gene'][0]}" in one["sentence"]
        assert one["terms"] == {}
    kept, *others = sorted(own_cache.rglob("shard-*"))
    for file in others:
        file.unlink()
    told = napari_semst.explain(labelled)
    assert others
    assert 0 < told["coverage"] < 1
    assert "what the others did" in " ".join(told["notes"])
    kept.unlink()
    told = napari_semst.explain(labelled)
    assert told["semantics"] == "none"
    assert "Genes only are told" in " ".join(told["notes"])


def test_a_list_that_was_read_as_a_whole_is_not_taken_apart(tissue, tiny_qwen):
    asked = {"source": "prompts", "model": str(tiny_qwen)}
    labelled = attach(tissue, found(named(tissue), short(semantics=asked)))
    told = napari_semst.explain(labelled)
    assert told["semantics"] == "none"
    assert "cannot be told apart: genes only are told" in " ".join(told["notes"])


def test_genes_that_the_table_does_not_know_are_told_by_genes_only(tissue):
    tissue.var_names = [f"unheard-of-{number}" for number in range(60)]
    del tissue.var["gene_ids"]
    told = napari_semst.explain(tissue, labels="ground_truth")
    assert told["semantics"] == "none"
    assert "knows none" in told["notes"][0]


def test_few_known_genes_are_told(tissue):
    tissue.var_names = ["MBP", "PLP1", *(f"unheard-of-{n}" for n in range(58))]
    del tissue.var["gene_ids"]
    told = napari_semst.explain(tissue, labels="ground_truth", n_draws=99)
    assert told["coverage"] < 0.5
    assert any("the gene table knows" in note for note in told["notes"])


def test_spots_without_a_label_are_left_out(tissue):
    tissue.obs.loc[tissue.obs_names[:20], "ground_truth"] = None
    told = napari_semst.explain(tissue, labels="ground_truth", semantics="none")
    assert sum(one["n_spots"] for one in told["domains"].values()) == 176
    assert "20 of 196 spots" in told["notes"][0]


def test_domains_of_few_spots_are_told_as_such(tissue):
    labels = tissue.obs["ground_truth"].astype(str).to_numpy()
    labels[:3] = "tiny"
    tissue.obs["ground_truth"] = labels
    told = napari_semst.explain(tissue, labels="ground_truth", semantics="none")
    assert told["notes"] == [
        "Domain tiny has 3 spots: too few to trust what is said of it."
    ]


def test_modulation_of_an_earlier_run_is_not_told(with_run):
    both = attach(with_run, found(with_run, short("quick")), "second")
    told = napari_semst.explain(both, run="default", semantics="none")
    assert any("latest run only" in note for note in told["notes"])
    assert told["domains"]["1"]["modulation"] == {}


def test_what_changes_without_semantics_is_told_beside_another_seed(with_run):
    told = napari_semst.explain(with_run, counterfactual=True, semantics="none")
    for one in told["domains"].values():
        assert set(one["counterfactual"]) == {"without_semantics", "other_seed"}
        assert all(0 <= share <= 1 for share in one["counterfactual"].values())
        assert "without semantics" in one["sentence"]
    assert any("change domain without semantics" in note for note in told["notes"])
    assert not any("counterfactual" in note for note in told["notes"])


def test_progress_tells_which_of_the_two_runs_is_on(with_run):
    wanted = ExplainOptions(counterfactual=True, semantics="none")
    said = [event.message for event in explain_steps(with_run, wanted)]
    first = [i for i, text in enumerate(said) if text.startswith("Without semantics")]
    second = [i for i, text in enumerate(said) if text.startswith("Another seed")]
    assert len(first) > 5
    assert len(second) > 5
    assert max(first) < min(second)
    assert "Without semantics" in said  # nothing else is to be said of an epoch


def test_the_test_without_semantics_is_told_of_in_the_words_of_the_reader(with_run):
    told = napari_semst.explain(with_run, semantics="none")
    (note,) = (note for note in told["notes"] if "moved spots inside" in note)
    assert note.endswith("with counterfactual=True.")
    assert for_shell(note).endswith("with --counterfactual.")
    assert for_window(note).endswith("press Test without semantics.")


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"run": "nobody"}, InputError, "Expected a run 'nobody'"),
        ({"labels": "nothing"}, InputError, "nothing"),
        ({"run": "default", "labels": "ground_truth"}, ConfigError, "both"),
        ({"labels": "one"}, InputError, "two domains"),
        ({"semantics": "magic"}, ConfigError, "magic"),
        ({"n_draws": 3}, ConfigError, "n_draws"),
        ({"labels": "ground_truth", "counterfactual": True}, ConfigError, "had none"),
    ],
)
def test_what_cannot_be_is_refused(with_run, settings, error, text):
    with_run.obs["one"] = "all"
    with pytest.raises(error, match=text):
        napari_semst.explain(with_run, **settings)


def test_a_column_of_labels_has_no_place_in_the_file(tissue):
    told = napari_semst.explain(tissue, labels="ground_truth", semantics="none")
    with pytest.raises(ConfigError, match="table"):
        attach_explanation(tissue, told)


def test_cancelling_ends_the_work(with_run):
    control = RunControl()
    steps = explain_steps(with_run, ExplainOptions(), control)
    next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(steps)


def test_a_control_is_never_told_as_a_result(tissue):
    named(tissue)
    request = short(semantics={"control": "shuffled"})
    labelled = attach(tissue, found(tissue, request))
    told = napari_semst.explain(labelled, n_draws=99)
    assert "was a control (shuffled)" in " ".join(told["notes"])


def test_lists_are_those_of_the_run(tissue, monkeypatch):
    named(tissue)
    request = short(
        semantics={"ranking": "specificity", "leave_out_uninformative": False}
    )
    labelled = attach(tissue, found(tissue, request))
    seen = {}
    real = semantics.rank_genes

    def spied(matrix, *arguments, **options):
        seen.update(options, total=float(matrix.sum()))
        return real(matrix, *arguments, **options)

    monkeypatch.setattr(semantics, "rank_genes", spied)
    napari_semst.explain(labelled, n_draws=99)
    assert seen["leave_out_uninformative"] is False
    assert seen["total"] != float(tissue.X.sum())
