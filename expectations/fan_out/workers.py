"""Who does the work: what each engine offers, and which one a caller means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

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
    if isinstance(given, str) and given.isdecimal():
        given = int(given)
    if given is None or (type(given) is int and given == 1):
        return None
    if isinstance(given, int) and given > 1:
        from .processes import Processes

        return Processes(given)
    text = given if isinstance(given, str) else ""
    if text == "ray" or text.startswith("ray://"):
        from .on_ray import OnRay

        return OnRay(text)
    is_client = type(given).__module__.partition(".")[0] == "distributed"
    if is_client or text == "dask" or text.startswith(("dask://", "tcp://", "tls://")):
        from .on_dask import OnDask

        return OnDask(given)
    msg = f"{_ACCEPTED}, not {given!r}."
    raise Misuse(msg)
