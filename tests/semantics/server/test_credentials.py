"""The key: in one header, and in no file, log, error or record."""

from __future__ import annotations

import json
import logging
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_semst.errors import SemanticsError
from napari_semst.pipeline.run import attach
from napari_semst.semantics.server.credentials import ApiKey, key_from_environment
from napari_semst.semantics.server.source import ServerSource
from tests.semantics.fake_server import FakeServer, Reply, answer_to
from tests.semantics.server.test_source import made, many_lists
from tests.small import named, short, walked

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

KEY = "sk-do-not-tell-8c1f"


def test_the_key_reaches_the_server_and_nothing_else(
    server: FakeServer,
    tissue: AnnData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    server.change = lambda body: {**body, "model": f"tiny {KEY}"}
    server.replies = [
        None,
        Reply(503, f"Bearer {KEY}", X_Echo=KEY, Set_Cookie=f"key={KEY}"),
    ]
    request = short(semantics={"source": "server", "url": server.url})
    monkeypatch.setattr("napari_semst.semantics.server.client.FIRST_PAUSE", 0.0)
    with caplog.at_level(logging.DEBUG):
        events, result = walked(named(tissue), request)
    assert {one["headers"]["Authorization"] for one in server.seen} == {f"Bearer {KEY}"}
    assert "http11" in caplog.text, "the HTTP library logged nothing: look again"
    attach(tissue, result, inplace=True)
    tissue.write_h5ad(tmp_path / "saved.h5ad")
    assert result.provenance["semantics"]["model"] == "tiny [key]"
    told = json.dumps(result.provenance) + repr(events) + repr(result) + caplog.text
    assert KEY not in told + "".join(capfd.readouterr()) + request.to_toml()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(file.suffix == ".safetensors" for file in files), "nothing was kept"
    assert not any(KEY.encode() in file.read_bytes() for file in files)
    assert "127.0.0.1" in result.provenance["warnings"][0]
    assert any("are sent to 127.0.0.1" in event.message for event in events)


@pytest.mark.parametrize(
    "echo",
    [
        Reply(401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}),
        Reply(400, f"{'x' * 290}{KEY}"),
        Reply(500, f"Authorization: Bearer {KEY}"),
        Reply(200, f"You sent {KEY}"),
        Reply(307, "", Location=f"https://elsewhere.org/?key={KEY}"),
    ],
)
def test_a_key_that_is_echoed_is_not_in_the_error(
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    echo: Reply,
) -> None:
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    server.always = echo
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(SemanticsError) as caught,
    ):
        made(server).embed_spots(many_lists(3))
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY[:8] not in str(error) + repr(error.args)
        error = error.__cause__
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert KEY not in caplog.text


def test_no_object_shows_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    source = ServerSource("http://localhost:1/v1")
    secret = key_from_environment(encrypted=True)
    assert KEY not in repr(source) + repr(vars(source)) + repr(secret) + str(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret.hide(f"a {KEY} b") == "a [key] b"
    odd = ApiKey('q"\\')
    assert odd.hide(f"{json.dumps(odd._value)} {odd._value.encode()}") == (
        "\"[key]\" b'[key]'"
    )


def test_filters_of_logs_are_taken_back(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    made(server).embed_spots(many_lists(3))
    assert logging.getLogger("httpcore.http11").filters == []


@pytest.mark.parametrize(
    ("own", "other", "sent"),
    [
        ("a", "b", "Bearer a"),
        (None, "b", None),
        ("", "b", None),
        (None, None, None),
        (" a\n", None, "Bearer a"),
    ],
)
def test_where_the_key_comes_from(
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    own: str | None,
    other: str | None,
    sent: str | None,
) -> None:
    for variable, value in (("SEMST_API_KEY", own), ("OPENAI_API_KEY", other)):
        if value is not None:
            monkeypatch.setenv(variable, value)
    made(server).embed_spots(many_lists(3))
    assert {one["headers"].get("Authorization") for one in server.seen} == {sent}


def test_the_key_of_another_service_is_sent_encrypted_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "b")
    assert key_from_environment(encrypted=True).headers() == {
        "Authorization": "Bearer b"
    }
    assert not key_from_environment(encrypted=False)


@pytest.mark.parametrize("key", ["sk-é", "sk-a\nb", "sk a"])
def test_a_key_that_fits_no_header_is_refused_unseen(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("SEMST_API_KEY", key)
    with pytest.raises(SemanticsError, match="SEMST_API_KEY") as caught:
        made(server).embed_spots(many_lists(3))
    assert key not in str(caught.value)
    assert server.asked == []


def test_another_place_does_not_get_the_key(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by a redirect nor by a proxy of the environment."""
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    other = FakeServer()
    try:
        place = f"http://127.0.0.1:{other.server_address[1]}"
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, place)
        server.replies = [
            lambda texts: Reply(200, answer_to(texts)),
            Reply(308, "", Location=f"{place}/v1/embeddings"),
        ]
        with pytest.raises(SemanticsError, match="points to"):
            made(server).embed_spots(many_lists(3))
    finally:
        other.server_close()
    assert len(server.asked) == 2
    assert other.seen == []


def test_a_key_in_plain_text_to_another_machine_is_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_semst.semantics.server.client import Endpoint

    monkeypatch.setenv("SEMST_KEY_IN_PLAIN_TEXT", "1")
    monkeypatch.setenv("SEMST_KEY_HOSTS", "a.example")
    for url, key, exposed in (
        ("http://a.example/v1", KEY, True),
        ("https://a.example/v1", KEY, False),
        ("http://localhost/v1", KEY, False),
        ("http://a.example/v1", "", False),
    ):
        monkeypatch.setenv("SEMST_API_KEY", key)
        with Endpoint(url) as client:
            assert client.key_is_exposed is exposed
    warnings = ServerSource("http://a.example/v1")._warnings(0, 1, exposed=True)
    assert "unencrypted" in warnings[1]
    assert np.size(warnings) == 2


def test_a_key_is_not_sent_to_another_machine_in_plain_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_semst.semantics.server import client

    asked = []

    def answer(self: Any, *_: Any) -> Any:
        asked.append(self._client)
        raise KeyboardInterrupt

    monkeypatch.setattr(client.HttpRequest, "answer", answer)
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    monkeypatch.setenv("SEMST_KEY_HOSTS", "far.example")
    remote = ServerSource("http://far.example/v1")
    with pytest.raises(SemanticsError, match=r"https.*Nothing was sent") as caught:
        remote.embed_spots(many_lists(3))
    assert not asked
    assert KEY not in str(caught.value)
    monkeypatch.setenv("SEMST_KEY_IN_PLAIN_TEXT", "1")
    with pytest.raises(KeyboardInterrupt):
        remote.embed_spots(many_lists(3))
    monkeypatch.delenv("SEMST_KEY_IN_PLAIN_TEXT")
    with pytest.raises(KeyboardInterrupt):
        ServerSource("https://far.example/v1").embed_spots(many_lists(3))
    assert len(asked) == 2
