"""Output that is full or closed, and requests to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from napari_semst.cli import main as shell_main
from napari_semst.cli.streams import INTERRUPTED, NOT_SAID, TERMINATED

FULL = Path("/dev/full")
MADE = ("-m", "napari_semst", "sample", "cortex", "-o", "made.h5ad")


def python(*words, **options):
    return subprocess.run(
        [sys.executable, *words],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **options,
    )


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_what_cannot_be_said_does_not_hide_what_was_done(tmp_path):
    with FULL.open("w") as full:
        done = python(*MADE, stdout=full, cwd=tmp_path)
    assert done.returncode == NOT_SAID
    assert done.stderr.startswith("semst: the work is done, and saved")
    assert "No space left" in done.stderr
    assert (tmp_path / "made.h5ad").stat().st_size > 10_000


@pytest.mark.skipif(os.name == "nt", reason="shells of Windows close no streams")
def test_a_closed_output_is_told(tmp_path):
    words = " ".join([sys.executable, "-m", "napari_semst", "presets"])
    done = subprocess.run(
        ["sh", "-c", f"{words} >&-"], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == NOT_SAID
    assert "could not be written to standard output" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_had_enough_is_no_fault():
    reading, writing = os.pipe()
    os.close(reading)
    done = python("-m", "napari_semst", "presets", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupted_command_says_what_is_there(monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_semst.io.read.read", stopped)
    monkeypatch.setattr(sys, "argv", ["semst", "inspect", __file__])
    monkeypatch.setattr("napari_semst.cli.streams.end_on_request", lambda: None)
    with pytest.raises(SystemExit) as end:
        shell_main.main()
    assert end.value.code == INTERRUPTED
    said = capsys.readouterr().err
    assert said.startswith("semst: interrupted. Files appear whole or not at all")


LETS_GO = """
import pathlib, signal
from napari_semst.cli.streams import end_on_request
end_on_request()
try:
    print("ready", flush=True)
    signal.pause()
finally:
    pathlib.Path("closed").touch()
"""
# Compiled code, which Python's own handler waits for.
COMPILED = """
import hashlib
from napari_semst.cli.streams import end_on_request
end_on_request()
print("ready", flush=True)
hashlib.pbkdf2_hmac("sha256", b"a", b"b", 2_000_000_000)
"""
# What catches the request, and goes on.
HOLDS_ON = """
import signal
from napari_semst.cli.streams import end_on_request
end_on_request()
print("ready", flush=True)
while True:
    try:
        signal.pause()
    except SystemExit:
        pass
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such request")
@pytest.mark.parametrize("code", [LETS_GO, COMPILED, HOLDS_ON])
def test_a_request_to_end_is_followed(tmp_path, code):
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == TERMINATED
    assert (tmp_path / "closed").exists() is (code == LETS_GO)
