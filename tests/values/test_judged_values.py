"""Batches against learned values: which rows and columns are told, and what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stock_gx import ask

from signature_gate import Contract, InvalidPolicy, Policy, check, learn
from signature_gate.expectations.batch.query import collect_all
from signature_gate.expectations.judge import scan_stage
from signature_gate.expectations.judge.learned import sample, stage
from signature_gate.expectations.judge.learned.diagnosis import CONVERSIONS
from signature_gate.expectations.judge.learned.stage import judge_values
from signature_gate.expectations.readers import parquet
from signature_gate.expectations.suite import from_suite, to_suite
from signature_gate.expectations.values.column_values import Spread
from signature_gate.expectations.values.limits import Known, PastValues, reach_of_recent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from signature_gate import CheckResult

TYPES = {"temp": "double", "wind": "double", "code": "string", "id": "string", "late": "boolean"}
SPECS = [{"name": n, "type": t, "required": n == "late"} for n, t in TYPES.items()]
SIGNATURE = {"inputs": json.dumps(SPECS), "outputs": None, "params": None}
BLOCK = 500


def rows(count: int, seed: int) -> pl.DataFrame:
    """Make rows of a temperature, a wind, a code, an identifier, and true or false."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "temp": rng.normal(15, 5, count),
            "wind": np.where(rng.random(count) < 0.02, np.nan, rng.lognormal(2, 0.5, count)),
            "code": [("AA", "B6", "UA")[n] for n in rng.integers(0, 3, count)],
            "id": [f"N{n:05d}" for n in rng.integers(0, 99_999, count)],
            "late": rng.random(count) < 0.3,
        },
    ).fill_nan(None)


BARE = Contract.from_signature(SIGNATURE)
LEARNED = replace(BARE, values=learn(rows(20_000, 1), contract=BARE, block_rows=BLOCK))
PLAIN = rows(1_000, 2)


def told(result: CheckResult) -> set[tuple[str, str | None]]:
    """Kind and column of what is told of values."""
    return {(v.kind, v.column) for v in result.violations if v.kind in ("value", "shift")}


def with_(**columns: pl.Expr) -> pl.DataFrame:
    """Change columns of the plain batch."""
    return PLAIN.with_columns(expr.alias(name) for name, expr in columns.items())


def some(every: int, value: Any, column: str) -> pl.Expr:
    """Put a value into every so manieth row."""
    return pl.when(pl.int_range(pl.len()) % every == 0).then(value).otherwise(pl.col(column))


FAULTS: dict[str, tuple[pl.DataFrame, tuple[str, str]]] = {
    "unit": (with_(temp=pl.col("temp") * 1_000), ("shift", "temp")),
    "Fahrenheit": (with_(temp=pl.col("temp") * 1.8 + 32), ("shift", "temp")),
    "sign": (with_(temp=-pl.col("temp")), ("shift", "temp")),
    "new code": (with_(code=some(10, pl.lit("ZZ"), "code")), ("value", "code")),
    "merged codes": (with_(code=pl.col("code").replace("UA", "AA")), ("shift", "code")),
    "constant": (with_(temp=pl.lit(15.0)), ("shift", "temp")),
    "nulls": (with_(wind=some(5, None, "wind")), ("shift", "wind")),
    "sentinel": (with_(temp=some(20, -999.0, "temp")), ("value", "temp")),
    "swapped": (with_(temp=pl.col("wind"), wind=pl.col("temp")), ("shift", "temp")),
    "truncated": (with_(id=pl.col("id").str.head(3)), ("value", "id")),
    "all true": (with_(late=pl.lit(value=True)), ("shift", "late")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_fits_every_type_is_told(fault: str) -> None:
    """The column is named, as a warning that lets the batch pass, and with a remedy."""
    batch, expected = FAULTS[fault]
    assert told(check(batch, BARE, {"nulls": "allow"})) == set()

    result = check(batch, LEARNED)

    assert expected in told(result)
    assert result.passed
    for violation in result.violations:
        assert violation.statistic
        assert "learned" in violation.because
        assert "values_of" in violation.remedy


def test_an_ordinary_batch_is_not_told() -> None:
    """Of two hundred batches of the same kind at most one has one: half of one is promised."""
    assert sum(bool(told(check(rows(300, 100 + n), LEARNED))) for n in range(200)) <= 1


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (with_(temp=pl.col("temp") * 1_000), "multiplied by 1,000"),
        (with_(temp=pl.col("temp") * 1.8 + 32), "degrees Fahrenheit"),
        (with_(temp=pl.lit(15.0)), "All values are the same, 15"),
        (with_(temp=pl.col("wind"), wind=pl.col("temp")), "like those of 'wind'"),
    ],
)
def test_what_may_have_happened_is_said(batch: pl.DataFrame, words: str) -> None:
    """The remedy of the column begins with it."""
    (shift,) = [
        v for v in check(batch, LEARNED).violations if (v.kind, v.column) == ("shift", "temp")
    ]

    assert words in shift.remedy


