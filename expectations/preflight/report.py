"""The result of trying a model version before it is promoted: plain data, and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from pydantic import BaseModel, ConfigDict, computed_field

from ..contract.model_version import ModelVersion
from ..verdict.verdict import Disposition, Violation

if TYPE_CHECKING:
    from collections.abc import Sequence

StepName = Literal[
    "contract", "input example", "synthetic batch", "predict", "output", "recent batches"
]
STEPS: tuple[StepName, ...] = get_args(StepName)


class Step(BaseModel):
    """One step of the trial.

    Attributes:
        name: What was tried.
        state: ``skipped`` where there is nothing to try it on.
        expected: How it should be.
        observed: How it is.
        remedy: What to do; empty if nothing.
        violations: The violations, if a batch was judged.
    """

    model_config = ConfigDict(frozen=True)

    name: StepName
    state: Literal["ok", "failed", "skipped"]
    expected: str
    observed: str
    remedy: str = ""
    violations: tuple[Violation, ...] = ()

    def passed(self, observed: str) -> Step:
        """Return the same step as passed."""
        return self.model_copy(update={"state": "ok", "observed": observed})

    def failed(self, observed: str, remedy: str) -> Step:
        """Return the same step as failed."""
        update = {"state": "failed", "observed": observed, "remedy": remedy}
        return self.model_copy(update=update)

    def failed_by(self, found: Sequence[Violation], remedy: str = "") -> Step:
        """Return the same step as failed by violations; their remedy is the default."""
        first = found[0]
        where = f" in {first.column!r}" if first.column else ""
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        said = f"{first.kind}{where}: expected {first.expected}, observed {first.observed}{more}"
        failed = self.failed(said, remedy or first.remedy)
        return failed.model_copy(update={"violations": tuple(found)})


class BatchOutcome(BaseModel):
    """The verdict on a recent batch.

    Attributes:
        file: Its path from the folder.
        disposition: What the policy makes of it.
        rows: How many arrived; None if it cannot be read.
        rejected: How many of them fail.
        reason: The first violation that blocks it.
        told: Columns whose values are unlike those learned, each with the statistic.
    """

    model_config = ConfigDict(frozen=True)

    file: str
    disposition: Disposition
    rows: int | None
    rejected: int
    reason: Violation | None = None
    told: tuple[str, ...] = ()


class Preflight(BaseModel):
    """The result of trying a model version.

    Attributes:
        uri: The model as it was named.
        model: The version that was tried; None if it has no usable contract.
        contract: Fingerprint of its contract.
        steps: Everything that was tried, in order.
        batches: Recent batches, the newest first.
        gate_version: The version of signature-gate that tried.
    """

    model_config = ConfigDict(frozen=True)

    uri: str
    model: ModelVersion | None = None
    contract: str = ""
    steps: tuple[Step, ...]
    batches: tuple[BatchOutcome, ...] = ()
    gate_version: str = ""

    @computed_field
    @property
    def passed(self) -> bool:
        """No step failed."""
        return all(step.state != "failed" for step in self.steps)
