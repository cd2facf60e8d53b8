"""Artifacts and events of a run, from a Prefect server."""

from __future__ import annotations

import time
from typing import Any


def artifact(key: str) -> Any:
    """Fetch the latest artifact of a key, as the server stores it."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])),
            sort=ArtifactSort.CREATED_DESC,
        )
    return found[0].data


def events(resource: str, count: int, prefix: str = "signature-gate.") -> list[dict[str, Any]]:
    """Wait until the server has so many events of a kind on a resource, and fetch them."""
    from prefect.client.orchestration import get_client

    wanted = {
        "filter": {
            "event": {"prefix": [prefix]},
            "resource": {"id": [resource]},
        }
    }
    for _ in range(100):
        with get_client(sync_client=True) as client:
            found = client.request("POST", "/events/filter", json=wanted).json()["events"]
        if len(found) >= count:
            return found
        time.sleep(0.1)
    return found
