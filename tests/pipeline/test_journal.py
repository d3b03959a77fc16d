"""A journal tells all that happens, in lines that a schema describes, and no secret."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import napari_semst
from napari_semst.cli.main import app
from napari_semst.core.progress import FORESEEN, Progress
from napari_semst.errors import Cancelled, SaveError
from napari_semst.io.export.h5ad import write
from napari_semst.io.read import read
from napari_semst.pipeline import journal as module
from napari_semst.pipeline.journal import Journal, journal_schema
from tests.cli.test_main import call
from tests.small import named

SCHEMA = json.loads(journal_schema().read_text(encoding="utf-8"))
KEY = "sk-0123456789abcdef"


def check(lines):
    jsonschema = pytest.importorskip("jsonschema", reason="comes with napari")
    checker = jsonschema.Draft202012Validator(SCHEMA)
    for line in lines:
        # A line is of one kind alone; its own schema says more than all together.
        (kind,) = (
            one
            for one in SCHEMA["oneOf"]
            if one["properties"]["event"]["const"] == line["event"]
        )
        checker.evolve(schema={**kind, "$defs": SCHEMA["$defs"]}).validate(line)
        checker.validate(line)
    return lines


def lines_of(path):
    text = Path(path).read_text(encoding="utf-8")
    assert text.endswith("\n")
    return check([json.loads(line) for line in text.splitlines()])


def of(lines, event):
    return [line for line in lines if line["event"] == event]


def told_of(work, told, arguments=()):
    with Journal(told.append, arguments=arguments) as journal:
        work(journal)


@pytest.fixture
def here(tissue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(named(tissue), "a.h5ad")
    return tmp_path


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


QUICK = ("run", "a.h5ad", "-k", "3", "--method", "quick", "--journal", "j.jsonl", "-q")


def test_a_run_is_told_from_start_to_end(here, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    monkeypatch.setattr(module, "_SHARE", 0.0)
    words = ("--epochs", "2", "--device", "cpu", "--csv", "a.csv", "--seed", "7")
    call("run", "a.h5ad", "-k", "3", *words, "--journal", "j.jsonl", "-q")
    lines = lines_of("j.jsonl")
    assert len({line["run"] for line in lines}) == 1
    start, end = lines[0], lines[-1]
    assert start["event"] == "start"
    assert start["pid"] == os.getpid()
    assert start["inputs"] == ["a.h5ad"]
    (inputs,) = of(lines, "inputs")
    size = os.path.getsize("a.h5ad")
    assert inputs["files"] == [
        {"path": "a.h5ad", "bytes": size, "sha256": sha256("a.h5ad")}
    ]
    assert start["outputs"] == ["a_semst.h5ad", "a.csv"]
    assert (start["seed"], start["settings"]["training"]["epochs"]) == (7, 2)
    assert start["device"]["name"] == "cpu"
    assert {"python", "napari-semst", "torch"} <= start["versions"].keys()
    stages = [line["stage"] for line in of(lines, "stage_start")]
    assert stages == ["read", "prepare", "describe", "train", "assign", "write"]
    assert [line["stage"] for line in of(lines, "stage_end")] == stages
    train = [x for x in of(lines, "progress") if "loss" in x["metrics"]]
    assert [(x["step"], x["steps"]) for x in train] == [(1, 2), (2, 2)]
    (result,) = of(lines, "result")
    assert {x["path"]: x["sha256"] for x in result["files"]} == {
        name: sha256(name) for name in ("a_semst.h5ad", "a.csv")
    }
    saved = read("a_semst.h5ad")
    codes = saved.obs["semst_domain"].cat.codes.to_numpy().astype("<i4")
    assert result["domains_sha256"] == hashlib.sha256(codes.tobytes()).hexdigest()
    assert result["input_hash"] == saved.uns["semst"]["default"]["input_hash"]
    assert (end["event"], end["status"], end["error"]) == ("end", "done", None)


def test_a_run_adds_to_the_journal_of_the_last(here):
    call(*QUICK)
    before = Path("j.jsonl").read_text()
    # The machine went down in the middle of a line.
    Path("j.jsonl").write_text(before + '{"time": "20')
    refused = CliRunner().invoke(app, QUICK)
    assert isinstance(refused.exception, SaveError)
    text = Path("j.jsonl").read_text()
    assert text.startswith(before + '{"time": "20\n')
    lines = check([json.loads(x) for x in text.splitlines() if x != '{"time": "20'])
    assert len({line["run"] for line in lines}) == 2
    end = lines[-1]
    assert (end["status"], end["error"]["type"]) == ("failed", "SaveError")
    # In the words of whoever is at a shell.
    assert "add --overwrite" in end["error"]["text"]


def test_no_other_file_is_added_to(here):
    Path("mine.txt").write_text("my notes\n")
    words = (*QUICK[:-2], "mine.txt", "-q")
    with pytest.raises(SaveError, match="found something else"):
        call(*words)
    assert Path("mine.txt").read_text() == "my notes\n"
    assert not Path("a_semst.h5ad").exists()


def test_apply_and_embed_have_one_too(here):
    call(*QUICK, "--save-model", "m.safetensors")
    call("apply", "m.safetensors", "a.h5ad", "-o", "b.h5ad", "--journal", "k.jsonl")
    lines = lines_of("k.jsonl")
    assert (lines[0]["command"], lines[-1]["status"]) == ("apply", "done")
    assert of(lines, "result")[0]["files"][0]["sha256"] == sha256("b.h5ad")
    call(
        *("embed", "a.h5ad", "--semantics", "builtin", "-o", "e.npz"),
        *("--journal", "k.jsonl", "-q"),
    )
    lines = [x for x in lines_of("k.jsonl") if x["run"] != lines[0]["run"]]
    assert (lines[0]["command"], lines[-1]["status"]) == ("embed", "done")
    assert of(lines, "result")[0]["files"][0]["sha256"] == sha256("e.npz")


def test_every_section_of_a_cohort_is_told(here, tissue):
    Path("b.h5ad").write_text("no section")
    words = ("run", "a.h5ad", "b.h5ad", "-k", "3", "--method", "quick", "-q")
    for status in ("done", "skipped"):
        done = CliRunner().invoke(
            app, [*words, "--journal", "j.jsonl", "--output-dir", "out"]
        )
        assert done.exit_code == 1
        lines = lines_of("j.jsonl")
        own = [x for x in lines if "section" not in x][-4:]
        assert [x["event"] for x in own] == ["start", "section", "section", "end"]
        assert own[0]["n_sections"] == 2
        assert [x["status"] for x in own[1:]] == [status, "failed", "failed"]
        ends = [x for x in of(lines, "end") if x.get("section")][-2:]
        assert [x["status"] for x in ends] == [status, "failed"]
        assert own[2]["message"] == ends[1]["error"]["text"]


def test_python_is_told_the_same(here, tissue):
    told = []
    napari_semst.find_domains(
        named(tissue), n_domains=3, method="quick", journal=told.append
    )
    check(told)
    events = [x["event"] for x in told]
    # How many lines of progress there are depends on the machine.
    assert {*events} - {"progress"} == {
        "start", "stage_start", "stage_end", "result", "end",
    }  # fmt: skip
    assert events[-1] == "end"
    assert told[0]["inputs"] == []
    assert told[0]["settings"]["model"]["method"] == "quick"


def test_no_secret_is_written(here, monkeypatch):
    told = []
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    address = "server:https://me:word@host/v1?api_key=hidden&x=1"
    arguments = ("semst", "run", "--semantics", address, f"--tissue={KEY}")

    def work(journal):
        journal.started("run")
        journal.warn(f"It said {KEY!r}; none of it matters.")
        raise RuntimeError(f"Bearer {KEY}")

    with pytest.raises(RuntimeError):
        told_of(work, told, arguments)
    text = json.dumps(check(told))
    assert KEY not in text
    assert told[0]["arguments"] == [
        "semst", "run", "--semantics",
        "server:https://[key]@host/v1?api_key=[key]&x=1", "--tissue=[key]",
    ]  # fmt: skip
    assert of(told, "warning")[0]["text"].endswith("none of it matters.")


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (Cancelled("The run was cancelled."), "cancelled", None),
        (KeyboardInterrupt(), "interrupted", "SIGINT"),
        (SystemExit(143), "interrupted", "SIGTERM"),
        (ValueError("odd"), "failed", None),
    ],
)
def test_every_end_is_told(error, status, name):
    told = []

    def work(journal):
        journal.hear(Progress("train", 1, 2, "", {"loss": float("nan")}))
        raise error

    with pytest.raises(type(error)):
        told_of(work, told)
    check(told)
    assert [x["event"] for x in told] == ["stage_start", "stage_end", "end"]
    assert (told[-1]["status"], told[-1]["signal"]) == (status, name)
    assert told[-1]["error"] == {"type": type(error).__name__, "text": str(error)}


def test_a_day_of_training_leaves_few_lines(monkeypatch):
    now, told = [0.0], []
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    journal = Journal(told.append)
    for step in range(86_400):
        now[0] += 1.0
        journal.hear(Progress("train", step, 86_400, "", {"loss": float("inf")}))
        journal.hear(Progress("train", message="Much memory.", notice=FORESEEN))
    check(told)
    assert 100 < len(told) < 200
    assert len(of(told, "warning")) == 1
    assert of(told, "progress")[0]["metrics"] == {"loss": None}


DIES = """
import os, signal, sys
from napari_semst.pipeline.journal import Journal
from napari_semst.core.progress import Progress
with Journal.to("killed.jsonl") as journal:
    journal.started("run")
    for number in range(1000):
        journal.warn(f"line {number} " + 5000 * "x")
        if number == 300:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_process_leaves_whole_lines(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", DIES], cwd=tmp_path, check=False, timeout=300
    )
    assert ended.returncode == -signal.SIGKILL
    assert len(of(lines_of(tmp_path / "killed.jsonl"), "warning")) == 301


def test_a_full_disk_ends_nothing(monkeypatch, here):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_semst.pipeline.journal_file.os.write", full)
    done = CliRunner().invoke(app, QUICK)
    assert done.exit_code == 0
    assert "lines of the journal j.jsonl could not be written: No space" in done.stderr
    assert Path("a_semst.h5ad").exists()
