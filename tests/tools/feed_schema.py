"""Write deployments/feeds/feed.schema.json, the JSON schema of a feed's YAML file."""

from __future__ import annotations

from signature_gate.tasks.setup.new_feed import feed_schema

if __name__ == "__main__":
    print(feed_schema(), end="")  # noqa: T201
