"""``semst transfer`` and ``semst signature``, as at a shell."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from napari_semst import keys
from napari_semst.errors import ConfigError, InputError
from napari_semst.io.export.h5ad import write
from napari_semst.io.read import read
from tests.cli.test_main import call
from tests.transfer.sections import layers


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An annotated section and another one, in a folder."""
    monkeypatch.chdir(tmp_path)
    write(layers(0), "reference.h5ad")
    write(layers(1), "target.h5ad")
    return tmp_path


def said(result):
    return json.loads(result)


def test_a_section_is_named_from_another_and_from_its_signature(here):
    words = ("target.h5ad", "--domains", "cluster", "--json", "-q")
    first = said(
        call("transfer", "reference.h5ad", *words, "--labels", "layer", "-o", "a.h5ad")
    )
    assert [one["name"] for one in first["domains"]] == [
        "layer 2",
        "layer 1",
        "layer 0",
    ]
    assert first["genes"]["shared"] == first["genes"]["target"] > 50
    assert first["references"] == ["reference.h5ad"]
    assert first["written"] == ["a.h5ad"]
    told = call("signature", "reference.h5ad", "--labels", "layer", "-o", "lab.npz")
    assert "3 names by 60 genes (human), no counts" in told
    again = said(call("transfer", "lab.npz", *words))
    # Half precision changes the last digits.
    for one, other in zip(first["domains"], again["domains"], strict=True):
        assert (one["name"], one["q"]) == (other["name"], other["q"])
    tissue = read("a.h5ad")
    assert (tissue.obs[keys.TRANSFER].dropna().nunique(), tissue.n_obs) == (3, 225)


def test_tables_and_figures_carry_the_names(here):
    call("signature", "reference.h5ad", "--labels", "layer", "-o", "lab.npz", "-q")
    told = call(
        "transfer", "lab.npz", "target.h5ad", "--domains", "cluster", "-o", "a.h5ad",
        "--csv", "a.csv", "--figure", "a.png", "-q",
    )  # fmt: skip
    assert "3 of 3 domains" in told
    assert "c0  layer 2" in told
    assert "layer 2" in set(pd.read_csv("a.csv")["transfer_domain"])
    assert (here / "a.png").stat().st_size > 5000
    # The rest of the tools reads it.
    call("export", "a.h5ad", "--column", keys.TRANSFER_DOMAIN, "-o", "a.geojson")
    assert '"layer 2"' in (here / "a.geojson").read_text()
    call("figure", "a.h5ad", "-o", "b.png", "-c", keys.TRANSFER)


def test_reports_show_the_names(here, monkeypatch):
    call("signature", "reference.h5ad", "--labels", "layer", "-o", "lab.npz", "-q")
    call("run", "target.h5ad", "-k", "3", "--method", "quick", "-o", "run.h5ad", "-q")
    call("transfer", "lab.npz", "run.h5ad", "-o", "a.h5ad", "-q")
    call("report", "a.h5ad", "-o", "a.html")
    page = (here / "a.html").read_text()
    assert "Names from lab.npz" in page
    assert page.count("is named layer") == 3


def test_a_figure_is_drawn_where_nothing_got_a_name(here):
    noise = layers(2)
    noise.X.data[:] = np.random.default_rng(0).poisson(3, noise.X.nnz) + 1
    write(noise, "noise.h5ad")
    told = call(
        "transfer", "builtin:cortex", "noise.h5ad", "--domains", "cluster",
        "-o", "a.h5ad", "--figure", "a.png", "-q",
    )  # fmt: skip
    assert "0 of 3 domains and 0 of 225 spots" in told
    assert "names from         builtin:cortex-human" in told
    assert told.count("none of these; nearest") == 3
    assert (here / "a.png").stat().st_size > 5000


def test_what_is_wrong_is_told(here):
    with pytest.raises(InputError, match="another section than the target"):
        call("transfer", "target.h5ad", "target.h5ad", "--labels", "layer")
    with pytest.raises(InputError, match="layer, cluster"):
        call("transfer", "reference.h5ad", "target.h5ad", "--labels", "no", "-q")
    with pytest.raises(InputError, match="that holds the names; got none"):
        call("transfer", "reference.h5ad", "target.h5ad")
    with pytest.raises(InputError, match="builtin:cortex"):
        call("transfer", "builtin:kidney", "target.h5ad")
    with pytest.raises(ConfigError, match="fdr"):
        call("transfer", "builtin:cortex", "target.h5ad", "--fdr", "2")
    assert not (here / "target_semst.h5ad").exists()
