"""A policy fitted to a sample: what it sets, what it leaves open, and that values stay the same."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, DataType, Schema

from signature_gate import Contract, check
from signature_gate.tasks.setup.fit import FittedPolicy, fields_of, fit_policy, misfit

TYPES = {
    "departure_delay": DataType.double,
    "distance": DataType.long,
    "day": DataType.datetime,
    "late": DataType.boolean,
    "city": DataType.string,
}
OPTIONAL = {"departure_delay"}
CONTRACT = Contract.from_signature(
    ModelSignature(Schema([ColSpec(t, n, required=n not in OPTIONAL) for n, t in TYPES.items()]))
)
HEADER = ",".join(TYPES)
ROW = "1.5,7,2013-07-31,true,Genf"


def _fitted(folder: Path, content: str | bytes, name: str = "sample.csv") -> FittedPolicy:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return fit_policy(str(path), CONTRACT)


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (f"{HEADER}\n{ROW}\n", {}),
        (f"{HEADER}\n{ROW}\n".replace(",", ";"), {"csv": {"delimiter": ";"}}),
        (f"{HEADER}\n{ROW}\n".replace(",", "\t"), {"csv": {"delimiter": "\t"}}),
        (
            f"{HEADER}\n{ROW.replace('Genf', 'Zürich')}\n".encode("cp1252"),
            {"csv": {"encoding": "cp1252"}},
        ),
        (f"{HEADER}\n{ROW}\n".replace("1.5", "n/a"), {"null_values": ["n/a"]}),
        (f"{HEADER}\n{ROW}\n".replace("1.5", '"1,5"'), {"csv": {"decimal": ","}}),
        (f"{HEADER}\n{ROW}\n".replace("1.5", '"1,234.5"'), {"csv": {"thousands": ","}}),
        (
            f"{HEADER}\n{ROW}\n".replace("2013-07-31", "7/31/2013"),
            {"csv": {"datetime_format": "%m/%d/%Y"}},
        ),
        (
            f"{HEADER}\n{ROW}\n".replace("true", "oui"),
            {"csv": {"true_values": ["oui"], "false_values": ["non"]}},
        ),
        (
            f"{HEADER}\n{ROW}\n".replace("departure_", "dep_"),
            {"rename": {"dep_delay": "departure_delay"}},
        ),
        (f"{HEADER},x\n{ROW},1\n{ROW},2\n", {"keep": ["x"]}),
        (f"{HEADER},x\n{ROW},1.5\n{ROW},2.5\n", {"extra_columns": "ignore"}),
        (f"{HEADER},x\n{ROW},1\n{ROW},1\n", {"extra_columns": "ignore"}),
    ],
)
def test_what_a_sample_needs_is_set_and_nothing_else(
    tmp_path: Path, content: str | bytes, fields: dict[str, Any]
) -> None:
    """A sample in one foreign notation passes under the one field that names it."""
    fitted = _fitted(tmp_path, content)
    assert fields_of(fitted.taken) == fields
    assert fitted.after.passed
    assert all(proposal.reason for proposal in fitted.taken)


def test_notations_that_hide_each_other_are_found_one_after_the_other(tmp_path: Path) -> None:
    """Delimiter, names, encoding, numbers, nulls, dates and words are all foreign at once."""
    rows = ["1;1,5;1.200;31.07.2013;ja;Zürich", "2;-;200;01.08.2013;nein;Genf"]
    text = "\n".join(["id;dep_delay;Distance;day;late;city", *rows])
    fitted = _fitted(tmp_path, text.encode("cp1252"))
    assert fitted.after.passed
    assert not fitted.before.passed
    accepted = check(str(tmp_path / "sample.csv"), CONTRACT, fields_of(fitted.taken)).accepted
    assert accepted is not None
    assert accepted.collect().select(*TYPES, "id").rows() == [
        (1.5, 1200, datetime(2013, 7, 31), True, "Zürich", "1"),
        (None, 200, datetime(2013, 8, 1), False, "Genf", "2"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "left_open"),
    [
        ("1.5", '"1,234"', ["csv.decimal: ','", "csv.thousands: ','"]),
        (
            "2013-07-31",
            "01/02/2013",
            ["csv.datetime_format: '%d/%m/%Y'", "csv.datetime_format: '%m/%d/%Y'"],
        ),
    ],
)
def test_what_fits_in_two_ways_is_left_open(
    tmp_path: Path, old: str, new: str, left_open: list[str]
) -> None:
    """Neither of two readings is chosen; both are named."""
    fitted = _fitted(tmp_path, f"{HEADER}\n{ROW.replace(old, new)}\n")
    assert fields_of(fitted.taken) == {}
    assert [str(proposal) for proposal in fitted.left_open] == left_open
    assert not fitted.after.passed


def test_a_name_that_is_only_alike_is_left_open(tmp_path: Path) -> None:
    """A wrong column in the model's input is worse than none."""
    fitted = _fitted(tmp_path, f"{HEADER}\n{ROW}\n".replace("distance", "distance_km"))
    assert "rename" not in fields_of(fitted.taken)
    assert ["rename: {distance_km: distance}"] == [
        str(p) for p in fitted.left_open if "rename" in p.fields
    ]


