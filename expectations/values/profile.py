"""The profile of values that a model was trained on: plain data, merged, and stored as JSON."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ..documents import DocumentError, read_bytes, staged
from ..errors import InvalidValues
from .column_values import ColumnValues
from .merging import merged, redacted

if TYPE_CHECKING:
    from pathlib import Path


class ValueProfile(BaseModel):
    """What the values of each column were where a model was trained.

    Attributes:
        version: Of this format.
        rows: Rows that were learned from.
        blocks: Runs of rows, in the order of the data, between which the variation was measured.
        block_rows: Rows in each.
        columns: What was learned of each column.
        redacted: Whether domains are left out, and numbers rounded.
        gate_version: The version of signature-gate that learned it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    rows: int
    blocks: int
    block_rows: int
    columns: dict[str, ColumnValues]
    redacted: bool = False
    gate_version: str = ""

    @classmethod
    def parse(cls, text: str | bytes, origin: str = "the profile") -> Self:
        """Read a profile's JSON.

        Raises:
            InvalidValues: It is no such document.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the document"
            msg = (
                f"{origin} is no profile of values: {place}: {first['msg']}. "
                "Learn it anew: `signature-gate learn MODEL DATA --replace`, or `--out FILE`."
            )
            raise InvalidValues(msg) from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a profile from a file.

        Raises:
            InvalidValues: No such file, or no such document.
        """
        try:
            return cls.parse(read_bytes(path), str(path))
        except OSError as error:
            msg = f"cannot read the profile of values {path}: {error.strerror}. Check the path."
        except DocumentError as error:
            msg = f"cannot read the profile of values {path}: {error}."
        raise InvalidValues(msg)

    @property
    def statistics(self) -> int:
        """How many statistics of a batch are judged, at least one."""
        return max(1, sum(len(column.spreads) for column in self.columns.values()))

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that are equal for equal profiles."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Return it as one JSON document of a few kilobytes."""
        return self.model_dump_json(exclude_defaults=True) + "\n"

    def save(self, path: Path) -> None:
        """Write it to a file, whole or not at all."""
        with staged(path) as partial:
            partial.write_text(self.to_json(), "utf-8")

    def log_to(self, model: Any, *, replace: bool = False) -> str:
        """Store it beside a model, where ``Contract.load`` finds it.

        Args:
            model: What ``mlflow.<flavor>.log_model`` returned, or a model URI or folder.
            replace: Whether a profile that is there already is replaced.

        Returns:
            Where it lies.

        Raises:
            Misuse: The model has a profile already.
            ModelNotFound: No such model.
            RegistryUnavailable: No answer in time.
        """
        from ..registry.values import log_values

        return log_values(self, model, replace=replace)

    def merge(self, other: ValueProfile) -> ValueProfile:
        """Join it with the profile of rows that follow.

        Counts, bounds and domains are those of all rows together; quantiles are so up to the
        straight lines between them; the variation is that of the blocks of both.
        """
        both = {
            name: merged(column, other.columns[name], self.blocks, other.blocks)
            for name, column in self.columns.items()
            if name in other.columns and other.columns[name].kind == column.kind
        }
        return self.model_copy(
            update={
                "rows": self.rows + other.rows,
                "blocks": self.blocks + other.blocks,
                "columns": both,
                "redacted": self.redacted or other.redacted,
            }
        )

    def redact(self) -> ValueProfile:
        """Leave out domains and patterns, and round numbers outwards to two digits."""
        columns = {name: redacted(column) for name, column in self.columns.items()}
        return self.model_copy(update={"columns": columns, "redacted": True})
