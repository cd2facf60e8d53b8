"""What rejected rows have in common: plain data."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, computed_field


class Cause(BaseModel):
    """What nearly all rejected rows have in common, and few accepted ones have.

    Attributes:
        conditions: What cells hold, in words: ``carrier = '9E'``; without values under ``redact``.
        places: A run of rows, or a file of a folder, in which they lie.
        columns: The columns that the conditions are about.
        rejected: Rejected rows of which all of this is true.
        of: All rejected rows.
        rows: Rows of which all of this is true, rejected or not.
    """

    model_config = ConfigDict(frozen=True)

    conditions: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rejected: int
    of: int
    rows: int

    @computed_field
    @property
    def message(self) -> str:
        """The cause as one sentence, with both counts."""
        every = self.rejected == self.of
        who = f"all {self.of:,}" if every else f"{self.rejected:,} of {self.of:,}"
        cells, where = " and ".join(self.conditions), " and ".join(self.places)
        held = f"have {cells}{where and f', in {where}'}" if cells else f"are in {where}"
        such = f"{self.rejected:,} of {self.rows:,} such rows are rejected"
        return f"{who} rejected rows {held}; {such}"
