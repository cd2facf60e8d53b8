"""A model in a process of its own, which a time limit can end and which may die by itself."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from ...expectations.errors import GateError

if TYPE_CHECKING:
    from ...expectations.contract.model_version import ModelVersion

_PROGRAM = "from signature_gate.tasks.scoring.model_process import serve; serve({})"
_DIE_WITH_PARENT = 1  # of prctl


class CallFailed(Exception):
    """A call in the other process did not return.

    Attributes:
        what: What happened, such as ``raised ValueError``.
    """

    def __init__(self, what: str, words: str = "") -> None:
        """Keep what happened apart from the words of the model's own error."""
        super().__init__(words)
        self.what = what


class ModelProcess:
    """Stands for a loaded model; each call may take ``timeout`` seconds."""

    def __init__(self, model: ModelVersion, fingerprint: str, timeout: float) -> None:
        """Start nothing yet."""
        self._model, self._fingerprint, self._timeout = model, fingerprint, timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Any = None

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Predict as MLflow's models do; CallFailed if the model raises, dies or is too slow."""
        pipe = self._started()
        try:
            pipe.send((model_input, params))
        except ConnectionError:
            raise self._ended() from None
        if not pipe.poll(self._timeout):
            if self._process:
                self._process.kill()
            self._end()
            what = f"did not answer within {self._timeout:g} s, the feed's predict_timeout,"
            raise CallFailed(what)
        return self._answer(pipe)

    def _started(self) -> Any:
        if self._pipe is not None and self._process and self._process.poll() is None:
            return self._pipe
        self._pipe, theirs = Pipe()
        # What the model prints must not mix with the gate's own output.
        self._process = subprocess.Popen(  # noqa: S603 - the program is ours
            [sys.executable, "-c", _PROGRAM.format(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=2,
        )
        theirs.close()
        self._pipe.send((self._model, self._fingerprint))
        self._answer(self._pipe)
        return self._pipe

    def _answer(self, pipe: Any) -> Any:
        try:
            kind, value = pipe.recv()
        except (EOFError, ConnectionError):
            raise self._ended() from None
        match kind:
            case "returned":
                return value
            case "broken":
                raise value
            case _:
                what = f"raised {kind}"
                raise CallFailed(what, value)

    def _ended(self) -> CallFailed:
        code = self._end()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return CallFailed(f"ended its process by {how}")

    def _end(self) -> int:
        process, self._process, self._pipe = self._process, None, None
        if process is None:
            return 0
        try:
            return process.wait(1)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def serve(descriptor: int) -> None:
    """Load a model and predict with it until the other end of the pipe is closed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    pipe: Any = Connection(descriptor)  # at run time it takes no type arguments
    from ...expectations.registry.client import load_model

    model, fingerprint = pipe.recv()
    try:
        loaded = load_model(model, fingerprint)
    except (GateError, OSError) as error:
        pipe.send(("broken", error))
        return
    except BaseException as error:  # noqa: BLE001 - a model's code may raise anything
        pipe.send((type(error).__name__, str(error)))
        return
    pipe.send(("returned", None))
    while True:
        try:
            model_input, params = pipe.recv()
        except EOFError:
            return
        pipe.send(_called(loaded, model_input, params))


def _called(loaded: Any, model_input: Any, params: Any) -> tuple[str, Any]:
    try:
        return "returned", loaded.predict(model_input, params=params)
    except BaseException as error:  # noqa: BLE001 - a model may raise anything
        return type(error).__name__, str(error)
