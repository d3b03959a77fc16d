"""A killed run goes on to the same domains, and only with a checkpoint of its own."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_semst.cli.main import app
from napari_semst.core.progress import NOTED, RunControl
from napari_semst.io.export.h5ad import write
from napari_semst.io.read import read
from napari_semst.pipeline import checkpoint
from napari_semst.pipeline.checkpoint import CheckpointFolder
from napari_semst.pipeline.run import find_domains
from tests.cli.test_main import call
from tests.small import found, named, short, walked

_SMALL = {"hidden_dim": 12, "latent_dim": 3, "permutations": 3, "folds": 3}
WAYS = {
    "ensemble": ("auto", {"training": {"epochs": 3, "ensemble": 2}}),
    "sample": ("auto", {"training": {"epochs": 3, "batch_spots": 60}}),
    "published": ("dlpfc", {"training": {"epochs": 4, "checkpoints": 3}}),
    "guided": (
        "auto",
        {
            "model": {"method": "image-guided"},
            "morphology": {"encoder": "obsm:image"},
            "image_guided": {**_SMALL, "clustering_epochs": 2},
            "training": {"epochs": 3, "batch_spots": 80},
        },
    ),
}


@pytest.fixture
def tissue(tissue):
    tissue.obsm["image"] = np.random.default_rng(1).normal(size=(tissue.n_obs, 4))
    return named(tissue)


@pytest.fixture(scope="module")
def uninterrupted():
    """Return a function that finds the result of a way once."""
    known = {}

    def result(way, tissue):
        if way not in known:
            known[way] = found(tissue, short(WAYS[way][0], **WAYS[way][1]))
        return known[way]

    return result


def kept(folder, tell=None):
    return RunControl(CheckpointFolder(folder, every=0.0, tell=tell))


def killed_after(tissue, request, epochs, folder):
    """Leave a run as soon as some epochs, of all its networks, are kept."""
    steps, done = find_domains(tissue, request, kept(folder)), 0
    for event in steps:
        done += event.stage == "train" and "loss" in event.metrics
        if done == epochs:
            break
    assert done == epochs
    steps.close()


def noted(events):
    return [event.message for event in events if event.notice == NOTED]


@pytest.mark.parametrize(
    ("way", "epochs"),
    [
        ("ensemble", 3),  # between two networks
        ("ensemble", 5),
        ("sample", 2),
        ("published", 3),
        ("guided", 1),
        ("guided", 4),  # after its centres were put among the spots
    ],
)
def test_a_run_goes_on_to_the_same_bits(tissue, tmp_path, uninterrupted, way, epochs):
    request, folder = short(WAYS[way][0], **WAYS[way][1]), tmp_path / "states"
    wanted = uninterrupted(way, tissue)
    killed_after(tissue, request, epochs, folder)
    events, result = walked(tissue, request, kept(folder))
    np.testing.assert_array_equal(result.codes, wanted.codes)
    np.testing.assert_array_equal(result.latent, wanted.latent)
    np.testing.assert_array_equal(result.confidence, wanted.confidence)
    assert result.provenance["losses"] == wanted.provenance["losses"]
    assert result.provenance["training"]["resumed_after"] == epochs
    assert "resumed_after" not in wanted.provenance["training"]
    assert len(noted(events)) == (2 if (way, epochs) == ("ensemble", 5) else 1)


def changed_settings(tissue, request):
    return tissue, request.with_settings("training", learning_rate=0.01)


def changed_seed(tissue, request):
    return tissue, request.with_settings("training", seed=4)


def changed_input(tissue, request):
    tissue.X.data[0] += 1
    return tissue, request


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (changed_settings, r"training\.learning_rate 0\.003 there, 0\.01 now"),
        (changed_seed, r"seed: 0 there, 4 now"),
        (changed_input, r"input: others"),
    ],
)
def test_a_checkpoint_of_another_run_is_told_and_stays(tissue, tmp_path, change, why):
    request, folder = short(), tmp_path / "states"
    killed_after(tissue, request, 1, folder)
    (before,) = folder.iterdir()
    other, asked = change(tissue.copy(), request)
    told = []
    events, result = walked(other, asked, kept(folder, lambda *x: told.append(x)))
    (said,) = noted(events)
    assert said.startswith(f"The checkpoint {before} is of another run and is not used")
    assert re.search(why, said)
    assert told[0] == ("refused", {"path": str(before), "reason": told[0][1]["reason"]})
    assert "resumed_after" not in result.provenance["training"]
    assert before.exists()


@pytest.mark.parametrize("name", ["versions", "_device"])
def test_other_releases_and_devices_are_told(tissue, tmp_path, monkeypatch, name):
    folder = tmp_path / "states"
    killed_after(tissue, short(), 1, folder)
    if name == "versions":
        place = "napari_semst.pipeline.provenance.version"
        monkeypatch.setattr(place, lambda package: "0.0.1")
        why = "versions: napari-semst"
    else:
        monkeypatch.setattr(checkpoint, "_device", lambda device: "cuda, another")
        why = f"device: cpu, {platform.machine()} there, cuda, another now"
    (said,) = noted(walked(tissue, short(), kept(folder))[0])
    assert why in said


@pytest.mark.parametrize("place", [30, -30])
def test_a_damaged_checkpoint_is_told_and_not_used(tissue, tmp_path, place):
    folder = tmp_path / "states"
    killed_after(tissue, short(), 1, folder)
    (file,) = folder.iterdir()
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    events, result = walked(tissue, short(), kept(folder))
    (said,) = noted(events)
    assert said.startswith(f"The checkpoint {file} is damaged (")
    assert "resumed_after" not in result.provenance["training"]


def test_no_room_for_it_is_told_and_ends_nothing(tissue, tmp_path):
    (tmp_path / "states").write_text("a file")
    events, _ = walked(tissue, short(), kept(tmp_path / "states"))
    (said,) = noted(events)
    assert said.startswith("No checkpoint could be written")
    assert (tmp_path / "states").read_text() == "a file"


def test_only_its_own_files_are_removed(tissue, tmp_path):
    folder = tmp_path / "states"
    killed_after(tissue, short(), 1, folder)
    (folder / "mine.txt").touch()
    control = kept(folder)
    walked(tissue, short(), control)
    control.states.remove()
    assert os.listdir(folder) == ["mine.txt"]


def test_it_keeps_its_distance(monkeypatch, tmp_path):
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    store = CheckpointFolder(tmp_path)
    now[0] = 9.0
    assert not store.due(finished=True)
    now[0] = 11.0
    assert store.due(finished=True)
    assert not store.due(finished=False)
    now[0] = 60.0
    assert store.due(finished=False)

    def slow(*_):
        now[0] += 2.0

    monkeypatch.setattr(checkpoint, "_write", slow)
    with pytest.raises(FileNotFoundError):  # nothing was written
        store.write("a", {"epochs": 1})
    # Two seconds of writing are worth two hundred of training.
    now[0] += 199.0
    assert not store.due(finished=False)
    now[0] += 2.0
    assert store.due(finished=False)


KILLED = """
import os, signal, sys
from napari_semst.pipeline import checkpoint
checkpoint.EVERY_SECONDS = 0.0
write = checkpoint.CheckpointFolder.write
def write_and_die(self, name, state):
    write(self, name, state)
    if int(state["epochs"]) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
checkpoint.CheckpointFolder.write = write_and_die
from napari_semst.cli.main import main
sys.argv[0] = "semst"
main()
"""
COMMAND = ("run", "a.h5ad", "-k", "3", "--epochs", "5", "--device", "cpu")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_the_same_command_goes_on_after_a_kill(tissue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tissue, "a.h5ad")
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, *COMMAND], capture_output=True, check=False
    )
    assert ended.returncode == -9, ended.stderr
    (state,) = os.listdir("a_semst.h5ad.checkpoint")
    assert state.endswith("network-0-0-1.training.safetensors")
    done = CliRunner().invoke(app, [*COMMAND, "-q"])
    assert "Training goes on after epoch 3 of 5" in done.stderr
    assert sorted(os.listdir()) == ["a.h5ad", "a_semst.h5ad"]
    call(*COMMAND, "-o", "whole.h5ad", "--no-checkpoint", "-q")
    resumed, whole = read("a_semst.h5ad"), read("whole.h5ad")
    for key in ("semst_domain", "semst_confidence", "semst_modulation"):
        np.testing.assert_array_equal(resumed.obs[key], whole.obs[key])
    np.testing.assert_array_equal(resumed.obsm["X_semst"], whole.obsm["X_semst"])
