"""What changed between two contracts, two batches, or a batch and a contract.

Between two contracts a change is breaking if a batch that fits the first may not fit the second;
the table of conversions decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, computed_field

from ..contract.contract import Contract
from ..contract.policy import Policy
from .batch_diff import batch_changes, contract_deviations
from .change import Change, fingerprint_of, worst_first
from .contract_diff import contract_changes

if TYPE_CHECKING:
    from ..verdict.verdict import BatchInfo


class Comparison(BaseModel):
    """What changed between two sides, each named as the user named it; the worst first."""

    model_config = ConfigDict(frozen=True)

    before: str
    after: str
    changes: tuple[Change, ...] = ()

    @computed_field
    @property
    def breaking(self) -> bool:
        """Whether what fitted before may not fit after."""
        return any(change.effect == "breaking" for change in self.changes)

    @computed_field
    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that are equal for equal changes, whatever was compared."""
        return fingerprint_of(self.changes)


def compare(
    before: Contract | BatchInfo, after: Contract | BatchInfo, policy: Policy | None = None
) -> tuple[Change, ...]:
    """List the changes between two contracts, two batches, or one of each; the worst first.

    Swapping the sides gives the same changes inverted, though other effects between two of a kind.
    Without a policy, the one saved with a contract's suite counts, else ``Policy()``.
    """
    policy = policy or _saved(after) or _saved(before) or Policy()
    match before, after:
        case Contract(), Contract():
            changes = contract_changes(before, after, policy)
        case Contract(), _:
            changes = contract_deviations(after, before, policy)  # pyright: ignore[reportArgumentType]
        case _, Contract():
            changes = (change.inverted() for change in contract_deviations(before, after, policy))
        case _:
            changes = batch_changes(before, after, None, policy)
    return worst_first(changes)


def _saved(side: Contract | BatchInfo) -> Policy | None:
    return side.policy if isinstance(side, Contract) else None
