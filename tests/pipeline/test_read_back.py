"""Every command reads what every kind of run has written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import read_h5ad

from napari_semst.io.export.h5ad import write
from napari_semst.sample import simulated_discordance
from tests.cli.test_main import call
from tests.conftest import banded_tissue
from tests.small import named

SHORT = ("-k", "3", "--epochs", "2", "--device", "cpu", "-q")


@pytest.fixture
def section(tmp_path, monkeypatch):
    """A section, a gene table and an embedding of it in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEMST_CACHE", str(tmp_path / "cache"))
    tissue = named(banded_tissue())
    write(tissue, "in.h5ad")
    random = np.random.default_rng(0)
    vectors = random.normal(size=(tissue.n_vars, 6))
    pd.DataFrame(vectors, index=tissue.var_names).to_csv("vectors.csv")
    np.save("embedding.npy", random.normal(size=(tissue.n_obs, 6)).astype("f4"))
    return "in.h5ad"


SOME = (
    ("verify", "out.h5ad", "-q"),
    ("report", "out.h5ad", "-o", "out.html"),
    ("domains", "out.h5ad", "-k", "2", "-o", "two.csv"),
    ("inspect", "out.h5ad"),
)
ALL = (
    *SOME,
    ("report", "out.h5ad", "--run", "default", "-o", "named.html"),
    ("figure", "out.h5ad", "-o", "out.png"),
    ("figure", "out.h5ad", "-c", "semst_domain", "-o", "colour.svg"),
    ("export", "out.h5ad", "-o", "out.geojson"),
    ("export", "out.h5ad", "-o", "out.csv"),
    ("import", "in.h5ad", "out.geojson", "-o", "imported.h5ad"),
    ("explain", "out.h5ad", "-o", "explained.h5ad"),
    ("score", "out.h5ad", "--truth", "ground_truth"),
    ("inspect", "out.h5ad", "--quick"),
)


def read_by(commands):
    """Let commands read ``out.h5ad``."""
    for command in commands:
        call(*command)
    assert "Gene semantics" in Path("out.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "options",
    [
        ("--semantics", "none"),
        ("--semantics", "builtin"),
        ("--semantics", "table:vectors.csv"),
        ("--semantics", "precomputed:embedding.npy"),
        ("--method", "quick", "-k", "auto"),
        *(("--readout", readout) for readout in ("gmm-full", "kmeans", "leiden")),
    ],
    ids=" ".join,
)
def test_what_a_run_wrote_is_read(section, options):
    call("run", section, *SHORT, "-o", "out.h5ad", *options)
    read_by(ALL if "builtin" in options else SOME)


@pytest.mark.parametrize("per", ["spot", "gene"])
def test_what_a_run_with_a_server_wrote_is_read(section, server, per):
    words = ("--semantics", f"server:{server.url}", "--per", per)
    call("run", section, *SHORT, "-o", "out.h5ad", *words)
    recorded = read_h5ad("out.h5ad").uns["semst"]["default"]["semantics"]
    assert recorded["coverage"] == "", "a server cannot know"
    read_by(SOME)
    assert "Genes it knows" not in Path("out.html").read_text(encoding="utf-8")


def test_what_a_run_with_an_image_wrote_is_read(section):
    tissue = simulated_discordance(300, 60)
    tissue.obs["ground_truth"] = tissue.obs[tissue.obs.columns[0]].astype(str)
    write(tissue, "in.h5ad", overwrite=True)
    call("run", section, *SHORT, "-o", "out.h5ad", "--method", "image-guided")
    read_by(SOME)


def test_names_and_colours_that_others_wrote_are_drawn(section):
    call("run", section, *SHORT, "-o", "ran.h5ad", "--method", "quick")
    tissue = read_h5ad("ran.h5ad")
    names = ["$a_{", "b$", "$\\notacommand$ & <b>"]
    tissue.obs["semst_domain"] = tissue.obs["semst_domain"].cat.rename_categories(names)
    for colors in (
        np.array(["red", "no colour", ""], dtype=object),
        np.array([1.0, 2.0, 3.0]),
        np.array(["#123456"], dtype=object),
        "blue",
    ):
        tissue.uns["semst_domain_colors"] = colors
        write(tissue, "out.h5ad", overwrite=True)
        call("figure", "out.h5ad", "-o", "out.svg", "--overwrite")
        call("report", "out.h5ad", "-o", "out.html", "--overwrite")
        drawn = Path("out.svg").read_text(encoding="utf-8")
        assert "$a_{" in drawn
        assert "notacommand$ &amp; &lt;b&gt;" in drawn
