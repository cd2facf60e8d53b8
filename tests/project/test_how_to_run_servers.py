"""The pages of docs/how-to/ about the servers' own set-up: the commands start them so."""

from __future__ import annotations

import re
import ssl
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import httpx
import pytest
from live_platform import Platform, wait_for
from live_postgres import postgres
from page_commands import DOCS, blocks_in, commands_in, exported
from platform_commands import CONTRACT, REGISTER

from signature_gate import Contract, RegistryUnavailable
from signature_gate.flows.cli.options import BROKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POSTGRES, AUTH = "how-to/postgres.md", "how-to/mlflow-auth.md"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A platform in which nothing runs yet; the script of docs/platform.md lies there."""
    (script,) = [block for block in blocks_in("platform.md") if block.title == "register.py"]
    (tmp_path / script.title).write_text(script.text, "utf-8")
    platform = Platform(tmp_path)
    try:
        yield platform
    finally:
        platform.stop()
        # Pytest shows it if a test failed.
        print(platform.logs())  # noqa: T201
        assert platform.alive() == []


def test_both_servers_keep_their_records_in_postgres(platform: Platform) -> None:
    """postgres.md: databases, servers, a model and a flow run, each found in its database."""
    pytest.importorskip(
        "psycopg", reason="psycopg is not installed: the dependency group dev has it"
    )
    with postgres() as client:
        port = {"PREFECT_SERVER_DATABASE_PORT": client["PGPORT"]}
        platform.environment |= client
        platform.environment = exported(POSTGRES, platform.environment) | port
        *databases, mlflow, prefect, doctor = _commands(POSTGRES)
        for command in databases:
            platform.run(command)
        platform.start(mlflow)
        platform.start(prefect)
        wait_for(platform.is_healthy, "the Prefect server")
        wait_for(lambda: httpx.get(f"{platform.mlflow}/health").is_success, "the MLflow server")

        platform.run(REGISTER)
        platform.run("python -c 'from prefect import flow; flow(lambda: 1, name=\"trial\")()'")

        assert platform.mlflow in platform.run(doctor)
        assert _ask(platform, "mlflow", "SELECT name FROM registered_models") == "flights"
        assert _ask(platform, "prefect", "SELECT name FROM flow") == "trial"
        platform.stop()


def _ask(platform: Platform, database: str, query: str) -> str:
    command = ["psql", "--tuples-only", "--no-align", "--dbname", database, "--command", query]
    return subprocess.check_output(command, env=platform.environment, text=True).strip()


def test_the_gate_reaches_mlflow_behind_a_password_and_tls(platform: Platform) -> None:
    """mlflow-auth.md: with the variables all is well; a wrong password is broken machinery."""
    pytest.importorskip("flask_wtf", reason="mlflow[auth] is not installed: the group dev has it")
    certificate, server, doctor = _commands(AUTH)
    platform.run(certificate)
    platform.environment = exported(AUTH, platform.environment)
    address = platform.mlflow.replace("http://127.0.0.1", "https://localhost")
    platform.environment["MLFLOW_TRACKING_URI"] = address
    platform.environment.pop("PREFECT_API_URL")
    platform.start(server)
    trusted = ssl.create_default_context(cafile=platform.folder / "cert.pem")
    with httpx.Client(verify=trusted) as client:
        wait_for(lambda: client.get(f"{address}/health").is_success, "the MLflow server")

    platform.run(REGISTER)
    assert f"{address} answers" in platform.run(doctor)

    platform.environment["MLFLOW_TRACKING_PASSWORD"] = "wrong"  # noqa: S105 - that is the point
    platform.start(CONTRACT)
    code, printed = platform.end(CONTRACT)
    assert code == BROKEN
    assert "401" in printed


def test_every_variable_of_the_page_is_one_of_mlflows() -> None:
    """mlflow-auth.md: no name is misspelt."""
    import mlflow.environment_variables as known

    named = set(re.findall(r"MLFLOW_[A-Z_]+", (DOCS / AUTH).read_text("utf-8")))

    assert len(named) > 6
    assert named <= set(dir(known))


def test_a_token_is_sent_as_bearer(monkeypatch: pytest.MonkeyPatch) -> None:
    """mlflow-auth.md: MLFLOW_TRACKING_TOKEN reaches the registry with each request."""
    sent = list[str | None]()

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent.append(self.headers["Authorization"])
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as registry:
        Thread(target=registry.serve_forever, args=(0.05,)).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{registry.server_port}")
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
        with pytest.raises(RegistryUnavailable):
            Contract.load("models:/flights@champion", timeout=10)
        registry.shutdown()

    assert set(sent) == {"Bearer secret"}


def _commands(page: str) -> list[str]:
    return [line for line in commands_in(page) if not line.startswith("export ")]
