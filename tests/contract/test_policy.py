"""Policies: which fields and values they may have, and the errors for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic import ValidationError

from signature_gate import GateError, Policy
from signature_gate.expectations.errors import InvalidPolicy, Misuse

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS: dict[str, Any] = {
    "on_mismatch": "quarantine",
    "max_rejected": 0.1,
    "nulls": "forbid",
    "nullable": [],
    "nan": "null",
    "extra_columns": "warn",
    "missing_optional": "warn",
    "column_order": "ignore",
    "timezone": "forbid",
    "non_finite": "allow",
    "lossy_floats": "forbid",
    "parse_text": "forbid",
    "binary_as_text": "forbid",
    "min_rows": 1,
    "null_values": [],
    "rename": {},
    "keep": [],
    "csv": {
        "delimiter": None,
        "quote": '"',
        "escape": "",
        "encoding": "utf-8",
        "header": True,
        "decimal": ".",
        "thousands": "",
        "true_values": [],
        "false_values": [],
        "datetime_format": None,
        "quoted_empty": "null",
    },
    "format": None,
    "partitions": "hive",
    "trust_statistics": True,
    "sample_rows": 5,
    "redact": False,
    "rules": None,
    "values": "warn",
    "values_of": {},
    "values_from": None,
    "false_alarms": "1 per year",
}

UNLIKE_THE_DEFAULTS: dict[str, Any] = {
    "on_mismatch": "split",
    "max_rejected": 1,
    "nulls": "allow",
    "nullable": ["a"],
    "nan": "value",
    "extra_columns": "forbid",
    "missing_optional": "forbid",
    "column_order": "warn",
    "timezone": "utc",
    "non_finite": "warn",
    "lossy_floats": "allow",
    "parse_text": "allow",
    "binary_as_text": "allow",
    "min_rows": 0,
    "null_values": ["NA"],
    "rename": {"Air Time": "air_time"},
    "keep": ["id"],
    "csv": {
        "delimiter": ";",
        "quote": "'",
        "escape": "\\",
        "encoding": "cp1252",
        "header": False,
        "decimal": ",",
        "thousands": ".",
        "true_values": ["Y"],
        "false_values": ["N"],
        "datetime_format": "%d.%m.%Y",
        "quoted_empty": "value",
    },
    "format": "csv",
    "partitions": "ignore",
    "trust_statistics": False,
    "sample_rows": 0,
    "redact": True,
    "rules": "rules.json",
    "values": "forbid",
    "values_of": {"temp/bounds": "ignore"},
    "values_from": "values.json",
    "false_alarms": "2 per month",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a policy file that does not exist yet."""
    return tmp_path / "policy.yaml"


def test_the_defaults_refuse_what_could_do_harm() -> None:
    """Nothing is dropped, rounded, guessed or accepted unless a policy allows it."""
    assert Policy().model_dump(mode="json") == DEFAULTS


def test_every_field_is_a_line_of_yaml(path: Path) -> None:
    """A policy is a YAML file with the fields' own names, and survives a round trip."""
    path.write_text(yaml.safe_dump(UNLIKE_THE_DEFAULTS))

    policy = Policy.load(path)

    assert policy.model_dump(mode="json") == UNLIKE_THE_DEFAULTS
    assert Policy.load(str(path)) == policy
    assert UNLIKE_THE_DEFAULTS.keys() == DEFAULTS.keys()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}", "---\n"])
def test_what_a_file_leaves_out_has_its_default(path: Path, text: str) -> None:
    """An empty file is the default policy."""
    path.write_text(text)

    assert Policy.load(path) == Policy()


def test_every_field_is_described() -> None:
    """The schema describes each field."""
    assert all(field.description or name == "csv" for name, field in Policy.model_fields.items())


WRONG: dict[str, tuple[str, str]] = {
    "an unknown field": ("null: forbid", "null"),
    "an unknown value": ("nulls: maybe", "'forbid' or 'allow'"),
    "a share above one": ("max_rejected: 1.5", "less than or equal to 1"),
    "a share below zero": ("max_rejected: -0.1", "greater than or equal to 0"),
    "a negative count": ("min_rows: -1", "min_rows"),
    "a half row": ("sample_rows: 1.5", "sample_rows"),
    "text for a list": ("keep: id", "keep"),
    "a list for a mapping": ("rename: [a, b]", "rename"),
    "a number for a name": ("rename: {a: 1}", "rename.a"),
    "a list": ("- nulls: allow", "as a whole"),
    "text": ("allow everything", "as a whole"),
    "no rate": ("false_alarms: often", "1 per year"),
    "a rate of none": ("false_alarms: 0 per year", "1 per year"),
    "a long delimiter": ("csv: {delimiter: '::'}", "csv.delimiter"),
    "no delimiter": ("csv: {delimiter: ''}", "csv.delimiter"),
    "a delimiter beyond ASCII": ("csv: {delimiter: '€'}", "csv.delimiter"),
    "a line end for a delimiter": ('csv: {delimiter: "\\n"}', "csv.delimiter"),
    "a quote beyond ASCII": ("csv: {quote: '«'}", "csv.quote"),
    "one mark for two things": ('csv: {delimiter: "\'", quote: "\'"}', "csv"),
    "an unknown encoding": ("csv: {encoding: utf-9}", "csv.encoding"),
    "an encoding of bytes": ("csv: {encoding: hex}", "csv.encoding"),
    "another decimal point": ('csv: {decimal: "\'"}', "csv.decimal"),
    "an unknown field within": ("csv: {sep: ';'}", "csv.sep"),
}


