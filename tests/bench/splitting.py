"""Contenders that write the rows of a batch that fit to one file, and the others to another."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from judging import contract_of, dataframely_schema

if TYPE_CHECKING:
    from batches import Column
    from judging import Judgement


def _sinks(path: Path) -> tuple[Path, Path]:
    folder = Path(tempfile.mkdtemp(dir=path.parent))
    return folder / "accepted.parquet", folder / "rejected.parquet"


def gate(path: Path, columns: list[Column]) -> Judgement:
    """check() and CheckResult.split()."""
    from signature_gate import Policy, check

    contract, policy = contract_of(columns), Policy.parse({"on_mismatch": "split", "nan": "value"})
    accepted, rejected = _sinks(path)

    def split() -> bool:
        check(path, contract, policy).split(accepted, rejected)
        return rejected.exists()

    return split


def polars(path: Path, columns: list[Column]) -> Judgement:
    """A filter by the one column that has nulls, and its complement."""
    import polars as pl

    accepted, rejected = _sinks(path)
    names = [column.name for column in columns]
    fits = pl.all_horizontal(pl.col(names).is_not_null())

    def split() -> bool:
        scan = pl.scan_parquet(path)
        pl.collect_all(
            [
                scan.filter(fits).sink_parquet(accepted, lazy=True),
                scan.filter(~fits).sink_parquet(rejected, lazy=True),
            ]
        )
        return rejected.exists()

    return split


def dataframely(path: Path, columns: list[Column]) -> Judgement:
    """Schema.filter() of a frame, and both frames written."""
    import polars as pl

    schema = dataframely_schema(columns)
    accepted, rejected = _sinks(path)

    def split() -> bool:
        good, failures = schema.filter(pl.read_parquet(path))
        good.write_parquet(accepted)
        failures.invalid().write_parquet(rejected)
        return rejected.exists()

    return split