def test_every_conversion_undoes_what_it_names() -> None:
    """Each changes ordinary numbers, and none changes them into nothing."""
    numbers = np.array([1.0, 20.0, 300.0])
    for undo in CONVERSIONS.values():
        assert np.isfinite(undo(numbers)).all()
        assert not np.allclose(undo(numbers), numbers)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 19])
def test_a_few_rows_prove_nothing(count: int) -> None:
    """What chance explains of so few rows is not told."""
    assert told(check(rows(count, 11), LEARNED, {"min_rows": 0})) == set()


# ----- policy -----


def test_forbid_rejects_rows_and_stops_batches() -> None:
    """A row-level finding can be split off, a batch-level one quarantines."""
    split = Policy(on_mismatch="split", max_rejected=1, values="forbid", nulls="allow")
    rare = with_(temp=some(200, -999.0, "temp"))

    by_row = check(rare, LEARNED, split)
    as_a_whole = check(FAULTS["nulls"][0], LEARNED, split)

    assert (by_row.disposition, by_row.verdict.rejected) == ("split", 5)
    assert as_a_whole.disposition == "quarantined"


@pytest.mark.parametrize(
    "fields",
    [
        {"values": "ignore"},
        {"values_of": {"temp": "ignore"}},
        {"values_of": {"temp/bounds": "ignore", "temp/null": "ignore"}},
        {"values_of": {"bounds": "ignore"}},
        {"values_of": {"temp/below": "ignore", "temp/bounds": "ignore"}},
        {"values": "forbid", "values_of": {"temp": "ignore"}},
    ],
)
def test_a_column_or_statistic_can_be_left_alone(fields: dict[str, Any]) -> None:
    """The most exact entry decides; nothing else is looked at less."""
    batch = with_(temp=some(50, -999.0, "temp"), code=some(10, pl.lit("ZZ"), "code"))
    found = told(check(batch, LEARNED, {"nulls": "allow", **fields}))

    assert ("value", "temp") not in found
    assert (("value", "code") in found) == (fields.get("values") != "ignore")


@pytest.mark.parametrize(
    ("key", "meant"),
    [("tmep", "temp"), ("temq/null", "temp"), ("bonds", "bounds"), ("temp/nul", "null")],
)
def test_a_misspelt_entry_is_refused(key: str, meant: str) -> None:
    """What would be ignored in silence names what was meant."""
    with pytest.raises(InvalidPolicy, match=f"in values_of .did you mean '{meant}'"):
        check(PLAIN, LEARNED, {"values_of": {key: "ignore"}})


def test_a_sample_is_taken_once_though_the_scan_is_repeated(tmp_path: Path) -> None:
    """Where a footer proved a learned rule and rows are bad, rows of the sample count once."""
    specs = [{"name": n, "type": "long", "required": True} for n in ("a", "b")]
    bare = Contract.from_signature({**SIGNATURE, "inputs": json.dumps(specs)})
    counts = np.random.default_rng(3).integers(0, 50, 4_000)
    trained = pl.DataFrame({"a": counts, "b": counts})
    learned = replace(bare, values=learn(trained, contract=bare))
    batch = trained.head(900).with_columns(some(9, None, "b").alias("b"))
    batch.write_parquet(tmp_path / "batch.parquet")
    samples = list[int]()

    def counted(sample: pl.DataFrame, request: Any) -> Any:
        samples.append(sample.height)
        return judge_values(sample, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "judge_values", counted)
        check(tmp_path / "batch.parquet", learned)

    assert samples == [800]


def test_another_profile_can_be_named(tmp_path: Path) -> None:
    """Policy values_from takes the place of the model's."""
    learn(rows(5_000, 3).with_columns(pl.col("temp") + 1_000), contract=BARE).save(
        tmp_path / "values.json"
    )

    result = check(PLAIN, LEARNED, {"values_from": str(tmp_path / "values.json")})

    assert ("shift", "temp") in told(result)


def test_fewer_false_alarms_are_paid_with_later_ones() -> None:
    """The rarer an alarm may be, the farther away a batch must be."""
    batch = with_(wind=some(36, None, "wind"))
    seldom = {"false_alarms": "1 per 1000000000 batches", "nulls": "allow"}

    assert ("shift", "wind") in told(check(batch, LEARNED, {"false_alarms": "1 per 10 batches"}))
    assert ("shift", "wind") not in told(check(batch, LEARNED, seldom))


