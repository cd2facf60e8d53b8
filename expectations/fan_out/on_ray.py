"""A Ray cluster: one that runs, or one of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import GateError, WorkerDied, needs_extra
from .call import work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .call import Call


class OnRay:
    """The workers of a Ray cluster."""

    def __init__(self, address: str) -> None:
        """Connect, unless this process is connected; ``ray`` is the cluster that Ray itself finds.

        That is the one of RAY_ADDRESS, or else one of our own.
        """
        with needs_extra("ray"):
            import ray
        self._ray: Any = ray
        if not ray.is_initialized():
            try:
                ray.init(None if address == "ray" else address, log_to_driver=False)
            except (ConnectionError, TimeoutError) as error:
                said = str(error).partition("\n")[0]
                remedy = "Check address and server, and RAY_AUTH_MODE=token where it wants a token"
                msg = f"no cluster of Ray answers at {address}: {said}. {remedy}."
                raise GateError(msg) from error

    @property
    def number(self) -> int:
        """How many tasks the cluster runs at a time."""
        return max(int(self._ray.cluster_resources().get("CPU", 1)), 1)

    def done(self, call: Call) -> Iterator[tuple[int, Any]]:
        """Do a call as one task for each item; Ray does again what a dead worker had."""
        task, head = self._ray.remote(work), self._ray.put(call.head)
        left = {task.remote(item, head): position for position, item in enumerate(call.items)}
        try:
            while left:
                (done,), _ = self._ray.wait(list(left))
                yield left[done], self._returned(done)
                del left[done]
        finally:
            for task in left:
                self._ray.cancel(task)

    def _returned(self, done: Any) -> Any:
        try:
            return self._ray.get(done)
        except self._ray.exceptions.WorkerCrashedError as error:
            return WorkerDied(f"workers of Ray died again and again over one task: {error}")
