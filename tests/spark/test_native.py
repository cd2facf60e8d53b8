"""What Spark counts by its own expressions is what Polars counts, and starts no Python worker."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rule_cases import rule, under
from small_checks import contract, split
from spark_verdicts import held_to_polars

from signature_gate import Contract, Policy
from signature_gate import spark as on_spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytest_plugins = ["spark_session"]
_NAN, _INF = float("nan"), float("inf")
_INTEGERS = [0, 1, -1, 127, 2**24 + 1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53, 2**53 + 1]
_INTEGERS += [2**62, 2**62 + 1, 2**63 - 1, 2**63 - 513, -(2**53) - 1, -(2**63), None, 7, 2**40]
_FLOATS = [0.0, -0.0, 1.5, 2.0**24 + 1, 2.0**31, 2.0**31 - 1, -(2.0**31), 2.0**53, 2.0**53 + 2]
_FLOATS += [-(2.0**53) - 2, 1e300, -1e300, 3.4028235677973366e38, 0.1, _NAN, _INF, -_INF, None]
_FLOATS += [5e-324, 3.4028234663852886e38]
_MOMENTS = [dt.datetime(1677, 9, 21, 0, 12, 43, 145224 + i) for i in (0, 1)] + [
    dt.datetime(2262, 4, 11, 23, 47, 16, 854775 + i) for i in (0, 1)
]
_MOMENTS += [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999), None]
_MOMENTS += [dt.datetime(2020, 2, 29, 12)] * 13
_DAYS = [dt.date(1677, 9, 21), dt.date(1677, 9, 22), dt.date(2262, 4, 11), dt.date(2262, 4, 12)]
_DAYS += [dt.date(1, 1, 1), dt.date(9999, 12, 31), None, *[dt.date(2020, 2, 29)] * 13]
_TEXTS = ["", "x", "xy", "naïve", "\U0001f600", None, "NULL", "NaN", "0", " ", *["x"] * 10]


def _near(bits: int) -> list[int | None]:
    """Let the integers wrap around in fewer bits."""
    half = 2 ** (bits - 1)
    return [None if i is None else (i + half) % (2 * half) - half for i in _INTEGERS]


# The Arrow type of what arrives, its cells, and the types of the model that it may become.
_ARRIVING: dict[str, tuple[pa.DataType, list[Any], str]] = {
    "int8": (pa.int8(), _near(8), "integer long float double"),
    "int16": (pa.int16(), _near(16), "integer long float double"),
    "int32": (pa.int32(), _near(32), "integer long float double"),
    "int64": (pa.int64(), _INTEGERS, "integer long float double"),
    "float32": (pa.float32(), _FLOATS, "integer long float double"),
    "float64": (pa.float64(), _FLOATS, "integer long float double"),
    "bool": (pa.bool_(), [True, False, None, *[True] * 17], "boolean"),
    "string": (pa.string(), _TEXTS, "string"),
    "binary": (pa.binary(), [b"", b"\x00", None, *[b"x"] * 17], "binary"),
    "date": (pa.date32(), _DAYS, "datetime"),
    "timestamp": (pa.timestamp("us"), _MOMENTS, "datetime"),
}
_COLUMNS = [(name, target) for name, (_, _, all_) in _ARRIVING.items() for target in all_.split()]


def _edges() -> pa.Table:
    arrays = {name: pa.array(cells, kind) for name, (kind, cells, _) in _ARRIVING.items()}
    return pa.table({f"{name} {target}": arrays[name] for name, target in _COLUMNS})


def _signature(required: list[bool]) -> Contract:
    specs = [
        {"type": target, "name": f"{name} {target}", "required": must}
        for (name, target), must in zip(_COLUMNS, required, strict=True)
    ]
    return Contract.from_signature({"inputs": json.dumps(specs)})


def starts_python(frame: DataFrame) -> bool:
    """Tell whether rows go through Python workers."""
    with redirect_stdout(StringIO()) as said:
        frame.explain()
    return "MapInArrow" in said.getvalue()


_CHOICES = st.fixed_dictionaries(
    {
        "nulls": st.sampled_from(["forbid", "allow"]),
        "nan": st.sampled_from(["null", "value"]),
        "non_finite": st.sampled_from(["allow", "warn", "forbid"]),
        "lossy_floats": st.sampled_from(["forbid", "allow"]),
    }
)


@settings(max_examples=3, phases=[Phase.generate])
@given(data=st.data())
def test_edges_of_all_types_are_counted_as_by_polars(
    spark: SparkSession, data: st.DataObject
) -> None:
    """Each typed column as each type of the model, under any policy, in any order of the cells."""
    table, each = _edges(), len(_COLUMNS)
    for place, name in enumerate(table.column_names):
        turned = data.draw(st.permutations(range(table.num_rows)), label=name)
        table = table.set_column(place, name, table.column(place).take(pa.array(turned)))
    by = _signature(data.draw(st.lists(st.booleans(), min_size=each, max_size=each)))
    frame = spark.createDataFrame(table.slice(0, data.draw(st.integers(1, table.num_rows))))
    policy = Policy.parse({"on_mismatch": "split", "max_rejected": 1, **data.draw(_CHOICES)})

    held_to_polars(frame, by, policy)

    assert not starts_python(on_spark.check(frame, by, policy).rows)


def test_common_rules_are_counted_natively(spark: SparkSession) -> None:
    """Limits, sets and lengths as by Polars, about good rows alone; a pattern needs the gate."""
    number, text = {"column": "n"}, {"column": "s"}
    by = under(
        contract(n="long", f="double", s="string", optional=("f", "s")),
        rule("column_values_to_be_between", **number, min_value=0, max_value=5, strict_max=True),
        rule("column_values_to_be_between", "warning", column="f", min_value=0.5),
        rule("column_values_to_not_be_null", column="f"),
        rule("column_values_to_be_in_set", **number, value_set=[0, 1, 2, 3]),
        rule("column_values_to_not_be_in_set", "warning", **text, value_set=["x", "zz"]),
        rule("column_value_lengths_to_be_between", **text, max_value=2),
    )
    rows = [(None, 1.0, "x"), (1, float("nan"), "naïve"), (2, 0.25, None), (5, -1.0, "xy")]
    rows += [(3, 9.0, "\U0001f600\U0001f600"), (-1, None, "zz")]
    frame = spark.createDataFrame(rows, "n long, f double, s string")

    held_to_polars(frame, by, split())

    assert not starts_python(on_spark.check(frame, by, split()).rows)
    pattern = rule("column_values_to_match_regex", column="s", regex="^x")
    assert starts_python(on_spark.check(frame, under(by, pattern), split()).rows)


def test_examples_are_shown_with_their_keys(spark: SparkSession) -> None:
    """A few failing cells beside the kept column are shown; under redact none."""
    frame = spark.createDataFrame([(None, "k"), (1, "l"), (None, "m")], "a long, key string")
    by = contract(a="long")

    (violation,) = on_spark.check(frame, by, split(keep=["key"])).verdict.violations
    (withheld,) = on_spark.check(frame, by, split(keep=["key"], redact=True)).verdict.violations

    assert (violation.count, violation.sample, violation.rows) == (2, ("null",), ())
    assert {*violation.kept["key"]} == {"'k'", "'m'"}
    assert (withheld.count, withheld.sample, withheld.kept) == (2, (), {})
