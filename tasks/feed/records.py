"""Read the JSON records that the gate itself wrote, whatever stands in their place by now."""

from __future__ import annotations

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
        # A pipe would have its reader wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            msg = f"{path} is no file, where a record should be. Move it away."
            raise GateError(msg)
        return form.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        if not path.is_symlink():
            return None
        msg = f"{path} is a link that leads nowhere, where a record should be. Remove it."
        raise GateError(msg) from error
    except ValidationError as error:
        msg = f"{path} is no {kind} that this version of signature-gate can read: {error}"
        raise GateError(msg) from error
