"""Exit codes, one-line errors and files of the command line, as its users meet them."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest
from anndata import read_h5ad

from tests.io.outs import write_outs

QUICK = ("-k", 3, "--method", "quick")


@pytest.fixture
def section(tissue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "section.h5ad"
    tissue.write_h5ad(path)
    return path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "-k 7"),
        (("-k", 197), "197 domains for 196 spots"),
        (("-k", 3, "--preset", "dplfc"), "'dlpfc'"),
        (("-k", 3, "--truth", "layer"), "ground_truth"),
        (("-k", 3, "--counts-layer", "umis"), "'umis'"),
        (("-k", 3, "--coordinates", "place"), "spatial"),
        (("-k", 3, "--device", "gpu"), "'auto'"),
        (("-k", 3, "--epochs", -1), "at least 0"),
        (("-k", 3, "--semantics", "precomputed"), "--semantics precomputed:NAME"),
        (("-k", 3, "--config", "none.toml"), "none.toml"),
        (("-k", 3, "--csv", "none/d.csv"), "existing folder"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(semst, section, words, says):
    code, out, err = semst("run", section, *words)
    assert (code, out) == (2, "")
    assert err.startswith("semst: ")
    assert err.count("\n") == 1
    assert says in err
    assert "Traceback" not in err
    assert list(section.parent.iterdir()) == [section]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[training]\nepoch = 3", "epoch"),
        ("[trainning]\nepochs = 3", "trainning"),
        ("epochs = 3", "epochs"),
        ("[training]\nepochs = 'many'", "int"),
        ("[training", "TOML"),
        ("preset = 'dplfc'\n", "'dlpfc'"),
    ],
)
def test_mistakes_in_the_settings_file_are_named(semst, section, text, says):
    settings = section.with_name("settings.toml")
    settings.write_text(text)
    code, out, err = semst("run", section, "-k", 3, "--config", settings)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


@pytest.mark.parametrize("make", ["missing", "text", "empty", "folder"])
def test_what_is_no_section_is_one_line(semst, tmp_path, make):
    path = tmp_path / "input.h5ad"
    if make == "folder":
        path.mkdir()
    elif make != "missing":
        path.write_bytes(b"" if make == "empty" else b"not a table")
    for command in (("run", path, "-k", 3), ("inspect", path)):
        code, out, err = semst(*command)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "input.h5ad" in err


def test_unknown_options_and_commands_are_refused(semst, section):
    for words in (("run", section, "--domain", 3), ("runn", section), ("run",)):
        code, out, err = semst(*words)
        assert (code, out) == (2, "")
        assert "Traceback" not in err


def test_a_fault_of_ours_is_one_line_and_another_code(semst, section, monkeypatch):
    def fault(*_, **__):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("napari_semst.io.read.read", fault)
    code, out, err = semst("run", section, *QUICK)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "ZeroDivisionError: oh" in err
    assert "--debug" in err


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ("section_semst.h5ad", ()),
        ("out.h5ad", ("--output", "out.h5ad")),
        ("d.csv", ("--csv", "d.csv")),
        ("d.png", ("--figure", "d.png")),
    ],
)
def test_files_that_exist_are_kept_and_told_before_the_work(
    semst, section, monkeypatch, there, words
):
    section.with_name(there).write_text("mine")
    # Not even read: the refusal must not cost a user the wait.
    monkeypatch.setattr("napari_semst.io.read.read", None)
    code, _, err = semst("run", section, *QUICK, *words)
    assert (code, err.count("\n")) == (2, 1)
    assert there in err
    assert "--overwrite" in err
    assert section.with_name(there).read_text() == "mine"


def test_files_are_replaced_when_asked(semst, section):
    words = ("--csv", "d.csv", "--figure", "d.svg")
    for name in ("section_semst.h5ad", "d.csv", "d.svg"):
        section.with_name(name).write_text("mine")
    code, out, err = semst("run", section, *QUICK, *words, "--overwrite")
    assert code == 0, err
    assert read_h5ad("section_semst.h5ad").obs["semst_domain"].nunique() == 3
    for name in ("section_semst.h5ad", "d.csv", "d.svg"):
        assert name in out
        assert section.with_name(name).read_bytes() != b"mine"


def test_the_input_is_not_touched_and_may_be_read_only(semst, section, tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    kept = section.rename(folder / "section.h5ad")
    before = hashlib.sha256(kept.read_bytes()).hexdigest(), kept.stat().st_mtime_ns
    kept.chmod(0o444)
    folder.chmod(0o555)
    try:
        code, _, err = semst("run", kept, *QUICK)
    finally:
        folder.chmod(0o755)
    assert code == 0, err
    assert (tmp_path / "section_semst.h5ad").exists()
    assert list(folder.iterdir()) == [kept]
    after = hashlib.sha256(kept.read_bytes()).hexdigest(), kept.stat().st_mtime_ns
    assert after == before


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_cannot_be_written_is_told(semst, section, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    code, _, err = semst("run", section, *QUICK, "-o", folder / "out.h5ad")
    folder.chmod(0o755)
    assert (code, err.count("\n")) == (2, 1)


def test_results_of_a_folder_are_named_after_the_sample(
    semst, tissue, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    outs = write_outs(tmp_path / "Sample7" / "outs", tissue)
    code, _, err = semst("run", outs, *QUICK)
    assert code == 0, err
    saved = read_h5ad(tmp_path / "Sample7_semst.h5ad")
    assert saved.n_obs == tissue.n_obs
    assert saved.obs["semst_domain"].nunique() == 3


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_json_alone_is_on_standard_output(semst, section, quiet):
    code, out, err = semst("run", section, *QUICK, "--json", *quiet)
    assert (code, err) == (0, "")
    account = json.loads(out)
    assert account["n_spots"] == sum(account["domain_sizes"].values()) == 196
    assert np.isfinite(list(account["spatial_scores"].values())).all()
    # No annotation was named, so nothing is scored against one.
    assert "ari" not in account.get("scores", {})


def test_truth_does_not_change_the_domains(semst, section):
    scored = semst("run", section, *QUICK, "--truth", "ground_truth", "-o", "a.h5ad")
    plain = semst("run", section, *QUICK, "-o", "b.h5ad")
    assert scored[0] == plain[0] == 0
    first, second = (read_h5ad(n).obs["semst_domain"] for n in ("a.h5ad", "b.h5ad"))
    assert list(first) == list(second)
    assert "ari" in scored[1]
    assert "ari" not in plain[1]


def test_spots_without_truth_can_be_left_out(semst, section, tissue):
    tissue.obs.loc[tissue.obs_names[:20], "ground_truth"] = np.nan
    tissue.write_h5ad(section)
    words = ("--truth", "ground_truth", "--json")
    all_spots = json.loads(semst("run", section, *QUICK, *words)[1])
    fewer = json.loads(semst("run", section, *QUICK, *words, "--drop-unannotated")[1])
    assert (all_spots["n_spots"], all_spots["scores"]["n_scored"]) == (196, 176)
    assert (fewer["n_spots"], fewer["scores"]["n_scored"]) == (176, 176)
