"""Sources of gene semantics from the command line."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from anndata import read_h5ad
from typer.testing import CliRunner

from napari_semst.cli.main import app
from napari_semst.errors import ConfigError, SemanticsError
from napari_semst.io.export.h5ad import write
from tests.cli.test_main import call, section, shell  # noqa: F401 - a fixture
from tests.semantics.fake_server import WIDTH, Reply
from tests.transfer.sections import layers

RUN = ("run", "section.h5ad", "-k", 3, "--epochs", 2)


def test_a_server_is_probed(server):
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


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_what_leaves_the_machine_is_said_before_it_does(section, server, quiet):  # noqa: F811
    words = (*RUN, "--semantics", f"server:{server.url}", *quiet)
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    said = [line for line in done.stderr.splitlines() if "are sent to" in line]
    assert said == [f"Gene lists are sent to {server.url[7:-3]}: a server on this "
                    "machine, unless that is a tunnel."]  # fmt: skip
    assert json.loads(done.stdout)["n_domains"] == 3


def test_a_log_says_what_a_language_model_will_take(section, tiny_qwen):  # noqa: F811
    words = (*RUN, "--semantics", f"genes:{tiny_qwen}", "--gene-text", "symbol")
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert "texts are read, one for each listed gene" in done.stderr
    done = CliRunner().invoke(app, [*map(str, words), "--json", "--quiet"])
    assert done.stderr == ""


def test_several_sections_say_once_what_they_send(section, server, tmp_path):  # noqa: F811
    other = tmp_path / "other.h5ad"
    shutil.copy(section, other)
    words = ("run", section, other, "-k", 3, "--epochs", 1, "--output-dir", tmp_path)
    words += ("--semantics", f"server:{server.url}", "--quiet")
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.stderr.count("Gene lists are sent to") == 1


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


def test_genes_without_a_vector_are_told_after_the_run_and_in_the_report(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    tissue = layers(0)
    tissue.var_names = ["MALAT1", *tissue.var_names[1:]]
    write(tissue, "a.h5ad")
    words = ("-k", "3", "--epochs", "2", "--semantics", "builtin", "-q")
    told = call("run", "a.h5ad", *words, "-o", "b.h5ad")
    assert "  gene names         59 of 60 genes and " in told
    share = told.partition("most counted without: MALAT1 ")[2].split("%")[0]
    expected = 100 * tissue.X[:, 0].sum() / tissue.X.sum()
    assert float(share) == pytest.approx(expected, abs=0.01)
    call("report", "b.h5ad", "-o", "b.html")
    assert f"MALAT1 {share}%" in (tmp_path / "b.html").read_text()
