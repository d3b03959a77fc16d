"""A real server on this machine that answers as told, and remembers what was asked."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

WIDTH = 6


def vector(text: str, width: int = WIDTH) -> list[float]:
    """Return the vector of a text: always the same, of unit length."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
    values = np.random.default_rng(seed).normal(size=width)
    return (values / np.linalg.norm(values)).tolist()


def answer_to(texts: list[str], width: int = WIDTH) -> dict[str, Any]:
    """Return a right answer, as OpenAI's servers give it."""
    return {
        "object": "list",
        "model": "tiny",
        "data": [
            {"object": "embedding", "index": i, "embedding": vector(text, width)}
            for i, text in enumerate(texts)
        ],
    }


class Reply:
    """One answer that is no embedding."""

    def __init__(
        self, status: int, body: Any = "", cut: int = 0, **headers: str
    ) -> None:
        self.status, self.cut, self.headers = status, cut, headers
        self.body = body if isinstance(body, str | bytes) else json.dumps(body)


class FakeServer(ThreadingHTTPServer):
    """Answers each request by `replies` in their order, then by `limit` and `change`.

    A reply is a `Reply`, a function of the texts, "slow": nothing until the test ends,
    or "drip": a byte now and then. The probe is a request like any other.
    """

    daemon_threads = True
    # Connections that a test leaves open are not waited for.
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[Any] = []
        self.always: Any = None
        self.limit = 10_000
        self.refuse_with = Reply(413, {"error": "batch size too large"})
        self.change: Any = lambda body: body
        self.asked: list[list[str]] = []
        self.seen: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.over, self.dripping = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def texts(self) -> list[str]:
        """Return all texts that were asked for, without the probe's."""
        return [text for texts in self.asked[1:] for text in texts]

    def reply(self, texts: list[str]) -> Any:
        with self.lock:
            planned = self.replies.pop(0) if self.replies else self.always
        if planned is None and len(texts) > self.limit:
            return self.refuse_with
        if planned is None:
            return Reply(200, self.change(answer_to(texts)))
        return planned(texts) if callable(planned) else planned

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: FakeServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = json.loads(self.rfile.read(length))
        with self.server.lock:
            self.server.asked.append(body["input"])
            self.server.seen.append(
                {"path": self.path, "headers": dict(self.headers), **body}
            )
        reply = self.server.reply(body["input"])
        if reply == "slow":
            self.server.over.wait(20)
            self.close_connection = True
            return
        if reply == "drip":
            self._drip()
            return
        content = reply.body
        content = content if isinstance(content, bytes) else content.encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content) + reply.cut))
        self.end_headers()
        self.wfile.write(content)
        if reply.cut:
            self.close_connection = True

    def _drip(self) -> None:
        """Never be silent for long, and never come to an end before the test does."""
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.close_connection = True
        for _ in range(2000):
            self.wfile.write(b" ")
            self.server.dripping.set()
            if self.server.over.wait(0.01):
                return

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.seen.append({"path": self.path, "headers": dict(self.headers)})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""
