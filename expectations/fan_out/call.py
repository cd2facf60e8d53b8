"""What travels to a worker and back.

That is bytes which cloudpickle made, so a worker needs the same versions as the caller.
"""

from __future__ import annotations

import pickle
import sys
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import cloudpickle

from ..errors import GateError, Misuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Call:
    """A function of one argument, to be called with each of some items."""

    def __init__(self, function: Callable[[Any], Any], items: Iterable[Any]) -> None:
        """Pickle everything, the function once for all items."""
        self.head: bytes = cloudpickle.dumps((_versions(), cloudpickle.dumps(function)))
        self.items: list[bytes] = [cloudpickle.dumps(item) for item in items]


def result_of(returned: Any) -> Any:
    """Raise what is an error of the gate's, and return anything else."""
    if isinstance(returned, GateError | OSError):
        raise returned
    return returned


def work(item: bytes, head: bytes) -> Any:
    """Do one item's part of a call, as a worker; an error of the gate's is returned."""
    try:
        return _function(head)(pickle.loads(item))  # noqa: S301 - the caller made it
    except (GateError, OSError) as error:
        return error


@lru_cache(maxsize=2)
def _function(head: bytes) -> Callable[[Any], Any]:
    # Kept from item to item: what it is bound to may be costly to make ready.
    theirs, function = pickle.loads(head)  # noqa: S301 - the caller made it
    if theirs != _versions():
        msg = f"a worker has {_versions()}, the caller {theirs}. Install the same versions on both."
        raise Misuse(msg)
    return cast("Callable[[Any], Any]", pickle.loads(function))  # noqa: S301


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    return {
        "python": ".".join(map(str, sys.version_info[:2])),
        **{name: version(name) for name in ("signature-gate", "polars")},
    }
