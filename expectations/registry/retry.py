"""Calls to a registry that may be slow or away: repeated, within a time limit."""

from __future__ import annotations

import math
import os
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from ..credentials import masked
from ..errors import GateError, Misuse
from ..wording import cut
from .process_settings import REQUEST_TIMEOUT, mlflow_retries_disabled, mlflow_silenced

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")

LIMIT = "SIGNATURE_GATE_REGISTRY_TIMEOUT"

_DEFAULT_LIMIT = "30"
_LONGEST_LINE = 200
_LONGEST_PAUSE = 5.0


class DeadlineExceeded(Exception):
    """There was no answer.

    Attributes:
        attempts: How often the question was asked.
        seconds: For how long.
        last: The last error that says more than that time was up.
    """

    def __init__(self, errors: list[Exception], seconds: float) -> None:
        """Keep the facts; the caller writes the message."""
        super().__init__(errors, seconds)
        self.attempts = len(errors)
        self.seconds = seconds
        telling = [error for error in errors if not isinstance(error, TimeoutError)]
        self.last = _root_cause((telling or errors)[-1])


def call_within(
    question: Callable[[], Answer], limit: float, is_permanent: Callable[[Exception], bool]
) -> Answer:
    """Ask until there is an answer, for at most ``limit`` seconds, attempts and pauses together.

    Each attempt runs in a thread, which is left alone if it outlasts the limit. A GateError of the
    question is raised at once; DeadlineExceeded follows a permanent error or the end of the time.
    """
    import stamina

    began, longest_pause = monotonic(), min(_LONGEST_PAUSE, limit / 10)
    errors: list[Exception] = []

    def left() -> float:
        return limit - (monotonic() - began)

    def is_worth_repeating(error: Exception) -> bool:
        final = isinstance(error, GateError) or is_permanent(error)
        return not final and left() > longest_pause

    def attempt() -> Answer:
        # A third, so that a server which swallows one request is asked again. MLflow takes whole
        # seconds only; the thread keeps the exact limit.
        os.environ[REQUEST_TIMEOUT] = str(max(1, math.ceil(min(left(), limit / 3))))
        return _record_error(errors, lambda: _answer_within(left(), question))

    retry = stamina.RetryingCaller(
        attempts=None, timeout=None, wait_max=longest_pause, wait_jitter=longest_pause
    )
    try:
        with mlflow_silenced, mlflow_retries_disabled:
            return retry.on(is_worth_repeating)(attempt)
    except GateError:
        raise
    except Exception as error:
        raise DeadlineExceeded(errors, monotonic() - began) from error


def fetch(download: Callable[[], Answer], limit: float) -> Answer:
    """Download in up to three attempts; each request has ``limit`` seconds."""
    import stamina

    began = monotonic()
    retry = stamina.RetryingCaller(
        attempts=3, timeout=None, wait_max=min(_LONGEST_PAUSE, limit / 10)
    )
    try:
        with mlflow_silenced, mlflow_retries_disabled:
            os.environ[REQUEST_TIMEOUT] = str(math.ceil(limit))
            return retry.on(Exception)(download)
    except Exception as error:
        raise DeadlineExceeded([error], monotonic() - began) from error


def resolve_timeout(timeout: float | None) -> float:
    """Return the timeout in seconds; without one, that of the environment, else 30."""
    stated = (os.environ.get(LIMIT) or _DEFAULT_LIMIT) if timeout is None else timeout
    try:
        limit = float(stated)
    except ValueError:
        limit = math.nan
    if not 0 < limit < math.inf:
        msg = f"the registry timeout ({LIMIT}) must be a number of seconds above 0, not {stated!r}."
        raise Misuse(msg)
    return limit


def describe_error(error: BaseException) -> str:
    """Describe an error in one short line, without credentials."""
    lines = masked(str(error)).strip().splitlines()
    # MLflow lists failed downloads under a headline each.
    details = (line for line in lines if not line.endswith(":") and not line.startswith("#"))
    line = next(details, lines[0] if lines else "no answer")
    return f"{type(error).__name__}: {cut(line, _LONGEST_LINE).rstrip('.')}"


def _root_cause(error: BaseException) -> BaseException:
    # HTTP clients wrap each other's errors, and each layer says less.
    inner = error.__cause__ or error.__context__
    is_wrapper = type(error).__module__.partition(".")[0] in {"mlflow", "requests", "urllib3"}
    return _root_cause(inner) if inner and is_wrapper else error


def _record_error(errors: list[Exception], question: Callable[[], Answer]) -> Answer:
    try:
        return question()
    except Exception as error:
        errors.append(error)
        raise


def _answer_within(seconds: float, question: Callable[[], Answer]) -> Answer:
    # Name servers, database drivers and slow bodies ignore the timeout of a request.
    answer: Future[Answer] = Future()

    def put() -> None:
        try:
            answer.set_result(question())
        except Exception as error:  # noqa: BLE001 - raised where the answer is awaited
            answer.set_exception(error)

    Thread(target=copy_context().run, args=(put,), daemon=True).start()
    return answer.result(timeout=seconds)
