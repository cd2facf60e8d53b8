"""Write deployments/feeds/feed.schema.json, the JSON schema of a feed's YAML file."""

from __future__ import annotations

import json
from typing import Any

from signature_gate.tasks.feed.feed import Feed

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def feed_schema() -> dict[str, Any]:
    """Make the schema from the models that parse the file."""
    return {"$schema": _DIALECT, **Feed.model_json_schema()}


def as_written(schema: dict[str, Any]) -> str:
    """Format the schema as in the file."""
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    print(as_written(feed_schema()), end="")  # noqa: T201
