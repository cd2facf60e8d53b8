"""What is learned of a column, and what of a batch is told by it, one statistic at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from signature_gate import Contract, Violation, check, learn

RNG = np.random.default_rng(7)


def told(learned: pl.DataFrame, batch: pl.DataFrame) -> list[Violation]:
    """Learn from rows, and judge others."""
    types = {pl.Float64: "double", pl.Int64: "long", pl.String: "string"}
    columns = ", ".join(
        f'{{"name": "{name}", "type": "{types.get(type(dtype), "datetime")}", "required": false}}'
        for name, dtype in learned.schema.items()
    )
    contract = Contract.from_signature({"inputs": f"[{columns}]"})
    contract = replace(contract, values=learn(learned, contract=contract))
    return list(check(batch, contract).verdict.violations)


def test_rows_outside_of_what_was_learned_are_counted_beside_rules_that_reject() -> None:
    """A required column's nulls reject rows, values out of bounds are only told."""
    frame = pl.DataFrame({"a": RNG.normal(size=2_000), "b": RNG.normal(size=2_000)})
    columns = '[{"name": "a", "type": "double"}, {"name": "b", "type": "double"}]'
    contract = Contract.from_signature({"inputs": columns})
    contract = replace(contract, values=learn(frame, contract=contract))
    batch = frame.with_columns(b=pl.when(pl.int_range(2_000) == 7).then(1e6).otherwise("b"))

    result = check(batch, contract)

    assert [(v.kind, v.column, v.count) for v in result.verdict.violations] == [("value", "b", 1)]
    assert result.verdict.rejected == 0


def test_points_in_time_are_learned_as_they_are_judged() -> None:
    """Days at midnight are no news where all were."""
    days = [datetime(2020, 1, 1) + timedelta(days=day) for day in range(2_000)]
    frame = pl.DataFrame({"when": days}, schema={"when": pl.Datetime("us")})

    assert told(frame, frame) == []
    assert [v.statistic for v in told(frame, frame.with_columns(pl.col("when").dt.offset_by("7m")))]
