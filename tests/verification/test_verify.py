"""A result that is what it says of itself, and every way in which one is not."""

from __future__ import annotations

import copy
import json
import os
import shutil
import warnings
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import read_h5ad
from typer.testing import CliRunner

from napari_semst import attach, find_domains, read, verify_result
from napari_semst.cli.main import app
from napari_semst.cli.verify import NOT_TOLD, SOMETHING_DIFFERS
from napari_semst.config import Config, Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled, ConfigError, InputError
from napari_semst.io.export.h5ad import write
from napari_semst.pipeline.content import content_hashes
from napari_semst.pipeline.evidence import entry_hash
from napari_semst.verification.verify import verifying
from tests.cli.test_main import call
from tests.conftest import banded_tissue
from tests.small import found, named, short

SCHEMA = json.loads(
    resources.files("napari_semst.verification").joinpath("schema.json").read_text()
)
QUICK = ("-k", "3", "--method", "quick", "--config", "few.toml", "-q")
FEW = {"domains": {"n_starts": 1}, "training": {"device": "cpu"}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a section, its result and that of a model applied to it."""
    folder = tmp_path_factory.mktemp("saved")
    tissue = named(banded_tissue())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write(tissue, "in.h5ad")
        Path("few.toml").write_text(Request("auto", FEW).to_toml(), encoding="utf-8")
        call(
            "run", "in.h5ad", *QUICK, "-o", "out.h5ad", "--save-model", "m.safetensors"
        )
        call("apply", "m.safetensors", "in.h5ad", "-o", "applied.h5ad", "-q")
    return folder


@pytest.fixture
def folder(saved, tmp_path, monkeypatch):
    """A copy of it to work in; files are where the run read them, too."""
    place = tmp_path / "copy"
    shutil.copytree(saved, place)
    monkeypatch.chdir(place)
    return place


def changed(name, change):
    """Change a result by hand."""
    tissue = read_h5ad(name)
    change(tissue)
    write(tissue, name, overwrite=True)


def states(result="out.h5ad", **options):
    return {one.name: one.state for one in verify_result(result, **options).checks}


def text_of(name, result="out.h5ad", **options):
    checks = verify_result(result, **options).checks
    return next(one.text for one in checks if one.name == name)


def wrong(result="out.h5ad", **options):
    """Return the names of the checks that do not hold."""
    return {
        name
        for name, state in states(result, **options).items()
        if state not in ("holds", "note")
    }


@pytest.mark.parametrize("name", ["out.h5ad", "applied.h5ad"])
def test_a_result_holds_and_is_made_again(folder, name):
    told = states(name, rerun=True)
    assert set(told.values()) == {"holds"}
    assert {"labels", "settings", "counts", "input", "rerun"} <= set(told)
    assert ("model" in told) == (name == "applied.h5ad")
    assert "the same labels" in text_of("rerun", name, rerun=True)


def test_a_changed_label_is_told(folder):
    def change(tissue):
        labels = tissue.obs["semst_domain_default"].to_numpy(dtype=object)
        labels[3] = next(one for one in ("1", "2") if one != labels[3])
        tissue.obs["semst_domain_default"] = pd.Categorical(labels)

    changed("out.h5ad", change)
    assert wrong() == {"labels"}
    assert "1 spots differ from obs['semst_domain']" in text_of("labels")


def test_a_changed_copy_of_the_labels_is_told(folder):
    def change(tissue):
        tissue.obs["semst_domain"] = "1"

    changed("out.h5ad", change)
    assert wrong() == {"labels"}
    assert "obs['semst_domain_default'] is as it was found" in text_of("labels")


def test_names_spots_and_order_are_told_apart(folder):
    def rename(tissue):
        for key in ("semst_domain", "semst_domain_default"):
            tissue.obs[key] = tissue.obs[key].cat.rename_categories({"1": "white"})

    changed("out.h5ad", rename)
    assert "other names; their spots are the same" in text_of("labels")
    tissue = read_h5ad("out.h5ad")
    assert "195 spots here, 196" in text_of("labels", tissue[1:].copy())
    assert "another order" in text_of("labels", tissue[::-1].copy())


def test_a_changed_value_is_told(folder):
    def change(tissue):
        tissue.obs["semst_confidence"] = 1.0

    changed("out.h5ad", change)
    assert wrong() == {"values"}
    assert "obs['semst_confidence']" in text_of("values")


@pytest.mark.parametrize(
    ("entry", "value", "check"),
    [
        ("config", 5, "settings"),
        ("versions", "9.9", "record"),
        ("seed", 7, "record"),
        ("input_hash", "0", "record"),
    ],
)
def test_a_changed_record_is_told(folder, entry, value, check):
    def change(tissue):
        record = tissue.uns["semst"]["default"]
        if entry == "config":
            record["config"]["training"]["epochs"] = value
        elif entry == "versions":
            record["versions"]["numpy"] = value
        else:
            record[entry] = value

    changed("out.h5ad", change)
    assert check in wrong()
    if entry == "versions":
        assert "numpy 9.9, here" in text_of("versions")


def test_settings_that_are_none_are_told(folder):
    def change(tissue):
        tissue.uns["semst"]["default"]["config"]["training"]["wings"] = 2

    changed("out.h5ad", change)
    assert "settings" in wrong(rerun=True)
    assert states(rerun=True)["rerun"] == "unknown"


def test_a_changed_count_is_told(folder):
    def change(tissue):
        tissue.X[0, 0] += 1

    changed("out.h5ad", change)
    assert wrong() == {"counts"}
    changed("in.h5ad", change)
    assert wrong(inputs=["in.h5ad"]) == {"counts", "input"}
    assert "other counts" in text_of("input", inputs=["in.h5ad"])
    told = verify_result("out.h5ad", inputs=["in.h5ad"], rerun=True)
    assert told.checks[-1].name == "rerun"
    assert "made again of the input" in told.checks[-1].text


def test_an_input_saved_again_is_the_same(folder):
    tissue = read_h5ad("in.h5ad")
    tissue.X = tissue.X.toarray() if hasattr(tissue.X, "toarray") else tissue.X
    tissue.X = tissue.X.astype("f8")
    tissue.obs["more"] = 1
    write(tissue, "again.h5ad")
    assert not wrong(inputs=["again.h5ad"])
    assert "saved again, with the same counts" in text_of(
        "input", inputs=["again.h5ad"]
    )


def test_an_input_that_is_gone_is_told_and_named(folder, saved):
    place = saved / "in.h5ad"
    place.rename(saved / "moved.h5ad")
    (folder / "in.h5ad").rename("moved.h5ad")
    try:
        assert wrong() == {"input"}
        assert states()["input"] == "unknown"
        assert "inputs=[...]" in text_of("input")
        assert not wrong(inputs=["moved.h5ad"])
        told = states(rerun=True)
        assert told["rerun"] == "holds", "the counts in the result do"
        done = CliRunner().invoke(app, ["verify", "out.h5ad", "-q"])
        assert done.exit_code == NOT_TOLD
        assert "--input" in done.output
    finally:
        (saved / "moved.h5ad").rename(place)


def test_another_model_is_told(folder):
    with Path("m.safetensors").open("ab") as file:
        file.write(b"\0")
    told = states("applied.h5ad", inputs=["m.safetensors"], rerun=True)
    assert told["model"] == "differs"
    assert told["rerun"] == "unknown"


def test_a_changed_table_is_told(folder):
    tissue = read_h5ad("in.h5ad")
    vectors = np.random.default_rng(0).normal(size=(tissue.n_vars, 4))
    table = pd.DataFrame(vectors, index=tissue.var_names)
    table.to_csv("genes.csv")
    words = ("-k", "3", "--epochs", "1", "--device", "cpu", "-q")
    call("run", "in.h5ad", *words, "--semantics", "table:genes.csv", "-o", "t.h5ad")
    assert states("t.h5ad")["semantics.table"] == "holds"
    (table + 1).to_csv("genes.csv")
    assert wrong("t.h5ad") == {"semantics.table"}


_DAMAGED = ("content", "evidence", "inputs")


def entries_of(table, above=()):
    """Return the way to each entry of nested ones."""
    for name, value in table.items():
        yield (*above, name)
        if hasattr(value, "items"):
            yield from entries_of(value, (*above, name))


def test_damaged_hashes_are_told(folder):
    tissue = read_h5ad("out.h5ad")
    record = tissue.uns["semst"]["default"]
    ways = [way for way in entries_of(record) if way[0] in _DAMAGED and way[1:]]
    # What only words a difference of the labels is not missed while there is none.
    hints = [("evidence", "labels", name) for name in ("domains", "partition", "spots")]
    ways = [way for way in ways if way not in hints]
    assert len(ways) > 30
    for number, way in enumerate(ways):
        for odd in (("x", np.array([1.5])), (5, {"a": 1}))[number % 2]:
            tissue.uns["semst"]["default"] = damaged = copy.deepcopy(record)
            for name in way[:-1]:
                damaged = damaged[name]
            damaged[way[-1]] = odd
            if isinstance(odd, str):
                del damaged[way[-1]]
            told = {one.state for one in verify_result(tissue).checks}
            assert told != {"holds"}, (way, odd)


def test_what_is_no_file_is_not_read(folder):
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    os.mkfifo("pipe")

    def change(tissue):
        tissue.uns["semst"]["default"]["inputs"]["path"][0] = str(folder / "pipe")

    changed("out.h5ad", change)
    assert states()["input"] == "unknown"
    assert "record" in wrong()


def test_results_without_hashes_are_not_called_right(folder):
    def forget(tissue):
        for entry in ("evidence", "content", "inputs"):
            del tissue.uns["semst"]["default"][entry]

    changed("out.h5ad", forget)
    told = verify_result("out.h5ad")
    assert told.state == "unknown"
    assert {"labels", "settings", "counts", "input"} <= wrong()
    assert "0.1.0, holds no hashes" in text_of("labels")


def test_a_tissue_in_memory_and_an_earlier_run(folder):
    tissue = read("in.h5ad")
    tissue = attach(tissue, found(tissue, short("quick")), "first")
    assert states(tissue)["input"] == "note"
    tissue = attach(tissue, found(tissue, short("quick", k=2)), "second")
    assert not wrong(tissue, run="first")
    assert states(tissue, run="first")["values"] == "note"
    assert not wrong(tissue, run="first", inputs=["in.h5ad"], rerun=True)


def test_sections_that_were_joined_and_spots_left_out(folder):
    shutil.copy("in.h5ad", "other.h5ad")
    both = ["in.h5ad", "other.h5ad"]
    joined = find_domains(both, n_domains=3, method="quick", overrides=FEW)
    told = verify_result(joined, rerun=True)
    assert told.state == "holds"
    assert [one.name for one in told.checks].count("input") == 2
    tissue = read_h5ad("in.h5ad")
    tissue.obs["some"] = tissue.obs["ground_truth"].where(np.arange(196) > 20)
    write(tissue, "some.h5ad")
    words = ("--truth", "some", "--drop-unannotated", "-o", "few.h5ad")
    call("run", "some.h5ad", *QUICK, *words)
    assert not wrong("few.h5ad", rerun=True)


@pytest.mark.parametrize("odd", ["a\0b", "a\udc80b"], ids=["NUL", "half"])
def test_names_that_no_file_holds_are_no_change(folder, odd):
    tissue = read("in.h5ad")
    for part in ("obs_names", "var_names"):
        names = getattr(tissue, part).to_numpy(dtype=object).copy()
        names[3] = odd
        try:
            setattr(tissue, part, names)
        except UnicodeEncodeError:
            pytest.skip("from pandas 3 on no name holds half a character")
    made = attach(tissue, found(tissue, short("quick")))
    made.uns["semst"]["default"]["evidence"]["record"]["note"] = entry_hash(odd)
    made.uns["semst"]["default"]["note"] = odd
    write(made, "odd.h5ad")
    assert not wrong("odd.h5ad")
    made.obs_names = ["other", *made.obs_names[1:]]
    assert wrong(made) == {"labels", "counts"}


def test_a_store_holds(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read_h5ad("out.h5ad").write_zarr("out.zarr")
    assert not wrong("out.zarr")


def test_the_shell_says_it_and_json_keeps_its_schema(folder):
    jsonschema = pytest.importorskip("jsonschema", reason="comes with napari")
    said = call("verify", "out.h5ad", "-q")
    assert said.startswith("out.h5ad, run default: all 7 checks hold\n")
    assert "  labels    holds    196 spots in 3 domains" in said
    facts = json.loads(call("verify", "out.h5ad", "-q", "--json"))
    jsonschema.validate(facts, SCHEMA)

    def change(tissue):
        tissue.obs["semst_confidence"] = 1.0

    changed("out.h5ad", change)
    done = CliRunner().invoke(app, ["verify", "out.h5ad", "-q"])
    assert done.exit_code == SOMETHING_DIFFERS
    assert "1 of 7 checks differs" in done.output


def test_what_cannot_be_verified_is_refused(folder):
    with pytest.raises(InputError, match="find_domains or apply_model"):
        call("verify", "in.h5ad", "-q")
    with pytest.raises(InputError, match="'other'"):
        verify_result("out.h5ad", run="other")
    with pytest.raises(ConfigError, match="at most 1"):
        verify_result("out.h5ad", inputs=["in.h5ad", "m.safetensors"])
    with pytest.raises(ConfigError, match="absent"):
        verify_result("out.h5ad", inputs=["absent.h5ad"])


def test_it_is_cancelled_and_writes_nothing(folder):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    control = RunControl()
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(verifying("out.h5ad", control, rerun=True))
    verify_result("out.h5ad", rerun=True)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


@pytest.mark.parametrize("form", ["csr", "csc", "dense", "zeros", "small chunks"])
def test_contents_are_known_in_every_form(monkeypatch, form):
    from scipy import sparse

    tissue = banded_tissue()

    def hashes():
        return run_to_end(content_hashes(tissue, Config(), RunControl()))

    first = hashes()
    counts = sparse.csr_matrix(tissue.X)
    if form == "csc":
        tissue.X = sparse.csc_matrix(counts.astype("i4"))
    elif form == "dense":
        tissue.X = counts.toarray()
    elif form == "zeros":
        rows, columns = (counts.toarray() == 0).nonzero()
        tissue.X = counts + sparse.csr_matrix(
            (np.zeros(len(rows)), (rows, columns)), counts.shape
        )
    elif form == "small chunks":
        monkeypatch.setattr("napari_semst.pipeline.content._CHUNK_VALUES", 500)
    assert hashes() == first
    tissue.obsm["spatial"] = tissue.obsm["spatial"] + 1
    assert hashes()["coordinates"] != first["coordinates"]
