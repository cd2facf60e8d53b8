"""Run a model's code, whatever it raises: only a real interrupt or cancellation ends the run."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...expectations.errors import GateError, ModelFailed
from ...expectations.escaping import visible
from .model_process import ModelProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

    from ...expectations.contract.model_version import ModelVersion

# Outside of a model's code these mean what they say.
ENDS_RUN = (KeyboardInterrupt, GeneratorExit)
_LONGEST_ERROR = 500

# Few models promise to be safe in threads, and batches of one feed share the model.
_one_at_a_time = threading.Lock()


def call_model(call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """Return what a call into a model's code returned, or else what it raised."""
    with _one_at_a_time, _interrupts_noted() as interrupts:
        try:
            return call(), None
        except BaseException as error:
            # A model may raise KeyboardInterrupt or SystemExit too, and is wrong to.
            interrupted = isinstance(error, KeyboardInterrupt) and interrupts
            cancelled = type(error).__module__.startswith("prefect.")
            if interrupted or (cancelled and not isinstance(error, Exception)):
                raise
            return None, error


def load(model: ModelVersion, fingerprint: str, timeout: float | None, *, redact: bool) -> Any:
    """Load a model, once per version: here, or in a process that ``timeout`` can end.

    Raises what ``registry.client.load_model`` does; ModelFailed for whatever else its code raises.
    """
    # Pydantic makes frozen models hashable, which type checkers do not see.
    once: Any = _load_once
    loaded, error = call_model(lambda: once(model, fingerprint, timeout))
    if error is None:
        return loaded
    if isinstance(error, GateError | OSError):
        raise error
    words = "" if redact else f": {visible(error, limit=_LONGEST_ERROR)}"
    msg = f"{model} raised {type(error).__name__} while it was loaded{words}. Repair the model."
    raise ModelFailed(msg) from (None if redact else error)


@lru_cache(maxsize=2)
def _load_once(model: ModelVersion, fingerprint: str, timeout: float | None) -> Any:
    if timeout is not None:
        return ModelProcess(model, fingerprint, timeout)
    from ...expectations.registry.client import load_model

    return load_model(model, fingerprint)


@contextmanager
def _interrupts_noted() -> Generator[list[int]]:
    """List the interrupts that come from outside; Python hands them to the main thread only."""
    noted = list[int]()
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, handler)
