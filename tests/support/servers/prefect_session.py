"""A real Prefect server for the tests that ask for it, started once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(name="prefect_server", scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run flows against a server of their own, with a home of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
        from prefect.testing.utilities import prefect_test_harness

        # The thread that sends heartbeats is waited for at the end of each flow, up to a second.
        quick = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
        with quick, prefect_test_harness(server_startup_timeout=120):
            yield


@pytest.fixture(name="_fresh_senders", scope="module", autouse=True)
def fresh_senders() -> None:
    """Have no module's events go to a server of the module before: a sender keeps its address."""
    if "prefect.events.worker" in sys.modules:
        from prefect.events.worker import EventsWorker

        EventsWorker.drain_all(timeout=5, at_exit=False)
