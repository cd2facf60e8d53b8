"""The stages of a judgement: names and types, then the footer, then one scan of what is left.

Each file of a folder is judged on its own, and the results are merged, so that any partition of the
same rows into files gives the same verdict.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..batch.batch import UnreadableError
from .batch_result import BatchResult
from .rule_stage import apply_rules, unjudged_rules
from .scan_stage import scan_file
from .schema_stage import plan_file
from .tensor_shapes import shape_violations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..batch.batch import OpenedBatch
    from ..contract.policy import Policy
    from .file_result import FileResult
    from .rule_stage import CheckRequest


def judge(opened: OpenedBatch, request: CheckRequest) -> BatchResult:
    """Judge a batch by its schema, its footer, and one scan of the columns still undecided.

    Raises:
        UnreadableError: The content of a single file broke off or contradicts its own format. Of a
            folder the other files are judged all the same.
    """
    files = tuple(plan_file(batch, request.contract, request.policy) for batch in opened.files)
    planned = BatchResult(files, opened.unreadable, unjudged_rules(request))
    if not planned.planned:
        return planned
    ruled = apply_rules(planned, request)
    scanned = replace(ruled, files=tuple(_scanned(ruled, request.policy)))
    if scanned.unreadable:
        return scanned
    return replace(scanned, violations=(*shape_violations(scanned), *scanned.violations))


def _scanned(result: BatchResult, policy: Policy) -> Iterator[FileResult]:
    alone = len(result.files) + len(result.unopened) == 1
    first_row = 0
    for file in result.files:
        placed = replace(file, first_row=first_row)
        try:
            scanned = scan_file(placed, policy)
        except UnreadableError as error:
            if alone:
                raise
            scanned = replace(placed, unreadable=error)
        yield scanned
        first_row += scanned.row_count
