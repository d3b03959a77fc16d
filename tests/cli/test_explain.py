"""``semst explain``, as a shell sees it."""

from __future__ import annotations

import csv
import hashlib
import json

import pytest
from anndata import read_h5ad

from napari_semst.errors import SaveError
from napari_semst.io.export.h5ad import write
from napari_semst.pipeline.run import attach
from tests.cli.test_main import call
from tests.small import named


@pytest.fixture
def section(tissue, result_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "section.h5ad"
    write(attach(named(tissue), result_of("auto")), path)
    return path


def test_sentences_and_json_tell_the_same_and_the_input_stays(section):
    before = hashlib.sha256(section.read_bytes()).hexdigest()
    said = call("explain", section, "--draws", 99)
    told = json.loads(call("explain", section, "--draws", 99, "--json"))
    sentences = [one["sentence"] for one in told["domains"].values()]
    assert said.splitlines()[:3] == sentences
    assert all(s.startswith(f"Domain {n + 1} (") for n, s in enumerate(sentences))
    assert hashlib.sha256(section.read_bytes()).hexdigest() == before


def test_a_table_and_a_file_are_written(section):
    call("explain", section, "--draws", 99, "-o", "why.csv")
    with open("why.csv") as stream:
        kinds = {row["kind"] for row in csv.DictReader(stream)}
    assert {"gene", "semantic gene"} <= kinds
    call("explain", section, "--draws", 99, "-o", "why.h5ad")
    saved = read_h5ad("why.h5ad")
    assert "domains" in saved.uns["semst"]["default"]["explanation"]
    assert "semst_modulation" in saved.obs


def test_a_column_of_labels_is_told_by_genes(section):
    said = call("explain", section, "--labels", "ground_truth", "--semantics", "none")
    assert "Domain band 0 (70 spots): genes " in said


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "why.txt"),
        ("-o", "section.h5ad"),
        ("-o", "why.h5ad", "--labels", "ground_truth"),
        ("-o", "none/why.csv"),
    ],
)
def test_places_that_will_not_do_are_refused_before_the_work(section, words):
    with pytest.raises(SaveError):
        call("explain", section, *words)
