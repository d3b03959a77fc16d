"""Names typed into the dialogs that save, without a dialog."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_semst.figure.file import FIGURE_FORMATS
from napari_semst.widgets.shared.files import ask_path


@pytest.fixture
def ask(monkeypatch, tmp_path):
    """Type a name; answer No to every question; return the path and the questions."""

    def do(name, endings):
        asked = []

        def reply(*words):
            asked.append(words[-1])
            return QMessageBox.StandardButton.No

        for kind in ("question", "warning"):
            monkeypatch.setattr(QMessageBox, kind, reply)
        typed = (str(tmp_path / name), "")
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: typed)
        return ask_path(None, "", "", "", endings), asked

    return do


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("genes.svg", "genes.svg"),
        ("genes", "genes.png"),
        ("S1.v2", "S1.v2.png"),
        ("genes.PDF", "genes.pdf"),
    ],
)
def test_a_name_gets_an_ending_where_it_has_none(ask, typed, written, tmp_path):
    assert ask(typed, FIGURE_FORMATS) == (tmp_path / written, [])


def test_a_file_is_not_replaced_unasked(ask, tmp_path):
    (tmp_path / "genes.csv").touch()
    path, asked = ask("genes", (".csv",))
    assert path is None
    assert "genes.csv exists already" in asked[0]


def test_a_kind_that_is_not_written_is_refused_in_words(ask):
    path, asked = ask("genes.tif", FIGURE_FORMATS)
    assert path is None
    assert ".png or .svg or .pdf" in asked[0]