# ----- what is read, and what is said -----


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "arrow", "frame", "folder"])
def test_every_format_is_judged_alike(tmp_path: Path, ending: str) -> None:
    """The same rows have the same findings, however they arrive."""
    batch: Any = FAULTS["nulls"][0]
    writers = {"parquet": "write_parquet", "csv": "write_csv", "jsonl": "write_ndjson"}
    path = tmp_path / f"batch.{ending}"
    if ending in writers:
        getattr(batch, writers[ending])(path)
    elif ending == "arrow":
        batch.write_ipc(path)
    elif ending == "folder":
        path = tmp_path / "parts"
        path.mkdir()
        for part in range(4):
            batch.slice(part * 250, 250).write_parquet(path / f"{part}.parquet")

    result = check(batch if ending == "frame" else path, LEARNED, {"nulls": "allow"})

    assert told(result) == {("shift", "wind")}


def test_the_sample_is_taken_on_the_way_of_the_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch with a profile is read as often as one without: once."""
    queries = list[int]()
    collect = scan_stage.collect

    def counted(frame: Any) -> Any:
        queries.append(1)
        return collect(frame)

    monkeypatch.setattr(scan_stage, "collect", counted)
    check(PLAIN.lazy(), replace(BARE, values=None), {"nulls": "allow"})
    without = len(queries)
    check(PLAIN.lazy(), LEARNED, {"nulls": "allow"})

    assert (without, len(queries)) == (1, 2)


def test_what_a_footer_proves_is_sampled_in_a_few_places(tmp_path: Path) -> None:
    """Of a file that is not scanned, the values are judged all the same."""
    types = {"n": "long"}
    signature = {"inputs": json.dumps([{"name": "n", "type": "long", "required": True}])}
    bare = Contract.from_signature({**SIGNATURE, **signature})
    rng = np.random.default_rng(7)
    learned = replace(
        bare, values=learn(pl.DataFrame({"n": rng.integers(40, 60, 9_000)}), contract=bare)
    )
    path = tmp_path / "batch.parquet"
    pl.DataFrame({"n": rng.integers(50, 60, 90_000)}).write_parquet(path)

    result = check(path, learned)

    assert result.verdict.evidence == dict.fromkeys(types, "footer")
    assert told(result) == {("shift", "n")}


def test_without_a_profile_nothing_changes() -> None:
    """The verdict has no values, whatever the policy says of them."""
    for values in ("warn", "ignore", "forbid"):
        verdict = check(PLAIN, BARE, {"nulls": "allow", "values": values}).verdict
        assert (verdict.passed, verdict.values, verdict.rules) == (True, {}, ())


def test_redact_says_nothing_of_values() -> None:
    """Neither learned nor observed values are in the verdict."""
    batch = with_(temp=pl.col("temp") * 1_000, code=some(10, pl.lit("Zyzzyva"), "code"))
    batch = batch.with_columns(pl.col("code").replace("UA", "AA"))
    quiet = {"redact": True, "nulls": "allow", "values_of": {"domain": "ignore"}}

    text = check(batch, LEARNED, quiet).verdict.to_json()

    assert text.count('"shift"') > 1
    for value in ("Zyzzyva", "AA", "B6", "14.96"):
        assert value not in text


def test_the_batches_before_tell_what_the_training_data_does_not() -> None:
    """A level that the training data had is told where the batches before had another."""
    seasons = pl.concat(
        rows(BLOCK, n).with_columns(pl.col("temp") + 15 * np.sin(n / 10)) for n in range(120)
    )
    model = replace(BARE, values=learn(seasons, contract=BARE, block_rows=BLOCK))
    warm = [rows(BLOCK, 200 + n).with_columns(pl.col("temp") + 15) for n in range(4)]
    past = PastValues(tuple(check(batch, model).verdict.values for batch in warm))
    cold = rows(BLOCK, 300).with_columns(pl.col("temp") - 15)

    assert ("shift", "temp") not in told(check(cold, model))
    assert ("shift", "temp") in told(check(cold, replace(model, past=past)))
    assert told(check(warm[0], replace(model, past=past))) == set()


def test_after_a_leap_that_was_learned_a_larger_one_is_expected() -> None:
    """Steps of heavy tails go farther than normal ones, whose largest of 200 is under 3."""
    assert LEARNED.values
    profile = LEARNED.values.model_copy(update={"blocks": 200})
    steady, heavy = (Spread(0, 0.2, -0.5, 0.5, 0.2, leap) for leap in (0.5, 1.5))

    reach = [
        reach_of_recent(Known("median", spread, profile), 10_000, 0.01)[0]
        for spread in (steady, heavy)
    ]

    assert reach[0] == pytest.approx(1.75 * 0.5)
    assert reach[1] == pytest.approx(1.75 * 1.5 * 1.5 / (2.97 * 0.2), rel=0.01)


def test_a_sample_is_the_same_where_large_row_groups_are_not_unpacked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other they take the memory of one."""
    rows(50_000, 7).select("temp", "late").write_parquet(tmp_path / "b.parquet")
    contract = Contract.from_signature({"inputs": json.dumps([SPECS[0], SPECS[4]])})
    model = replace(contract, values=LEARNED.values)
    at_once, found = collect_all, list[int]()

    def counted(frames: Iterable[pl.LazyFrame]) -> list[pl.DataFrame]:
        found.append(len(together := [*frames]))
        return at_once(together)

    monkeypatch.setattr(sample, "collect_all", counted)
    first = check(tmp_path / "b.parquet", model).verdict.values
    monkeypatch.setattr(parquet, "_MUCH_AT_ONCE", 0)

    assert check(tmp_path / "b.parquet", model).verdict.values == first
    assert found == [8, 1]


