"""From annotated sections to the names of another: what is given, written, refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import napari_semst
from napari_semst import keys
from napari_semst.core.progress import STAGES, RunControl
from napari_semst.errors import Cancelled, ConfigError, InputError
from napari_semst.io.export.h5ad import write, write_domains_csv
from napari_semst.io.read import read
from napari_semst.transfer.api import make_signature, transfer_labels
from napari_semst.transfer.references import Reference, references_from
from napari_semst.transfer.result import naming_facts, read_naming
from napari_semst.transfer.steps import transfer_steps
from napari_semst.transfer.target import TargetOptions
from tests.small import fingerprint
from tests.transfer.sections import layers


@pytest.fixture(scope="module")
def signature():
    return make_signature(layers(0), "layer")


@pytest.fixture(scope="module")
def named(signature):
    return transfer_labels(signature, layers(1), domains="cluster")


def test_domains_and_spots_get_the_names_of_the_reference(named):
    assert [one.name for one in read_naming(named)] == ["layer 2", "layer 1", "layer 0"]
    truth = named.obs["layer"].astype(str)
    for key in (keys.TRANSFER, keys.TRANSFER_DOMAIN):
        found = named.obs[key]
        right = found.astype(str) == truth
        assert right[found.notna()].mean() > 0.9
        assert found.notna().mean() > 0.8
        assert len(named.uns[f"{key}_colors"]) == 3
    assert (named.obs[keys.TRANSFER_Q][named.obs[keys.TRANSFER].notna()] <= 0.1).all()
    assert naming_facts(named)["domains"] == "cluster"


def test_each_name_has_runners_up_and_a_sentence(named):
    for one in read_naming(named):
        assert [name for name, _ in one.runners_up] != []
        assert one.best not in dict(one.runners_up)
        assert one.score >= one.runners_up[0][1]
        assert one.sentence.startswith(f"Domain {one.domain} is named {one.name} for")


def test_what_is_given_stays_as_it_is(signature):
    tissue = layers(1)
    before = fingerprint(tissue)
    found = transfer_labels(signature, tissue, domains="cluster")
    assert fingerprint(tissue) == before
    again = transfer_labels(signature, tissue, domains="cluster")
    pd.testing.assert_frame_equal(found.obs, again.obs)


def test_files_bring_all_of_it_back(named, tmp_path):
    back = read(write(named, tmp_path / "a.h5ad"))
    assert read_naming(back) == read_naming(named)
    assert naming_facts(back)["fdr"] == 0.1
    for key in (keys.TRANSFER, keys.TRANSFER_DOMAIN):
        assert back.obs[key].astype(str).equals(named.obs[key].astype(str))
    table = pd.read_csv(write_domains_csv(named, tmp_path / "a.csv"))
    assert {"transfer", "transfer_score", "transfer_q", "transfer_domain"} <= {*table}
    named_here = named.obs[keys.TRANSFER_DOMAIN].notna().to_numpy()
    assert (table["transfer_domain"].notna() == named_here).all()


def test_names_dealt_anew_name_nothing(signature):
    target = layers(1)
    random = np.random.default_rng(0)
    target.var_names = list(random.permutation(target.var_names))
    found = transfer_labels(signature, target, domains="cluster")
    assert sum(bool(one.name) for one in read_naming(found)) == 0
    assert found.obs[keys.TRANSFER].isna().mean() > 0.9


def test_a_mouse_section_is_named_from_a_human_one(signature):
    found = transfer_labels(signature, layers(2, "mouse"), domains="cluster")
    assert [one.best for one in read_naming(found)] == ["layer 2", "layer 1", "layer 0"]


def test_domains_are_found_where_there_are_none(signature):
    found = transfer_labels(signature, layers(1))
    assert found.obs[keys.DOMAIN].nunique() == 3
    assert naming_facts(found)["domains"] == keys.DOMAIN
    assert len(read_naming(found)) == 3
    again = transfer_labels(signature, found)
    assert naming_facts(again)["domains"] == keys.DOMAIN


def test_several_references_are_one(signature):
    found = transfer_labels(
        [signature, layers(3)], layers(1), labels="layer", domains="cluster"
    )
    assert naming_facts(found)["references"] == ["the reference", "the reference"]
    assert [*found.obs[keys.TRANSFER].cat.categories] == [
        "layer 0",
        "layer 1",
        "layer 2",
    ]


def test_events_are_of_known_stages_and_cancelling_is_heard(signature):
    references = references_from([signature], None)
    options = TargetOptions("cluster")
    seen = set()
    for event in transfer_steps(references, layers(1), options):
        seen.add(event.stage)
    assert seen <= set(STAGES)
    assert {"read", "describe", "explain"} <= seen
    control = RunControl()
    steps = transfer_steps(references, layers(1), options, control=control)
    next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        list(steps)


def wrong_labels():
    tissue = layers(0)
    tissue.obs["number"] = np.arange(tissue.n_obs) % 3
    tissue.obs["share"] = pd.Categorical(np.arange(tissue.n_obs) % 3 / 2)
    tissue.obs["one"] = "same"
    tissue.obs["flag"] = np.arange(tissue.n_obs) % 2 == 0
    tissue.obs["each"] = tissue.obs_names
    return tissue


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("none", "'layer', 'cluster'|layer, cluster"),
        ("number", "found numbers"),
        ("share", "found numbers"),
        ("flag", "true and false"),
        ("one", r"found 1 \(same\)"),
        ("each", "found 225"),
    ],
)
def test_columns_that_hold_no_names_are_refused(column, said):
    with pytest.raises(InputError, match=said):
        make_signature(wrong_labels(), column)


def test_a_section_is_not_named_by_itself(tmp_path):
    tissue = layers(0)
    with pytest.raises(InputError, match="another section than the target"):
        transfer_labels(tissue, tissue, labels="layer")
    path = write(tissue, tmp_path / "a.h5ad")
    with pytest.raises(InputError, match="another section than the target"):
        transfer_labels(path, str(path), labels="layer")
    # A copy cannot be told by its path: it is warned of.
    found = transfer_labels(tissue, layers(0), labels="layer", domains="cluster")
    assert any("its own labels" in text for text in naming_facts(found)["warnings"])


def test_references_need_a_column_and_signatures_do_not(signature):
    with pytest.raises(InputError, match="that holds the names; got none"):
        references_from(layers(0), None)
    with pytest.raises(InputError, match="one for each of the 2"):
        references_from([layers(0), layers(1)], ["a", "b", "c"])
    with pytest.raises(InputError, match="builtin:cortex-human"):
        references_from("builtin:kidney", None)
    assert references_from(signature, None) == [Reference(signature)]


def test_roughly_known_names_are_told(signature):
    few = layers(0)
    few.obs["layer"] = few.obs["layer"].where(
        np.arange(few.n_obs) > 7, other="a few spots"
    )
    few.obs.loc[few.obs_names[100:102], "layer"] = "two spots"
    target = layers(1)
    target.var_names = [f"{name}x" for name in target.var_names[:50]] + [
        *target.var_names[50:]
    ]
    found = transfer_labels(few, target, labels="layer", domains="cluster")
    said = " ".join(naming_facts(found)["warnings"])
    assert "a few spots (8)" in said
    assert "two spots have too few" in said
    assert "names rest on few" in said


@pytest.mark.parametrize("missing", [None, np.nan])
def test_spots_without_a_name_are_of_no_name(signature, missing):
    from napari_semst.transfer.references import names_per_spot

    part = layers(0)
    part.obs["layer"] = part.obs["layer"].astype(object)
    part.obs.iloc[:10, part.obs.columns.get_loc("layer")] = missing
    codes, names = names_per_spot(part, "layer")
    assert names == signature.labels
    assert (codes[:10] == -1).all()
    assert (codes[10:] >= 0).all()
    made = make_signature(part, "layer")
    assert made.provenance["left_out"] == []
    assert made.n_spots.sum() == part.n_obs - 10


def test_domains_that_are_none_are_refused(signature):
    target = layers(1)
    target.obs["depth"] = np.linspace(0, 1, target.n_obs)
    with pytest.raises(InputError, match="found measurements"):
        transfer_labels(signature, target, domains="depth")
    with pytest.raises(InputError, match="of the section to name; found obs columns"):
        transfer_labels(signature, target, domains="no")
    with pytest.raises(ConfigError, match="2 domains or more"):
        TargetOptions(n_domains=1)


def test_names_are_attached_to_their_own_spots(signature):
    from napari_semst.core.progress import run_to_end
    from napari_semst.transfer.result import attach_transfer

    steps = transfer_steps(
        references_from([signature], None), layers(1), TargetOptions("cluster")
    )
    result = run_to_end(steps)
    with pytest.raises(ConfigError, match="spots that were named"):
        attach_transfer(layers(1)[::-1].copy(), result)


def test_the_public_names_are_there():
    for name in ("transfer_labels", "make_signature", "load_signature", "Signature"):
        assert getattr(napari_semst, name).__name__ == name
