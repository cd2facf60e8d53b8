"""The errors of broken machinery and wrong use; bad data gives a verdict instead.

GateError
├── NoContract           the model's signature cannot serve as a contract
├── BatchRejected        a caller asked for the rows of a batch that may not be scored
├── Misuse               an invalid argument, name or file
│   ├── BatchNotFound        no such file or folder
│   ├── UnsupportedBatch     an object or format that the gate does not read
│   ├── ModelNotFound        the registry answers, and knows no such model, version or alias
│   ├── InvalidPolicy        a policy with an unknown field or value
│   ├── InvalidRules         a rule that cannot be judged, or that must not be
│   ├── InvalidFeed          a feed file with an unknown field or value
│   └── InvalidValues        a file that is no profile of learned values
├── RegistryUnavailable  the registry did not answer within the limit
├── ContractChanged      the signature behind a pinned version is no longer the one that judged
├── BatchUnavailable     a disk, a network or a permission keeps the batch from being read
├── StoreUnavailable     a store of objects did not answer as it should
├── TableUnavailable     a table takes no rows; they are appended by the next run
├── BatchChanged         the batch is no longer what was judged
├── ModelFailed          the model raised, ended or never answered while it predicted
└── WorkerDied           workers ended without a word while they had the batch
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from .credentials import masked

if TYPE_CHECKING:
    from collections.abc import Generator


class GateError(Exception):
    """The base class of all errors of signature-gate; no message shows credentials."""

    def __init__(self, *args: object) -> None:
        """Mask the message, so that neither logs nor tracebacks show what is in a URI."""
        super().__init__(*(masked(arg) if isinstance(arg, str) else arg for arg in args))


class NoContract(GateError):
    """The model's signature cannot serve as a contract.

    Attributes:
        model: The model as it was named.
        reason: Why its signature decides nothing.
        remedy: How to log the model so that it does.
    """

    def __init__(self, reason: str, remedy: str, model: str = "the model") -> None:
        """Keep the three parts, so that a verdict can carry them too."""
        super().__init__(f"{model} has no usable contract: {reason}. {remedy}")
        self.reason = reason
        self.remedy = remedy
        self.model = masked(model)

    def __reduce__(self) -> tuple[type[NoContract], tuple[str, str, str]]:
        """Pickle by parts: Prefect carries exceptions between processes."""
        return type(self), (self.reason, self.remedy, self.model)


class Misuse(GateError):
    """An argument, name or file is invalid."""


def require(given: object, kinds: type | tuple[type, ...], accepted: str) -> None:
    """Refuse an argument of another type, and say what is accepted."""
    if not isinstance(given, kinds):
        msg = f"{accepted}, not an object of type {type(given).__name__}."
        raise Misuse(msg)


@contextmanager
def needs_extra(name: str) -> Generator[None]:
    """Import what an extra of the package brings along, or say how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        msg = f"{error.name} is not installed. Run pip install 'signature-gate[{name}]'."
        raise Misuse(msg) from error


class BatchNotFound(Misuse):
    """No such file or folder."""


class UnsupportedBatch(Misuse):
    """An object or a format that the gate does not read."""


class ModelNotFound(Misuse):
    """The registry answers, and knows no such model, version or alias."""


class InvalidPolicy(Misuse):
    """A policy with an unknown field or value."""


class InvalidRules(Misuse):
    """A rule that cannot be judged, or one that would run code."""


class InvalidFeed(Misuse):
    """A feed file with an unknown field or value."""


class InvalidValues(Misuse):
    """A file that is no profile of learned values."""


class RegistryUnavailable(GateError):
    """The registry did not answer within the limit."""


class ContractChanged(GateError):
    """The signature behind a pinned version is no longer the one that judged."""


class BatchUnavailable(GateError):
    """A disk, a network or a permission keeps the batch from being read; try again."""


class StoreUnavailable(GateError, OSError):
    """A store of objects did not answer as it should; as a failing disk, worth another try."""


class TableUnavailable(GateError):
    """A table takes no rows; they are appended by the next run."""


class BatchChanged(GateError):
    """The batch is no longer what was judged: altered meanwhile, or its footer is false."""


class ModelFailed(GateError):
    """The model raised, ended or never answered while it predicted."""


class WorkerDied(GateError):
    """Workers ended without a word while they had the batch."""
