"""``semst bench``, as its users meet it."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from napari_semst.bench import here
from napari_semst.bench.process import CellOutcome
from tests.bench.cases import Inside, inside, saved  # noqa: F401 - a fixture

SHORT = ("--epochs", 2, "--seeds", 1, "--tables", 3, "--figures", "none")


@pytest.fixture(autouse=True)
def _inside(inside, monkeypatch, tmp_path):  # noqa: F811
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sections(tissue, tmp_path):
    first = saved(tissue, tmp_path)
    other = tissue.copy()
    other.obs["layer"] = other.obs.pop("ground_truth")
    return first, saved(other, tmp_path, "B")


def test_files_are_compared_each_by_its_own_annotation(semst, sections, tmp_path):
    words = ["bench", *sections, "--labels", "ground_truth", "--labels", "B=layer"]
    words += ["--methods", "graphst", "--fusions", "none,fsm", "--controls", "none"]
    code, out, err = semst(*words, *SHORT, "-o", "out")
    assert code == 0, err
    assert out.startswith("4 cells done, 0 were there, 0 failed")
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    assert dict(zip(table.file, table.labels, strict=True)) == {
        "A": "ground_truth",
        "B": "layer",
    }
    assert set(table.fusion) == {"none", "fsm"}
    # The folder holds the plan, which does the same again.
    again = ("bench", "--plan", "out/plan.json", "-o", "out", "--json")
    code, out, _ = semst(*again)
    assert code == 0
    account = json.loads(out)
    assert (account["done"], account["skipped"], account["rows"]) == (0, 4, 8)


def test_the_results_of_what_is_finished_can_be_had_at_any_time(
    semst, sections, tmp_path
):
    words = ("bench", sections[0], "--labels", "ground_truth", "--methods", "quick")
    first = ("--tables", 1, "--figures", "none", "-o", "out")
    assert semst(*words, *first, "--seeds", 1)[0] == 0
    code, out, _ = semst(*words, *first, "--seeds", 3, "--finished-only")
    assert code == 0
    assert out.startswith("0 cells done, 1 were there, 0 failed")
    assert len(Inside.began) == 1
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "1 of 3 cells finished" in page


def test_a_dry_run_says_how_much_there_is_and_writes_nothing(semst, sections, tmp_path):
    words = ["bench", sections[0], "--labels", "ground_truth", *SHORT, "--dry-run"]
    code, out, _ = semst(*words, "--methods", "sedr,graphst")
    assert code == 0
    assert out.startswith("6 cells: 0 finished, 6 to do, about ")
    told = json.loads(semst(*words, "--json")[1])
    assert told["cells"] == 27
    assert not Inside.began
    assert not (tmp_path / "semst_bench").exists()


def test_a_cell_that_fails_ends_with_1(semst, sections, monkeypatch):
    class Failing(Inside):
        def heard(self):
            yield CellOutcome(self.cell, "failed", "Expected more.")

    monkeypatch.setattr(here, "CellProcess", Failing)
    words = ("bench", sections[0], "--labels", "ground_truth", "--methods", "sedr")
    code, out, _ = semst(*words, "--fusions", "none", *SHORT)
    assert code == 1
    assert "failed    A sedr, seed 0: Expected more." in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--labels COLUMN"),
        (("--labels", "C=layer"), "Files are called A"),
        (("--labels", "ground_truth", "--methods", "banksy"), "methods"),
        (("--labels", "ground_truth", "-k", "many"), "Give -k 7"),
        (("--labels", "nothing"), "Expected an annotation in obs['nothing']"),
        (("--labels", "ground_truth", "--published", "MVC"), "name of a file"),
    ],
)
def test_what_cannot_be_compared_is_refused(semst, sections, words, told):
    code, _, err = semst("bench", sections[0], *words, *SHORT)
    assert code == 2
    assert told in err


def test_without_files_it_says_what_it_expects(semst):
    code, _, err = semst("bench", *SHORT)
    assert code == 2
    assert "Expected annotated sections" in err
