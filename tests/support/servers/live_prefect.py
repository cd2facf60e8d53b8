"""A ``prefect server`` process with its user interface, for the length of one module."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from live_platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator


# Each module that imports it has a server of its own: left running, they would take the time of
# the tests that follow.
@pytest.fixture(name="live_server", scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Start the server; this process does not use it yet."""
    platform = Platform(tmp_path_factory.mktemp("live"))
    platform.environment["PREFECT_SERVER_UI_ENABLED"] = "true"
    try:
        platform.start_prefect()
        yield platform
    finally:
        platform.stop()


@contextmanager
def speaking_to(platform: Platform) -> Iterator[None]:
    """Send the flows, events and logs of this process to that server."""
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    settings = {PREFECT_API_URL: platform.api, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    _hang_up()
    with temporary_settings(settings):
        try:
            yield
        finally:
            _hang_up()


def _hang_up() -> None:
    """Send what is queued: the sending threads keep the address of their start."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    EventsWorker.drain_all(timeout=30, at_exit=False)
    APILogWorker.drain_all(timeout=30, at_exit=False)
