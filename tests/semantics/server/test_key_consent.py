"""A key goes where the user has said, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from napari_semst.errors import SemanticsError
from napari_semst.semantics.server import client
from napari_semst.semantics.server.credentials import parse_address
from napari_semst.semantics.server.key_consent import (
    allow_key,
    consent_file,
    may_receive_key,
)
from napari_semst.semantics.server.source import ServerSource
from napari_semst.wording import for_shell
from tests.semantics.server.test_source import many_lists

KEY = "sk-do-not-tell-77aa"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMST_SETTINGS", str(tmp_path / "settings"))
    monkeypatch.delenv("SEMST_KEY_HOSTS", raising=False)


@pytest.fixture
def asked(monkeypatch):
    """Hosts that would have been asked, each with the headers of the client."""
    hosts: list[Any] = []

    def answer(self: Any, *_: Any) -> Any:
        hosts.append((self._url, dict(self._client.headers)))
        raise KeyboardInterrupt

    monkeypatch.setattr(client.HttpRequest, "answer", answer)
    return hosts


def test_a_new_host_gets_no_key_and_no_question(monkeypatch, asked):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    source = ServerSource("https://collects.example:8443/v1")
    with pytest.raises(SemanticsError) as caught:
        source.embed_spots(many_lists(3))
    assert asked == []
    said = for_shell(caught.value)
    assert "SEMST_KEY_HOSTS=collects.example:8443 in the environment" in str(
        caught.value
    )
    assert "OPENAI_API_KEY" in said
    assert "collects.example:8443" in said
    assert "semst server https://collects.example:8443/v1 --send-key" in said
    assert KEY not in said
    # Without a key there is nothing to ask.
    monkeypatch.setenv("SEMST_API_KEY", "")
    with pytest.raises(KeyboardInterrupt):
        source.embed_spots(many_lists(3))
    assert "authorization" not in asked[0][1]


def test_a_consent_is_remembered_for_one_place_and_one_key(monkeypatch, asked):
    address = parse_address("https://Known.example/v1")
    allow_key(address, "SEMST_API_KEY")
    allow_key(address, "SEMST_API_KEY")
    assert json.loads(consent_file().read_text()) == {
        "https://known.example": ["SEMST_API_KEY"]
    }
    assert may_receive_key(parse_address("https://known.example/v2"), "SEMST_API_KEY")
    for other in (
        "http://known.example/v1",
        "https://known.example:444/v1",
        "https://known.example.org/v1",
    ):
        assert not may_receive_key(parse_address(other), "SEMST_API_KEY")
    assert not may_receive_key(address, "OPENAI_API_KEY")
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    with pytest.raises(KeyboardInterrupt):
        ServerSource("https://known.example/v1").embed_spots(many_lists(3))
    assert asked[0][1]["authorization"] == f"Bearer {KEY}"


def test_the_environment_names_hosts(monkeypatch):
    monkeypatch.setenv("SEMST_KEY_HOSTS", "a.example, b.example:8443")
    for url, may in (
        ("https://a.example/v1", True),
        ("https://b.example:8443/v1", True),
        ("https://b.example/v1", False),
        ("https://c.example/v1", False),
        ("http://localhost:8000/v1", True),
    ):
        assert may_receive_key(parse_address(url), "SEMST_API_KEY") is may


@pytest.mark.parametrize("text", ["", "[]", "{", '{"https://a.example": "x"}'])
def test_a_damaged_file_allows_nothing(text):
    consent_file().parent.mkdir(parents=True)
    consent_file().write_text(text)
    address = parse_address("https://a.example/v1")
    assert not may_receive_key(address, "SEMST_API_KEY")
    allow_key(address, "SEMST_API_KEY")
    assert may_receive_key(address, "SEMST_API_KEY")
