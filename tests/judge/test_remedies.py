"""A remedy that names a policy or a type lets the batch pass when it is followed."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_checks import contract

from signature_gate import Policy, check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAR = dt.datetime(9999, 12, 31)
LISTS = {"type": "array", "items": {"type": "string"}}
HALVES = {"type": "tensor", "tensor-spec": {"dtype": "int32", "shape": [-1, 1]}}
DOUBLES = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 1]}}


class Change(NamedTuple):
    """What following a piece of advice changes.

    Attributes:
        policy: Fields of the policy.
        kind: The type that the model is logged with; None for the same.
        optional: Whether the column is logged as optional.
        batch: The batch as it is delivered then; None for the same.
    """

    policy: dict[str, Any] = {}  # noqa: RUF012 - never changed
    kind: Any = None
    optional: bool = False
    batch: Any = None


class Case(NamedTuple):
    """A batch that is rejected, or warned of, and the advice in its remedy.

    Attributes:
        batch: Cells of column ``a``, or a function that writes them as a file.
        kind: The MLflow type of column ``a``.
        advice: Each piece of advice that the remedy gives without an ``if``, and those with an
            ``if`` that holds of the batch; with what following it changes.
        policy: The policy by which it is rejected.
    """

    batch: Any
    kind: Any
    advice: dict[str, Change]
    policy: dict[str, Any] = {}  # noqa: RUF012 - never changed


def csv(*cells: str) -> Callable[[Path], Path]:
    """Write cells as a CSV file, beside a column that makes every line a record."""

    def write(folder: Path) -> Path:
        lines = "\n".join(f'{i},"{cell}"' for i, cell in enumerate(cells))
        (folder / "a.csv").write_text(f"n,a\n{lines}\n")
        return folder / "a.csv"

    return write


def parquet(cells: Any) -> Callable[[Path], Path]:
    """Write cells as a Parquet file."""

    def write(folder: Path) -> Path:
        pq.write_table(pa.table({"a": cells}), folder / "a.parquet")
        return folder / "a.parquet"

    return write


LOSSY = Change({"lossy_floats": "allow"})
NULLABLE = Change({"nullable": ["a"]})
GROUPED = "If their digits are grouped, set policy csv.thousands"
TEXT_FOR_NULL = "if it has text for null, list that text in policy null_values, and 'a' in policy"
OPTIONAL_DOUBLE = "log the model again with it as an optional double"


def null_values(*texts: str) -> Change:
    """List texts that stand for null, and the column that may hold it."""
    return Change({"null_values": list(texts), "nullable": ["a"]})


def again(kind: str) -> dict[str, Change]:
    """Log the model again with another type."""
    return {f"Log the model again with 'a' as {kind}": Change(kind=kind)}


def or_again(kind: str) -> dict[str, Change]:
    """The same, where delivering another type is the first advice."""
    return {f"or log the model again with it as {kind}": Change(kind=kind)}


FAR_IS_NULL = {
    "If such instants stand for null, list them in policy null_values, and 'a' in policy "
    "nullable": null_values("9999-12-31")
}
AS_DOUBLE = {
    "Log the model again with 'a' as double, under policy lossy_floats: allow": Change(
        {"lossy_floats": "allow"}, "double"
    )
}
CASES: dict[str, Case] = {
    "integers beyond int32": Case(pa.array([2**40]), "integer", again("long")),
    "unsigned beyond int32": Case(pa.array([2**31], pa.uint32()), "integer", again("long")),
    "unsigned beyond int64": Case(pa.array([2**64 - 1], pa.uint64()), "long", AS_DOUBLE),
    "floats beyond int32": Case(pa.array([1e12]), "integer", again("double")),
    "fractions": Case(pa.array([0.5]), "long", again("double")),
    "decimals": Case(pa.array([Decimal("0.1234567890123456789")]), "long", AS_DOUBLE),
    "integers that double rounds": Case(
        pa.array([2**53 + 1]), "double", {"or accept rounding by policy lossy_floats: allow": LOSSY}
    ),
    "numbers that float rounds": Case(
        pa.array([0.1]),
        "float",
        again("double") | {"or accept rounding by policy lossy_floats: allow": LOSSY},
    ),
    "numbers beyond float": Case(pa.array([1e300]), "float", again("double")),
    "far instants": Case(pa.array([FAR]), "datetime", FAR_IS_NULL),
    "far days": Case(parquet(pa.array([FAR.date()])), "datetime", FAR_IS_NULL),
    "far objects": Case(pd.Series([FAR, FAR.date()], dtype=object), "datetime", FAR_IS_NULL),
    "zones": Case(
        pa.array([dt.datetime(2020, 1, 1, tzinfo=dt.UTC)]),
        "datetime",
        {"or set policy timezone: utc": Change({"timezone": "utc"})},
    ),
    "text of numbers": Case(
        pa.array(["1", "2"]),
        "long",
        {
            "if its text stands for long, set policy parse_text: allow": Change(
                {"parse_text": "allow"}
            )
        },
    ),
    "objects of text": Case(
        pd.Series(["1", 2], dtype=object),
        "long",
        {"if it is text for that, set policy parse_text: allow": Change({"parse_text": "allow"})},
    ),
    "bytes of text": Case(
        parquet(pa.array([b"north"])),
        "string",
        {
            "if its bytes are UTF-8, set policy binary_as_text: allow": Change(
                {"binary_as_text": "allow"}
            )
        },
    ),
    "numbers for text": Case(pa.array([1, 2]), "string", or_again("long")),
    "small numbers for text": Case(pa.array([1], pa.int8()), "string", or_again("integer")),
    "booleans for numbers": Case(pa.array([True]), "long", or_again("boolean")),
    "floats for booleans": Case(pa.array([1.0], pa.float32()), "boolean", or_again("float")),
    "days for numbers": Case(pa.array([dt.date(2020, 1, 1)]), "double", or_again("datetime")),
    "bytes for numbers": Case(pa.array([b"1"]), "double", or_again("binary")),
    "durations": Case(pa.array([dt.timedelta(1)]), "double", {}),
    "infinity": Case(
        pa.array([float("inf")]),
        "double",
        {"or set policy non_finite: allow": Change({"non_finite": "allow"})},
        {"non_finite": "forbid"},
    ),
    "null in text": Case(
        pa.array(["x", None]), "string", {"or accept null by policy nullable: [a]": NULLABLE}
    ),
    "null in integers": Case(
        pa.array([1, None]), "long", {f"or {OPTIONAL_DOUBLE}": Change(kind="double", optional=True)}
    ),
    "null in booleans": Case(
        pa.array([True, None]),
        "boolean",
        {
            "or deliver it as 0.0, 1.0 and null and log the model again with it as an optional "
            "double": Change(kind="double", optional=True, batch=pa.array([1.0, None]))
        },
    ),
    "null in lists": Case(
        pa.array([["x"], None]),
        LISTS,
        {"or log the model again with it optional": Change(optional=True)},
    ),
    "grouped integers": Case(csv("1,234"), "long", {GROUPED: Change({"csv": {"thousands": ","}})}),
    "fractions in text": Case(
        csv("1.5"),
        "long",
        {f"{OPTIONAL_DOUBLE} and list that text in policy null_values": Change(kind="double")},
    ),
    "gaps in text": Case(
        csv("1", ""), "long", {f"or {OPTIONAL_DOUBLE}": Change(kind="double", optional=True)}
    ),
    "a word for a gap": Case(
        csv("1", "NA"),
        "long",
        {
            f"{OPTIONAL_DOUBLE} and list that text in policy null_values": Change(
                {"null_values": ["NA"]}, "double", optional=True
            )
        },
    ),
    "grouped numbers": Case(
        csv("1,234.5"), "double", {GROUPED: Change({"csv": {"thousands": ","}})}
    ),
    "decimal commas": Case(
        csv("1,5"),
        "double",
        {"if they have a decimal comma, set policy csv.decimal": Change({"csv": {"decimal": ","}})},
    ),
    "words for missing numbers": Case(csv("1", "-"), "double", {TEXT_FOR_NULL: null_values("-")}),
    "text beyond int32": Case(csv("99999999999"), "integer", AS_DOUBLE),
    "text beyond int64": Case(csv("99999999999999999999"), "long", AS_DOUBLE),
    "text that double rounds": Case(
        csv("9007199254740993"),
        "double",
        {"or accept rounding by policy lossy_floats: allow": LOSSY},
    ),
    "words for booleans": Case(
        csv("Y", "N"),
        "boolean",
        {
            "If other words stand for them, list these in policy csv.true_values and "
            "csv.false_values": Change({"csv": {"true_values": ["Y"], "false_values": ["N"]}})
        },
    ),
    "offsets": Case(
        csv("2020-01-01 10:00:00 +0100"),
        "datetime",
        {"If it has offsets, set policy timezone: utc": Change({"timezone": "utc"})},
    ),
    "other notations": Case(
        csv("31.12.2020"),
        "datetime",
        {
            "if it is another notation, set policy csv.datetime_format": Change(
                {"csv": {"datetime_format": "%d.%m.%Y"}}
            )
        },
    ),
    "words for missing instants": Case(
        csv("2020-01-01", "never"), "datetime", {TEXT_FOR_NULL: null_values("never")}
    ),
    "far text": Case(csv("9999-12-31"), "datetime", FAR_IS_NULL),
    "words in text": Case(
        csv("x", "NA"),
        "string",
        {
            "If it does, list it in policy null_values, and 'a' in policy nullable": null_values(
                "NA"
            )
        },
    ),
    "rows of a tensor that are rounded": Case(
        pa.array([[0.5]]),
        HALVES,
        {"Log the model again with 'a' as a tensor of float64": Change(kind=DOUBLES)},
    ),
}
_ADVICE = re.compile(r"policy|[Ll]og the model again")
_CONDITION = re.compile(r"\b[Ii]f\b")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_remedy_that_is_followed_lets_the_batch_pass(case: Case, tmp_path: Path) -> None:
    """Each piece of advice by itself, with no violation of that kind left, not even a warning."""
    first = _judge(case, Change(), tmp_path)
    remedies = " ".join(violation.remedy for violation in first.violations)

    assert first.violations
    for advice, change in case.advice.items():
        assert advice in remedies
        assert _judge(case, change, tmp_path).violations == ()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_advice_is_left_out(case: Case, tmp_path: Path) -> None:
    """What a remedy says of a policy or a type without an "if" is among the advice above."""
    for violation in _judge(case, Change(), tmp_path).violations:
        rest = violation.remedy
        for advice in case.advice:
            rest = rest.replace(advice, "")
        clauses = re.split(r"[;.] |, or, ", rest)
        unsaid = [c for c in clauses if _ADVICE.search(c) and not _CONDITION.search(c)]
        assert unsaid == []


def _judge(case: Case, change: Change, folder: Path) -> Any:
    batch = case.batch if change.batch is None else change.batch
    if callable(batch):
        batch = batch(folder)
    elif isinstance(batch, pd.Series):
        batch = batch.to_frame("a")
    else:
        batch = pa.table({"a": batch})
    optional = ("a",) if change.optional else ()
    policy = Policy.parse({"extra_columns": "ignore", **case.policy, **change.policy})
    return check(batch, contract(optional, a=change.kind or case.kind), policy)
