"""What to do where the signature leaves a choice."""

from __future__ import annotations

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
from .invalid_fields import describe_invalid

if TYPE_CHECKING:
    from pathlib import Path


class CsvDialect(BaseModel):
    """How a CSV batch is written; nothing is guessed from its first rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(max_length=1)] = '"'
    encoding: str = "utf-8"
    header: bool = True
    decimal: Literal[".", ","] = "."

    @field_validator("delimiter", "quote")
    @classmethod
    def _is_a_mark(cls, mark: str) -> str:
        if not mark.isascii() or mark in ("\r", "\n"):
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

    @model_validator(mode="after")
    def _are_distinct(self) -> Self:
        if self.delimiter == self.quote:
            msg = f"delimiter and quote are both {self.quote!r}"
            raise ValueError(msg)
        return self


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
    min_rows: int = Field(default=1, ge=0, description="Fewest rows that make a batch.")
    null_values: tuple[str, ...] = Field(default=(), description="Texts that stand for null.")
    rename: dict[str, str] = Field(
        default_factory=dict, description="Arriving column name to contract name."
    )
    keep: tuple[str, ...] = Field(
        default=(), description="Columns carried through to the output: keys to join on."
    )
    csv: CsvDialect = Field(default_factory=CsvDialect, description="How CSV batches are written.")
    trust_statistics: bool = Field(
        default=True, description="Whether Parquet statistics may stand in for reading a column."
    )
    sample_rows: int = Field(default=5, ge=0, description="Failing rows shown with each violation.")
    redact: bool = Field(
        default=False,
        description="Keep values of the batch out of every report, event, log and error.",
    )
    rules: str | None = Field(
        default=None, description="Path of a GX suite JSON with further rules."
    )

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
