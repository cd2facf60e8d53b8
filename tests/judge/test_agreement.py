"""Whatever arrives: the rows on either side and the model input agree with the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_checks import contract
from strategies import POLICIES, contracts, tables

from signature_gate import Contract, GateError, Policy, check
from signature_gate.expectations.errors import BatchChanged

if TYPE_CHECKING:
    from pathlib import Path


@st.composite
def odd_batches(draw: st.DrawFn) -> tuple[pa.Table, Contract, Policy]:
    """Draw a table that was made for one contract, to be judged by another."""
    table = draw(tables(draw(contracts())))
    return table, draw(contracts()), draw(POLICIES)


@given(case=odd_batches())
def test_rows_and_model_input_agree_with_the_verdict(case: Any) -> None:
    """Nothing but errors of the gate is raised, and only where the batch may not be scored."""
    table, judged_by, policy = case
    result = check(table, judged_by, policy)
    verdict = result.verdict

    if result.rejected is not None:
        rejected = verdict.rows if verdict.whole else verdict.rejected
        assert result.rejected.collect().height == rejected
    if result.accepted is not None:
        assert result.accepted.collect().height == verdict.accepted
    if result.disposition in ("passed", "split"):
        assert len(result.model_input()) == verdict.accepted
    else:
        with pytest.raises(GateError):
            result.model_input()


def test_files_that_vanish_after_the_verdict_are_an_error_of_the_gate(tmp_path: Path) -> None:
    """A folder whose files are gone has changed; it is no error of a library."""
    for name in ("1.parquet", "2.parquet"):
        pq.write_table(pa.table({"a": [1]}), tmp_path / name)
    result = check(tmp_path, contract(a="long"))
    (tmp_path / "1.parquet").unlink()

    for rows in (result.accepted, result.rejected):
        assert rows is not None
        with pytest.raises(BatchChanged):
            rows.collect()
    with pytest.raises(BatchChanged):
        result.model_input()


def test_rows_of_a_readable_file_are_counted_though_a_column_is_missing(tmp_path: Path) -> None:
    """CSV does not store how many rows it has; the verdict says it all the same."""
    path = tmp_path / "x.csv"
    path.write_text("b\n1\n2\n")

    verdict = check(path, contract(a="long")).verdict

    assert (verdict.rows, [v.kind for v in verdict.blocking]) == (2, ["missing_column"])
