"""What changed between what was learned of values for two versions, as ``diff`` tells it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from commands import run

from signature_gate import Contract, Policy, learn
from signature_gate.expectations.drift.compare import compare
from signature_gate.expectations.suite import to_suite

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 4_000
TYPES = {"temp": "double", "code": "string", "late": "boolean", "count": "long"}


def frame(seed: int = 1, **changed: pl.Expr) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    made = {
        "temp": chance.normal(60, 10, ROWS),
        "code": chance.choice(["AA", "B6", "UA"], ROWS, p=(0.2, 0.3, 0.5)),
        "late": chance.random(ROWS) < 0.2,
        "count": chance.poisson(30, ROWS),
    }
    return pl.DataFrame(made).with_columns(**changed)


def version(rows: pl.DataFrame, *, redact: bool = False) -> Contract:
    columns = [{"name": n, "type": t, "required": False} for n, t in TYPES.items()]
    contract = Contract.from_signature({"inputs": json.dumps(columns)})
    return replace(contract, values=learn(rows, contract=contract, redact=redact))


def told(before: Contract, after: Contract, policy: Policy | None = None) -> list[str]:
    return [change.what for change in compare(before, after, policy)]


def some(share: float) -> pl.Expr:
    """Choose so large a share of rows."""
    return pl.int_range(pl.len()) % 1_000 < share * 1_000


CELSIUS = (pl.col("temp") - 32) / 1.8
CHANGES = {
    "unit": ({"temp": CELSIUS}, [r"^column 'temp': a median of [56]\d.* became 15", "middle half"]),
    "nulls": (
        {"temp": pl.when(~some(0.3)).then("temp")},
        [r"^column 'temp': 0% null or NaN became 30%$"],
    ),
    "decimals": ({"temp": pl.col("temp").round()}, ["^column 'temp': 0% whole.* became 100%$"]),
    "new code": (
        {"code": pl.when(some(0.01)).then(pl.lit("ZZ")).otherwise("code")},
        ["^column 'code': 3 values became 4, with 'ZZ'$"],
    ),
    "code gone": (
        {"code": pl.col("code").replace("AA", "UA")},
        ["^column 'code': 3 values became 2, without 'AA'$", r"'code': 51.9% 'UA' became 71.2%"],
    ),
    "many codes": (
        {"code": pl.int_range(pl.len()).cast(pl.String)},
        ["^column 'code': 3 values became more than 250 values$"],
    ),
    "truth": ({"late": ~pl.col("late")}, [r"^column 'late': \d+.* true became [78]\d"]),
    "wider": (
        {"temp": (pl.col("temp") - 60) * 1.5 + 60},
        [r"^column 'temp': a middle half whose range is 13.* became \d+"],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_learned_otherwise_is_told_with_both_numbers(name: str) -> None:
    """One line for each statistic that differs, and none of another column."""
    changed, lines = CHANGES[name]

    found = told(version(frame()), version(frame(**changed)))

    assert len(found) == len(lines), found
    for line, expected in zip(found, lines, strict=True):
        assert re.search(expected, line), (line, expected)


@pytest.mark.parametrize("seed", range(2, 6))
def test_what_differs_too_little_to_matter_is_not_told(seed: int) -> None:
    """Other rows of the same kind, and changes below the smallest effects."""
    other = frame(
        seed,
        temp=pl.when(~some(0.004)).then(pl.col("temp") + 0.2),
        code=pl.when(pl.int_range(pl.len()) < 8).then(pl.lit("ZZ")).otherwise("code"),
    )

    assert told(version(frame()), version(other)) == []


def test_nothing_is_told_where_a_side_has_no_profile() -> None:
    """Nor of columns that only one of them knows, or knows as something else."""
    learned, bare = version(frame()), replace(version(frame()), values=None)
    narrow = learn(frame().drop("temp"))
    other = learn(frame(temp=pl.col("temp").round().cast(pl.String)))

    assert told(learned, bare) == told(bare, learned) == []
    assert told(learned, replace(bare, values=narrow)) == []
    assert told(learned, replace(bare, values=other)) == []


def test_of_a_redacted_profile_no_value_is_told() -> None:
    """Shares are; its rounded numbers say nothing of what differs, and it has no domains."""
    changed = frame(
        temp=pl.when(~some(0.3)).then("temp"), count=pl.col("count") * 3, code=pl.lit("secret")
    )

    found = told(version(frame()), version(changed, redact=True))

    assert found == ["column 'temp': 0% null or NaN became 30%"]


@pytest.mark.parametrize(
    ("policy", "effect"),
    [
        ({}, "compatible"),
        ({"values": "forbid"}, "breaking"),
        ({"values_of": {"temp/null": "ignore"}}, "cosmetic"),
        ({"values_of": {"temp/median": "forbid"}}, "compatible"),
    ],
)
def test_the_policy_decides_what_a_difference_means(policy: dict[str, Any], effect: str) -> None:
    """What is forbidden breaks, and what is ignored is noticed by nobody."""
    after = version(frame(temp=pl.when(~some(0.3)).then("temp")))

    (change,) = compare(version(frame()), after, Policy.parse(policy))

    assert (change.kind, change.effect) == ("values", effect)


def test_diff_shows_it(tmp_path: Path, capsys: Any) -> None:
    """In the table and in JSON; the exit status is that of the effect."""
    for name, rows in (("old", frame()), ("new", frame(temp=CELSIUS))):
        suite = to_suite(version(rows))
        (tmp_path / f"{name}.json").write_text(json.dumps(suite), "utf-8")
    (tmp_path / "strict.yaml").write_text("values: forbid\n", "utf-8")
    sides = str(tmp_path / "old.json"), str(tmp_path / "new.json")

    code, out, _ = run(capsys, "diff", *sides)
    strict = run(capsys, "diff", *sides, "--policy", str(tmp_path / "strict.yaml"))
    document = json.loads(run(capsys, "diff", *sides, "--json")[1])

    assert (code, strict[0]) == (0, 1)
    assert "column 'temp': a median of " in out
    assert {change["kind"] for change in document["changes"]} == {"values"}
