"""Rules on integers and dates that a Parquet footer proves: no row is read for them."""

from __future__ import annotations

import datetime as dt
import math
import struct
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forged_parquet import MAX_VALUE, STATISTICS, Struct, chunk, forge
from hypothesis import given
from hypothesis import strategies as st
from rule_cases import rule, under, where
from small_checks import contract

from signature_gate import check
from signature_gate.expectations.errors import BatchChanged
from signature_gate.expectations.judge import scan_stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.expectations.judge.result import CheckResult

EDGE = 2**53  # from here on doubles, in which rules compare, skip integers
NUMBERS = st.integers(-3, 3) | st.integers(EDGE - 2, EDGE + 2) | st.sampled_from((0.5, 2.0))
MOMENTS = st.integers(-2, 2).map(lambda n: dt.datetime(2020, 1, 1) + dt.timedelta(hours=12 * n))
WHOLE = st.integers(-3, 3) | st.integers(EDGE - 2, EDGE + 2)
NANOSECONDS = MOMENTS.map(lambda at: int(at.replace(tzinfo=dt.UTC).timestamp()) * 10**9)
TYPES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int32": ("integer", st.integers(-3, 3)),
    "int64": ("long", WHOLE),
    "uint64": ("long", WHOLE.map(abs)),
    "double": ("long", st.integers(-3, 3).map(float) | st.just(0.5)),
    "float": ("float", st.integers(-3, 3).map(float) | st.just(math.nan)),
    "string": ("string", st.sampled_from(("a", "b"))),
    "date32": ("datetime", MOMENTS.map(dt.datetime.date)),
    "timestamp[us]": ("datetime", MOMENTS),
    "timestamp[ns]": ("datetime", NANOSECONDS | NANOSECONDS.map(lambda at: at + 1)),
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[pa.Table, Any, list[Any]]:
    """Draw a column of cells, its type in the model, and rules on it."""
    written_as = draw(st.sampled_from(list(TYPES)))
    target, values = TYPES[written_as]
    cells = draw(st.lists(st.none() | values if draw(st.booleans()) else values, max_size=6))
    kind = {"timestamp[us]": pa.timestamp("us"), "timestamp[ns]": pa.timestamp("ns")}
    table = pa.table({"a": pa.array(cells, kind.get(written_as, written_as))})
    limit = MOMENTS.map(dt.datetime.isoformat) if target == "datetime" else NUMBERS
    low, high = sorted(draw(st.tuples(limit, limit)))
    limits: dict[str, Any] = {"min_value": low, "max_value": high}
    limits.pop(draw(st.sampled_from(("min_value", "max_value", ""))), None)
    limits |= draw(
        st.dictionaries(st.sampled_from(("strict_min", "strict_max")), st.just(value=True))
    )
    if draw(st.booleans()):
        limits["row_condition"] = where("a", "!=", low)
    between = rule("column_values_to_be_between", column="a", **limits)
    rules = [rule("column_values_to_not_be_null", column="a"), between]
    return table, target, rules[: 1 if target == "string" else draw(st.integers(1, 2))]


def judged(path: Path, target: str, rules: list[Any], **policy: Any) -> CheckResult:
    """Judge an optional column by rules."""
    asked = {"on_mismatch": "split", "max_rejected": 1} | policy
    return check(path, under(contract(("a",), a=target, b="long"), *rules), asked)


def told(result: CheckResult) -> list[Any]:
    """List what a verdict says, but for where it is from."""
    verdict = result.verdict
    return [verdict.violations, verdict.rules, verdict.rows, verdict.rejected, verdict.disposition]


@given(case=cases(), null_values=st.sampled_from(((), ("1",))))
def test_a_verdict_by_bounds_is_that_by_scan(case: Any, null_values: tuple[str, ...]) -> None:
    """Violations, counts, samples and rules are those of rows that were read."""
    table, target, rules = case
    with TemporaryDirectory() as root:
        path = Path(root, "a.parquet")
        whole = table.append_column("b", pa.array([7] * table.num_rows, pa.int64()))
        pq.write_table(whole, path, row_group_size=2)

        by_footer, by_scan = (
            judged(path, target, rules, null_values=null_values, trust_statistics=trusting)
            for trusting in (True, False)
        )

        assert told(by_footer) == told(by_scan)


def written(path: Path, cells: list[int | None]) -> Path:
    """Write a column of integers."""
    table = pa.table({"a": pa.array(cells, pa.int64()), "b": [1] * len(cells)})
    pq.write_table(table, path)
    return path


RULES = [
    rule("column_values_to_be_between", column="a", min_value=0, max_value=9),
    rule("column_values_to_not_be_null", column="b"),
]


def test_what_bounds_prove_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No query is run, and the evidence says so; a value beyond the limits is looked for."""
    ran = list[Any]()
    collect: Callable[..., Any] = scan_stage.collect
    monkeypatch.setattr(scan_stage, "collect", lambda rows: ran.append(rows) or collect(rows))

    proven = judged(written(tmp_path / "a.parquet", [1, 9]), "long", RULES).verdict

    assert (ran, proven.evidence) == ([], {"a": "footer", "b": "footer"})
    assert [r.element_count for r in proven.rules] == [2, 2]
    found = judged(written(tmp_path / "b.parquet", [1, 10]), "long", RULES).verdict
    assert (len(ran), found.evidence) == (1, {"a": "scan", "b": "footer"})
    assert [(v.rows, v.sample) for v in found.violations] == [((1,), ("10",))]


def test_rows_that_are_no_good_are_not_counted_by_bounds(tmp_path: Path) -> None:
    """A rule applies to rows that meet the contract, of which a footer knows nothing."""
    verdict = judged(written(tmp_path / "a.parquet", [1, None, 3]), "long", RULES).verdict

    assert verdict.rejected == 1
    assert [r.element_count for r in verdict.rules] == [2, 2]


def test_false_bounds_are_found_when_rows_are_read(tmp_path: Path) -> None:
    """What a rule forbids never reaches the model, whatever the footer says."""
    path = written(tmp_path / "a.parquet", [1, 10])

    def deny(footer: Struct) -> None:
        chunk(footer)[STATISTICS][MAX_VALUE] = struct.pack("<q", 9)

    forge(path, deny)
    result = judged(path, "long", RULES)

    assert result.passed
    with pytest.raises(BatchChanged, match="trust_statistics: false"):
        result.model_input()
