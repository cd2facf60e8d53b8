"""Patterns of rules, timed in a process of their own: Python's ``re`` may take for ever.

As a script, it reads patterns and texts, searches each text, and is ended by the system once a
thousand texts have taken two seconds of the processor.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECONDS = 2
_SECONDS_TO_START = 10
_AT_ONCE = 1_000
SLOW = "its patterns take more than 2 s for 1,000 rows"
_PATTERNS = ("regex", "regex_list", "json_schema")


def are_slow(kwargs: dict[str, Any], texts: Iterable[str]) -> bool:
    """Tell whether a rule's patterns take more than two seconds for a thousand texts.

    Raises:
        OSError: The process cannot be started.
    """
    patterns = {key: kwargs[key] for key in _PATTERNS if key in kwargs}
    if not patterns:
        return False
    request = json.dumps([patterns, list(texts)])
    command = [sys.executable, "-I", __file__]
    done = subprocess.run(command, input=request.encode(), capture_output=True, check=False)  # noqa: S603
    return done.returncode == -signal.SIGVTALRM


def _search(patterns: dict[str, Any], text: str) -> None:
    for pattern in (patterns.get("regex"), *(patterns.get("regex_list") or ())):
        if isinstance(pattern, str):
            re.search(pattern, text)
    if "json_schema" in patterns:
        import jsonschema

        with suppress(ValueError, jsonschema.ValidationError, jsonschema.SchemaError):
            jsonschema.validate(json.loads(text), patterns["json_schema"])


def _main() -> None:
    patterns, texts = cast("tuple[dict[str, Any], list[str]]", json.load(sys.stdin))
    signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS_TO_START)
    _search(patterns, "")  # imports are not the patterns' time
    for start in range(0, len(texts), _AT_ONCE):
        signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
        for text in texts[start : start + _AT_ONCE]:
            _search(patterns, text)


if __name__ == "__main__":
    _main()
