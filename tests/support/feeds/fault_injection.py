"""Faults around a feed: full and read-only disks, failing registries, acts between writes."""

from __future__ import annotations

import logging
import os
import subprocess
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class _Once(logging.Handler):
    def __init__(self, point: str, action: Callable[[], object]) -> None:
        super().__init__(logging.DEBUG)
        self._point = point
        self._action: Callable[[], object] | None = action

    def emit(self, record: logging.LogRecord) -> None:
        if self._action and record.args and record.args[1] == self._point:  # pyright: ignore[reportArgumentType]
            action, self._action = self._action, None
            action()


@contextmanager
def at_point(point: str, action: Callable[[], object]) -> Iterator[None]:
    """Act once, when a checkpoint of the storage is first reached."""
    logger, handler = logging.getLogger("signature_gate.storage"), _Once(point, action)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


# ----- disks -----


class Disk:
    """A small file system in memory.

    Attributes:
        path: Where it is mounted.
    """

    def __init__(self, path: Path) -> None:
        """Name the folder."""
        self.path = path

    def fill(self, leave: int = 0) -> None:
        """Fill it up.

        Args:
            leave: Bytes that stay free.
        """
        free = os.statvfs(self.path)
        room = free.f_bavail * free.f_bsize - leave
        (self.path / ".filler").write_bytes(b"x" * room)

    def clear(self) -> None:
        """Free the space that ``fill`` took."""
        (self.path / ".filler").unlink()

    def forbid_writing(self) -> None:
        """Mount it read-only."""
        _mount("-o", "remount,ro", str(self.path))

    def allow_writing(self) -> None:
        """Mount it for writing again."""
        _mount("-o", "remount,rw", str(self.path))


@pytest.fixture(name="make_disk")
def disk_maker(tmp_path: Path) -> Iterator[Callable[..., Disk]]:
    """Mount file systems in memory; skip the test where this account may not."""
    mounted: list[Path] = []

    def make(name: str, megabytes: int = 2) -> Disk:
        path = tmp_path / name
        path.mkdir(parents=True)
        try:
            _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path))
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"this account may not mount a disk: {error}")
        mounted.append(path)
        return Disk(path)

    yield make
    for path in mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=False)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run as user nobody: file permissions do not bind root."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


# ----- registries -----


class _Answering(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        self.server.answer(self)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _say(status: int, body: bytes) -> Callable[[_Answering], None]:
    def answer(request: _Answering) -> None:
        request.send_response(status)
        request.end_headers()
        request.wfile.write(body)

    return answer


def _say_nothing(request: _Answering) -> None:
    request.server.over.wait(30)


# How a failing registry answers.
ANSWERS: dict[str, Callable[[_Answering], None]] = {
    "500": _say(500, b"out of order"),
    "garbage": _say(200, b"<html>welcome</html>"),
    "silence": _say_nothing,
}


@contextmanager
def failing_registry(answer: str) -> Iterator[str]:
    """Serve a registry that fails as ``ANSWERS`` says; ``down`` for one that does not listen."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        if answer == "down":
            server.server_close()
            yield address
            return
        server.daemon_threads = True
        server.block_on_close = False
        server.answer, server.over = ANSWERS[answer], Event()  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield address
        server.over.set()  # type: ignore[attr-defined]
        server.shutdown()
