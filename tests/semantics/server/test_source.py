"""Embeddings from a real server of this machine that is slow, busy, wrong or fine."""

from __future__ import annotations

import gzip
import json
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_semst.errors import Cancelled, SemanticsError
from napari_semst.semantics import GeneLists, SemanticSource, source
from napari_semst.semantics.server.answer import max_answer_bytes, parse_retry_after
from napari_semst.semantics.server.client import RETRIES
from napari_semst.semantics.server.credentials import parse_address
from napari_semst.semantics.server.http_request import AnswerTooLong, unpack
from napari_semst.semantics.server.source import (
    ServerSource,
    gene_texts,
    list_texts,
    probe,
)
from tests.semantics.fake_server import WIDTH, FakeServer, Reply, answer_to, vector

if TYPE_CHECKING:
    from collections.abc import Callable

GENES = np.array([f"GENE{i}" for i in range(40)])


def many_lists(n_spots: int = 100, n_listed: int = 3) -> GeneLists:
    """Return distinct lists."""
    random = np.random.default_rng(0)
    rows = random.permuted(np.tile(np.arange(40), (n_spots, 1)), axis=1)
    return GeneLists(GENES, rows[:, :n_listed].astype(np.int32))


def made(server: FakeServer, **options: Any) -> ServerSource:
    """Return a source that waits for nobody; what it would wait is in `waits`."""
    waits: list[float] = []
    options = {"connections": 1, "timeout": 5.0, **options}
    found = ServerSource(server.url, wait=waits.append, **options)
    found.waits = waits  # type: ignore[attr-defined]
    return found


def expected(lists: GeneLists) -> np.ndarray:
    return np.array([vector(text) for text in list_texts(lists, "human")], np.float32)


@pytest.mark.parametrize("connections", [1, 5])
def test_every_spot_gets_the_vector_of_its_list(
    server: FakeServer, connections: int
) -> None:
    lists = many_lists()
    found = made(server, connections=connections, batch_texts=7).embed_spots(lists)
    np.testing.assert_array_equal(found.embedding, expected(lists))
    assert all(len(texts) <= 7 for texts in server.asked)
    assert {one["path"] for one in server.seen} == {"/v1/embeddings"}
    told = json.loads(json.dumps(found.provenance))
    assert told["model"] == "tiny"
    assert told["pooling"] == told["normalisation"] == "by the server"
    assert (told["dimension"], told["probe_norm"], told["texts"]) == (WIDTH, 1.0, 100)
    assert told["host"] in told["warnings"][0]
    assert isinstance(made(server), SemanticSource)


def test_equal_lists_are_sent_once_and_empty_ones_never(server: FakeServer) -> None:
    rows = np.array([[0, 1], [2, -1], [0, 1], [-1, -1], [2, -1]], dtype=np.int32)
    found = made(server).embed_spots(GeneLists(GENES, rows))
    assert len(server.texts()) == 2
    assert found.coverage.tolist() == [1, 1, 1, 0, 1]
    np.testing.assert_allclose(
        found.embedding[3], found.embedding[[0, 1, 2, 4]].mean(axis=0), rtol=1e-5
    )
    np.testing.assert_array_equal(found.embedding[0], found.embedding[2])
    assert "1 of 5 spots list no gene" in found.warnings[1]


def test_genes_are_read_once_and_averaged(server: FakeServer) -> None:
    lists = many_lists(n_spots=30)
    found = made(server, per="gene").embed_spots(lists)
    texts = server.texts()
    assert sorted(texts) == sorted({str(GENES[i]) for i in lists.indices.ravel()})
    own = np.array([vector(str(gene)) for gene in GENES])
    np.testing.assert_allclose(
        found.embedding, own[lists.indices].mean(axis=1), atol=1e-6
    )
    assert found.provenance["pooling"] == "by the server, then mean of genes"
    assert "Gene names" in found.warnings[0]


