"""A Dask cluster: one that runs, or one of this machine."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..errors import GateError, WorkerDied, needs_extra
from .call import work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .call import Call


class OnDask:
    """The workers of a Dask cluster."""

    def __init__(self, given: Any) -> None:
        """Take a client as it is, or connect to an address; ``dask`` is a cluster of our own."""
        self._client: Any = _client(given) if isinstance(given, str) else given

    @property
    def number(self) -> int:
        """How many tasks the cluster runs at a time."""
        return max(sum(self._client.nthreads().values()), 1)

    def done(self, call: Call) -> Iterator[tuple[int, Any]]:
        """Do a call as one task for each item; Dask does again what a dead worker had."""
        from distributed import KilledWorker, as_completed

        named = [f"signature-gate-{uuid4().hex}" for _ in call.items]
        futures = self._client.map(work, call.items, key=named, head=call.head)
        positions = {name: position for position, name in enumerate(named)}
        try:
            # Fetched as soon as they are there: what lies with a worker dies with it.
            for future, returned in as_completed(futures, with_results=True, raise_errors=False):
                if future.status != "error":
                    yield positions[future.key], returned
                elif isinstance(error := future.exception(), KilledWorker):
                    msg = f"workers of Dask died again and again over one task: {error}"
                    yield positions[future.key], WorkerDied(msg)
                else:
                    raise error
        finally:
            self._client.cancel(futures)


@lru_cache(maxsize=4)
def _client(address: str) -> Any:
    with needs_extra("dask"):
        from distributed import Client
    if address == "dask":
        return Client(dashboard_address=None)
    address = address.replace("dask://", "tcp://")
    try:
        return Client(address)
    except OSError as error:
        msg = f"no scheduler of Dask answers at {address}: {error}. Check address and server."
        raise GateError(msg) from error
