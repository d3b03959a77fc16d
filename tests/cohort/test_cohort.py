"""A cohort on this machine: what is done, skipped, refused; and what is left over."""

from __future__ import annotations

import dataclasses
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from anndata import read_h5ad

from napari_semst import find_domains, find_domains_cohort
from napari_semst.cohort.fingerprint import input_fingerprint, why_outdated
from napari_semst.cohort.plan import plan_cohort
from napari_semst.cohort.section import run_cohort_section
from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import ConfigError, InputError, SaveError
from napari_semst.pipeline.job import Scoring
from tests.conftest import banded_tissue
from tests.io.outs import write_outs

FEW_STARTS = {"domains": {"n_starts": 1}}
SETTINGS = {"n_domains": 3, "method": "quick", "overrides": FEW_STARTS}


def seen_of(task):
    """Return what tells the input of a task apart."""
    return run_to_end(input_fingerprint(task, RunControl()))["input"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder of two sections, and of their results: to be copied."""
    folder = tmp_path_factory.mktemp("done")
    for name in "AB":
        banded_tissue().write_h5ad(folder / f"{name}.h5ad")
    find_domains_cohort(
        sorted(folder.glob("*.h5ad")), **SETTINGS, output_dir=folder / "results"
    )
    return folder


@pytest.fixture
def sections(done, tmp_path):
    paths = [tmp_path / f"{name}.h5ad" for name in "AB"]
    for path in paths:
        shutil.copy2(done / path.name, path)
    return paths


@pytest.fixture
def results(done, tmp_path):
    """The results of both sections, as `cohort` wrote them earlier."""
    shutil.copytree(done / "results", tmp_path / "results")
    return sorted((tmp_path / "results").iterdir())


@pytest.fixture
def cohort(sections, tmp_path):
    """Run both sections; settings can be put over the usual ones."""

    def run(**options):
        usual = {"n_domains": 3, "method": "quick", "output_dir": tmp_path / "results"}
        overrides = FEW_STARTS | options.pop("overrides", {})
        return find_domains_cohort(
            sections, **{**usual, **options}, overrides=overrides
        )

    return run


def statuses(outcomes):
    return [outcome.status for outcome in outcomes]


def tasks_of(sources, folder, request=None, **options):
    few = Request("quick", FEW_STARTS)
    request = request or few.with_settings("domains", n_domains=3)
    usual = {"run": "default", "scoring": Scoring(None, False), "overwrite": False}
    return plan_cohort(sources, folder, request, **{**usual, **options})


def test_each_section_is_the_same_as_on_its_own(cohort, sections):
    heard = []
    outcomes = cohort(on_progress=lambda name, event: heard.append((name, event.stage)))
    assert statuses(outcomes) == ["done", "done"]
    alone = find_domains(sections[1], **SETTINGS)
    saved = read_h5ad(outcomes[1].result)
    assert list(saved.obs["semst_domain"]) == list(alone.obs["semst_domain"])
    assert outcomes[1].account["n_spots"] == saved.n_obs
    assert {("A", "read"), ("B", "assign")} <= set(heard)


def test_what_is_there_is_skipped_and_not_touched(cohort):
    first = cohort(truth="ground_truth")
    before = [Path(o.result).stat().st_mtime_ns for o in first]
    Path(first[0].result).unlink()
    again = cohort(truth="ground_truth")
    assert statuses(again) == ["done", "skipped"]
    assert Path(again[1].result).stat().st_mtime_ns == before[1]
    assert "same input, settings and version" in again[1].message
    new, old = (
        {k: v for k, v in o[1].account.items() if k not in ("peak_memory_mb",)}
        for o in (again, first)
    )
    assert new == old
    assert statuses(cohort(overwrite=True)) == ["done", "done"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": 1}, "training.seed was 0, not 1"),
        ({"n_domains": 4}, "domains.n_domains was 3, not 4"),
        ({"overrides": {"prepare": {"clip": 5.0}}}, "prepare.clip was 10.0, not 5.0"),
        ({"run": "other"}, "no run named 'other'"),
    ],
)
@pytest.mark.usefixtures("results")
def test_results_of_other_settings_are_refused_before_the_work(cohort, options, says):
    with pytest.raises(SaveError, match=says):
        cohort(**options)
    assert statuses(cohort()) == ["skipped", "skipped"]


@pytest.mark.usefixtures("results")
def test_a_changed_input_is_noticed_though_its_date_is_not(cohort, sections, tissue):
    import os

    was = sections[0].stat()
    tissue.X.data[0] += 1
    tissue.write_h5ad(sections[0])
    os.utime(sections[0], ns=(was.st_atime_ns, was.st_mtime_ns))
    outcomes = cohort()
    assert statuses(outcomes) == ["failed", "skipped"]
    assert "the input has changed since" in outcomes[0].message


def test_another_version_and_other_files_are_not_taken_for_results(
    cohort, sections, results, tmp_path
):
    task = tasks_of(sections, tmp_path / "results")[0]
    assert why_outdated(task) == ""
    newer = dataclasses.replace(task, version="9.9")
    assert why_outdated(newer) == f"made by version {task.version}, not 9.9"
    assert "9.9 on the worker" in run_cohort_section(newer, lambda _: None).message
    annotated = dataclasses.replace(task, truth="t", drop_unannotated=True)
    assert why_outdated(annotated) == "spots: all, not with t"
    whole = results[0].read_bytes()
    results[0].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SaveError, match="no run named"):
        cohort()
    single = find_domains(sections[0], **SETTINGS)
    single.write_h5ad(results[0])
    with pytest.raises(SaveError, match="what file it was made from"):
        cohort()


def test_one_failure_does_not_cost_the_rest(cohort, sections, monkeypatch):
    sections[0].write_text("no section")
    assert statuses(cohort()) == ["failed", "done"]
    stopped = cohort(keep_going=False)
    assert statuses(stopped) == ["failed", "not run"]

    def fault(*_, **__):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("napari_semst.io.read.read", fault)
    outcomes = cohort(overwrite=True)
    assert statuses(outcomes) == ["failed", "failed"]
    assert "ZeroDivisionError: oh" in outcomes[1].message


def test_an_interrupted_cohort_is_taken_up_where_it_was(cohort, tmp_path, monkeypatch):
    from napari_semst.io import read

    usual = read.read

    def interrupted(path, **options):
        if Path(path).stem == "B":
            raise KeyboardInterrupt
        return usual(path, **options)

    monkeypatch.setattr(read, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cohort()
    monkeypatch.undo()
    folder = tmp_path / "results"
    assert [path.name for path in folder.iterdir()] == ["A_semst.h5ad"]
    # As a process leaves it that was killed while writing.
    (folder / ".B_semst.h5ad.0123abcd.tmp").write_text("half")
    (folder / ".C_semst.h5ad.0123abcd.tmp").write_text("of another cohort")
    assert statuses(cohort()) == ["skipped", "done"]
    assert sorted(path.name for path in folder.iterdir()) == [
        ".C_semst.h5ad.0123abcd.tmp",
        "A_semst.h5ad",
        "B_semst.h5ad",
    ]


def test_what_cannot_be_is_refused_before_the_work(sections, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(sections[0], other / "a.h5ad")
    with pytest.raises(InputError, match="both be saved as"):
        tasks_of([*sections, other / "a.h5ad"], tmp_path / "results")
    with pytest.raises(InputError, match="2 of 3 are not"):
        tasks_of([sections[0], "none", "neither"], tmp_path / "results")
    with pytest.raises(InputError, match="at least one"):
        tasks_of([], tmp_path / "results")
    result = tmp_path / "A_semst.h5ad"
    shutil.copy(sections[0], result)
    with pytest.raises(SaveError, match="is an input and the place of the result of A"):
        tasks_of([*sections, result], tmp_path)
    with pytest.raises(SaveError, match="could not be made"):
        tasks_of(sections, sections[0])
    with pytest.raises(ConfigError, match="number of domains"):
        tasks_of(sections, tmp_path / "results", Request())
    with pytest.raises(ConfigError, match="drop_unannotated"):
        tasks_of(sections, tmp_path / "results", scoring=Scoring(None, True))
    assert not (tmp_path / "results").exists()


def test_paths_travel_absolute(sections, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("meaning.npy", np.zeros((196, 3)))
    request = (
        Request()
        .with_settings("domains", n_domains=3)
        .with_settings("semantics", source="precomputed", embedding="meaning.npy")
    )
    task = tasks_of(["A.h5ad"], "results", request)[0]
    assert Path(task.source) == sections[0]
    assert Path(task.result) == tmp_path / "results" / "A_semst.h5ad"
    settings = Request.from_toml(task.request).overrides["semantics"]
    assert settings["embedding"] == str(tmp_path / "meaning.npy")
    first = seen_of(task)
    np.save("meaning.npy", np.ones((196, 3)))
    assert seen_of(task)["sha256"] != first["sha256"]


@pytest.mark.parametrize(
    "part", ["filtered_feature_bc_matrix.h5", "spatial/tissue_positions.csv"]
)
def test_a_folder_is_known_by_the_files_that_are_read(tissue, tmp_path, part):
    outs = write_outs(tmp_path / "Sample7" / "outs", tissue)
    task = tasks_of([outs], tmp_path / "results")[0]
    assert task.name == "Sample7"
    first = seen_of(task)
    (outs / "web_summary.html").write_text("of no account")
    assert seen_of(task) == first
    with (outs / part).open("ab") as file:
        file.write(b"\n")
    assert seen_of(task)["sha256"] != first["sha256"]


def test_a_store_is_known_by_all_its_files(tissue, tmp_path):
    store = tmp_path / "section.zarr"
    with warnings.catch_warnings():
        # Of the format's future, not of this store.
        warnings.simplefilter("ignore")
        tissue.write_zarr(store)
    task = tasks_of([store], tmp_path / "results")[0]
    first = seen_of(task)
    assert seen_of(task) == first
    one = max(f for f in (store / "X").rglob("*") if f.is_file())
    one.write_bytes(one.read_bytes() + b"0")
    assert seen_of(task)["sha256"] != first["sha256"]


def test_a_number_is_chosen_for_each_section(cohort, tissue, tmp_path):
    band = tissue[tissue.obs["ground_truth"] != "band 2"].copy()
    band.write_h5ad(tmp_path / "B.h5ad")
    outcomes = cohort(n_domains="auto")
    assert [outcome.status for outcome in outcomes] == ["done", "done"]
    results = [
        read_h5ad(outcome.result).uns["semst"]["default"] for outcome in outcomes
    ]
    chosen = [int(told["number_of_domains"]["chosen"]) for told in results]
    assert [outcome.account["n_domains"] for outcome in outcomes] == chosen
    assert {outcome.status for outcome in cohort(n_domains="auto")} == {"skipped"}


def test_a_gene_table_travels_absolute_and_counts_as_input(
    sections, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("genes.csv").write_text("symbol,a\nGENE1,1\n")
    request = (
        Request()
        .with_settings("domains", n_domains=3)
        .with_settings("semantics", source="table", table="genes.csv")
    )
    task = tasks_of(["A.h5ad"], "results", request)[0]
    settings = Request.from_toml(task.request).overrides["semantics"]
    assert settings["table"] == str(tmp_path / "genes.csv")
    first = seen_of(task)
    Path("genes.csv").write_text("symbol,a\nGENE1,2\n")
    assert seen_of(task)["sha256"] != first["sha256"]


def test_skipped_sections_have_the_scores_they_had(sections, cohort):
    for path in sections:
        tissue = read_h5ad(path)
        tissue.obs["slide"] = ["a", "b"] * (tissue.n_obs // 2)
        tissue.write_h5ad(path)
    options = {"overrides": {"prepare": {"section_key": "slide"}}}
    first, second = cohort(**options), cohort(**options)
    assert {outcome.status for outcome in second} == {"skipped"}
    for one, other in zip(first, second, strict=True):
        assert one.account["spatial_scores"] == other.account["spatial_scores"]
