"""Read the JSON records that the gate itself wrote, whatever stands in their place by now."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from ...expectations.errors import GateError

if TYPE_CHECKING:
    from pathlib import Path

Record = TypeVar("Record", bound=BaseModel)


def read_record(path: Path, form: type[Record], kind: str) -> Record | None:
    """Read a record, None if there is none; GateError, which names the path, if it is no record."""
    try:
        content = _content(path)
    except FileNotFoundError as error:
        if not path.is_symlink():
            return None
        msg = f"{path} is a link that leads nowhere, where a record should be. Remove it."
        raise GateError(msg) from error
    return parse_record(content, form, str(path), kind)


def parse_record(content: bytes, form: type[Record], place: str, kind: str) -> Record:
    """Understand a record, likewise."""
    try:
        return form.model_validate_json(content)
    except ValidationError as error:
        msg = f"{place} is no {kind} that this version of signature-gate can read: {error}"
        raise GateError(msg) from error


def _content(path: Path) -> bytes:
    # Opened without waiting: a pipe would have its reader wait for ever. By few calls of the
    # system: a survey reads a hundred thousand records, and Python's own files take thrice as long.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            msg = f"{path} is no file, where a record should be. Move it away."
            raise GateError(msg)
        return os.read(handle, found.st_size)
    finally:
        os.close(handle)