def test_other_texts_take_the_place_of_the_plain_ones(server: FakeServer) -> None:
    lists = many_lists(n_spots=4)
    source = made(server)
    other = source.with_texts(lambda asked, species: [species] * asked.n_spots)
    found = other.embed_spots(lists, species="mouse")
    assert server.texts() == ["mouse"]
    assert len(np.unique(found.embedding, axis=0)) == 1
    assert source._texts is list_texts
    assert gene_texts(GeneLists(GENES, np.array([[3]], np.int32)), "human") == ["GENE3"]


def test_the_probe_sends_nothing_of_the_section(server: FakeServer) -> None:
    made(server, model="wanted").embed_spots(many_lists(n_spots=2))
    assert not any("GENE" in text for text in server.asked[0])
    assert {one["model"] for one in server.seen} == {"wanted"}
    server.seen.clear()
    made(server).embed_spots(many_lists(n_spots=2))
    assert not any("model" in one for one in server.seen)


@pytest.mark.parametrize(
    "refusal",
    [
        Reply(413, "payload too large"),
        Reply(400, {"error": {"message": "Too many inputs. Max 32 allowed."}}),
        Reply(422, {"error": "batch size 64 > maximum allowed batch size 32"}),
    ],
)
def test_batches_are_halved_and_the_limit_remembered(
    server: FakeServer, refusal: Reply
) -> None:
    server.limit, server.refuse_with = 32, refusal
    lists = many_lists(300)
    found = made(server, batch_texts=128).embed_spots(lists)
    np.testing.assert_array_equal(found.embedding, expected(lists))
    sizes = [len(texts) for texts in server.asked[1:]]
    # Refused at 128, then at 64 once; after that nothing above the limit is tried.
    assert [size for size in sizes if size > 32] == [128, 64, 64]
    assert max(sizes[-5:]) == 32
    assert found.provenance["batch_texts"] == 32


def test_a_text_that_is_too_long_alone_is_told(server: FakeServer) -> None:
    server.limit, server.refuse_with = 0, Reply(413, {"error": "512 tokens at most"})
    server.replies = [lambda texts: Reply(200, answer_to(texts))]
    with pytest.raises(SemanticsError, match=r"512 tokens at most.*fewer genes"):
        made(server).embed_spots(many_lists())


def test_a_busy_server_is_waited_for_as_it_asks(server: FakeServer) -> None:
    server.replies = [None, Reply(429, "busy", Retry_After="7")]
    source = made(server)
    lists = many_lists(3)
    found = source.embed_spots(lists)
    np.testing.assert_array_equal(found.embedding, expected(lists))
    assert sum(source.waits) == 7
    assert server.asked[1] == server.asked[2]


def test_a_failing_server_is_asked_again_after_longer_pauses(
    server: FakeServer,
) -> None:
    server.replies = [None, Reply(500, "oops"), Reply(503, "starting")]
    source = made(server)
    lists = many_lists(3)
    np.testing.assert_array_equal(source.embed_spots(lists).embedding, expected(lists))
    assert sum(source.waits) == 1 + 2


def test_a_server_that_keeps_failing_is_given_up(server: FakeServer) -> None:
    server.always = Reply(500, {"error": {"message": "out of memory"}})
    source = made(server)
    with pytest.raises(SemanticsError, match=r"6 times.*answered 500: out of memory"):
        source.embed_spots(many_lists(3))
    assert len(server.asked) == RETRIES + 1
    assert sum(source.waits) == 1 + 2 + 4 + 8 + 16


def test_who_asks_to_wait_for_an_hour_is_not_waited_for(server: FakeServer) -> None:
    server.always = Reply(429, "quota", Retry_After="3600")
    source = made(server)
    with pytest.raises(SemanticsError, match="come back in 3600 s"):
        source.embed_spots(many_lists(3))
    assert source.waits == []


def test_a_slow_answer_is_asked_for_again(server: FakeServer) -> None:
    server.replies = [None, "slow"]
    lists = many_lists(3)
    found = made(server, timeout=0.2).embed_spots(lists)
    np.testing.assert_array_equal(found.embedding, expected(lists))
    assert len(server.asked) == 3


