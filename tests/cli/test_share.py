"""``semst export``, ``import`` and ``figure``, as a shell sees them."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest
from anndata import read_h5ad

from napari_semst import add_labels, add_regions, keys
from napari_semst.errors import ConfigError, InputError, SaveError
from napari_semst.wording import for_shell
from tests.cli.test_main import call


@pytest.fixture
def section(tissue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tissue.obs[keys.DOMAIN] = tissue.obs["ground_truth"]
    path = tmp_path / "a.h5ad"
    tissue.write_h5ad(path)
    return path


def test_regions_go_out_and_come_back(section):
    before = hashlib.sha256(section.read_bytes()).hexdigest()
    assert "Wrote a.geojson" in call("export", section, "-o", "a.geojson")
    said = call("import", section, "a.geojson", "-o", "b.h5ad", "--column", "mine")
    assert "mine: 3 labels" in said
    assert "outside              0 spots" in said
    back = read_h5ad("b.h5ad")
    assert list(back.obs["mine"]) == list(back.obs[keys.DOMAIN])
    assert hashlib.sha256(section.read_bytes()).hexdigest() == before
    with pytest.raises(SaveError) as refused:
        call("export", section, "-o", "a.geojson")
    assert "--overwrite" in for_shell(refused.value)
    call("export", section, "-o", "a.geojson", "--shapes", "both", "--overwrite")


@pytest.mark.parametrize("name", ["a/b", "", "_index", "a\0b"])
def test_names_that_no_file_holds_are_refused_before_the_work(section, name):
    with pytest.raises(ConfigError, match=r"--column.*Call it otherwise, as '"):
        call("import", "absent.h5ad", "absent.geojson", "-o", "b.h5ad",
             "--column", name)  # fmt: skip
    tissue = read_h5ad(section)
    for add in (add_labels, add_regions):
        with pytest.raises(ConfigError, match="new column"):
            add(tissue, "absent.csv", name)


def test_a_table_that_no_store_holds_is_refused(section):
    with pytest.raises(ConfigError, match=r"--table.*as 'a_b'"):
        call("export", "absent.h5ad", "-o", "b.zarr", "--table", "a/b")


def test_tables_go_out_and_come_back(section):
    call("export", section, "-o", "a.csv")
    said = call("import", section, "a.csv", "-o", "b.h5ad")
    assert "without a label      0 spots" in said
    back = read_h5ad("b.h5ad")
    assert list(back.obs["regions"]) == list(back.obs[keys.DOMAIN])


def test_tables_of_loupe(section):
    names = read_h5ad(section).obs_names
    table = pd.DataFrame(
        {"Barcode": [*names[:3], "nobody"], "Mine": ["a", "", "b", "c"]}
    )
    table.to_csv("l.csv", index=False)
    said = call("import", section, "l.csv", "-o", "b.h5ad")
    assert "194 spots" in said
    assert "1 rows name spots that this section lacks" in said
    back = read_h5ad("b.h5ad").obs["regions"]
    assert list(back[:3].astype(object).fillna("none")) == ["a", "none", "b"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("barcode\nx\n", "one of labels"),
        ("barcode,a,b\nx,1,2\n", "one column of labels"),
        ("barcode,a\nx,1\n", "labels of this section's spots"),
        ("barcode,a\nx,1\nx,2\n", "each spot once"),
        ("", "file is empty"),
    ],
)
def test_other_tables_are_refused(section, tmp_path, table, words):
    (tmp_path / "l.csv").write_text(table)
    with pytest.raises(InputError, match=words):
        call("import", section, "l.csv", "-o", "b.h5ad")


def test_a_figure_of_columns_and_genes(section, tmp_path):
    said = call("figure", section, "-o", "a.png", "-c", keys.DOMAIN, "-c", "GENE1",
                "--dpi", 40)  # fmt: skip
    assert said == "Wrote a.png.\n"
    call("figure", section, "-o", "b.png", "--dpi", 40)
    with pytest.raises(InputError, match="Did you mean"):
        call("figure", section, "-o", "c.png", "-c", "gene1")
    assert not (tmp_path / "c.png").exists()


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("export", "a.h5ad", "-o", "a.txt"), SaveError, "ending of --output"),
        (("export", "a.h5ad", "-o", "x/a.csv"), SaveError, "existing folder"),
        (("import", "a.h5ad", "a.geojson", "-o", "a.h5ad"), SaveError, "never written"),
        (("import", "a.h5ad", "a.geojson", "-o", "b.csv"), SaveError, ".h5ad"),
        (("import", "a.h5ad", "no.geojson", "-o", "b.h5ad"), InputError, "is none"),
        (("figure", "a.h5ad", "-o", "a.gif"), SaveError, ".svg"),
        (("figure", "a.h5ad", "-o", "a.png", "--no-image"), ConfigError, "--color"),
        (("figure", "a.h5ad", "-o", "a.png", "--run", "r", "-c", "x"), ConfigError,
         "semst_domain_r"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_before_the_work(section, words, error, said):
    with pytest.raises(error, match=said):
        call(*words)
