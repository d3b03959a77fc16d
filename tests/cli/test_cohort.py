"""``semst run`` on several sections, as its users meet it."""

from __future__ import annotations

import json

import pytest
from anndata import read_h5ad

QUICK = ("-k", 3, "--method", "quick")


@pytest.fixture
def sections(tissue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [tmp_path / f"{name}.h5ad" for name in "AB"]
    for path in paths:
        tissue.write_h5ad(path)
    return paths


def test_several_sections_are_done_and_told(semst, sections, tmp_path):
    words = ("run", *sections, *QUICK, "--truth", "ground_truth")
    code, out, err = semst(*words, "--output-dir", "new/results")
    assert code == 0, err
    assert [line.split(":")[0] for line in err.splitlines()] == [
        "1 of 2  A",
        "2 of 2  B",
    ]
    lines = out.splitlines()
    assert lines[0].split()[:5] == ["section", "spots", "domains", "seconds", "ari"]
    assert lines[1].split()[:4] == ["A", "done", "196", "3"]
    assert lines[-1].startswith("2 sections: 2 done. Results: ")
    for name in "AB":
        saved = read_h5ad(tmp_path / "new" / "results" / f"{name}_semst.h5ad")
        assert saved.obs["semst_domain"].nunique() == 3
    code, out, _ = semst(*words, "--output-dir", "new/results", "--quiet")
    assert code == 0
    assert "2 skipped" in out
    assert "A, B: skipped: its result is there" in out
    # One section is a cohort too where a folder is named.
    code, out, _ = semst("run", sections[0], *words[3:], "--output-dir", "new/results")
    assert (code, "1 skipped" in out) == (0, True)


def test_without_a_folder_results_are_here(semst, sections, tmp_path):
    assert semst("run", *sections, *QUICK)[0] == 0
    assert {path.name for path in tmp_path.glob("*_semst.h5ad")} == {
        "A_semst.h5ad",
        "B_semst.h5ad",
    }


def test_a_failure_is_exit_code_1_and_json_is_alone(semst, sections):
    sections[0].write_text("no section")
    words = ("run", *sections, *QUICK, "--output-dir", "results", "--json")
    code, out, err = semst(*words)
    told = json.loads(out)
    assert code == 1
    assert told["counts"] == {"done": 1, "skipped": 0, "failed": 1, "not run": 0}
    assert [section["status"] for section in told["sections"]] == ["failed", "done"]
    assert told["sections"][1]["account"]["n_spots"] == 196
    assert "no HDF5 file" in told["sections"][0]["message"]
    assert err.startswith("1 of 2  A: failed: ")
    code, out, err = semst(*words, "--stop-at-failure", "--quiet")
    told = json.loads(out)
    assert (code, err) == (1, "")
    assert told["counts"] == {"done": 0, "skipped": 0, "failed": 1, "not run": 1}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-o", "x.h5ad"), "--output with one section"),
        (("--csv", "x.csv"), "--csv with one section"),
        (("--figure", "x.png"), "--figure with one section"),
        (("--preset", "dplfc"), "'dlpfc'"),
        (("-k", 0), "number of domains"),
        (("--drop-unannotated",), "--truth"),
        (("--run", "a/b"), "run name"),
        (("none.h5ad",), "none.h5ad"),
        (("A.h5ad",), "names of their own"),
        (("--dask", "somewhere"), "Dask scheduler at somewhere"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    semst, sections, monkeypatch, words, says
):
    monkeypatch.setattr("napari_semst.io.read.read", None)
    code, out, err = semst("run", *sections, *QUICK, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("semst: ")
    assert says in err


def test_ctrl_c_tells_what_is_done(semst, sections, monkeypatch):
    from napari_semst.io import read

    usual = read.read

    def interrupted(path, **options):
        if path.stem == "B":
            raise KeyboardInterrupt
        return usual(path, **options)

    monkeypatch.setattr(read, "read", interrupted)
    code, out, err = semst("run", *sections, *QUICK, "--output-dir", "results")
    assert code == 130
    assert "2 sections: 1 done, 1 not run." in out
    assert "Traceback" not in err
    monkeypatch.undo()
    monkeypatch.chdir(sections[0].parent)
    code, out, _ = semst("run", *sections, *QUICK, "--output-dir", "results")
    assert code == 0
    assert "2 sections: 1 done, 1 skipped." in out
