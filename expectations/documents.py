"""Files of ours, written whole; JSON and YAML of users, read within bounds of size and depth."""

from __future__ import annotations

import errno
import json
import os
import stat
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

_LARGEST = 64 * 2**20
_DEEPEST = 100
_MOST_VALUES = 5_000_000
_MOST_MERGED = 20
_NESTING = (dict, list)


class DocumentError(ValueError):
    """A file or text that is not read; the text says why, without the file's name."""


def flush(path: Path) -> None:
    """Bring a file's content, or a folder's list of names, onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some mounted disks know no flushing of folders, and have nothing better to offer.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


@contextmanager
def staged(path: Path) -> Generator[Path]:
    """Name a hidden file beside a path, and give it that name once it is whole and flushed."""
    partial = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        yield partial
        flush(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_bytes(path: str | Path) -> bytes:
    """Read a regular file of at most 64 MiB; pipes and devices could go on for ever.

    Raises:
        OSError: The file cannot be read.
        DocumentError: It is no regular file, or larger.
    """
    with os.fdopen(os.open(_named(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            msg = "it is no regular file"
            raise DocumentError(msg)
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        msg = f"it is larger than {_LARGEST // 2**20} MiB"
        raise DocumentError(msg)
    return content


def _named(path: object) -> str | os.PathLike[str]:
    if isinstance(path, str | os.PathLike):
        return path
    msg = f"a file is named by a path, not by an object of type {type(path).__name__}"
    raise DocumentError(msg)


def read_json(path: str | Path) -> Any:
    """Read a JSON file; raises ``OSError`` and ``DocumentError``."""
    return parse_json(read_bytes(path))


def read_yaml(path: str | Path) -> Any:
    """Read a YAML file; raises ``OSError`` and ``DocumentError``."""
    return parse_yaml(read_bytes(path))


def parse_json(text: str | bytes) -> Any:
    """Read JSON of at most 100 levels; raises ``DocumentError``."""
    try:
        value = json.loads(text)
        return _bounded(value)
    except RecursionError as error:
        raise DocumentError(_too_deep()) from error
    except ValueError as error:
        raise DocumentError(str(error)) from error


def parse_yaml(text: str | bytes) -> Any:
    """Read YAML of at most 100 levels; aliases count as what they stand for.

    Raises:
        DocumentError: It is deeper or larger, refers to itself, or is no YAML.
    """
    import yaml

    # libyaml's loader is fifty times as fast; it is not part of every build of PyYAML.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_bombs(yaml.parse(text, Loader=loader))
        return _bounded(yaml.load(text, Loader=loader))  # noqa: S506 - a safe loader
    except RecursionError as error:
        raise DocumentError(_too_deep()) from error
    except (yaml.YAMLError, ValueError) as error:
        raise DocumentError(" ".join(str(error).split())) from error


def _refuse_bombs(events: Iterable[Any]) -> None:
    """Refuse what libyaml's loader itself does not survive; its events cost nothing."""
    import yaml

    depth = merges = aliases = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        merges += isinstance(event, yaml.ScalarEvent) and event.value == "<<"
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > _DEEPEST:
            raise DocumentError(_too_deep())
        if merges and aliases > _MOST_MERGED:
            msg = f"it merges (`<<`) and has more than {_MOST_MERGED} aliases"
            raise DocumentError(msg)


def _too_deep() -> str:
    return f"it is nested more than {_DEEPEST} levels deep"


def _bounded(value: Any) -> Any:
    _measure(value, {})
    return value


def _measure(value: Any, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """Count the values of a document and its levels; every alias counts anew."""
    if type(value) not in _NESTING:
        return 1, 0
    if id(value) in known:
        measured = known[id(value)]
        if measured is None:
            msg = "it refers to itself"
            raise DocumentError(msg)
        return measured
    known[id(value)] = None
    inner: Any = cast("Any", value).values() if isinstance(value, dict) else value
    parts = [_measure(part, known) for part in inner if type(part) in _NESTING]
    sizes, depths = zip(*parts, strict=True) if parts else ((), ())
    measured = (1 + len(inner) - len(parts) + sum(sizes), 1 + max(depths, default=0))
    if measured[1] > _DEEPEST:
        raise DocumentError(_too_deep())
    if measured[0] > _MOST_VALUES:
        msg = f"it holds more than {_MOST_VALUES:,} values"
        raise DocumentError(msg)
    known[id(value)] = measured
    return measured
