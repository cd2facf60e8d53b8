"""The platform of docs/platform.md: two servers and a worker, each a process.

Everything listens on loopback, on free ports, and lies in one temporary folder. Every process is
ended in any case: all of them inherit an environment variable by which they are found, children
of children included.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import prefect_tables
from platform_commands import PREFECT_SERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MARK = "SIGNATURE_GATE_TEST_PLATFORM"
_BIN = Path(sys.executable).parent


def free_port() -> int:
    """Find a free port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(found: Callable[[], Any], what: str, seconds: float = 300) -> Any:
    """Call until the result is true, and return it."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        with suppress(httpx.TransportError):
            if answer := found():
                return answer
        time.sleep(0.25)
    message = f"waited {seconds:.0f} s for {what}"
    raise TimeoutError(message)


class Platform:
    """The processes, their environment, and queries to the Prefect server.

    Attributes:
        folder: Where commands run and write their logs.
        environment: The variables of docs/platform.md, with the ports of this platform.
    """

    def __init__(self, folder: Path) -> None:
        """Choose the ports; nothing is started yet."""
        prefect, mlflow = free_port(), free_port()
        self.folder = folder
        self.mlflow = f"http://127.0.0.1:{mlflow}"
        self.api = f"http://127.0.0.1:{prefect}/api"
        self._mark = uuid.uuid4().hex
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))},
            "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
            "PWD": str(folder),
            "PREFECT_API_URL": self.api,
            "MLFLOW_TRACKING_URI": self.mlflow,
            "SIGNATURE_GATE_HOME": str(folder / "deployments"),
            # The ports are set here, so that the commands run as they are documented.
            "PREFECT_SERVER_API_PORT": str(prefect),
            "MLFLOW_PORT": str(mlflow),
            # Small and fast, without telemetry.
            "MLFLOW_WORKERS": "1",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "GX_ANALYTICS_ENABLED": "false",
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            _MARK: self._mark,
        }
        # One client for all requests: to make one takes longer than most requests.
        self._client = httpx.Client(base_url=self.api, timeout=30)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    # ----- processes -----

    def start(self, command: str) -> None:
        """Start a command in the background; its output goes to a file."""
        with self._log(len(self._processes)).open("wb") as log:
            self._processes[command] = subprocess.Popen(
                shlex.split(command),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @contextmanager
    def running(self, command: str) -> Iterator[None]:
        """Run a command in the background for as long as the block takes."""
        self.start(command)
        try:
            yield
        finally:
            self._processes[command].terminate()
            self._processes[command].wait(60)

    def start_prefect(self) -> None:
        """Start a Prefect server on SQLite, and wait until it answers."""
        database = self.folder / "prefect" / "prefect.db"
        prefect_tables.lay_out(database)
        self.start(PREFECT_SERVER)
        wait_for(self.is_healthy, "the Prefect server")
        prefect_tables.keep(database)

    def finish(self, command: str) -> str:
        """Wait until a command ends with exit code 0, and return its output."""
        code, printed = self.end(command)
        assert code == 0, f"{command}\n{printed}"
        return printed

    def end(self, command: str) -> tuple[int, str]:
        """Wait for a command to end, and return its exit code and what it printed."""
        code = self._processes[command].wait(300)
        return code, self._log(list(self._processes).index(command)).read_text("utf-8")

    def run(self, command: str) -> str:
        """Run a command to its end, and return its output."""
        self.start(command)
        return self.finish(command)

    def _log(self, number: int) -> Path:
        return self.folder / f"{number}.log"

    def logs(self) -> str:
        """The output of all processes, for the report of a failure."""
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {file.name}\n{file.read_text('utf-8')[-4000:]}" for file in files)

    def stop(self) -> None:
        """End every process, children of children included."""
        self._client.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            left = self.alive()
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            last = time.monotonic() + 5
            while self.alive() and time.monotonic() < last:
                time.sleep(0.1)

    def alive(self) -> list[int]:
        """List the processes of this platform that have not ended."""
        for process in self._processes.values():
            process.poll()
        mark = f"{_MARK}={self._mark}".encode()
        environs = Path("/proc").glob("[0-9]*/environ")
        return [int(file.parent.name) for file in environs if _has(file, mark)]

    # ----- queries to the Prefect server -----

    def is_healthy(self) -> bool:
        """Whether the Prefect server answers."""
        return self._client.get("health").is_success

    def ask(self, path: str, **question: Any) -> Any:
        """Send a request to the Prefect server's API."""
        return wait_for(lambda: self._answer(path, question), f"{path} to answer").json()

    def runs_of(self, deployment: str) -> list[dict[str, Any]]:
        """List the runs of a deployment that have ended."""
        flow, name = deployment.split("/")
        return self.ask(
            "flow_runs/filter",
            deployments={"name": {"any_": [name]}},
            flows={"name": {"any_": [flow]}},
            flow_runs={"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}},
        )

    def heartbeat(self, resource: str, tag: str) -> None:
        """Send a run's heartbeat event, as the process of a tagged run does."""
        beat = {
            "id": str(uuid.uuid4()),
            "occurred": datetime.now(UTC).isoformat(),
            "event": "prefect.flow-run.heartbeat",
            "resource": {"prefect.resource.id": resource},
            "related": [
                {"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"}
            ],
        }
        self._answer("events", [beat])

    def events(self, resource: str) -> dict[str, dict[str, Any]]:
        """List the names of the events on a resource."""
        found = self.ask("events/filter", filter={"resource": {"id": [resource]}})
        return {event["event"]: event for event in found["events"]}

    def _answer(self, path: str, question: Any) -> httpx.Response | None:
        # While its SQLite is locked the server answers 503; Prefect's own client retries too.
        answer = self._client.post(path, json=question)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None
        return answer.raise_for_status()


def _has(environ: Path, mark: bytes) -> bool:
    # The process has ended meanwhile, or belongs to another user.
    with suppress(OSError):
        return mark in environ.read_bytes().split(b"\0")
    return False
