"""Names of flow runs: the feed, and when the run was due; and where a run is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect.runtime import flow_run


def run_name() -> str:
    """Name a run by its feed and its scheduled minute in UTC."""
    return f"{_feed_name()} {flow_run.scheduled_start_time:%Y-%m-%d %H:%M}"


def review_name() -> str:
    """Name a run about one quarantine entry by its feed and the entry."""
    return f"{_feed_name()} {_parameter('batch')}"


def run_page() -> str | None:
    """Find the page of the current flow run; None where Prefect serves none."""
    page = str(flow_run.ui_url)
    return page if page.startswith("http") else None


def _feed_name() -> str:
    feed = _parameter("feed")
    return Path(feed).stem if isinstance(feed, str | Path) else _name_of(feed)


def _name_of(feed: Any) -> str:
    return feed["name"] if isinstance(feed, dict) else feed.name


def _parameter(name: str) -> Any:
    parameters: dict[str, Any] = flow_run.parameters
    return parameters[name]
