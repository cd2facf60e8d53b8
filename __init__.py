"""Judge every batch against the signature of the MLflow model that will score it."""

from importlib.metadata import version

from .expectations.contract.contract import Contract
from .expectations.contract.policy import Policy
from .expectations.errors import GateError
from .expectations.judge.checking import check
from .expectations.verdict.verdict import BatchRejected

__all__ = ["BatchRejected", "Contract", "GateError", "Policy", "check"]
__version__ = version("signature-gate")