# ----- as expectations of Great Expectations -----


@st.composite
def batches(draw: st.DrawFn) -> pl.DataFrame:
    """Draw a batch as large as a block, perhaps with a fault."""
    seed = draw(st.integers(0, 999))
    batch = rows(BLOCK, 1_000 + seed)
    fault = draw(st.sampled_from(["", *FAULTS]))
    return FAULTS[fault][0].head(BLOCK) if fault else batch


@pytest.mark.hypothesis
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(batches())
def test_gx_gives_the_same_verdict_on_the_exported_suite(batch: pl.DataFrame) -> None:
    """Rows and shares that stock GX can state are judged alike."""
    suite = to_suite(LEARNED, Policy(nulls="allow"))
    stated = [
        e for e in suite["expectations"] if e["meta"].get("signature_gate", {}).get("learned")
    ]
    answers = ask(batch.to_pandas(), stated)
    result = check(batch, LEARNED, {"nulls": "allow"})

    broken = {
        (e["kwargs"]["column"], e["meta"]["signature_gate"]["learned"])
        for e, answer in zip(stated, answers, strict=True)
        if not answer.success
    }
    row_level = {(v.column, v.statistic) for v in result.violations if v.kind == "value"}
    as_a_whole = {(v.column, v.statistic) for v in result.violations if v.kind == "shift"}
    statable = {(e["kwargs"]["column"], e["meta"]["signature_gate"]["learned"]) for e in stated}
    shifted = {column for column, _ in as_a_whole}

    assert row_level == {(c, s) for c, s in broken if s in ("bounds", "domain", "pattern")}
    assert {(c, s) for c, s in as_a_whole if (c, s) in statable} <= broken
    assert {c for c, s in broken if s not in ("bounds", "domain", "pattern")} <= shifted


def test_a_suite_carries_what_was_learned() -> None:
    """A suite judges as the contract does; what somebody edited becomes a rule."""
    suite = json.loads(json.dumps(to_suite(LEARNED, Policy(nulls="allow"))))
    read = from_suite(suite)

    assert read.values == LEARNED.values
    assert read.rules == ()
    assert told(check(FAULTS["nulls"][0], read)) == {("shift", "wind")}
    (bounds,) = [
        e
        for e in suite["expectations"]
        if (e["kwargs"].get("column"), "mostly" in e["kwargs"]) == ("temp", False)
        and e["type"] == "expect_column_values_to_be_between"
    ]
    bounds["kwargs"]["max_value"] = 16.0
    assert len(from_suite(suite).rules) == 1


@pytest.mark.parametrize("name", ["a: b", "a/b", 'a "b"', "#a", "a}"])
def test_the_remedy_works_when_it_is_followed(name: str) -> None:
    """The entry that it names is YAML, whatever the column is called, and ends the warning."""
    specs = json.dumps([{"name": name, "type": "double", "required": True}])
    bare = Contract.from_signature({**SIGNATURE, "inputs": specs})
    trained = rows(5_000, 4).select(pl.col("temp").alias(name))
    learned = replace(bare, values=learn(trained, contract=bare))
    batch = trained.head(1_000) * 1_000
    policy: dict[str, Any] = {"values_of": {}}

    for _ in range(2):
        for violation in check(batch, learned, policy).violations:
            entry = violation.remedy.partition("values_of: ")[2].removesuffix(".")
            policy["values_of"] |= yaml.safe_load(entry)

    assert told(check(batch, learned, policy)) == set()
