"""A webhook on loopback that records what it receives, and can answer with errors."""

from __future__ import annotations

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Webhook:
    """An HTTP server that records messages by path.

    Attributes:
        host: Where it listens, such as ``127.0.0.1:40123``.
        answers: The status with which it answers.
    """

    def __init__(self) -> None:
        """Listen on a free port."""
        self.answers = HTTPStatus.OK
        self._got: list[tuple[str, dict[str, Any]]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.take(self.path, json.loads(body))
                self.send_response(webhook.answers)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def take(self, path: str, message: dict[str, Any]) -> None:
        """Record a message, if the answer is OK."""
        if self.answers is HTTPStatus.OK:
            self._got.append((path, message))

    def got(self, path: str) -> list[dict[str, Any]]:
        """Return the messages of a path, in order."""
        return [message for at, message in self._got if at == path]

    def stop(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(name="webhook")
def receiver() -> Iterator[Webhook]:
    """Run a webhook for one test."""
    webhook = Webhook()
    yield webhook
    webhook.stop()
