"""Sources of gene semantics from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from anndata import read_h5ad

from napari_semst.errors import ConfigError, SemanticsError
from tests.semantics.conftest import server  # noqa: F401 - a fixture
from tests.semantics.fake_server import WIDTH, Reply
from tests.test_cli import call, section, shell  # noqa: F401 - a fixture

RUN = ("run", "section.h5ad", "-k", 3, "--epochs", 2)


def test_a_server_is_probed(server):  # noqa: F811
    text = call("server", server.url)
    assert "tiny" in text
    assert f"dimension   {WIDTH}" in text
    assert "1.0000 (unit length)" in text
    told = json.loads(call("server", server.url, "--model", "m", "--json"))
    assert (told["dimension"], told["norm"]) == (WIDTH, 1.0)
    assert server.seen[-1]["model"] == "m"


def test_a_server_that_is_not_there_is_one_line():
    done = shell("server", "http://127.0.0.1:9/v1")
    assert done.returncode == 2
    assert done.stderr.startswith("semst: Expected embeddings from 127.0.0.1:9")
    assert len(done.stderr.splitlines()) == 1


def test_a_run_reads_from_a_server(section, server):  # noqa: F811
    words = (*RUN, "--semantics", f"server:{server.url}", "--semantics-model", "m")
    account = json.loads(call(*words, "--json"))
    assert account["semantics"] == "server"
    assert account["warnings"][0].startswith("Gene lists are sent to 127.0.0.1")
    account = json.loads(call(*words, "--per", "gene", "--json"))
    assert account["warnings"][0].startswith("Gene names are sent to 127.0.0.1")
    assert all(text.startswith("GENE") for text in server.asked[-1])
    with pytest.raises(ConfigError, match=r"semantics\.gene_text.*'symbol'.*'poem'"):
        call(*words, "--per", "gene", "--gene-text", "poem")


def test_a_run_ends_where_the_server_refuses(section, server, tmp_path):  # noqa: F811
    server.always = Reply(401, {"error": {"message": "who are you?"}})
    with pytest.raises(SemanticsError, match=r"who are you\?.*SEMST_API_KEY"):
        call(*RUN, "--semantics", f"server:{server.url}")
    assert [path.name for path in tmp_path.iterdir()] == ["section.h5ad"]


def test_a_run_reads_a_table_and_a_control_is_named(section, tissue, tmp_path):  # noqa: F811
    vectors = np.random.default_rng(0).normal(size=(60, 4))
    rows = [
        ",".join([name, *map(str, row)])
        for name, row in zip(tissue.var_names, vectors, strict=True)
    ]
    (tmp_path / "mine.csv").write_text("\n".join(["symbol,a,b,c,d", *rows]))
    words = (*RUN, "--semantics", "table:mine.csv")
    account = json.loads(call(*words, "--json"))
    assert (account["semantics"], account["coverage"]) == ("table", 1.0)
    text = call(*words, "--control", "shuffled", "-o", "out.h5ad")
    assert "table (CONTROL: shuffled)" in text
    assert "CONTROL RUN (shuffled)" in text
    kept = read_h5ad("out.h5ad").uns["semst"]["default"]["semantics"]
    assert kept["control"] == "shuffled"
    with pytest.raises(ConfigError, match="'random', 'shuffled', 'unrelated'"):
        call(*words, "--control", "noise")
    with pytest.raises(ConfigError, match="Expected a source"):
        call(*RUN, "--semantics", "none", "--control", "random")


def test_a_table_of_named_spots_is_put_in_order(section, tissue, tmp_path):  # noqa: F811
    values = np.random.default_rng(0).normal(size=(tissue.n_obs, 3))
    np.save("plain.npy", values)
    rows = [
        ",".join([name, *map(repr, row.tolist())])
        for name, row in zip(tissue.obs_names, values, strict=True)
    ]
    (tmp_path / "named.csv").write_text("\n".join(["spot,0,1,2", *rows[::-1]]))
    losses = [
        json.loads(call(*RUN, "--semantics", f"precomputed:{name}", "--json"))["losses"]
        for name in ("plain.npy", "named.csv")
    ]
    assert losses[0] == losses[1]
