"""Settings of the whole process while MLflow is called: quiet, and without its own retries."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack, redirect_stdout
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_QUIET = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class _ProcessSettings:
    """The first thread to enter makes the settings, the last one to leave undoes them."""

    def __init__(self, change: Callable[[ExitStack], None]) -> None:
        self._change = change
        self._undo = ExitStack()
        self._inside = 0
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._change(self._undo)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._undo.close()


def _silence(undo: ExitStack) -> None:
    from stamina.instrumentation import get_on_retry_hooks, set_on_retry_hooks

    for name, value in _QUIET.items():
        _set(undo, name, value)
    # Standard output is for results, such as the JSON of `check --json`; models print there too.
    undo.enter_context(redirect_stdout(sys.stderr))
    # stamina logs each retry at WARNING, or prints it where structlog is installed.
    undo.callback(set_on_retry_hooks, get_on_retry_hooks())
    set_on_retry_hooks(())
    for name in ("mlflow", "alembic"):
        logger = logging.getLogger(name)
        undo.callback(logger.setLevel, logger.level)
        logger.setLevel(max(logger.level, logging.WARNING))


def _disable_retries(undo: ExitStack) -> None:
    # MLflow tries eight times with 120 s each and doubling pauses.
    _set(undo, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    _set(undo, REQUEST_TIMEOUT, os.environ.get(REQUEST_TIMEOUT, "120"))


def _set(undo: ExitStack, name: str, value: str) -> None:
    before = os.environ.get(name)
    if before is None:
        undo.callback(os.environ.pop, name, None)
    else:
        undo.callback(os.environ.__setitem__, name, before)
    os.environ[name] = value


# No progress bars, prints and log lines below WARNING.
mlflow_silenced = _ProcessSettings(_silence)
mlflow_retries_disabled = _ProcessSettings(_disable_retries)
