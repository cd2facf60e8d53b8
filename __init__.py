"""Judge every batch against the signature of the MLflow model that will score it."""

from importlib.metadata import version

from .expectations.checking import check
from .expectations.contract import Contract
from .expectations.errors import BatchRejected, GateError
from .expectations.policy import Policy

__all__ = ["BatchRejected", "Contract", "GateError", "Policy", "check"]
__version__ = version("signature-gate")
