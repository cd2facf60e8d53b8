"""An object store on loopback, one for each test process, and buckets in it."""

from __future__ import annotations

import base64
import hmac
import json
import socket
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from repository import ROOT

from signature_gate.expectations.stores.objects import ObjectStore
from signature_gate.tasks.feed import feed as feed_module
from signature_gate.tasks.feed.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import polars as pl

_STARTS_WITHIN = 60
_MOTO = """
import sys
from datetime import timedelta
from moto import server
from moto.s3 import models
plain, ahead = models.utcnow, timedelta(hours=int(sys.argv.pop(1)))
models.utcnow = lambda: plain() + ahead
server.main()
"""


@contextmanager
def s3_server(hours_ahead: int = 0) -> Iterator[str]:
    """Run moto, which answers as S3 does, and keeps all objects in its memory."""
    [port] = _free_ports(1)
    command = [sys.executable, "-c", _MOTO, str(hours_ahead), "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, f"http://127.0.0.1:{port}") as address:
        yield address


@contextmanager
def seaweedfs(program: str, folder: Path, key: str) -> Iterator[str]:
    """Run SeaweedFS, which keeps objects on a disk, and knows one key."""
    ports = _free_ports(4)
    rights = {"actions": ["Admin", "Read", "Write", "List", "Tagging"], "name": "gate"}
    rights["credentials"] = [{"accessKey": "loopback", "secretKey": key}]
    (folder / "data").mkdir()
    (folder / "s3.json").write_text(json.dumps({"identities": [rights]}))
    names = ("-s3.port", "-master.port", "-volume.port", "-filer.port")
    options = [f"{name}={port}" for name, port in zip(names, ports, strict=True)]
    # The catalogs that it would serve too have fixed ports.
    options += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    options += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.config={folder}/s3.json"]
    options += ["-master.volumeSizeLimitMB=64", "-volume.max=50", f"-dir={folder}/data"]
    with _running([program, "server", *options], f"http://127.0.0.1:{ports[0]}") as address:
        yield address


@contextmanager
def azurite() -> Iterator[str]:
    """Run the emulator of Azure's blobs; it keeps them in its memory."""
    program = ROOT / ".azurite" / "node_modules" / ".bin" / "azurite-blob"
    if not program.is_file():
        pytest.skip("azurite is not installed: make azurite")
    [port] = _free_ports(1)
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--skipApiVersionCheck"]
    options += ["--inMemoryPersistence", "--disableTelemetry", "--silent"]
    with _running([str(program), *options], f"http://127.0.0.1:{port}") as address:
        yield f"{address}/{_ACCOUNT}"


@contextmanager
def _running(command: list[str], address: str) -> Iterator[str]:
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    try:
        _wait_for(address)
        yield address
    finally:
        server.kill()
        server.wait()


def _free_ports(number: int) -> list[int]:
    # SeaweedFS opens each port plus 10,000 too.
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] - (20_000 if number > 1 else 0) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _wait_for(address: str) -> None:
    ends = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            httpx.get(address)
        except httpx.HTTPError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Name a store in the environment, with credentials that it takes."""
    with s3_server() as address, pytest.MonkeyPatch.context() as patch:
        for name, value in credentials(address).items():
            patch.setenv(name, value)
        yield address


SECRET = "xyzzy-secret-of-the-store"  # noqa: S105 - it opens nothing


def credentials(address: str) -> dict[str, str]:
    """Say in the words of the environment where a store is, and who asks."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "loopback",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }


_ACCOUNT = "devstoreaccount1"
# The one key that the emulator knows; it is in its manual.
_ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@pytest.fixture(scope="session")
def azure() -> Iterator[str]:
    """Name an emulator of Azure in the environment, with credentials that it takes."""
    with azurite() as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZURE_STORAGE_ACCOUNT_NAME", _ACCOUNT)
        patch.setenv("AZURE_STORAGE_ACCOUNT_KEY", _ACCOUNT_KEY)
        patch.setenv("AZURE_ENDPOINT", address)
        patch.setenv("AZURE_ALLOW_HTTP", "true")
        yield address


@pytest.fixture
def container(azure: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Make an empty container, and return its URL."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    name = f"gate-{uuid.uuid4().hex[:12]}"
    asked = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    headers = "\n".join(":".join(header) for header in asked.items())
    place = f"/{_ACCOUNT}/{_ACCOUNT}/{name}\nrestype:container"
    signed = "PUT" + "\n" * 12 + f"{headers}\n{place}"
    digest = hmac.digest(base64.b64decode(_ACCOUNT_KEY), signed.encode(), "sha256")
    asked["Authorization"] = f"SharedKey {_ACCOUNT}:{base64.b64encode(digest).decode()}"
    made = httpx.put(f"{azure}/{name}", params={"restype": "container"}, headers=asked)
    made.raise_for_status()
    return f"az://{name}"


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Make an empty bucket, and return its URL; what is kept of it lies in the test's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    name = f"gate-{uuid.uuid4().hex[:12]}"
    httpx.put(f"{s3}/{name}").raise_for_status()
    return f"s3://{name}"


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """Go on, on a machine that has looked into no store yet."""

    def forget() -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
        feed_module._home.cache_clear()  # noqa: SLF001 - a process stays on its machine

    return forget


@pytest.fixture
def store_feed(bucket: str, line: str) -> Callable[..., Feed]:
    """Make a feed in a bucket."""
    return partial(_feed, bucket, line)


@pytest.fixture
def azure_feed(container: str, line: str) -> Callable[..., Feed]:
    """Make a feed in a container of Azure's."""
    return partial(_feed, container, line)


def _feed(url: str, line: str, **fields: Any) -> Feed:
    policy = {"keep": ["key"], **fields.pop("policy", {})}
    plain = {"name": "line", "root": f"{url}/feeds/line", "model": line, "policy": policy}
    return Feed.parse({"backoff_seconds": 0, **plain, **fields})


def put(feed: Feed, name: str, batch: pl.DataFrame | bytes) -> None:
    """Deliver a batch into the inbox of a feed in a store."""
    from io import BytesIO

    buffer = BytesIO()
    if isinstance(batch, bytes):
        buffer.write(batch)
    elif name.endswith(".csv"):
        batch.write_csv(buffer)
    else:
        batch.write_parquet(buffer)
    ObjectStore(feed.root).write(f"inbox/{name}", buffer.getvalue())


def keys(feed: Feed, folder: str = "") -> set[str]:
    """List what lies in a store below a feed."""
    return {found.key for found in ObjectStore(feed.root).list(folder)}
