"""The command line, as a shell sees it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from anndata import AnnData, read_h5ad
from typer.testing import CliRunner

from napari_semst.cli.main import app
from napari_semst.errors import SemstError
from napari_semst.io.export.h5ad import write
from napari_semst.sample import simulated_discordance
from tests.io.readers.test_visium_hd import run_of


@pytest.fixture
def section(tissue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "section.h5ad"
    tissue.write_h5ad(path)
    return path


def call(*words):
    """Return what a command printed on standard output; errors come through."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def shell(*words):
    return subprocess.run(
        [sys.executable, "-m", "napari_semst", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_json_has_what_was_promised_and_nothing_is_written(section, tmp_path):
    before = hashlib.sha256(section.read_bytes()).hexdigest()
    account = json.loads(
        call("run", section, "-k", 3, "--method", "quick", "--semantics", "none",
             "--truth", "ground_truth", "--json")
    )  # fmt: skip
    assert account["n_spots"] == sum(account["domain_sizes"].values()) == 196
    assert (account["n_genes"], account["n_domains"]) == (60, 3)
    assert (account["method"], account["semantics"]) == ("quick", "none")
    assert account["peak_memory_mb"] > 50
    wanted = ["ari", "nmi", "ami", "homogeneity", "completeness", "acc"]
    wanted += ["f1_macro", "f1_weighted"]
    assert set(wanted) <= set(account["scores"])
    assert account["scores"]["ari"] > 0.5
    assert [p.name for p in tmp_path.iterdir()] == ["section.h5ad"]
    assert hashlib.sha256(section.read_bytes()).hexdigest() == before


def test_all_files_are_written_and_hold_the_domains(section):
    call("run", section, "-k", 3, "--method", "quick", "--csv", "d.csv", "--figure",
         "d.png", "--run", "first", "--refine")  # fmt: skip
    saved = read_h5ad("section_semst.h5ad")
    assert saved.obs["semst_domain"].equals(saved.obs["semst_domain_first"])
    with open("d.csv") as table:
        assert len(table.readlines()) == 197
    with open("d.png", "rb") as figure:
        assert figure.read(8) == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("words", "rounds"), [((), 3), (("--refine",), 3), (("--no-refine",), 0)]
)
def test_borders_are_settled_unless_they_are_to_be_left(section, words, rounds):
    call("run", section, "-k", 3, "--preset", "quick", *words)
    stored = read_h5ad("section_semst.h5ad").uns["semst"]["default"]
    assert stored["config"]["domains"]["refine"] == rounds


@pytest.mark.parametrize(
    "words",
    [
        ("--output", "section.h5ad"),
        ("--output", "out.txt"),
        ("--output", "none/out.h5ad"),
        ("--figure", "figure.tif"),
        ("--run", "a/b"),
        ("--preset", "dplfc"),
        ("--semantics", "guessed"),
        ("--readout", "magic"),
        ("--truth", "none"),
        ("--drop-unannotated",),
        ("--device", "mps"),
        ("--weights", "none.pth"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(section, words, monkeypatch):
    def worked(*_):
        raise AssertionError("the work had begun")

    monkeypatch.setattr(
        "napari_semst.domains.cluster_methods.consensus_posterior", worked
    )
    with pytest.raises(SemstError):
        call("run", section, "-k", 3, *words)


def test_the_input_is_never_written_over(section):
    before = section.read_bytes()
    with pytest.raises(SemstError, match="never written over"):
        call("run", section, "-k", 3, "-o", "section.h5ad", "--overwrite")
    assert section.read_bytes() == before


def test_a_truth_that_cannot_be_scored_does_not_cost_the_run(section, tissue):
    tissue.obs["empty"] = np.nan
    tissue.write_h5ad(section)
    with pytest.raises(SemstError, match="annotation of at least two"):
        call("run", section, "-k", 3, "--method", "quick", "--truth", "empty")


def test_options_go_before_the_settings_file(section, tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text(
        'preset = "quick"\n[training]\nseed = 5\n[domains]\nn_domains = 2'
    )
    account = json.loads(call("run", section, "--config", settings, "-k", 3, "--json"))
    assert (account["seed"], account["n_domains"]) == (5, 3)


def test_precomputed_semantics_by_name(section, tissue):
    tissue.obsm["meaning"] = np.random.default_rng(0).normal(size=(196, 5))
    tissue.write_h5ad(section)
    out = call("run", section, "-k", 3, "--epochs", 2, "--semantics",
               "precomputed:meaning", "--overwrite")  # fmt: skip
    assert "precomputed" in out
    saved = read_h5ad("section_semst.h5ad")
    assert saved.obs["semst_modulation"].notna().all()
    assert saved.uns["semst"]["default"]["semantics"]["model"] == "meaning"


def test_score_agrees_with_the_run(section):
    account = json.loads(
        call("run", section, "-k", 3, "--method", "quick", "--truth", "ground_truth",
             "--json", "--output", "done.h5ad")
    )  # fmt: skip
    scored = json.loads(call("score", "done.h5ad", "--truth", "ground_truth", "--json"))
    assert scored["scores"] == account["scores"]


def test_inspect_says_whether_it_can_run(section, tissue, tmp_path):
    assert "yes" in call("inspect", section)
    logged = tmp_path / "logged.h5ad"
    AnnData(tissue.X.log1p(), obs=tissue.obs, var=tissue.var).write_h5ad(logged)
    result = CliRunner().invoke(app, ["inspect", str(logged)])
    assert result.exit_code == 2
    assert "not as it is" in result.output


def test_inspect_says_once_why_a_section_cannot_run(section, tissue, tmp_path):
    write(tissue[:6].copy(), tmp_path / "small.h5ad")
    result = CliRunner().invoke(app, ["inspect", str(tmp_path / "small.h5ad")])
    assert result.exit_code == 2
    assert (
        "can run      not as it is: Expected a section of at least 10" in result.stdout
    )
    assert result.stdout.count("found 6") == 1


def test_no_run_by_the_image_is_foretold_where_no_spot_lies_on_it(tmp_path):
    seen = simulated_discordance(300, 60)
    write(seen, tmp_path / "on.h5ad")
    assert "image-guided: about" in call("inspect", tmp_path / "on.h5ad")
    seen.obsm["spatial"] = seen.obsm["spatial"] + 1e6
    write(seen, tmp_path / "off.h5ad")
    said = call("inspect", tmp_path / "off.h5ad")
    assert "No spot lies on the image" in said
    assert "image-guided: about" not in said


def test_a_part_of_an_input_is_inspected_and_run(tissue, tmp_path):
    run = run_of(tmp_path / "outs", tissue, 2, 8)
    assert "160 spots x 60 genes" in call("inspect", run)
    told = call("inspect", "--quick", run, "--part", 2)
    assert told.startswith("Visium HD run: 40 spots x 60 genes.")
    call(
        "run", run, "-k", 2, "--method", "quick", "--part", 8, "-o", tmp_path / "a.h5ad"
    )
    assert read_h5ad(tmp_path / "a.h5ad").n_obs == 160
    with pytest.raises(SemstError, match="found bins of 2, 8"):
        call("run", run, "-k", 2, "--method", "quick", "--part", 16)
    del tissue.obsm["spatial"], tissue.obs["array_row"]
    tissue.write_h5ad(tmp_path / "nowhere.h5ad")
    result = CliRunner().invoke(
        app, ["inspect", "--quick", str(tmp_path / "nowhere.h5ad")]
    )
    assert result.exit_code == 2
    assert "Coordinates: missing." in result.output


def test_presets_and_samples():
    listed = call("presets")
    for name in ("default", "quick", "dlpfc", "hbc", "mba", "embryo", "starmap"):
        assert name in listed
    assert "semst" in call("--version")


@pytest.mark.slow
def test_a_sample_can_be_written_and_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("sample", "cortex", "-o", "cortex.h5ad", "--spots", 120, "--genes", 200)
    assert read_h5ad("cortex.h5ad").shape == (120, 200)
    with pytest.raises(SemstError, match="overwritten"):
        call("sample", "cortex", "-o", "cortex.h5ad", "--spots", 120)


def test_a_mistake_is_one_line_and_exit_code_2(section):
    result = shell("run", section.with_name("none.h5ad"), "-k", "3")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("semst: ")
    assert result.stderr.count("\n") == 1
    told = shell("run", section.with_name("none.h5ad"), "-k", "3", "--debug")
    assert "Traceback" in told.stderr


def test_help_is_quick_to_import():
    code = (
        "import sys; from napari_semst.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'scanpy', 'anndata', 'napari', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
