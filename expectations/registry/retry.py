"""Asking a registry that may be slow or away: again and again, within a limit, without a word."""

from __future__ import annotations

import logging
import math
import os
import re
from concurrent.futures import Future
from contextlib import ExitStack
from contextvars import copy_context
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import stamina
from stamina.instrumentation import get_on_retry_hooks, set_on_retry_hooks

from ..errors import GateError, Misuse

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")

LIMIT = "SIGNATURE_GATE_REGISTRY_TIMEOUT"

_DEFAULT_LIMIT = "30"
_REQUEST_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_LONGEST_LINE = 200

_PASSWORD = re.compile(r"(?<=://)[^/\s@]+@")
_SIGNED_QUERY = re.compile(r"(?<=[\w/])\?\S+=\S+")


class DeadlineExceeded(Exception):
    """There was no answer.

    Attributes:
        attempts: How often the question was asked.
        seconds: For how long.
        last: The last error that says more than that time was up.
    """

    def __init__(self, errors: list[Exception], seconds: float) -> None:
        """Keep the facts; the text is for whoever asked."""
        super().__init__(errors, seconds)
        self.attempts = len(errors)
        self.seconds = seconds
        telling = [error for error in errors if not isinstance(error, TimeoutError)]
        self.last = _origin((telling or errors)[-1])


def call_within(
    question: Callable[[], Answer], limit: float, is_permanent: Callable[[Exception], bool]
) -> Answer:
    """Ask until there is an answer, and never for longer than the limit.

    Args:
        question: Asks once. It runs in a thread, which is left alone if it outlasts the limit.
        limit: Seconds, attempts and the pauses between them all told.
        is_permanent: Whether an error would come again however often one asked.

    Returns:
        What the question returned.

    Raises:
        GateError: Whatever the question found out for certain.
        DeadlineExceeded: The limit is over, or the last error was permanent.
    """
    began, longest_pause = monotonic(), min(5.0, limit / 10)
    errors: list[Exception] = []

    def left() -> float:
        return limit - (monotonic() - began)

    def worth_another(error: Exception) -> bool:
        certain = isinstance(error, GateError) or is_permanent(error)
        return not certain and left() > longest_pause

    def attempt() -> Answer:
        # A third, so that a server which swallows one request is asked again. Whole seconds are
        # all that MLflow knows; the thread keeps the limit to the instant.
        os.environ[_REQUEST_TIMEOUT] = str(max(1, math.ceil(min(left(), limit / 3))))
        try:
            return _answer_within(left(), question)
        except Exception as error:
            errors.append(error)
            raise

    patiently = stamina.RetryingCaller(
        attempts=None, timeout=None, wait_max=longest_pause, wait_jitter=longest_pause
    )
    try:
        with mlflow_silenced, mlflow_retries_disabled:
            return patiently.on(worth_another)(attempt)
    except GateError:
        raise
    except Exception as error:
        raise DeadlineExceeded(errors, monotonic() - began) from error


def fetch(download: Callable[[], Answer], limit: float) -> Answer:
    """Download what may take long, and forgive two faults on the way.

    Args:
        download: Downloads once, over what an earlier attempt left.
        limit: Seconds within which each single request must answer.

    Returns:
        What the download returned.

    Raises:
        DeadlineExceeded: The third attempt failed too.
    """
    began = monotonic()
    patiently = stamina.RetryingCaller(attempts=3, timeout=None, wait_max=min(5.0, limit / 10))
    try:
        with mlflow_silenced, mlflow_retries_disabled:
            os.environ[_REQUEST_TIMEOUT] = str(math.ceil(limit))
            return patiently.on(Exception)(download)
    except Exception as error:
        raise DeadlineExceeded([error], monotonic() - began) from error


def resolve_timeout(timeout: float | None) -> float:
    """Settle for how many seconds to go on asking.

    Args:
        timeout: The caller's wish; None for what the environment says, else 30.

    Returns:
        Seconds, above 0.

    Raises:
        Misuse: What was wished for is no such number.
    """
    stated = (os.environ.get(LIMIT) or _DEFAULT_LIMIT) if timeout is None else timeout
    try:
        limit = float(stated)
    except ValueError:
        limit = math.nan
    if not 0 < limit < math.inf:
        msg = f"the registry timeout ({LIMIT}) must be a number of seconds above 0, not {stated!r}."
        raise Misuse(msg)
    return limit


def described(error: BaseException) -> str:
    """Say in one short line what went wrong, without credentials."""
    lines = masked(str(error)).strip().splitlines()
    # MLflow lists failed downloads under a headline each.
    telling = (line for line in lines if not line.endswith(":") and not line.startswith("#"))
    first = next(telling, lines[0] if lines else "no answer")
    shown = first if len(first) <= _LONGEST_LINE else f"{first[:_LONGEST_LINE]}…"
    return f"{type(error).__name__}: {shown.rstrip('.')}"


def _origin(error: BaseException) -> BaseException:
    # HTTP clients wrap each other's errors, with less to say at each layer.
    inner = error.__cause__ or error.__context__
    is_wrapper = type(error).__module__.partition(".")[0] in {"mlflow", "requests", "urllib3"}
    return _origin(inner) if inner and is_wrapper else error


def masked(text: str) -> str:
    """Hide ``user:password@`` and the queries of signed URLs."""
    return _SIGNED_QUERY.sub("?***", _PASSWORD.sub("***@", text))


def _answer_within(seconds: float, question: Callable[[], Answer]) -> Answer:
    # A name server, a database driver or a body that trickles in heeds no request timeout.
    answer: Future[Answer] = Future()

    def put() -> None:
        try:
            answer.set_result(question())
        except Exception as error:  # noqa: BLE001 - raised where the answer is awaited
            answer.set_exception(error)

    Thread(target=copy_context().run, args=(put,), daemon=True).start()
    return answer.result(timeout=seconds)


class _Shared:
    """Settings of the whole process: the first to enter makes them, the last to leave undoes them.

    Threads that overlap therefore never restore each other's settings for good.
    """

    def __init__(self, make: Callable[[ExitStack], None]) -> None:
        self._make = make
        self._undo = ExitStack()
        self._inside = 0
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._make(self._undo)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._undo.close()


def _hush(undo: ExitStack) -> None:
    _set(undo, "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # stamina logs each retry at WARNING, or prints it where structlog is installed.
    undo.callback(set_on_retry_hooks, get_on_retry_hooks())
    set_on_retry_hooks(())
    for name in ("mlflow", "alembic"):
        logger = logging.getLogger(name)
        undo.callback(logger.setLevel, logger.level)
        logger.setLevel(max(logger.level, logging.WARNING))


def _drop_retries(undo: ExitStack) -> None:
    # MLflow tries eight times with 120 s each and doubling pauses.
    _set(undo, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    _set(undo, _REQUEST_TIMEOUT, os.environ.get(_REQUEST_TIMEOUT, "120"))


def _set(undo: ExitStack, name: str, value: str) -> None:
    before = os.environ.get(name)
    if before is None:
        undo.callback(os.environ.pop, name, None)
    else:
        undo.callback(os.environ.__setitem__, name, before)
    os.environ[name] = value


# MLflow without bars and chatter, and stamina without its log lines.
mlflow_silenced = _Shared(_hush)
# MLflow without its own retries.
mlflow_retries_disabled = _Shared(_drop_retries)
