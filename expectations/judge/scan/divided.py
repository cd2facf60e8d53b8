"""The scan of a batch of many files, divided among workers: each scans some files as one would all.

Files travel with their plans, and what was found in them comes back as plain data.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...batch.reading import Reading, tell
from ...fan_out.call import Call, result_of
from ..file_result import FileResult
from ..scan_stage import needs_scan, scan_in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from ...contract.policy import Policy
    from ...fan_out.workers import Workers

# Parts for each worker: with more of them the last one ends sooner, with fewer files are alike.
_PARTS = 4
_FOUND = (
    "row_count",
    "rejected",
    "run",
    "row_violations",
    "evidence",
    "rule_counts",
    "scanned",
    "unreadable",
)


class _Found(NamedTuple):
    """What a worker found in some files.

    Attributes:
        fields: Of each file's result.
        sample: Rows to be compared with what was learned.
    """

    fields: list[dict[str, Any]]
    sample: list[pl.DataFrame]


def scan_divided(
    workers: Workers, asked: Sequence[FileResult], policy: Policy
) -> Iterator[FileResult]:
    """Decide what statistics do not, some files at a time with each worker."""
    is_read = [needs_scan(file, policy) or file.sampler is not None for file in asked]
    read = [file for file, wanted in zip(asked, is_read, strict=True) if wanted]
    parts = _divided(read, workers.number * _PARTS)
    found = dict[int, _Found]()
    for number, returned in workers.done(Call(partial(_scan_part, policy), parts)):
        found[number] = part = result_of(returned)
        for file, fields in zip(parts[number], part.fields, strict=True):
            if file.batch.info.uri:
                tell(Reading(Path(file.batch.info.uri), fields["row_count"], fields["row_count"]))
    in_order = [found[number] for number in range(len(parts))]
    if read and read[0].sampler:
        read[0].sampler.frames.extend(rows for part in in_order for rows in part.sample)
    fields = (fields for part in in_order for fields in part.fields)
    for file, wanted in zip(asked, is_read, strict=True):
        yield replace(file, **(next(fields) if wanted else {"row_count": file.batch.rows}))


def _scan_part(policy: Policy, files: Sequence[FileResult]) -> _Found:
    scanned = list(scan_in_turn(files, policy))
    sampler = files[0].sampler
    fields = [{name: getattr(file, name) for name in _FOUND} for file in scanned]
    return _Found(fields, sampler.frames if sampler else [])


def _divided(files: Sequence[FileResult], parts: int) -> list[list[FileResult]]:
    """Divide files, in their order, into parts of about as many bytes."""
    sizes = [file.batch.info.bytes or 1 for file in files]
    divided, before = dict[int, list[FileResult]](), 0
    for file, size in zip(files, sizes, strict=True):
        divided.setdefault(before * parts // sum(sizes), []).append(file)
        before += size
    return list(divided.values())
