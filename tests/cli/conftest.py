"""The program as a shell calls it."""

from __future__ import annotations

import sys

import pytest

from napari_semst.cli import main


@pytest.fixture
def semst(monkeypatch, capsys):
    """Call the program; return its exit code and what it printed."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["semst", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return call
