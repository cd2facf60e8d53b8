"""Folders of files that every engine is asked about, and the verdict of one process on them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import polars as pl
from rule_cases import rule, under
from small_checks import contract

from signature_gate import Contract, check, learn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

RULES = (
    rule("column_values_to_be_between", column="n", min_value=0, max_value=80),
    rule("column_values_to_be_unique", column="n"),
    rule("column_mean_to_be_between", column="n", min_value=0, max_value=40),
)
BARE = contract(("t",), n="long", x="double", s="string", t="datetime")
RULED = under(BARE, *RULES)
SPLIT = {"on_mismatch": "split", "max_rejected": 1.0, "min_rows": 1}
ENDINGS = ("parquet", "csv", "jsonl", "arrow")


def rows(count: int, seed: int) -> pl.DataFrame:
    """Make rows, every so manieth of which breaks the contract or a rule."""
    rng = np.random.default_rng(seed)
    made = pl.DataFrame(
        {
            "n": rng.integers(-1, 99, count),
            "x": rng.random(count),
            "s": rng.choice(["a", "b"], count),
        }
    )
    row = pl.int_range(pl.len())
    return made.with_columns(
        pl.when(row % 97 != 13).then("n"), pl.when(row % 89 != 7).then("s"), extra=row
    )


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame to a file of the format that its name promises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writers = {
        ".parquet": frame.write_parquet,
        ".csv": frame.write_csv,
        ".jsonl": frame.write_ndjson,
        ".arrow": frame.write_ipc,
    }
    writers[path.suffix](path)


def folder_of(root: Path, files: int, count: int = 50) -> Path:
    """Write a folder of files in all formats; some have an optional column, and folders are too."""
    for number in range(files):
        made = rows(count, number)
        ending = ENDINGS[number % len(ENDINGS)]
        if number % 3:
            time = pl.lit("2013-07-01T00:00:00")
            is_typed = ending in ("parquet", "arrow")
            made = made.with_columns(t=time.str.to_datetime() if is_typed else time)
        write(made, root / f"part={number % 2}" / f"{number:03}.{ending}")
    return root


def learned() -> Contract:
    """The contract with a profile of values."""
    profile = learn(rows(5_000, 1), contract=BARE, policy={"nulls": "allow"})
    return replace(BARE, values=profile)


def said(batch: Any, judged_by: Contract, policy: Any, workers: Any = None) -> str:
    """Judge a batch; the whole verdict as JSON."""
    return check(batch, judged_by, policy, workers=workers).verdict.model_dump_json()


@contextmanager
def once_a_part_is_done(engine: Any, do: Callable[[], None]) -> Generator[list[int]]:
    """Do something while an engine is at work: right after its first part is done."""
    done, did = engine.done, list[int]()

    def watched(self: Any, call: Any) -> Iterator[Any]:
        for part in done(self, call):
            if not did:
                do()
            did.append(part[0])
            yield part

    with patch.object(engine, "done", watched):
        yield did
