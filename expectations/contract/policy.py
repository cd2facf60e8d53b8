"""What to do where the signature leaves a choice."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ..documents import DocumentError, read_yaml
from ..errors import InvalidPolicy
from ..values.scales import family
from .invalid_fields import describe_invalid

if TYPE_CHECKING:
    from pathlib import Path

_INSTANT = datetime(2001, 2, 3, 14, 5, 6, tzinfo=UTC)
_WORDS = {True: ("true", "t", "1"), False: ("false", "f", "0")}
Format = Literal["parquet", "csv", "json lines", "arrow", "numpy"]
OnValues = Literal["warn", "ignore", "forbid"]
_ALARMS = re.compile(r"(\d+(?:\.\d+)?) per (?:(day|week|month|year)|(\d+) batches)")
_A_YEAR = {"day": 365.25, "week": 52.18, "month": 12, "year": 1}


class CsvDialect(BaseModel):
    """How a CSV batch is written; nothing is guessed from its first rows.

    Attributes:
        delimiter: What stands between fields; a comma, and a tab where the name ends in ``.tsv``.
        quote: What stands around fields that contain delimiters or line ends; empty for none.
        escape: What makes a quote, or itself, mean that character literally; empty for none.
        encoding: The encoding of the text, by Python's name.
        header: Whether the first record names the columns.
        decimal: What stands before the fraction of a number.
        thousands: What groups the digits of a number, such as ``,`` in ``1,234``; empty for none.
        true_values: Words for true, in any case, beside ``true``, ``t`` and ``1``.
        false_values: Words for false, in any case, beside ``false``, ``f`` and ``0``.
        datetime_format: How datetimes are written, as ``strptime`` has it; ISO 8601 by default.
        quoted_empty: Whether ``""`` is null in all columns but text, or a value, which is empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quote: Annotated[str, Field(max_length=1)] = '"'
    escape: Annotated[str, Field(max_length=1)] = ""
    encoding: str = "utf-8"
    header: bool = True
    decimal: Literal[".", ","] = "."
    thousands: Annotated[str, Field(max_length=1)] = ""
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()
    datetime_format: str | None = None
    quoted_empty: Literal["null", "value"] = "null"

    @field_validator("delimiter", "quote", "escape")
    @classmethod
    def _is_a_mark(cls, mark: str | None) -> str | None:
        if mark and (not mark.isascii() or mark in ("\r", "\n")):
            msg = "must be an ASCII character that ends no line"
            raise ValueError(msg)
        return mark

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            "a".encode(encoding)
        except (LookupError, UnicodeError) as error:
            msg = "must be an encoding of text that Python knows, such as utf-8 or cp1252"
            raise ValueError(msg) from error
        return encoding

    @field_validator("datetime_format")
    @classmethod
    def _reads_what_it_writes(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                datetime.strptime(_INSTANT.strftime(pattern), pattern)  # noqa: DTZ007
            except ValueError as error:
                msg = "must be a format of strptime, such as %d.%m.%Y %H:%M"
                raise ValueError(msg) from error
        return pattern

    @model_validator(mode="after")
    def _are_distinct(self) -> Self:
        marks = {"delimiter": self.delimiter or ",", "quote": self.quote, "escape": self.escape}
        for (one, mark), (other, same) in combinations(marks.items(), 2):
            if mark and mark == same:
                msg = f"{one} and {other} are both {mark!r}"
                raise ValueError(msg)
        if self.thousands and (
            self.thousands == self.decimal or self.thousands in "+-0123456789eE"
        ):
            msg = f"thousands is {self.thousands!r}, which means something else in a number"
            raise ValueError(msg)
        both = self.words(truth=True) & self.words(truth=False)
        if both:
            msg = f"{', '.join(sorted(both))} would be both true and false"
            raise ValueError(msg)
        return self

    def words(self, *, truth: bool) -> set[str]:
        """The words for true, or for false, in lower case."""
        named = self.true_values if truth else self.false_values
        return {*_WORDS[truth], *(word.strip().lower() for word in named)}

    def for_file(self, name: str) -> Self:
        """Fill in the delimiter that a file's name stands for."""
        delimiter = self.delimiter or ("\t" if ".tsv" in name.lower() else ",")
        return self.model_copy(update={"delimiter": delimiter})


class Policy(BaseModel):
    """The choices that a signature leaves open; each field's first value is the default.

    A policy is flat, immutable and also a YAML file: ``Policy.load("policy.yaml")``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    on_mismatch: Literal["quarantine", "split", "fail"] = Field(
        default="quarantine", description="What becomes of a batch that does not fit."
    )
    max_rejected: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of rows above which a split becomes a quarantine.",
    )
    nulls: Literal["forbid", "allow"] = Field(
        default="forbid", description="Null in a required column whose type can carry null."
    )
    nullable: tuple[str, ...] = Field(
        default=(), description="Required columns in which null is accepted all the same."
    )
    nan: Literal["null", "value"] = Field(default="null", description="Whether NaN counts as null.")
    extra_columns: Literal["warn", "ignore", "forbid"] = Field(
        default="warn", description="Columns that the contract does not know."
    )
    missing_optional: Literal["warn", "ignore", "forbid"] = Field(
        default="warn",
        description="Optional columns that do not arrive; under warn and forbid a batch is stopped "
        "where another column likely is such a one under another name.",
    )
    column_order: Literal["ignore", "warn", "forbid"] = Field(
        default="ignore", description="Columns in another order than the contract's."
    )
    timezone: Literal["forbid", "utc"] = Field(
        default="forbid", description="Datetimes with a zone: refused, or converted to UTC."
    )
    non_finite: Literal["allow", "warn", "forbid"] = Field(
        default="allow", description="Infinity, and NaN where it counts as a value."
    )
    lossy_floats: Literal["forbid", "allow"] = Field(
        default="forbid", description="Numbers that a float or double column can only round."
    )
    parse_text: Literal["forbid", "allow"] = Field(
        default="forbid", description="Text that stands for values, in a source that has types."
    )
    binary_as_text: Literal["forbid", "allow"] = Field(
        default="forbid", description="UTF-8 bytes in a text column, as Impala and Hive write text."
    )
    min_rows: int = Field(default=1, ge=0, description="Fewest rows that make a batch.")
    null_values: tuple[str, ...] = Field(
        default=(),
        description="Values that stand for null, as text: NA, -9999 or 9999-12-31, say.",
    )
    rename: dict[str, str] = Field(
        default_factory=dict, description="Arriving column name to contract name."
    )
    keep: tuple[str, ...] = Field(
        default=(), description="Columns carried through to the output: keys to join on."
    )
    csv: CsvDialect = Field(default_factory=CsvDialect, description="How CSV batches are written.")
    format: Format | None = Field(
        default=None, description="The format of files whose ending names none."
    )
    partitions: Literal["hive", "ignore"] = Field(
        default="hive", description="Whether folders named key=value are columns of their files."
    )
    trust_statistics: bool = Field(
        default=True, description="Whether Parquet statistics may stand in for reading a column."
    )
    sample_rows: int = Field(default=5, ge=0, description="Failing rows shown with each violation.")
    redact: bool = Field(
        default=False,
        description="Keep values of the batch out of every report, event, log and error.",
    )
    rules: str | None = Field(
        default=None,
        description="Path of a GX suite JSON, or of an ODCS contract in YAML, with further rules.",
    )
    values: OnValues = Field(
        default="warn",
        description="Values unlike those that the model was trained on, where these were learned.",
    )
    values_of: dict[str, OnValues] = Field(
        default_factory=dict,
        description="The same for a column, for a statistic such as bounds, domain or null, or for "
        "one of a column: temp/bounds.",
    )
    values_from: str | None = Field(
        default=None,
        description="Path of a profile of learned values; by default the one beside the model.",
    )
    false_alarms: str = Field(
        default="1 per year",
        description="How often a batch as a whole may be told to be unlike the learned values by "
        "mistake: so many per day, week, month or year, or per so many batches.",
    )

    @model_validator(mode="after")
    def _has_a_zone_for_offsets(self) -> Self:
        if "%z" in (self.csv.datetime_format or "") and self.timezone == "forbid":
            msg = "csv.datetime_format reads offsets (%z), which need timezone: utc"
            raise ValueError(msg)
        return self

    @field_validator("false_alarms")
    @classmethod
    def _is_a_rate(cls, text: str) -> str:
        if not (match := _ALARMS.fullmatch(text)) or not float(match[1]) or match[3] == "0":
            msg = "must be a rate such as 1 per year, 0.5 per month, or 1 per 1000 batches"
            raise ValueError(msg)
        return text

    def false_alarm_share(self, batches_a_year: float) -> float:
        """Return the share of batches, from 0 to 1, that may be told by mistake."""
        number, period, batches = _ALARMS.fullmatch(self.false_alarms).groups()  # type: ignore[union-attr]
        a_batch = 1 / int(batches) if batches else _A_YEAR[period] / batches_a_year
        return min(float(number) * a_batch, 0.5)

    def on_values(self, column: str, statistic: str) -> OnValues:
        """Tell what is to be done where a statistic of a column is not as it was learned."""
        kind = family(statistic)
        for key in (f"{column}/{statistic}", f"{column}/{kind}", column, statistic, kind):
            if key in self.values_of:
                return self.values_of[key]
        return self.values

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a policy from a YAML file.

        Args:
            path: A YAML mapping of field names to values.

        Returns:
            The policy; fields that the file does not name keep their defaults.

        Raises:
            InvalidPolicy: No such file, not YAML, or an unknown field or value.
        """
        try:
            return cls.parse(read_yaml(path) or {}, str(path))
        except (OSError, DocumentError) as error:
            msg = f"cannot read the policy {path}: {error}"
            raise InvalidPolicy(msg) from error

    @classmethod
    def parse(cls, fields: Any, origin: str = "the policy") -> Self:
        """Build a policy from plain data.

        Args:
            fields: A mapping of field names to values.
            origin: Where it came from, for the error's text.

        Returns:
            The policy.

        Raises:
            InvalidPolicy: An unknown field or value; the text lists all of them.
        """
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise InvalidPolicy(describe_invalid(error, origin, cls)) from error