def test_a_server_that_never_answers_is_given_up(server: FakeServer) -> None:
    server.always = "slow"
    with pytest.raises(SemanticsError, match=r"6 times.*no answer within 0\.05 s"):
        made(server, timeout=0.05).embed_spots(many_lists(3))


def test_an_answer_that_drips_is_given_up_like_none(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_semst.semantics.server.client.RETRIES", 1)
    server.replies = [None, "drip"]
    lists = many_lists(3)
    found = made(server, timeout=0.1).embed_spots(lists)
    np.testing.assert_array_equal(found.embedding, expected(lists))
    server.always = "drip"
    with pytest.raises(SemanticsError, match=r"2 times.*not complete after 0\.3 s"):
        made(server, timeout=0.1).embed_spots(lists)


def test_cancelling_is_heard_while_an_answer_drips(server: FakeServer) -> None:
    server.replies = [None]
    server.always = "drip"
    with pytest.raises(Cancelled):
        made(server, connections=2, batch_texts=2, timeout=60).embed_spots(
            many_lists(4), cancelled=server.dripping.is_set
        )


def test_cancelling_is_heard_while_nobody_picks_up(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, over = threading.Event(), threading.Event()

    def connect(*_: object, **__: object) -> None:
        asked.set()
        over.wait(20)
        raise OSError("nobody")

    monkeypatch.setattr("socket.create_connection", connect)
    with pytest.raises(Cancelled):
        made(server, timeout=60).embed_spots(many_lists(4), cancelled=asked.is_set)
    over.set()


@pytest.mark.parametrize("first", [True, False])
def test_an_endless_answer_is_not_read_to_its_end(
    server: FakeServer, first: bool
) -> None:
    # Zeros pack well: what counts is how long they are once unpacked.
    packed = gzip.compress(b"0" * 10_000_000)
    endless = Reply(200, packed, Content_Encoding="gzip")
    server.replies = [endless] if first else [None, endless]
    source = made(server)
    with pytest.raises(SemanticsError, match=r"at most .* MB to \d texts.*longer one"):
        source.embed_spots(many_lists(3))
    assert source.waits == []


@pytest.mark.parametrize("coding", ["gzip, gzip", "deflate", "br", "identity, gzip"])
def test_an_answer_packed_otherwise_than_asked_for_is_not_unpacked(
    server: FakeServer, coding: str
) -> None:
    # A length that does no harm if it is unpacked all the same.
    packed = gzip.compress(gzip.compress(json.dumps(answer_to(["a"])).encode()))
    server.always = Reply(200, packed, Content_Encoding=coding)
    source = made(server)
    with pytest.raises(SemanticsError, match=r"packed with .*unpacked nothing"):
        source.embed_spots(many_lists(3))
    assert len(server.asked) == 1
    assert server.seen[0]["headers"]["Accept-Encoding"] == "gzip"


def test_an_answer_packed_once_is_read(server: FakeServer) -> None:
    server.always = lambda texts: Reply(
        200,
        gzip.compress(json.dumps(answer_to(texts)).encode()),
        Content_Encoding="gzip",
    )
    lists = many_lists(3)
    found = made(server).embed_spots(lists)
    np.testing.assert_array_equal(found.embedding, expected(lists))


def test_a_part_is_unpacked_no_further_than_its_bound() -> None:
    packed = gzip.compress(b"0" * 1_000_000)
    parts = unpack([packed], "gzip", 1_000)
    assert len(next(parts)) == 1_001
    with pytest.raises(AnswerTooLong):
        next(parts)


def test_the_widest_answers_fit() -> None:
    body = json.dumps(answer_to(["a", "b"], 8192), indent=8)
    assert len(body) < max_answer_bytes(2, 8192) < max_answer_bytes(2, None)


def test_an_answer_cut_short_is_asked_for_again(server: FakeServer) -> None:
    server.replies = [
        None,
        lambda texts: Reply(200, json.dumps(answer_to(texts))[:40], cut=500),
    ]
    lists = many_lists(3)
    found = made(server).embed_spots(lists)
    np.testing.assert_array_equal(found.embedding, expected(lists))
    assert len(server.asked) == 3


def test_nobody_listening_is_told_at_once(server: FakeServer) -> None:
    source = made(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(SemanticsError, match=r"connection failed.*server runs"):
        source.embed_spots(many_lists(3))
    assert source.waits == []


def test_vectors_follow_their_index_not_their_place(server: FakeServer) -> None:
    server.change = lambda body: {**body, "data": body["data"][::-1]}
    lists = many_lists(20)
    found = made(server).embed_spots(lists)
    np.testing.assert_array_equal(found.embedding, expected(lists))


def change_of(name: str, value: Any) -> Callable[[list[str]], Reply]:
    """Return a reply whose first entry has something else."""

    def reply(texts: list[str]) -> Reply:
        body = answer_to(texts)
        body["data"][0][name] = value
        return Reply(200, body)

    return reply


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (change_of("embedding", [float("nan")] * WIDTH), "NaN or infinity in 1 of"),
        (change_of("embedding", [1e300] * WIDTH), "NaN or infinity"),
        (change_of("embedding", [0.1] * (WIDTH + 1)), "one dimension.*found several"),
        (change_of("embedding", [None] * WIDTH), "vectors of numbers"),
        (change_of("embedding", ["1"] * WIDTH), "vectors of numbers"),
        (change_of("embedding", "AAAA"), "one dimension|vectors of numbers"),
        (change_of("index", 1), "index 0 to 2"),
        (change_of("index", "0"), "index 0 to 2"),
        (change_of("index", True), "index 0 to 2"),
        (lambda t: Reply(200, answer_to(t[1:])), "Expected 3 vectors.*found 2"),
        (lambda t: Reply(200, answer_to([*t, "more"])), "3 vectors.*found 4"),
        (lambda t: Reply(200, answer_to(t, WIDTH + 1)), "6 dimensions.*found 7"),
        (lambda t: Reply(200, "<html>Sign in</html>"), "JSON.*Sign in"),
        (lambda t: Reply(200, "[" * 100_000), "JSON"),
        (lambda t: Reply(200, {"data": None}), "list 'data'"),
        (lambda t: Reply(200, ""), "JSON.*nothing"),
        (
            lambda t: Reply(
                200,
                {"data": [{"index": i, "embedding": [[1, 2]]} for i in range(len(t))]},
            ),
            "one per token",
        ),
        (lambda t: Reply(401, {"error": {"message": "no"}}), "401: no.*SEMST_API_KEY"),
        (lambda t: Reply(404, {"detail": "Not Found"}), "404: Not Found.*/v1"),
        (lambda t: Reply(400, {"message": "unknown model"}), "400: unknown model"),
        (lambda t: Reply(418, "\x1b[2Jteapot"), r"418: \[2Jteapot"),
    ],
)
def test_wrong_answers_are_refused_in_words(
    server: FakeServer, wrong: Callable[[list[str]], Reply], told: str
) -> None:
    server.replies = [None, wrong]
    source = made(server)
    with pytest.raises(SemanticsError, match=told) as caught:
        source.embed_spots(many_lists(3))
    assert "127.0.0.1" in str(caught.value)
    assert source.waits == []
    assert len(server.asked) == 2


def test_an_answer_that_ends_in_the_middle_is_asked_again(server: FakeServer) -> None:
    server.replies = [None, Reply(200, '{"data": [{"index": 0, "embed')]
    source = made(server)
    found = source.embed_spots(many_lists(3))
    assert found.embedding.shape == (3, WIDTH)
    assert len(source.waits) >= 1


@pytest.mark.parametrize(
    ("vector", "told"), [([0.0] * WIDTH, "zeros"), ([1.0] * WIDTH, "same for all")]
)
def test_vectors_that_say_nothing_are_refused(
    server: FakeServer, vector: list[float], told: str
) -> None:
    def reply(texts: list[str]) -> Reply:
        body = answer_to(texts)
        for entry in body["data"]:
            entry["embedding"] = vector
        return Reply(200, body)

    server.replies = [None, reply]
    with pytest.raises(SemanticsError, match=told):
        made(server).embed_spots(many_lists(3))


def test_the_first_failure_ends_all_connections(server: FakeServer) -> None:
    server.replies = [None, Reply(400, "no")]
    with pytest.raises(SemanticsError, match="400: no"):
        made(server, connections=4, batch_texts=1).embed_spots(many_lists(100))
    assert len(server.asked) < 30


def test_cancelling_is_heard_between_requests_and_while_waiting(
    server: FakeServer,
) -> None:
    lists = many_lists(100)
    with pytest.raises(Cancelled):
        made(server, batch_texts=1).embed_spots(
            lists, cancelled=lambda: len(server.asked) >= 5
        )
    assert len(server.asked) == 5
    server.always = Reply(503, "")
    with pytest.raises(Cancelled):
        made(server).embed_spots(lists, cancelled=lambda: len(server.asked) >= 7)
    assert len(server.asked) == 7


def test_progress_counts_spots(server: FakeServer) -> None:
    steps: list[tuple[int, int]] = []
    made(server, batch_texts=25).embed_spots(
        many_lists(100), progress=lambda *step: steps.append(step)
    )
    assert steps == [(25, 100), (50, 100), (75, 100), (100, 100)]


def test_redirects_are_not_followed(server: FakeServer) -> None:
    server.always = Reply(307, "", Location="http://127.0.0.1:9/v1/embeddings")
    with pytest.raises(SemanticsError, match=r"points to http://127\.0\.0\.1:9"):
        made(server).embed_spots(many_lists(3))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("given", "url", "host", "local"),
    [
        (
            "http://localhost:8000/v1",
            "http://localhost:8000/v1",
            "localhost:8000",
            True,
        ),
        ("https://a.org/v1/embeddings/", "https://a.org/v1", "a.org", False),
        (" http://127.0.0.1/v1/ ", "http://127.0.0.1/v1", "127.0.0.1", True),
        ("http://127.evil.org/v1", "http://127.evil.org/v1", "127.evil.org", False),
    ],
)
def test_addresses_are_taken_apart(
    given: str, url: str, host: str, local: bool
) -> None:
    found = parse_address(given)
    assert (found.url, found.host, found.is_local) == (url, host, local)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "sk-secret",
        "localhost:8000",
        "ftp://sk-secret.org",
        "file:///sk-secret",
        "http://",
        "http://a.org:sk-secret/v1",
        "http://me:sk-secret@a.org/v1",
        "http://a.org/v1?api_key=sk-secret",
        "http://a.org/v1#sk-secret",
        "http://a.org/ sk-secret",
    ],
)
def test_other_addresses_are_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(SemanticsError, match="http://localhost:8000/v1") as caught:
        source("server", url=given)
    assert "sk-secret" not in str(caught.value)


def test_an_unknown_way_to_read_is_refused() -> None:
    with pytest.raises(SemanticsError, match="'spot', 'gene'"):
        ServerSource("http://localhost/v1", per="page")


def test_gene_lists_that_leave_are_announced() -> None:
    away = ServerSource("https://api.example.org/v1")
    assert away.notice == "Gene lists leave this machine: sent to api.example.org."
    assert "unless that is a tunnel" in ServerSource("http://localhost:1/v1").notice


def test_retry_after_is_read_in_both_forms() -> None:
    assert parse_retry_after("12") == 12
    assert parse_retry_after("1.5") == 1.5
    soon = datetime.now(UTC) + timedelta(seconds=100)
    assert 90 < parse_retry_after(format_datetime(soon, usegmt=True)) <= 100
    for nothing in ("", "soon", "-5", "nan", "9" * 400):
        assert parse_retry_after(nothing) == 0


def test_a_server_can_be_probed(server: FakeServer) -> None:
    found, per_text = probe(server.url)
    assert (found.dimension, found.model) == (WIDTH, "tiny")
    assert found.norm == pytest.approx(1, abs=1e-6)
    assert found.seconds > 0
    assert per_text > 0
    assert [len(texts) for texts in server.asked] == [1, 8]
