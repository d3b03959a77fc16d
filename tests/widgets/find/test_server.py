"""The fields of an embedding server, and the test of its connection."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_semst.semantics.server.credentials import parse_address
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.server import ServerFields
from napari_semst.widgets.shared import key_question
from tests.semantics.fake_server import WIDTH, Reply

KEY = "sk-secret-4711"


@pytest.fixture
def fields(qtbot, server):
    made = ServerFields()
    qtbot.addWidget(made)
    made.url.setText(server.url)
    return made


def test_connection(qtbot, fields, server):
    fields.model.setText("tiny")
    fields.test_button.click()
    assert fields.test_button.text() == texts.STOP_TEST
    assert (fields.result.kind, fields.result.text()) == ("running", texts.TESTING)
    qtbot.waitUntil(lambda: fields.result.kind == "success", timeout=60_000)
    said = fields.result.text()
    assert f"127.0.0.1:{server.server_address[1]} answers. Model tiny" in said
    assert f"{WIDTH} dimensions, norm 1.000 (unit length); first text" in said
    assert not fields.result.isHidden()
    assert fields.test_button.text() == texts.TEST
    assert server.seen[0]["model"] == "tiny"
    # Nothing of a section.
    assert all(t.startswith(("MBP", "Text ")) for one in server.asked for t in one)


def test_vectors_that_are_not_normalised(qtbot, fields, server):
    def double(body):
        for one in body["data"]:
            one["embedding"] = [2 * value for value in one["embedding"]]
        return body

    server.change = double
    fields.test_button.click()
    qtbot.waitUntil(lambda: fields.result.kind == "success", timeout=60_000)
    assert "norm 2.000 (not normalised)" in fields.result.text()


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "Set the key in the environment"), (404, "mostly in /v1"), (400, "400")],
)
def test_refusals_are_told(qtbot, fields, server, status, words):
    server.always = Reply(status, {"error": "no"})
    fields.test_button.click()
    qtbot.waitUntil(lambda: fields.result.kind == "error", timeout=60_000)
    assert words in fields.result.text()
    assert fields.test_button.text() == texts.TEST
    server.always = None
    fields.test_button.click()
    qtbot.waitUntil(lambda: fields.result.kind == "success", timeout=60_000)


def test_nobody_listens(qtbot, fields):
    fields.url.setText("http://127.0.0.1:9/v1")
    fields.test_button.click()
    qtbot.waitUntil(lambda: fields.result.kind == "error", timeout=60_000)
    assert "Check that the server runs" in fields.result.text()


def test_an_address_that_is_none(qtbot, fields):
    fields.url.setText("localhost")
    assert fields.destination.isHidden()
    fields.test_button.click()
    qtbot.waitUntil(lambda: fields.result.kind == "error", timeout=60_000)
    assert "begins with http:// or https://" in fields.result.text()
    fields.url.setText(" ")
    assert not fields.test_button.isEnabled()


def test_a_busy_server_can_be_given_up(qtbot, fields, server):
    server.always = Reply(503, "busy")
    fields.test_button.click()
    qtbot.waitUntil(lambda: bool(server.asked), timeout=60_000)
    fields.test_button.click()
    assert fields.test_button.text() == texts.TEST
    assert fields.result.isHidden()
    assert not fields.test.busy


def test_an_answer_to_another_address_is_dropped(qtbot, fields, server):
    server.replies = ["slow"]
    fields.test_button.click()
    qtbot.waitUntil(lambda: bool(server.asked), timeout=60_000)
    fields.url.setText(server.url + "/other")
    assert fields.result.isHidden()
    answered = []
    fields.test.answered.connect(answered.append)
    fields.url.setText(server.url)
    fields.test_button.click()
    # The window is not blocked by the first question, which still waits.
    qtbot.waitUntil(lambda: fields.result.kind == "success", timeout=60_000)
    server.over.set()
    assert len(answered) == 1


def test_where_the_genes_go_is_said(fields):
    note = fields.destination
    assert note.kind == "ready"
    assert "this machine, unless that is a tunnel" in note.text()
    fields.url.setText("https://api.example.org/v1")
    assert not note.isHidden()
    assert note.kind == "warning"
    said = "Gene lists leave this machine: they are sent to api.example.org."
    assert note.text() == said
    fields.per.setCurrentIndex(1)
    assert note.text().startswith("Gene names leave this machine")
    # Not this machine, whatever it is called.
    fields.url.setText("http://127.0.0.1.example.org/v1")
    assert note.kind == "warning"


def test_the_key_is_told_of_but_never_shown(fields, monkeypatch):
    def said(url="https://api.example.org/v1"):
        fields.url.setText("")
        fields.url.setText(url)
        return fields.key_note.text()

    assert said() == texts.KEY_NONE
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert said() == "Key: OPENAI_API_KEY is set; it is sent to api.example.org."
    # It was set for another service: never sent in plain text.
    assert said("http://api.example.org/v1") == texts.KEY_NONE
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    assert texts.KEY_EXPOSED in said("http://api.example.org/v1")
    monkeypatch.delenv("SEMST_API_KEY")
    assert said("http://localhost:1/v1") == texts.KEY_NONE
    monkeypatch.setenv("SEMST_API_KEY", "")
    assert said() == "No key: SEMST_API_KEY is set to nothing."
    monkeypatch.setenv("SEMST_API_KEY", KEY + "2")
    assert said().startswith("Key: SEMST_API_KEY is set")
    assert KEY not in said() + fields.key_note.toolTip()


def test_a_key_that_a_server_repeats_is_not_shown(qtbot, fields, server, monkeypatch):
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    server.always = Reply(400, {"error": f"bad key {KEY}"})
    fields.test_button.click()
    qtbot.waitUntil(lambda: fields.result.kind == "error", timeout=60_000)
    assert KEY not in fields.result.text()
    assert "bad key [key]" in fields.result.text()


def test_a_key_is_asked_for_once_for_each_server(qtbot, fields, monkeypatch, tmp_path):
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    monkeypatch.setenv("SEMST_SETTINGS", str(tmp_path))
    started, questions, answers = [], [], [False, True]
    monkeypatch.setattr(fields.test, "start", lambda *of: started.append(of))

    def ask(window, address, variable):
        questions.append((address.host, variable))
        return answers.pop(0)

    monkeypatch.setattr(key_question, "_ask", ask)
    fields.url.setText("https://new.example:8443/v1")
    fields.test_button.click()
    assert not started
    assert fields.result.text() == texts.KEY_KEPT
    fields.test_button.click()
    fields._forget()
    fields.test_button.click()
    assert questions == [("new.example:8443", "SEMST_API_KEY")] * 2
    assert [url for url, _ in started] == ["https://new.example:8443/v1"] * 2


def test_the_question_names_host_and_variable_and_never_the_key(qtbot, fields):
    seen = []

    def look():
        box = QApplication.activeModalWidget()
        seen.append(f"{box.text()} {box.informativeText()}")
        box.buttons()[-1].click()

    QTimer.singleShot(0, look)
    address = parse_address("https://new.example/v1")
    key_question._ask(fields, address, "SEMST_API_KEY")
    assert "The key of SEMST_API_KEY has not gone to new.example before." in seen[0]
    assert KEY not in seen[0]
