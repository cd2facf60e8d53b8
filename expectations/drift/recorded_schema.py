"""Judge the schemas that receipts and verdicts record, without the batches themselves."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..contract.types import Scalar
from ..judge.schema_stage import plan_file
from ..readers.frames import open_frame

if TYPE_CHECKING:
    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..judge.file_result import FileResult
    from ..verdict.verdict import BatchInfo

# The stubs accept type names as literals only.
_pa: Any = pa


def recorded_types(info: BatchInfo) -> list[pa.DataType | None]:
    """List the types of a batch's columns; None for one that nobody recorded as Arrow has it.

    Receipts of version 0.1 have printed types alone, of which the plain ones can be read.
    """
    texts = [text for _, text in info.columns]
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(b64decode(info.arrow_schema)))
        kinds = zip(schema.types, texts, strict=True)
        return [kind if str(kind) == text else None for kind, text in kinds]
    except (ValueError, OSError, EOFError, pa.ArrowException):
        return [_plain_type(text) for text in texts]


def _plain_type(text: str) -> pa.DataType | None:
    try:
        return _pa.type_for_alias(text)
    except ValueError:
        return None


def judge_schema(info: BatchInfo, contract: Contract, policy: Policy) -> FileResult:
    """Judge a recorded schema as the schema stage judges a batch; rows are not known.

    A type that is not known counts as conforming.
    """
    fields = [
        pa.field(name, _judged(name, kind, info, contract, policy))
        for (name, _), kind in zip(info.columns, recorded_types(info), strict=True)
    ]
    table = pa.schema(fields).empty_table()
    batch = open_frame(table, contract, policy)
    return plan_file(replace(batch, info=info, text="csv" in info.format), contract, policy)


def _judged(
    name: str, kind: pa.DataType | None, info: BatchInfo, contract: Contract, policy: Policy
) -> pa.DataType:
    # JSON has no datetimes: text may hold them, and only the values would show it.
    if kind is None or ("json" in info.format and _is_datetime(name, contract, policy)):
        return pa.null()
    return kind


def _is_datetime(name: str, contract: Contract, policy: Policy) -> bool:
    meant = policy.rename.get(name, name)
    return any(c.name == meant and c.type == Scalar("datetime") for c in contract.columns)
