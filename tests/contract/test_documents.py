"""Files of users are read within bounds: not for ever, not without end, not twice the memory."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from small_checks import contract

from signature_gate import Contract, Policy, check
from signature_gate.expectations.documents import DocumentError, parse_json, parse_yaml, read_json
from signature_gate.expectations.errors import (
    GateError,
    InvalidFeed,
    InvalidPolicy,
    Misuse,
    NoContract,
)
from signature_gate.expectations.suite import to_suite
from signature_gate.tasks.feed.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_READERS: list[Callable[[Path], Any]] = [
    Policy.load,
    Feed.load,
    lambda path: Contract.load(str(path)),
    lambda path: check({"a": [1]}, contract(a="long"), Policy(rules=str(path))),
]
_ALIASES = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
_BOMB = "\n".join(["a0: &a0 [x]", *_ALIASES])
_MERGES = [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]
_MERGE_BOMB = "\n".join(["a0: &a0 {x: 1}", *_MERGES])


@pytest.mark.parametrize("read", _READERS, ids=["policy", "feed", "contract", "rules"])
@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, '{"a":' * 10_000, _BOMB])
def test_a_document_without_measure_is_refused(
    tmp_path: Path, read: Callable[[Path], Any], text: str
) -> None:
    """Policy, feed, contract and rules: none crashes, and none takes the memory of the machine."""
    path = tmp_path / "file.yaml"
    path.write_text(text, "utf-8")

    with pytest.raises(GateError, match=str(path)):
        read(path)


@pytest.mark.parametrize("read", _READERS, ids=["policy", "feed", "contract", "rules"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    """A device never ends, and nobody writes into the pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in ("/dev/zero", pipe):
        with pytest.raises((Misuse, InvalidPolicy, InvalidFeed)) as refused:
            read(path)  # type: ignore[arg-type]
        assert str(path) in str(refused.value)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """By its size, without being read to its end."""
    path = tmp_path / "rules.json"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)

    with pytest.raises(DocumentError, match="larger than 64 MiB"):
        read_json(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (_BOMB, "more than 5,000,000 values"),
        (_MERGE_BOMB, "more than 20 aliases"),
        ("&a [*a]", "refers to itself|found undefined alias|recursive"),
        ("a: [", "expected the node content|did not find expected node content"),
        ("\x00", "control characters|not allowed"),
    ],
)
def test_yaml_that_cannot_be_meant_is_refused_with_the_reason(text: str, reason: str) -> None:
    """Aliases count as what they stand for."""
    with pytest.raises(DocumentError, match=reason):
        parse_yaml(text)


def test_what_a_document_may_hold_is_read_as_ever() -> None:
    """Aliases, merges, a hundred levels."""
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: [*a]}") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": [{"x": 1}]},
    }
    assert parse_json("[" * 100 + "]" * 100)
    with pytest.raises(DocumentError, match="nested more than 100 levels"):
        parse_json("[" * 101 + "]" * 101)


def test_a_model_with_a_great_many_columns_is_read_up_to_a_limit(tmp_path: Path) -> None:
    """The work grows with the number of columns, not with its square, up to a limit."""
    columns = [{"type": "double", "name": f"c{n}", "required": True} for n in range(200_000)]
    for width in (100_000, 200_000):
        signature = {"inputs": json.dumps(columns[:width])}
        folder = tmp_path / str(width)
        folder.mkdir()
        (folder / "MLmodel").write_text(json.dumps({"signature": signature}), "utf-8")

    assert len(Contract.load(str(tmp_path / "100000")).columns) == 100_000
    with pytest.raises(NoContract, match="200,000 columns, more than 100,000"):
        Contract.load(str(tmp_path / "200000"))


def test_a_signature_nested_without_end_is_refused(tmp_path: Path) -> None:
    """Types in types in types: the text within the file has its bounds too."""
    kind: Any = {"type": "double"}
    for _ in range(400):
        kind = {"type": "array", "items": kind}
    signature = {"inputs": json.dumps([{**kind, "name": "a"}])}
    (tmp_path / "MLmodel").write_text(json.dumps({"signature": signature}), "utf-8")
    suite = to_suite(contract(a="long"))
    suite["meta"]["signature_gate"]["signature"] = signature
    (tmp_path / "suite.json").write_text(json.dumps(suite), "utf-8")

    for path in (tmp_path, tmp_path / "suite.json"):
        with pytest.raises(GateError):
            Contract.load(str(path))
