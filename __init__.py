"""Judge every batch against the signature of the MLflow model that will score it.

``check`` judges a batch by a ``Contract`` and a ``Policy``. It returns a ``CheckResult``: a
``Verdict`` with its ``Violation``s, and the rows on either side. Bad data gives a verdict; broken
machinery and wrong usage raise an error, always a ``GateError``.

Prefect tasks are in ``signature_gate.tasks``, flows in ``signature_gate.flows``. A name is imported
when it is first used, so ``import signature_gate`` loads nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .lazy import attach

if TYPE_CHECKING:
    from .expectations.contract.contract import Contract
    from .expectations.contract.policy import Policy
    from .expectations.errors import (
        BatchChanged,
        BatchNotFound,
        ContractChanged,
        GateError,
        InvalidFeed,
        InvalidPolicy,
        InvalidRules,
        InvalidValues,
        Misuse,
        ModelFailed,
        ModelNotFound,
        NoContract,
        RegistryUnavailable,
        UnsupportedBatch,
    )
    from .expectations.exporting import export
    from .expectations.judge.checking import check
    from .expectations.judge.learned.learning import learn
    from .expectations.judge.result import CheckResult
    from .expectations.readers.sql.query import Query
    from .expectations.values.profile import ValueProfile
    from .expectations.verdict.verdict import BatchRejected, Verdict, Violation

__all__ = [
    "BatchChanged",
    "BatchNotFound",
    "BatchRejected",
    "CheckResult",
    "Contract",
    "ContractChanged",
    "GateError",
    "InvalidFeed",
    "InvalidPolicy",
    "InvalidRules",
    "InvalidValues",
    "Misuse",
    "ModelFailed",
    "ModelNotFound",
    "NoContract",
    "Policy",
    "Query",
    "RegistryUnavailable",
    "UnsupportedBatch",
    "ValueProfile",
    "Verdict",
    "Violation",
    "check",
    "export",
    "learn",
]

_MODULES = {
    "BatchRejected": ".expectations.verdict.verdict",
    "CheckResult": ".expectations.judge.result",
    "Contract": ".expectations.contract.contract",
    "Policy": ".expectations.contract.policy",
    "Query": ".expectations.readers.sql.query",
    "Verdict": ".expectations.verdict.verdict",
    "Violation": ".expectations.verdict.verdict",
    "ValueProfile": ".expectations.values.profile",
    "check": ".expectations.judge.checking",
    "export": ".expectations.exporting",
    "learn": ".expectations.judge.learned.learning",
}
# All others are errors.
_offered = attach(__name__, dict.fromkeys(__all__, ".expectations.errors") | _MODULES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("signature-gate")
    return _offered(name)
