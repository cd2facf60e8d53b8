"""A Prefect server for the tests that request it, started once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import prefect_tables
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(name="prefect_server", scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run flows against a server with its own home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
        from prefect.testing import utilities

        database = tmp_path_factory.mktemp("harness") / "prefect-test.db"
        prefect_tables.lay_out(database)
        patch.setattr(utilities, "mkdtemp", lambda: str(database.parent))

        # Each flow waits at its end, up to a second, for the thread that sends heartbeats.
        quick = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
        with quick, utilities.prefect_test_harness(server_startup_timeout=120):
            prefect_tables.keep(database)
            yield


@pytest.fixture(name="_fresh_senders", scope="module", autouse=True)
def fresh_senders() -> None:
    """Start new senders of events for each module: a sender keeps the address of its start."""
    if "prefect.events.worker" in sys.modules:
        from prefect.events.worker import EventsWorker

        EventsWorker.drain_all(timeout=5, at_exit=False)
