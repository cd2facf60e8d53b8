"""What a receipt says that was made at the quarantine desk: what lay there, and what was done."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

# ``batch``: the whole batch lay there; ``rows``: the rows that a split had rejected.
EntryContent = Literal["batch", "rows"]


class _Handled(BaseModel):
    model_config = ConfigDict(frozen=True)

    entry: str
    success: EntryContent
    number: int
    receipt: str
    archive: str | None = None


class Release(_Handled):
    """What was judged again, and may have been scored.

    The receipt's own counts are of these rows alone: ``tasks.accounts`` adds up what became of the
    whole batch.

    Attributes:
        entry: Name of the folder in the quarantine.
        success: What lay there.
        number: The how manieth time somebody took the batch up at the desk.
        receipt: File name of the receipt that tells why it lay there.
        archive: Where it lies now, papers and all; None if it stayed.
        file: Name of the repaired file that was judged in its place, if one was handed in.
    """

    file: str | None = None


class Discard(_Handled):
    """What was given up; it lies in the archive.

    Attributes:
        entry: Name of the folder in the quarantine.
        success: What lay there.
        number: The how manieth time somebody took the batch up at the desk.
        receipt: File name of the receipt that tells why it lay there.
        archive: Where it lies now, papers and all; None if it stayed.
        reason: Why it was given up, in the words of whoever did it.
    """

    reason: str = ""