def test_nulls_and_rounding_are_never_let_through(tmp_path: Path) -> None:
    """Whether the model takes null or a rounded number is nothing that data can say."""
    big = 2**53 + 1
    batch = pl.DataFrame(
        {
            "departure_delay": [big, big],
            "distance": [1, 2],
            "day": [datetime(2013, 7, 31)] * 2,
            "late": [True, True],
            "city": ["Genf", None],
        }
    )
    batch.write_parquet(tmp_path / "sample.parquet")
    fitted = fit_policy(str(tmp_path / "sample.parquet"), CONTRACT)
    assert fields_of(fitted.taken) == {}
    assert [str(proposal) for proposal in fitted.left_open] == ["nullable: [city]"]
    assert {v.kind for v in fitted.after.blocking} == {"null", "not_representable"}


@pytest.mark.parametrize(
    ("column", "field"),
    [
        (pl.Series("distance", ["7", "8"]), {"parse_text": "allow"}),
        (pl.Series("city", [b"Genf", b"Bern"]), {"binary_as_text": "allow"}),
        (
            pl.Series("day", [datetime(2013, 7, 31)] * 2).dt.replace_time_zone("UTC"),
            {"timezone": "utc"},
        ),
    ],
)
def test_types_that_need_a_word_of_consent_get_it(
    tmp_path: Path, column: pl.Series, field: dict[str, str]
) -> None:
    """Text for numbers, bytes for text and zones are allowed where the sample has them."""
    batch = pl.DataFrame(
        {
            "departure_delay": [1.0, 2.0],
            "distance": [1, 2],
            "day": [datetime(2013, 7, 31)] * 2,
            "late": [True, True],
            "city": ["Genf", "Bern"],
        }
    )
    batch.with_columns(column).write_parquet(tmp_path / "sample.parquet")
    fitted = fit_policy(str(tmp_path / "sample.parquet"), CONTRACT)
    assert fields_of(fitted.taken) == field
    assert fitted.after.passed


@pytest.mark.parametrize("content", [b"", b"\0\1\2", b"a\n", b"PAR1", "ä".encode("cp1252")])
def test_a_sample_that_cannot_be_read_has_a_verdict_all_the_same(
    tmp_path: Path, content: bytes
) -> None:
    """Whatever the file holds, there is a policy and a verdict under it."""
    fitted = _fitted(tmp_path, content)
    assert not fitted.after.passed
    assert misfit(fitted.after) <= misfit(fitted.before)


# A dialect, and how it writes each kind of value; none of them has a second reading in the data.
_DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "decimal": st.sampled_from(".,"),
        "null": st.sampled_from(["", "NA", "null", "-"]),
        "date": st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y"]),
        "words": st.sampled_from([("true", "false"), ("yes", "no"), ("ja", "nein"), ("Y", "N")]),
    }
)
_VALUES = st.tuples(
    st.none() | st.integers(-9999, 9999).map(lambda n: n / 100),
    st.integers(-(2**40), 2**40),
    st.datetimes(datetime(1950, 1, 1), datetime(2049, 12, 31)).map(
        lambda d: datetime(d.year, d.month, d.day)
    ),
    st.booleans(),
    st.text("abcXYZ äé", min_size=1).map(lambda text: f"x{text}x"),
)


def _written(values: tuple[Any, ...], dialect: dict[str, Any]) -> list[str]:
    number, count, day, late, city = values
    shown = dialect["null"] if number is None else str(number).replace(".", dialect["decimal"])
    return [shown, str(count), day.strftime(dialect["date"]), dialect["words"][not late], city]


@settings(deadline=None, max_examples=settings.default.max_examples // 8)
@given(dialect=_DIALECTS, rows=st.lists(_VALUES, min_size=1, max_size=8))
def test_values_come_out_of_any_notation_as_they_went_in(
    dialect: dict[str, Any], rows: list[tuple[Any, ...]]
) -> None:
    """What the fitted policy lets through is what was written; a wrong reading never passes."""
    text = io.StringIO()
    # Two rows that only one reading explains.
    told = [
        (1.25, 1, datetime(2013, 7, 31), True, "x"),
        (2.5, 2, datetime(2013, 7, 30), False, "x"),
    ]
    rows = [*told, *rows]
    writer = csv.writer(text, delimiter=dialect["delimiter"])
    writer.writerows([list(TYPES), *(_written(row, dialect) for row in rows)])
    with TemporaryDirectory() as folder:
        fitted = _fitted(Path(folder), text.getvalue())
        assert fitted.after.passed, fitted.after.summary()
        judged = check(str(Path(folder) / "sample.csv"), CONTRACT, fields_of(fitted.taken))
        accepted = judged.accepted
        assert accepted is not None
        assert accepted.collect().select(list(TYPES)).rows() == rows
