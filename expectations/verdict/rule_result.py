"""The result of one of the user's rules: plain data."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Engine = Literal["polars", "gx"]


class RuleResult(BaseModel):
    """The result of one of the user's rules.

    Attributes:
        expectation: The rule, as GX writes it.
        success: Whether it is kept; None where it was not judged, because the batch was stopped
            before, or an optional column that it is about did not arrive.
        element_count: Rows that it looked at, for rules about rows.
        unexpected_count: Rows that break it.
        observed: What was measured, for rules about the whole; empty under ``redact``.
        scope: ``row`` if each row is judged by itself, ``batch`` if the whole had to be looked at.
        engine: What judged it.
    """

    model_config = ConfigDict(frozen=True)

    expectation: dict[str, Any]
    success: bool | None = None
    element_count: int | None = None
    unexpected_count: int | None = None
    observed: Any = None
    scope: Literal["row", "batch"] = "batch"
    engine: Engine = "polars"
