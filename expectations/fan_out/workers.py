"""Who does the work: what each engine offers, and which one a caller means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import AfterValidator

from ..errors import Misuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .call import Call

_ACCEPTED = (
    "workers are a number of processes, 'dask' or 'dask://HOST:PORT', 'ray' or 'ray://HOST:PORT', "
    "or a distributed.Client"
)


class Workers(Protocol):
    """An engine that calls a function for many items at the same time."""

    @property
    def number(self) -> int:
        """How many items are under way at a time."""
        ...

    def done(self, call: Call) -> Iterator[tuple[int, Any]]:
        """Do a call for each of its items; yield each position with what the function returned.

        An error of the gate's stands for what it raised. What a worker that dies had under way is
        done again; if that goes on, WorkerDied stands for it.
        """
        ...


def workers_of(given: Any) -> Workers | None:
    """Find the engine that a caller means; None for this process alone.

    Raises:
        Misuse: There is no such engine, or it is not installed.
    """
    try:
        engine = _engine(given)
    except ValueError as error:
        msg = f"{error}."
        raise Misuse(msg) from error
    if engine == "processes":
        from .processes import Processes

        return Processes(int(given))
    if engine == "ray":
        from .on_ray import OnRay

        return OnRay(given)
    if engine == "dask":
        from .on_dask import OnDask

        return OnDask(given)
    return None


def _engine(given: Any) -> Literal["here", "processes", "dask", "ray"]:
    text = given if isinstance(given, str) else ""
    number = int(text) if text.isdecimal() else given
    if given is None or (type(number) is int and number == 1):
        return "here"
    if type(number) is int and number > 1:
        return "processes"
    if text == "ray" or text.startswith("ray://"):
        return "ray"
    is_client = type(given).__module__.partition(".")[0] == "distributed"
    if is_client or text == "dask" or text.startswith(("dask://", "tcp://", "tls://")):
        return "dask"
    msg = f"{_ACCEPTED}, not {given!r}"
    raise ValueError(msg)


def _known(given: int | str) -> int | str:
    _engine(given)
    return given


# As a file names them: an engine that there is not is told at once, and nothing is asked of it yet.
NamedWorkers = Annotated[int | str, AfterValidator(_known)]
