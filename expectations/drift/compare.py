"""What changed between two contracts, two batches, or a batch and a contract.

Breaking is what follows from the table of what conforms to what: between two contracts, that a
batch which fitted the first may not fit the second.
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
    """What changed from one thing to another.

    Attributes:
        before: What was compared, as it was named.
        after: What it was compared with.
        changes: The worst first.
    """

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
    """List what changed.

    Args:
        before: A contract; or the schema in which a batch arrived, as verdicts and receipts hold
            it.
        after: Likewise. A batch and a contract may stand on either side.
        policy: What contracts leave open; by default the one saved with a contract's suite, else
            ``Policy()``.

    Returns:
        The changes, the worst first. Swapping the sides gives the same ones inverted, though other
        effects between two of a kind.
    """
    policy = policy or _saved(after) or _saved(before) or Policy()
    match before, after:
        case Contract(), Contract():
            found = contract_changes(before, after, policy)
        case Contract(), _:
            found = contract_deviations(after, before, policy)  # pyright: ignore[reportArgumentType]
        case _, Contract():
            found = (change.inverted() for change in contract_deviations(before, after, policy))
        case _:
            found = batch_changes(before, after, None, policy)
    return worst_first(found)


def _saved(side: Contract | BatchInfo) -> Policy | None:
    return side.policy if isinstance(side, Contract) else None
