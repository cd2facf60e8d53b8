"""A proxy in front of a store that spoils chosen answers, as networks and providers do."""

from __future__ import annotations

import http.client
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_DENIED = b"<Error><Code>ExpiredToken</Code><Message>The token has expired.</Message></Error>"
_SLOW = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class Faults:
    """Which answers to spoil, and how.

    Attributes:
        kind: ``lost`` (done, and answered with 500), ``refused`` (500 and not done), ``slow`` (503
            and not done), ``reset`` (done, and cut off in mid-body), ``denied`` (403, not done).
        first: The first request to spoil, from 1.
        last: The last one.
        seen: How many requests there were.
    """

    def __init__(self, kind: str, first: int, last: int) -> None:
        """Spoil the requests from the first to the last."""
        self.kind, self.first, self.last, self.seen = kind, first, last, 0
        self._lock = Lock()

    def hits(self) -> bool:
        """Count a request, and tell whether it is to be spoilt."""
        with self._lock:
            self.seen += 1
            return self.first <= self.seen <= self.last


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.server.faults.kind if self.server.faults.hits() else ""
        if kind in ("refused", "slow", "denied"):
            status = {"refused": 500, "slow": 503, "denied": 403}[kind]
            self._answer(status, {}, {"slow": _SLOW, "denied": _DENIED}.get(kind, b""))
            return
        status, headers, content = self._forward(body)
        if kind == "lost":
            self._answer(500, {}, b"")
        elif kind == "reset":
            self._cut_off(status, headers, content)
        else:
            self._answer(status, headers, content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass  # noqa: N815

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        skipped = ("transfer-encoding", "connection", "date", "server")
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in skipped}
        upstream.close()
        return answer.status, headers, content

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        headers = {k: v for k, v in headers.items() if k.lower() != "content-length"} | {
            "Content-Length": headers.get("Content-Length") or str(len(content))
            if self.command == "HEAD"
            else str(len(content))
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _cut_off(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) + 1))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def faulty(upstream: str, kind: str, first: int, last: int) -> Iterator[tuple[str, Faults]]:
    """Stand before a store; yield the proxy's address, and the faults."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Passing)
    server.daemon_threads = True
    server.upstream, server.faults = urlsplit(upstream).netloc, Faults(kind, first, last)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.faults
    finally:
        server.shutdown()
        server.server_close()