@pytest.mark.parametrize(("text", "named"), WRONG.values(), ids=WRONG)
def test_what_a_policy_cannot_mean_is_named_in_its_error(path: Path, text: str, named: str) -> None:
    """The error names the file, the field and what it may hold, and lists the fields there are."""
    path.write_text(text, "utf-8")

    with pytest.raises(InvalidPolicy) as caught:
        Policy.load(path)

    assert str(path) in str(caught.value)
    assert named in str(caught.value)
    assert "known fields: on_mismatch, max_rejected" in str(caught.value)


def test_all_faults_of_a_policy_are_listed_at_once(path: Path) -> None:
    """Three mistakes are three lines."""
    path.write_text("nulls: maybe\nmin_rows: -1\nnul: 1\n")

    with pytest.raises(InvalidPolicy, match=r"3 invalid field\(s\)") as caught:
        Policy.load(path)

    assert [line.split(":")[0] for line in str(caught.value).splitlines()[1:4]] == [
        " - nulls",
        " - min_rows",
        " - nul",
    ]


def test_a_misspelt_field_is_answered_with_the_one_that_was_meant(path: Path) -> None:
    """Within another field too; then the fields that there are in that one are listed as well."""
    path.write_text("onmismatch: split\ncsv: {delimter: ';'}\n")

    with pytest.raises(InvalidPolicy) as caught:
        Policy.load(path)

    assert "onmismatch: no such field; did you mean on_mismatch?" in str(caught.value)
    assert "csv.delimter: no such field; did you mean delimiter?" in str(caught.value)
    assert "known fields of csv: delimiter, quote" in str(caught.value)


def test_a_value_where_a_list_is_meant_is_answered_with_the_list(path: Path) -> None:
    """The error shows the list that holds the value."""
    path.write_text("keep: id\n")

    with pytest.raises(InvalidPolicy, match=r"write a list, \[id\]"):
        Policy.load(path)


@pytest.mark.parametrize("content", [b"nulls: [allow", b"\xff\xfe\x00", b"a: b: c", b"\t- x"])
def test_a_file_that_is_no_yaml_is_misuse(path: Path, content: bytes) -> None:
    """The error names the file, with the parser's reason."""
    path.write_bytes(content)

    with pytest.raises(InvalidPolicy, match="cannot read the policy"):
        Policy.load(path)


def test_a_missing_file_is_misuse(tmp_path: Path) -> None:
    """A missing file and a folder in its place have different errors."""
    for path in (tmp_path / "nowhere.yaml", tmp_path):
        with pytest.raises(InvalidPolicy, match=str(path)) as caught:
            Policy.load(path)
        assert isinstance(caught.value, Misuse)
        assert isinstance(caught.value, GateError)


def test_yaml_runs_no_code(path: Path) -> None:
    """A policy file is data: tags that would make Python objects are refused."""
    path.write_text("rules: !!python/object/apply:os.system ['true']\n")

    with pytest.raises(InvalidPolicy, match="cannot read the policy"):
        Policy.load(path)


def test_a_policy_does_not_change() -> None:
    """A judged batch's policy is the one that it was judged by."""
    with pytest.raises(ValidationError):
        Policy().nulls = "allow"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"csv": {"thousands": "."}}, "something else in a number"),
        ({"csv": {"thousands": "1"}}, "something else in a number"),
        ({"csv": {"true_values": ["N"], "false_values": ["n"]}}, "both true and false"),
        ({"csv": {"true_values": ["F"]}}, "both true and false"),
        ({"csv": {"datetime_format": "%d.%m.%Q"}}, "a format of strptime"),
        ({"csv": {"datetime_format": "%Y-%m-%d %H:%M %z"}}, "need timezone: utc"),
    ],
)
def test_notations_that_could_mean_two_things_are_refused(
    fields: dict[str, Any], words: str
) -> None:
    """A mark or a word has one meaning, and offsets need a policy about zones."""
    with pytest.raises(InvalidPolicy, match=words):
        Policy.parse(fields)
