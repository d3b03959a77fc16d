"""The field of a language model: where the model is, told without a network."""

from __future__ import annotations

import threading

import pytest
from qtpy.QtCore import QTimer

from napari_semst.errors import SemanticsError
from napari_semst.models import hub as model_files
from napari_semst.widgets.find import language_model as part
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.language_model import ModelField, where_model_is

NAME = "owner/model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A cache of Hugging Face, and no way to any network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    def refuse(*_, **__):
        raise AssertionError("The network was asked.")

    monkeypatch.setattr("socket.socket.connect", refuse)
    return tmp_path / "hub"


def write_model(folder, *, weights=True):
    folder.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    if weights:
        (folder / "model.safetensors").write_bytes(bytes(2_000_000))
    return folder


def cached(hub, **options):
    place = hub / "models--owner--model"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    return write_model(place / "snapshots" / COMMIT, **options)


def test_a_folder(hub, tmp_path):
    folder = write_model(tmp_path / "mine")
    said = "A folder of this machine, 2.0 MB. No download."
    assert where_model_is(str(folder)) == said
    (folder / "model.safetensors").unlink()
    assert "model.safetensors is missing" in where_model_is(str(folder))


def test_a_model_in_the_cache(hub):
    folder = cached(hub)
    assert where_model_is(NAME) == "On this machine already, 2.0 MB. No download."
    # As the run sees it.
    assert model_files.locate_model(NAME).folder == folder


def test_a_model_of_which_a_part_is_here(hub):
    cached(hub, weights=False)
    assert where_model_is(NAME) == texts.MODEL_PARTLY


def test_models_that_must_be_downloaded(hub):
    known = where_model_is("Qwen/Qwen3-4B-Thinking-2507")
    assert "downloads it from huggingface.co (about 8.1 GB)" in known
    assert texts.SIZE_UNKNOWN in where_model_is(NAME)


@pytest.mark.parametrize(
    "name", ["/no/such/folder", "model", "a/b/c", "a b/c", "~nobody-of-that-name"]
)
def test_names_that_are_none(hub, name):
    assert where_model_is(name) == texts.MODEL_UNKNOWN
    with pytest.raises(SemanticsError, match="neither"):
        model_files.locate_model(name)


def test_nothing_named():
    assert where_model_is("") == texts.MODEL_NONE


def test_the_window_lives_while_the_disk_is_slow(qtbot, monkeypatch):
    go, threads = threading.Event(), []

    def slow(name):
        threads.append(threading.current_thread())
        assert go.wait(10)
        return f"looked at {name}"

    monkeypatch.setattr(part, "where_model_is", slow)
    field = ModelField()
    qtbot.addWidget(field)
    field.combo.setEditText("a/b")
    field.look()
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(1)
    qtbot.waitUntil(lambda: len(ticks) > 5 and bool(threads), timeout=5000)
    assert field.note.text() == texts.MODEL_LOOKING
    # What is typed meanwhile counts; the older answer is dropped.
    field.combo.setEditText("c/d")
    field.look()
    go.set()
    qtbot.waitUntil(lambda: field.note.text() == "looked at c/d", timeout=5000)
    assert threading.main_thread() not in threads


def test_typing_is_looked_up(qtbot, hub):
    field = ModelField()
    qtbot.addWidget(field)
    field.combo.setEditText("nonsense")
    assert field.note.text() == texts.MODEL_LOOKING
    qtbot.waitUntil(lambda: field.note.text() == texts.MODEL_UNKNOWN, timeout=5000)


def test_errors_of_the_disk_are_told(qtbot, monkeypatch):
    def broken(name):
        raise OSError("The disk is gone.")

    monkeypatch.setattr(part, "where_model_is", broken)
    field = ModelField()
    qtbot.addWidget(field)
    field.look()
    qtbot.waitUntil(lambda: field.note.text() == "The disk is gone.", timeout=5000)
