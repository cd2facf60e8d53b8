"""What is wrong with what a model returned, as part of a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..verdict.verdict import Violation
from .columns import described

if TYPE_CHECKING:
    from ..contract.policy import Policy

_REMEDY = "Repair the model, or log it again with the output that it really returns."
_BECAUSE = "predictions that cannot be told apart or joined back are not published"
_AGAINST_SCHEMA = "predictions that contradict the model's own output schema are not published"
_EXPECTED = {"extra_column": "only columns that the output schema has"}

# Policy that a remedy for inputs offers -> how to choose it for outputs.
_CHOICES = {
    "policy nullable": "accept null by policy nullable: [{column}]",
    "lossy_floats: allow": "accept rounding by policy lossy_floats: allow",
    "timezone: utc": "set policy timezone: utc",
}


def mismatch(expected: str, observed: str, remedy: str = _REMEDY) -> Violation:
    """State that a model returned something else than it should; nothing against single rows."""
    return Violation(
        kind="output_mismatch",
        expected=expected,
        observed=observed,
        remedy=remedy,
        because=_BECAUSE,
    )


def as_mismatch(found: Violation, rows: int, returned: Any, policy: Policy) -> Violation:
    """Say of a model's predictions what was found in them as if they had been a batch.

    Under ``redact`` no name is told that the model gave: it may be a value.
    """
    if found.count is None:
        more = "others" if policy.redact and found.kind == "extra_column" else found.observed
        observed = f"{more}; it returned {described(returned, names=not policy.redact)}"
    else:
        observed = f"{found.observed} in {found.count:,} of {rows:,} predictions"
    return found.model_copy(
        update={
            "kind": "output_mismatch",
            "expected": _EXPECTED.get(found.kind, found.expected),
            "observed": observed,
            "remedy": _remedy(found),
            "because": found.because
            if found.because.startswith("policy nulls")
            else _AGAINST_SCHEMA,
            "count": None,
            "rows": (),
            "expectation": None,
        }
    )


def _remedy(found: Violation) -> str:
    choices = (choice for word, choice in _CHOICES.items() if word in found.remedy)
    choice = next(choices, "").format(column=found.column)
    return f"{_REMEDY[:-1]}, or {choice}." if choice else _REMEDY
